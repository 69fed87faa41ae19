"""An authority made for this test run, and certificates by it."""

import ssl
from datetime import datetime, timezone
from functools import lru_cache

import trustme


@lru_cache(maxsize=1)
def authority() -> trustme.CA:
    """Nobody trusts it but `trusting()`."""
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """What a client needs to accept the authority's certificates, and nothing looser."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def serving(name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
    """A server's settings with a certificate for a name or an address."""
    past = datetime(2001, 1, 1, tzinfo=timezone.utc) if expired else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name, not_after=past).configure_cert(context)
    return context
