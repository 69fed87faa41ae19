"""The errors of tests: of a network that is blocked, and of cassettes."""

from typing_extensions import Unpack

from meshapi_core._base_error import ErrorFacts, MeshAPIError

__all__ = ["CassetteError", "NetworkBlockedError"]


class NetworkBlockedError(MeshAPIError):
    """A test may not connect to a host: `block_network()` or `MESHAPI_BLOCK_NETWORK` forbids it.

    Nothing was sent, and the call was not retried.

    Attributes:
        host: The host name or the address.
        test: The test that was running, as pytest names it; "" if pytest runs none.
    """

    default_error_code = "network_blocked"

    host: str
    test: str

    def __init__(
        self, message: str, *, host: str = "", test: str = "", **facts: Unpack[ErrorFacts]
    ) -> None:
        super().__init__(message, **facts)
        self.host = host
        self.test = test


class CassetteError(MeshAPIError):
    """A cassette cannot be used, or does not have what a call needs; nothing was sent.

    `error_code` says why: "cassette_mismatch" (no recorded request matches), "cassette_missing"
    (there is no such file, and nothing is to be recorded), "cassette_damaged" (the file is no
    cassette, or of a later version), "cassette_incomplete" (the recorded response was not read to
    its end), "cassette_not_written" (the file cannot be written).
    """

    default_error_code = "cassette_mismatch"
