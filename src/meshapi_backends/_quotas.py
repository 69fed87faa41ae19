"""The retry quota of a client, between threads and forked processes."""

from threading import Lock

from meshapi_backends._forks import forget_after_fork
from meshapi_core import RetryQuota


def new_retry_quota() -> RetryQuota:
    """Return full buckets, which a forked child has for itself."""
    quota = RetryQuota(Lock)
    forget_after_fork(quota)
    return quota
