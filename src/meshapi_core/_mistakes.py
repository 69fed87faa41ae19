"""Mistakes in the program, which are not in the tree of errors; `errors` exports them, too.

An argument is refused before any byte is sent. A program that catches `MeshAPIError` handles calls
that failed, and must not hide these.
"""


class InvalidParamsError(TypeError, ValueError):
    """A parameter is missing, unknown or of the wrong type; nothing was sent.

    Attributes:
        field: The path of the field, such as `messages[0].role`; "" for the parameters as a whole.
        expected: What would have been accepted; "" if nothing would, as for an unknown name.
        got: What was given: its kind, or the value itself if it is short; "nothing" if missing. If
            `expected` is "", what is wrong: "no such parameter".
        hint: What to do instead, or "".
    """

    def __init__(self, field: str, expected: str, got: str, hint: str = "") -> None:
        super().__init__(field, expected, got, hint)
        self.field = field
        self.expected = expected
        self.got = got
        self.hint = hint

    def __str__(self) -> str:
        where = f"{self.field}: " if self.field else ""
        hint = f"; {self.hint}" if self.hint else ""
        what = f"expected {self.expected}, got {self.got}" if self.expected else self.got
        return f"{where}{what}{hint}"


class StreamUsageError(RuntimeError):
    """A stream or a realtime session was used in a way that it does not allow.

    It was used again after its end, or by two tasks or threads at once. This is a mistake in the
    program, and not a `MeshAPIError`, so that a handler for failed calls does not hide it.
    """


class ResponseWarning(UserWarning):
    """A field of a response could not be read and has its default value; `.raw` has the original.

    Python shows each once per line of code; `warnings.filterwarnings` can turn them into errors.
    """


class ParamsWarning(UserWarning):
    """A parameter is probably a mistake; it is sent as given."""
