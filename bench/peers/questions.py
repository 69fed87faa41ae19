"""What everybody is asked, and with which headers where a library has none of its own."""

import json

MODEL = "bench"
TOKEN = "rsk_test_bench"
TEXT = "Hello!"
TEXTS = [TEXT]


def messages():
    """As a program has them: made for the call."""
    return [{"role": "user", "content": TEXT}]


HEADERS = {
    "authorization": f"Bearer {TOKEN}",
    "content-type": "application/json",
    "accept": "application/json",
}


def body():
    """The same as JSON, for those who only send bytes."""
    return json.dumps({"model": MODEL, "messages": messages()}).encode()
