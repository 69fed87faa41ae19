"""Advice on a refused TLS certificate, from OpenSSL's code or words for the reason."""

import re

__all__ = ["hint_at_certificate", "without_place"]

# X509_V_ERR_... of a chain that does not lead to a known authority: a self-signed certificate, a
# self-signed one in the chain, no issuer found (two codes). Source:
# https://docs.openssl.org/3.0/man3/X509_STORE_CTX_get_error/
_UNKNOWN_AUTHORITY = frozenset({18, 19, 20, 21})
_TRUST = (
    '; for a private CA or a self-signed server, write tls="/path/to/ca.pem", the path of its'
    " certificate, or set SSL_CERT_FILE (for an HTTP client of your own: its verify=)"
)
_UNKNOWN_WORDS = re.compile(r"(?i)self.signed|local issuer|unable to verify the first")

# The codes for a certificate outside its validity period, and for a certificate for other names.
_OUT_OF_DATE = frozenset({9, 10})
_OUT_OF_DATE_WORDS = re.compile(r"(?i)expired|not yet valid")
_OTHER_NAME = frozenset({62, 64})
_OTHER_NAME_WORDS = re.compile(r"(?i)mismatch|not valid for|(?:does not|doesn't) match")

# The line of C that raised the error, in Python's ssl module.
_PLACE_IN_C = re.compile(r" \(_ssl\.c:\d+\)$")


def hint_at_certificate(code: int, said: str, trust: str, *, proxied: bool) -> str:
    """Return what to do, as a text to append to the reason; "" if there is no advice.

    Args:
        code: X509_V_ERR_...; 0 if the exception has none.
        said: the reason in words, which decide if there is no code.
        trust: the host's advice for an unknown authority, which replaces ours; see `Advice`.
        proxied: whether the certificate is a proxy's.
    """

    def means(codes: frozenset[int], words: "re.Pattern[str]") -> bool:
        return code in codes if code else bool(words.search(said))

    if means(_UNKNOWN_AUTHORITY, _UNKNOWN_WORDS):
        return trust or _TRUST
    if means(_OUT_OF_DATE, _OUT_OF_DATE_WORDS):
        return "; the server needs a new one, unless the clock of this machine is wrong"
    if means(_OTHER_NAME, _OTHER_NAME_WORDS) and not proxied:
        return "; check the host name in the base URL"
    return ""


def without_place(said: str) -> str:
    """Return OpenSSL's words without the line of C that Python appends to them."""
    return _PLACE_IN_C.sub("", said)
