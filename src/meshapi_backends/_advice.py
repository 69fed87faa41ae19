"""Hints for error messages, taken from the environment: certificates."""

import os

from meshapi_core import Advice


def advice(network: str = "", *, credentials: bool = False) -> Advice:
    """The hints that this process can give.

    Args:
        network, credentials: see `Advice`.
    """
    return Advice(network, _untrusting(), credentials)


_TRUST_VARIABLES = ("SSL_CERT_FILE", "SSL_CERT_DIR")


def _untrusting() -> str:
    """Why OpenSSL trusts nobody, if a variable says so; otherwise ""."""
    for name in _TRUST_VARIABLES:
        value = os.environ.get(name) or ""
        paths = value.split(os.pathsep) if name == "SSL_CERT_DIR" else [value]
        for path in filter(None, paths):
            if not os.access(path, os.R_OK):
                return f"; {name} names {path}, which does not exist or cannot be read"
    return ""
