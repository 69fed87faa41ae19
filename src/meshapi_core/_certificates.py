"""What to do about a refused TLS certificate, by OpenSSL's code or words for the reason."""

import re

__all__ = ["hint_at_certificate", "without_place"]

# X509_V_ERR_... of a chain that leads to no authority known here: a self-signed certificate, one
# in the chain, no issuer found (two codes). Source: https://docs.openssl.org/3.0/man3/
# X509_STORE_CTX_get_error/
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
_UNKNOWN_WORDS = re.compile(r"(?i)self.signed|local issuer|unable to verify the first")

# The same, of a certificate outside its time, and of one for other names.
_OUT_OF_DATE = frozenset({9, 10})
_OUT_OF_DATE_WORDS = re.compile(r"(?i)expired|not yet valid")
_OTHER_NAME = frozenset({62, 64})
_OTHER_NAME_WORDS = re.compile(r"(?i)mismatch|not valid for|(?:does not|doesn't) match")

# Where OpenSSL's Python module raised it.
_PLACE_IN_C = re.compile(r" \(_ssl\.c:\d+\)$")


def hint_at_certificate(code: int, said: str, trust: str, *, proxied: bool) -> str:
    """Return what to do, to be put behind the reason; "" where nothing is known.

    Args:
        code: X509_V_ERR_..., 0 where the exception has none.
        said: the reason in words, which decide where there is no code.
        trust: what to do where the authority is not known; see `Advice`.
        proxied: it is the certificate of a proxy.
    """

    def means(codes: frozenset[int], words: "re.Pattern[str]") -> bool:
        return code in codes if code else bool(words.search(said))

    if means(_UNKNOWN_AUTHORITY, _UNKNOWN_WORDS):
        return trust
    if means(_OUT_OF_DATE, _OUT_OF_DATE_WORDS):
        return "; the server needs a new one, unless the clock of this machine is wrong"
    if means(_OTHER_NAME, _OTHER_NAME_WORDS) and not proxied:
        return "; check the host name in the base URL"
    return ""


def without_place(said: str) -> str:
    """Return OpenSSL's words without the line of C that Python puts behind them."""
    return _PLACE_IN_C.sub("", said)
