"""The TLS settings used where the caller gives none, made once and only when needed."""

import ssl
from functools import lru_cache


@lru_cache(maxsize=1)
def default_context() -> ssl.SSLContext:
    """Certificates checked against the system's authorities, host names checked, TLS 1.2 at least.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured, as everywhere in Python.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context
