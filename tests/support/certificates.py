"""A certificate authority made for this test run, and certificates that it signs."""

import ssl
from datetime import datetime, timezone
from functools import lru_cache

import trustme


@lru_cache(maxsize=1)
def authority() -> trustme.CA:
    """The authority, which only `trusting()` trusts."""
    return trustme.CA()


def trusting() -> ssl.SSLContext:
    """A context for clients that trusts the authority, and is otherwise the default one."""
    context = ssl.create_default_context()
    authority().configure_trust(context)
    return context


def serving(name: str = "127.0.0.1", *, expired: bool = False) -> ssl.SSLContext:
    """A context for servers with a certificate for a name or an address."""
    past = datetime(2001, 1, 1, tzinfo=timezone.utc) if expired else None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority().issue_cert(name, not_after=past).configure_cert(context)
    return context
