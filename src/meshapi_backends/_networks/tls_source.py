"""Where the SSL context of a client comes from, without importing ssl before it is needed."""

import os
import re
from typing import TYPE_CHECKING, Optional, Union

from meshapi_core import TLSSettings

if TYPE_CHECKING:
    import ssl
    from os import PathLike

    from typing_extensions import TypeAlias

    _Path: TypeAlias = Union[str, PathLike[str]]
    TLSArgument: TypeAlias = Union[
        ssl.SSLContext,
        _Path,
        tuple[_Path, _Path],
        tuple[_Path, _Path, Union[str, bytes]],
    ]
    """What the argument `tls` of clients and transports takes."""

# A folder of authorities has files that are named after the hash of the subject.
# Source: https://docs.openssl.org/3.0/man1/openssl-rehash/
_HASHED = re.compile(r"[0-9a-f]{8}\.[0-9]+")

_AUTHORITY = re.compile(rb"-----BEGIN (?:TRUSTED |X509 )?CERTIFICATE-----")
_KEY = re.compile(rb"-----BEGIN (?:[A-Z]+ )*PRIVATE KEY-----")
_ENCRYPTED = re.compile(rb"-----BEGIN ENCRYPTED PRIVATE KEY-----|Proc-Type: 4,ENCRYPTED")

# Files of certificates are far smaller.
_LARGEST = 16 * 1024 * 1024


class TLSSource:
    """The SSL context of a client: the caller's own, or the one to make for its settings.

    Attributes:
        context: the context; None until it has been made.
    """

    __slots__ = ("_for_proxies", "_settings", "context")

    def __init__(self, settings: TLSSettings) -> None:
        self._settings = settings
        self._for_proxies: Optional[TLSSource] = None
        self.context: Optional[ssl.SSLContext] = settings.context

    @classmethod
    def of(cls, tls: object) -> "TLSSource":
        """The source for what a caller passes as `tls`, or the source itself.

        Raises:
            InvalidParamsError: it cannot be used, or names a file that cannot be used.
        """
        if isinstance(tls, TLSSource):
            return tls
        tls = TLSSettings.hidden(tls)
        settings = TLSSettings.of(tls)
        if settings.authorities is not None:
            fault = fault_of_authorities(settings.authorities)
            if fault:
                raise TLSSettings.wrong_file(
                    "tls", "a CA file or folder", settings.authorities, fault
                )
        if settings.certificate is not None and settings.key is not None:
            _check_certificate(settings, settings.certificate, settings.key)
        return cls(settings)

    @property
    def for_proxies(self) -> "TLSSource":
        """The source for connections to https proxies, which are not shown our certificate.

        A caller's own context is used as it is.
        """
        if self._settings.certificate is None:
            return self
        if self._for_proxies is None:
            self._for_proxies = TLSSource(TLSSettings(authorities=self._settings.authorities))
        return self._for_proxies

    def make(self) -> "ssl.SSLContext":
        """The context, made now unless there is one. Reads files, so not in an event loop.

        Raises:
            TransportError: a certificate cannot be loaded.
        """
        if self.context is None:
            from meshapi_backends._networks.contexts import context_of

            self.context = context_of(self._settings)
        return self.context

    def make_separate(self) -> "ssl.SSLContext":
        """A context that nobody else uses, for code that changes it; but a caller's own as it is.

        Reads files, so not in an event loop.

        Raises:
            TransportError: a certificate cannot be loaded.
        """
        from meshapi_backends._networks.contexts import separate_context_of

        return separate_context_of(self._settings)


def _check_certificate(settings: TLSSettings, certificate: str, key: str) -> None:
    fault = _fault_of_file(certificate, _AUTHORITY, "certificate")
    if fault:
        raise TLSSettings.wrong_file(
            "tls[0]", "the file of a client certificate", certificate, fault
        )
    fault = _fault_of_file(key, _KEY, "private key")
    if fault:
        raise TLSSettings.wrong_file("tls[1]", "the file of a private key", key, fault)
    if settings.password is None and is_encrypted(key):
        fault = "the key is encrypted; write (certificate, key, password)"
        raise TLSSettings.wrong_file("tls[1]", "the file of a private key", key, fault)


def fault_of_authorities(path: str) -> str:
    """What is wrong with a file or folder of certificate authorities; "" if nothing is."""
    if not os.path.isdir(path):
        return _fault_of_file(path, _AUTHORITY, "certificate")
    try:
        names = os.listdir(path)
    except OSError as exc:
        return _words(exc)
    if any(map(_HASHED.fullmatch, names)):
        return ""
    return "the folder has no hashed certificates; run `openssl rehash` on it"


def _fault_of_file(path: str, pattern: "re.Pattern[bytes]", what: str) -> str:
    if os.path.isdir(path):
        return "it is a folder"
    try:
        with open(path, "rb") as file:
            content = file.read(_LARGEST)
    except OSError as exc:
        return _words(exc)
    except ValueError:  # a null character, or what the system's encoding lacks
        return "it is no path of a file"
    if pattern.search(content):
        return ""
    hint = "; if it is in DER form, convert it with openssl" if content[:1] == b"\x30" else ""
    return f"it has no {what} in PEM form{hint}"


def _words(exc: OSError) -> str:
    return "it does not exist" if isinstance(exc, FileNotFoundError) else exc.strerror or str(exc)


def is_encrypted(key: str) -> bool:
    """Whether the file of a private key needs a password."""
    try:
        with open(key, "rb") as file:
            return bool(_ENCRYPTED.search(file.read(_LARGEST)))
    except OSError:
        return False
