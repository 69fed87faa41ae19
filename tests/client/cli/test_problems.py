"""Which exit status an error has, and what the page says about it."""

import re

import pytest
from house.fresh import ROOT

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    MeshAPIError,
    NetworkBlockedError,
    NotFoundError,
    PaymentRequiredError,
    RateLimitError,
)
from meshapi.cli.exit_codes import EXIT_CODES
from meshapi.cli.problems import exit_code_of, told


def test_the_page_has_the_table_of_exit_codes() -> None:
    page = (ROOT / "docs" / "command-line.md").read_text("utf-8")
    rows = re.findall(r"^\| (\d+) \| (.+) \|$", page, re.MULTILINE)
    assert {int(number): text for number, text in rows} == EXIT_CODES


@pytest.mark.parametrize(
    ("error", "exit_code", "advice"),
    [
        (AuthenticationError("no", status=401), 3, "; set MESHAPI_TOKEN to a valid API key"),
        (APIConnectionError("no"), 4, "; `meshapi doctor` looks for the reason"),
        (APITimeoutError("no", phase="read"), 4, "; `meshapi doctor` looks for the reason"),
        (PaymentRequiredError("no"), 1, "; `meshapi usage` shows the balance"),
        (NotFoundError("no", error_code="model_not_found"), 1, "; `meshapi models` lists"),
        (NotFoundError("no", error_code="not_found"), 1, ""),
        (RateLimitError("no", status=429), 1, ""),
        (InternalServerError("no", status=500), 1, ""),
        (NetworkBlockedError("no"), 4, ""),
        (MeshAPIError("no"), 1, ""),
    ],
)
def test_an_error_says_what_to_do(error: MeshAPIError, exit_code: int, advice: str) -> None:
    assert exit_code_of(error) == exit_code
    assert told(error).startswith(f"{error}{advice}")
    assert bool(advice) == (";" in told(error))
