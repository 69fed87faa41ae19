"""The realtime sessions of the three examples, which print one line of JSON for each."""

import json
import os
from typing import Optional

from meshapi_core import (
    Closed,
    MeshAPIError,
    RealtimeCall,
    RealtimeConnection,
    RealtimeMessage,
    Request,
)
from table import config

MODELS = {
    "talk": "openai/gpt-realtime-mini",
    "refused": "no-such/model",
    "lost": "mesh/broken-stream",
    "failed": "mesh/close-1011",
    "error": "mesh/error-in-stream",
}

QUESTION = {
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "What is 2+2?"}],
}


class Talk:
    """One session: its machine, and what to say in it."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.session = RealtimeConnection()
        self.request: Request = RealtimeCall(model=MODELS[name]).request(config(), os.urandom)
        self._text = ""

    def respond(self, message: RealtimeMessage) -> bytes:
        """Return the bytes to send after a message, or b"".

        Raises:
            RealtimeError: the message is an error event. The session itself could go on.
        """
        if error := message.error():
            raise error
        if message.type == "session.created":
            asked = {"type": "conversation.item.create", "item": QUESTION}
            return self.session.send(asked) + self.session.send({"type": "response.create"})
        if message.type == "response.output_audio_transcript.delta":
            self._text += (message.event or {})["delta"]
        return self.session.close() if message.type == "response.done" else b""

    def end(self, end: "Closed | MeshAPIError") -> None:
        """Print how the session ended."""
        error: Optional[MeshAPIError] = end.error() if isinstance(end, Closed) else end
        code = "" if error is None else error.error_code
        print(json.dumps({"case": self.name, "text": self._text, "code": code}), flush=True)
