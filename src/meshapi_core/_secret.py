"""Strings and bytes that must not show up in a repr, a log line or a traceback's locals.

On the wire they behave like their base types (concatenation and slicing return plain values); only
what people and log handlers see of them is redacted.
"""

_REDACTED = "**********"


class Secret(str):
    """A str whose repr, str and format are redacted; `reveal()` and `encode()` return the value."""

    __slots__ = ()

    def reveal(self) -> str:
        """The value itself, as a plain str."""
        return str.__str__(self)

    def encode(self, encoding: str = "utf-8", errors: str = "strict") -> "SecretBytes":
        """The encoded value, whose repr is redacted as well."""
        return SecretBytes(str.encode(self, encoding, errors))

    def __reduce__(self) -> "tuple[type[Secret], tuple[str]]":
        # The oldest pickle protocols would store str(self), which is redacted.
        return type(self), (self.reveal(),)

    def __repr__(self) -> str:
        return f"{type(self).__name__}({_REDACTED!r})"

    def __str__(self) -> str:
        return _REDACTED

    def __format__(self, format_spec: str) -> str:
        return format(_REDACTED, format_spec)


class SecretURL(str):
    """A URL whose query grants access: its repr leaves the query out.

    str and format return the whole URL, so that a program can pass it on.
    """

    __slots__ = ()

    def __reduce__(self) -> "tuple[type[SecretURL], tuple[str]]":
        return type(self), (str.__str__(self),)

    @property
    def place(self) -> str:
        """The part that may be shown: without query, fragment, user name and password."""
        place = str.__str__(self).partition("?")[0].partition("#")[0]
        scheme, slashes, rest = place.partition("//")
        return f"{scheme}{slashes}{rest.rpartition('@')[2]}"

    def __repr__(self) -> str:
        place = self.place
        return repr(place if self == place else f"{place}?***")


class SecretBytes(bytes):
    """Bytes that hold a secret, such as a request's head: the repr shows only their length."""

    __slots__ = ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}(<{len(self)} bytes>)"

    __str__ = __repr__
