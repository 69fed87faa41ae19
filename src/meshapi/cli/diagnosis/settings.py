"""Checks of this machine's settings, without the network."""

from collections.abc import Mapping

from meshapi.cli.diagnosis.findings import Finding, well, wrong

_TOKENS = ("MESHAPI_TOKEN", "MESHAPI_API_KEY")
# So few that they give nothing away, and enough to tell one key from another.
_SHOWN = 4
# Of a shorter token, too much would be shown.
_SHORTEST = 16


def check_token(environment: Mapping[str, str]) -> Finding:
    """Look for the token; at most its last characters are shown."""
    found = {name: environment.get(name, "").strip() for name in _TOKENS}
    names = [name for name, token in found.items() if token]
    if not names:
        advice = "set MESHAPI_TOKEN to your API key, or to the token of a local gateway"
        return wrong("token", "MESHAPI_TOKEN is not set", advice)
    if len(set(map(found.get, names))) > 1:
        return wrong("token", f"{' and '.join(names)} differ", "unset one of them")
    token = found[names[0]]
    if not token.isascii() or any(not c.isprintable() or c.isspace() for c in token):
        advice = "copy the key again, without quotes, spaces or line breaks"
        return wrong("token", f"{names[0]} has characters that no token has", advice)
    end = f", ends in {token[-_SHOWN:]}" if len(token) >= _SHORTEST else ""
    return well("token", f"{names[0]}{end}")
