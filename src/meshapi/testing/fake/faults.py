"""What may happen to the bytes of a response on their way."""

from dataclasses import dataclass
from typing import Optional

from typing_extensions import Literal, Self

Part = Literal["response", "head", "body"]
"""Where counting begins: at the first byte of the response, which is that of its head, or of its
body. A fault in the head comes no later than its end."""

_PARTS = ("response", "head", "body")


@dataclass(frozen=True)
class ByteFault:
    """What happens to the bytes of one response; see `FakeGateway.next_fault`.

    Make it with one of the class methods.
    """

    kind: Literal["refused", "lost", "reset", "stalled", "garbage", "repeated"]
    after: int = 0
    of: Part = "response"
    data: bytes = b""
    until: int = 0

    @classmethod
    def refused(cls) -> Self:
        """The connection is refused. Kept connections are closed before that."""
        return cls("refused")

    @classmethod
    def lost(cls, after: int = 0, of: Part = "response", *, reset: bool = False) -> Self:
        """The connection is closed after some bytes; with `reset`, by a reset.

        With the default of `after`, it is lost before the response begins.
        """
        return cls("reset" if reset else "lost", _bytes("after", after), _part(of))

    @classmethod
    def stalled(cls, after: int = 0, of: Part = "response") -> Self:
        """Nothing more comes after some bytes, until the client gives up."""
        return cls("stalled", _bytes("after", after), _part(of))

    @classmethod
    def garbage(
        cls, data: bytes = b"\x16\x03\x01 garbage\r\n\r\n", after: int = 0, of: Part = "response"
    ) -> Self:
        """Other bytes come in place of the rest, and then the connection is closed."""
        _check_kind("data", data, bytes, "bytes")
        return cls("garbage", _bytes("after", after), _part(of), data)

    @classmethod
    def repeated(cls, start: int, stop: int, of: Part = "response") -> Self:
        """The bytes from `start` to `stop` come twice."""
        if _bytes("start", start) >= _bytes("stop", stop):
            raise ValueError(f"stop: expected more than start, which is {start}, got {stop}")
        return cls("repeated", start, _part(of), until=stop)


def _bytes(name: str, value: int) -> int:
    _check_kind(name, value, int, "a number of bytes")
    if value < 0:
        raise ValueError(f"{name}: expected 0 or more, got {value}")
    return value


def _check_kind(name: str, value: object, kind: type, expected: str) -> None:
    if not isinstance(value, kind):
        raise TypeError(f"{name}: expected {expected}, got {type(value).__name__}")


def _part(of: Part) -> Part:
    if of not in _PARTS:
        raise ValueError(f'of: expected "response", "head" or "body", got {of!r}')
    return of


class Damage:
    """Applies a fault to a response: its bytes go in, and what arrives comes out.

    Attributes:
        ends: how the connection ends after what came out last, "lost" or "reset"; None if it does
            not.
    """

    def __init__(self, fault: ByteFault) -> None:
        self._fault = fault
        self._seen = 0
        self._copy = bytearray()
        self._over = False
        self.ends: Optional[Literal["lost", "reset"]] = None

    @property
    def stalls(self) -> bool:
        """Whether nothing comes any more, not even an end."""
        return self._over and self._fault.kind == "stalled"

    def head(self, data: bytes) -> bytes:
        """What arrives of the head."""
        if self._fault.of == "body":
            return data
        return self._pass(data, is_last=self._fault.of == "head")

    def body(self, data: bytes) -> bytes:
        """What arrives of a piece of the body."""
        if self._over:
            return b""
        return data if self._fault.of == "head" else self._pass(data)

    def _pass(self, data: bytes, *, is_last: bool = False) -> bytes:
        fault, seen = self._fault, self._seen
        self._seen = seen + len(data)
        if fault.kind == "repeated":
            self._copy += data
            end = min(fault.until, self._seen) if is_last else fault.until
            if not seen < end <= self._seen:
                return data
            cut = end - seen
            return data[:cut] + bytes(self._copy[fault.after : end]) + data[cut:]
        if self._seen < fault.after and not is_last:
            return data
        if self._over:
            return b""
        self._over = True
        if fault.kind in ("lost", "garbage"):
            self.ends = "lost"
        elif fault.kind == "reset":
            self.ends = "reset"
        return data[: max(0, fault.after - seen)] + fault.data
