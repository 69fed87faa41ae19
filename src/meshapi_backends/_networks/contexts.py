"""Makes SSL contexts, each once: those of clients that bring none.

| first that fits | trusted |
|---|---|
| `tls` is the path of a CA file or folder | these authorities alone |
| `SSL_CERT_FILE` or `SSL_CERT_DIR` is set | what OpenSSL makes of them |
| macOS or Windows, and truststore is installed | what the system's own verification accepts |
| the standard library finds authorities of the system | these |
| certifi is installed | its authorities |
| otherwise | none: every certificate is refused |

All ask for TLS 1.2 or later, check host names, and offer HTTP/1.1 by ALPN. A client certificate is
added to any of them.

truststore is not used on Linux and other systems. There it has OpenSSL verify against the same
store as the standard library, but reads that store again for each connection, which takes 20 ms.
On macOS and Windows, its contexts call the system at the end of the handshake, which may block:
see `blocks` in `tls.py`.

Source: https://truststore.readthedocs.io/en/latest/,
    https://docs.openssl.org/3.0/man3/SSL_CTX_load_verify_locations/ (the variables)
"""

import os
import ssl
import sys
import threading
from typing import Any, Optional

from meshapi_backends._failures import TransportError
from meshapi_backends._forks import forget_after_fork
from meshapi_backends._networks.tls_source import fault_of_authorities, is_encrypted
from meshapi_core import TLSSettings

# Contexts that are kept. Programs have a few configurations; one that renews its certificates often
# leaves old ones behind.
_MOST = 32

_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


class _Contexts:
    """The contexts, by what they were made from; safe between threads."""

    def __init__(self) -> None:
        self._made: dict[Any, ssl.SSLContext] = {}
        self.forget()
        forget_after_fork(self)

    def forget(self) -> None:
        """Make a new lock, in a forked child: the parent's may be held for ever."""
        self._lock = threading.Lock()

    def get(self, settings: TLSSettings) -> ssl.SSLContext:
        """The context for some settings, made if there is none."""
        key = _key(settings)
        # Held while a context is made, so that no two threads make the same one.
        with self._lock:
            context = self._made.get(key)
            if context is None:
                context = _new_context(settings)
                if len(self._made) >= _MOST:
                    del self._made[next(iter(self._made))]
                self._made[key] = context
        return context


def _key(settings: TLSSettings) -> Any:
    """What a context depends on: the settings, the variables, and which files these name now."""
    values = [os.environ.get(name) for name in _VARIABLES]
    paths = (settings.authorities, settings.certificate, settings.key, *values)
    return (settings, *values, *map(_version_of, paths))


def _version_of(path: Optional[str]) -> Any:
    """What changes with a file; None without one."""
    try:
        found = os.stat(path or "")
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


_CONTEXTS = _Contexts()


def context_of(settings: TLSSettings) -> ssl.SSLContext:
    """The SSL context for some settings; the same one each time, unless a file has changed.

    Raises:
        TransportError: a certificate cannot be loaded.
    """
    return settings.context or _CONTEXTS.get(settings)


def separate_context_of(settings: TLSSettings) -> ssl.SSLContext:
    """A context that nobody else uses, for code that changes it; but a caller's own as it is.

    Raises:
        TransportError: a certificate cannot be loaded.
    """
    return settings.context or _new_context(settings)


def _new_context(settings: TLSSettings) -> ssl.SSLContext:
    context = _trusting(settings.authorities) if settings.authorities else _default()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if settings.certificate is not None and settings.key is not None:
        _identify(context, settings, settings.certificate, settings.key)
    return context


def _trusting(authorities: str) -> ssl.SSLContext:
    try:
        if os.path.isdir(authorities):
            return ssl.create_default_context(capath=authorities)
        return ssl.create_default_context(cafile=authorities)
    except OSError as exc:  # which an SSLError is
        raise TransportError(
            TLSSettings.authorities_unusable("tls", authorities, _words(exc))
        ) from exc


def _default() -> ssl.SSLContext:
    if any(map(os.environ.get, _VARIABLES)):
        _check_variables()
        return ssl.create_default_context()
    native = _by_the_system() if sys.platform in ("darwin", "win32") else None
    if native is not None:
        return native
    context = ssl.create_default_context()
    if _trusts_nobody(context):
        try:
            import certifi
        except ImportError:
            return context
        context.load_verify_locations(cafile=certifi.where())
    return context


def _check_variables() -> None:
    # OpenSSL ignores a path that cannot be used, and then refuses every certificate.
    for name in _VARIABLES:
        value = os.environ.get(name) or ""
        paths = value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]
        faults = [_fault(name, path) for path in paths if path]
        if faults and all(faults):
            raise TransportError(TLSSettings.authorities_unusable(name, value, faults[0]))


def _fault(name: str, path: str) -> str:
    if os.path.isdir(path) != (name == "SSL_CERT_DIR") and os.path.exists(path):
        return "it is a folder" if os.path.isdir(path) else "it is not a folder"
    return fault_of_authorities(path)


def _by_the_system() -> Optional[ssl.SSLContext]:
    """A context with which the system verifies; None without truststore, or if it cannot work."""
    try:
        import truststore
    except ImportError:  # also on systems that it is too new for
        return None
    # Type checkers that are set to Python 3.9 see an empty module.
    module: Any = truststore
    context: ssl.SSLContext = module.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    return context


def _trusts_nobody(context: ssl.SSLContext) -> bool:
    if context.cert_store_stats()["x509_ca"]:
        return False
    # OpenSSL reads a folder when it looks for an authority, so the context has not counted it.
    folder = ssl.get_default_verify_paths().capath
    return not folder or bool(fault_of_authorities(folder))


def _identify(context: ssl.SSLContext, settings: TLSSettings, certificate: str, key: str) -> None:
    try:
        # Without any password, OpenSSL would ask for it on the terminal.
        context.load_cert_chain(certificate, key, settings.password or "")
    except OSError as exc:
        why = _words(exc)
        if getattr(exc, "reason", "") == "KEY_VALUES_MISMATCH":
            why = "the key does not belong to the certificate"
        elif isinstance(exc, ssl.SSLError) and is_encrypted(key):
            why = "the key cannot be decrypted with the password"
        raise TransportError(settings.certificate_unusable(why)) from exc


def _words(exc: OSError) -> str:
    if isinstance(exc, FileNotFoundError):
        return "it does not exist"
    return getattr(exc, "reason", None) or exc.strerror or str(exc)
