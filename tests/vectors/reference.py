"""Two of the subjects, once more, from their standards and with Python's standard library alone.

It shows that the vectors are what the standards say, and not merely what our code does; and how a
program reads them. Nothing of this repository is imported. Cases with `departs` are passed over.

    python tests/vectors/reference.py

Source: https://html.spec.whatwg.org/multipage/server-sent-events.html section 9.2.6,
    https://www.rfc-editor.org/rfc/rfc9110 (sections 5.6.7 and 10.2.3)
"""

import json
import re
import sys
from datetime import datetime
from email.utils import mktime_tz, parsedate_tz
from pathlib import Path


def bytes_of(parts):
    """The bytes of a list of parts."""
    data = b""
    for part in parts:
        if isinstance(part, str):
            data += part.encode("utf-8")
        elif "hex" in part:
            data += bytes.fromhex(part["hex"])
        else:
            data += part["repeat"].encode("utf-8") * part["times"]
    return data


def sse(case):
    """The events of a stream, in the words of the standard."""
    text = bytes_of(case["input"]).decode("utf-8", "replace")
    if text.startswith("\ufeff"):
        text = text[1:]
    lines = re.split("\r\n|\n|\r", text)
    lines.pop()  # what has no end is no line
    data = event_type = id_buffer = last_event_id = ""
    reconnection_time = None
    events = []
    for line in lines:
        field, _, value = line.partition(":")
        if value.startswith(" "):
            value = value[1:]
        if line == "":
            last_event_id = id_buffer
            if data != "":
                events.append(
                    {
                        "event": event_type or "message",
                        "data": data[:-1],
                        "id": last_event_id,
                        "retry": reconnection_time,
                    }
                )
            data = event_type = ""
        elif field == "event":
            event_type = value
        elif field == "data":
            data += value + "\n"
        elif field == "id" and "\0" not in value:
            id_buffer = value
        elif field == "retry" and re.fullmatch("[0-9]+", value):
            reconnection_time = int(value)
    return {"events": events, "last_event_id": last_event_id, "error": None}


_TIME = "[0-9]{2}:[0-9]{2}:[0-9]{2}"
_MONTH = "(Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_HTTP_DATE = re.compile(
    f"[A-Z][a-z]{{2}}, [0-9]{{2}} {_MONTH} (?!0000)[0-9]{{4}} {_TIME} GMT"
    f"|[A-Z][a-z]+day, [0-9]{{2}}-{_MONTH}-[0-9]{{2}} {_TIME} GMT"
    f"|[A-Z][a-z]{{2}} {_MONTH} [ 0-9][0-9] {_TIME} (?!0000)[0-9]{{4}}"
)


def retry_after(case):
    """The wait that a Retry-After field asks for."""
    value = case["value"].strip(" \t")
    if re.fullmatch("[0-9]+", value):
        return {"seconds": int(value)}
    now = http_date(case["date"]) if "date" in case else None
    if now is None:
        now = case.get("received_at")
    then = http_date(value)
    return {"seconds": None if then is None or now is None else max(0, then - now)}


def http_date(text):
    """A date as Unix seconds, None where it is none."""
    if not _HTTP_DATE.fullmatch(text):
        return None
    parsed = parsedate_tz(text)
    try:
        datetime(*parsed[:5])
    except ValueError:
        return None
    return mktime_tz(parsed) if parsed[5] <= 60 else None


SUBJECTS = {"sse": sse, "retry_after": retry_after, "retry_after_dates": retry_after}


def main(folder):
    """Check the files; return whether all of their cases agree."""
    good = True
    for name, subject in SUBJECTS.items():
        cases = json.loads((folder / f"{name}.json").read_text("ascii"))["cases"]
        kept = [case for case in cases if "departs" not in case]
        for case in kept:
            expected, got = case["expected"], subject(case)
            wrong = [key for key in got if got[key] != expected[key]]
            if wrong:
                good = False
                sys.stdout.write(f"{name}: {case['name']}: {wrong} is {got}\n")
        sys.stdout.write(f"{name}: {len(kept)} of {len(cases)} cases checked\n")
    return good


if __name__ == "__main__":
    sys.exit(not main(Path(sys.argv[1]) if len(sys.argv) > 1 else Path(__file__).parent))
