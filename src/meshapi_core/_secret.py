"""Strings and bytes that must not show up in a repr, a log line or a traceback's locals.

Both behave as their base types on the wire (concatenation and slicing give plain values); only
what people and log handlers see of them is redacted.
"""

_REDACTED = "**********"


class Secret(str):
    """A str whose repr, str and format are redacted; `reveal()` and `encode()` give the value."""

    __slots__ = ()

    def reveal(self) -> str:
        """The value itself, as a plain str."""
        return str.__str__(self)

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> "SecretBytes":
        """The value encoded, redacted as well."""
        return SecretBytes(str.encode(self, encoding, errors))

    def __reduce__(self) -> "tuple[type[Secret], tuple[str]]":
        # The oldest pickle protocols would take str() for the value.
        return type(self), (self.reveal(),)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_REDACTED!r})"

    def __str__(self) -> str:
        return _REDACTED

    def __format__(self, format_spec: str) -> str:
        return format(_REDACTED, format_spec)


class SecretURL(str):
    """A URL whose query is a permission: its repr leaves that out.

    Everything else is the URL itself, str and format included: whoever has it passes it on.
    """

    __slots__ = ()

    def __reduce__(self) -> "tuple[type[SecretURL], tuple[str]]":
        return type(self), (str.__str__(self),)

    @property
    def place(self) -> str:
        """What may be shown of it: no query, no fragment, nobody's name and password."""
        place = str.__str__(self).partition("?")[0].partition("#")[0]
        scheme, slashes, rest = place.partition("//")
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"

    def __repr__(self) -> str:
        place = self.place
        return repr(place if self == place else f"{place}?***")


class SecretBytes(bytes):
    """Bytes that hold a secret, such as a request's head: the repr tells their length alone."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self)} bytes>)"

    __str__ = __repr__
