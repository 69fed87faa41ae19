"""What the codes of a WebSocket close mean, for a close without a reason.

Source: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1,
    https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
"""

__all__ = ["CLOSE_CODES"]

CLOSE_CODES: dict[int, str] = {
    1000: "closed normally",
    1001: "the gateway is going away",
    1002: "WebSocket protocol error",
    1003: "a kind of data that is not supported",
    1005: "closed without a code",
    1006: "the connection was lost",
    1007: "a message is not valid UTF-8",
    1008: "a policy was violated",
    1009: "a message is too big",
    1010: "a WebSocket extension is missing",
    1011: "the gateway failed",
    1012: "the gateway restarts",
    1013: "the gateway is overloaded",
    1014: "the gateway got no valid response from its own server",
}
