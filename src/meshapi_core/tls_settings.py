"""Whom a client trusts and how it identifies itself over TLS: the argument `tls`, as a value."""

import re
from typing import Any, Optional, Union, cast

from msgspec import Struct

from meshapi_core._json_kinds import type_name
from meshapi_core._secret import Secret, SecretBytes
from meshapi_core.errors import APIConnectionError, InvalidParamsError
from meshapi_core.messages import Failure

__all__ = ["TLSSettings"]

_EXPECTED = "an ssl.SSLContext, the path of a CA file or folder, or (certificate, key[, password])"
_LONGEST_PASSWORD = 1024  # PEM_BUFSIZE of OpenSSL
_LONGEST_PATH = 4096  # PATH_MAX of Linux
_ALWAYS_VERIFIED = (
    "certificates are always verified; for a private CA or a self-signed server, write the path of"
    " its certificate"
)


def _hidden(password: object) -> object:
    """Return a secret; the type of anything else, or the type itself if that is what was kept."""
    if isinstance(password, type):
        return password
    if isinstance(password, str):
        return Secret(str.__str__(password))
    return SecretBytes(password) if isinstance(password, bytes) else type(password)


def _is_text(value: object) -> bool:
    """Whether it is the text of a key or certificate, or anything else that is no path."""
    if not isinstance(value, str):
        return False
    return "\n" in value or len(value) > _LONGEST_PATH or value.lstrip().startswith("-----BEGIN")


# How the names of such files end. A password does not; it may have slashes, being base64.
_FILE = re.compile(r"(?i)\.(?:cer|cert|chain|crt|key|p12|pem|pfx)\Z")


def _hidden_path(path: object, *, in_tuple: bool = False) -> object:
    # A key may stand where its path should; a password, where the path of another file should.
    if isinstance(path, str) and (_is_text(path) or (in_tuple and not _FILE.search(path))):
        return Secret(str.__str__(path))
    return SecretBytes(path) if isinstance(path, bytes) else path


class TLSSettings(Struct, frozen=True):
    """What the argument `tls` of a client says. Its repr shows no password.

    Fields:
        context: the caller's own `ssl.SSLContext`; if it is given, the other fields are empty.
        authorities: the path of a file or folder of certificate authorities, which alone are
            trusted; None trusts the default ones.
        certificate, key: the paths of a client certificate and of its private key.
        password: decrypts the key; a secret.
    """

    context: Optional[Any] = None
    authorities: Optional[str] = None
    certificate: Optional[str] = None
    key: Optional[str] = None
    password: Union[None, str, bytes] = None

    @staticmethod
    def hidden(tls: object) -> object:
        """Return the argument `tls` with its password, if any, as a secret; raises nothing.

        So is whatever else in a tuple may be the password, in the wrong place: what is not named
        like a file with a certificate or a key.
        """
        # Before anything can raise: error trackers show the locals of frames that raise.
        if isinstance(tls, tuple):
            given = cast("Any", tls)
            # Of another length, it is refused, and nobody knows which of them is the password.
            paths = 2 if len(given) in (2, 3) else 0
            shown = (_hidden_path(path, in_tuple=True) for path in given[:paths])
            return (*shown, *map(_hidden, given[paths:]))
        # Passwords in a list are not kept.
        return list if isinstance(tls, list) else _hidden_path(tls)

    @classmethod
    def of(cls, tls: object) -> "TLSSettings":
        """Return the settings for an argument `tls`.

        Args:
            tls: an `ssl.SSLContext`; the path of a CA file or folder; (certificate, key) or
                (certificate, key, password); None; or settings.

        Raises:
            InvalidParamsError: it is something else. The message shows no password.
        """
        tls = cls.hidden(tls)
        if tls is None:
            return _DEFAULT
        if isinstance(tls, TLSSettings):
            return tls
        if isinstance(tls, tuple):
            return _identified(*tls)
        if _is_text(tls):
            raise InvalidParamsError("tls", "the path of a CA file or folder", _TEXT, _WRITE_PATH)
        path = _path(tls)
        if path:
            return cls(authorities=path)
        # By a method, not by class: `ssl` is not imported before the first https call.
        if callable(getattr(tls, "wrap_bio", None)) and not isinstance(tls, type):
            return cls(context=tls)
        raise InvalidParamsError("tls", _EXPECTED, _kind(tls), _hint(tls))

    @staticmethod
    def wrong_file(field: str, expected: str, path: str, why: str) -> InvalidParamsError:
        """Return the error for a file that `tls` names and that cannot be used.

        Args:
            field: where in `tls` it stands.
            expected: what it should be.
            path: the file.
            why: what is wrong with it.
        """
        # Perhaps the password, in the wrong place: see `hidden`.
        if isinstance(path, Secret):
            hint = "the order is (certificate, key, password)"
            return InvalidParamsError(field, expected, f"a path that cannot be used: {why}", hint)
        return InvalidParamsError(field, expected, f"{path!r}: {why}")

    @staticmethod
    def authorities_unusable(name: str, path: str, why: str) -> Failure:
        """Return the failure if certificate authorities cannot be loaded.

        Args:
            name: the argument or environment variable that names them.
            path: the file or folder.
            why: what is wrong with it.
        """
        message = f"cannot load the certificate authorities of {name} ({path}): {why}"
        return Failure(APIConnectionError(message, error_code="tls_verify"), "verify")

    def certificate_unusable(self, why: str) -> Failure:
        """Return the failure if the client certificate or its key cannot be loaded."""
        files = " and ".join(dict.fromkeys(filter(None, (self.certificate, self.key))))
        message = f"cannot load the client certificate of tls ({files}): {why}"
        return Failure(APIConnectionError(message, error_code="tls_handshake"), "verify")


_DEFAULT = TLSSettings()
_TEXT = "the text of a key or certificate"
_WRITE_PATH = "write the path of its file"


def _identified(*tls: Any) -> TLSSettings:
    if len(tls) not in (2, 3):
        got = "one value" if len(tls) == 1 else f"{len(tls)} values"
        raise InvalidParamsError("tls", "(certificate, key) or (certificate, key, password)", got)
    certificate, key, password = tls if len(tls) == 3 else (*tls, None)
    for position, name, value in ((0, "certificate", certificate), (1, "key", key)):
        if _is_text(value):
            expected = f"the path of the {name}"
            raise InvalidParamsError(f"tls[{position}]", expected, _TEXT, _WRITE_PATH)
        if not _path(value):
            raise InvalidParamsError(
                f"tls[{position}]",
                f"the path of the {name}",
                _kind(value),
                "if both are in one file, name it twice" if value is None else "",
            )
    if not isinstance(password, (str, bytes)) and password not in (None, type(None)):
        got = password.__name__ if isinstance(password, type) else type_name(password)
        raise InvalidParamsError("tls[2]", "the password of the key, str or bytes", got)
    if isinstance(password, (str, bytes)) and not _is_password(password):
        expected = f"a password of at most {_LONGEST_PASSWORD} bytes in UTF-8"
        raise InvalidParamsError("tls[2]", expected, "another one")
    return TLSSettings(
        certificate=_path(certificate),
        key=_path(key),
        password=password if isinstance(password, (str, bytes)) else None,
    )


def _is_password(password: Union[str, bytes]) -> bool:
    # Not by an exception: its text would quote the password.
    if isinstance(password, str):
        if any("\ud800" <= c <= "\udfff" for c in str.__str__(password)):
            return False
        return len(str.encode(password, "utf-8")) <= _LONGEST_PASSWORD
    return len(password) <= _LONGEST_PASSWORD


def _path(value: Any) -> str:
    """Return a path as text; "" if the value is no path."""
    path = value
    if hasattr(value, "__fspath__") and not isinstance(value, type):
        path = value.__fspath__()
    return path if isinstance(path, str) else ""


def _kind(tls: object) -> str:
    if isinstance(tls, bool) or tls == "":
        return repr(tls)
    if isinstance(tls, bytes):
        return "bytes"
    return tls.__name__ if isinstance(tls, type) else type_name(tls)


def _hint(tls: object) -> str:
    if tls is True:
        return "leave it out: certificates are verified by default"
    if tls is False:
        return _ALWAYS_VERIFIED
    if tls is list:
        return "write a tuple"
    if isinstance(tls, bytes):
        return "write the path of a file, as str"
    return ""
