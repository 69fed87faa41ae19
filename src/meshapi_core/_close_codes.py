"""The meanings of WebSocket close codes, shown if a Close frame has no reason.

Source: https://www.rfc-editor.org/rfc/rfc6455#section-7.4.1,
    https://www.iana.org/assignments/websocket/websocket.xhtml#close-code-number
"""

__all__ = ["CLOSE_CODES"]

CLOSE_CODES: dict[int, str] = {
    1000: "closed normally",
    1001: "the gateway is going away",
    1002: "WebSocket protocol error",
    1003: "unsupported kind of data",
    1005: "closed without a code",
    1006: "the connection was lost",
    1007: "a message is not valid UTF-8",
    1008: "policy violation",
    1009: "a message is too big",
    1010: "a WebSocket extension is missing",
    1011: "internal error of the gateway",
    1012: "the gateway is restarting",
    1013: "the gateway is overloaded",
    1014: "the gateway got no valid response from its upstream server",
}
