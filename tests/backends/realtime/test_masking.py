"""The masking function in C, which is used if `websockets` is installed and works."""

import sys
from collections.abc import Iterator
from types import ModuleType
from typing import Any

import pytest

from meshapi_backends._masking import fast_mask


@pytest.fixture(autouse=True)
def _anew() -> Iterator[None]:
    fast_mask.cache_clear()
    yield
    fast_mask.cache_clear()


def speedups(apply_mask: Any) -> ModuleType:
    module = ModuleType("websockets.speedups")
    module.__dict__["apply_mask"] = apply_mask
    return module


def test_the_mask_is_that_of_websockets() -> None:
    pytest.importorskip("websockets.speedups")
    apply_mask = fast_mask()
    assert apply_mask is not None
    assert apply_mask(b"Hello", b"\0\1\2\3") == b"Hdnoo"
    assert fast_mask() is apply_mask


def test_without_websockets_there_is_no_mask(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.speedups", None)
    assert fast_mask() is None


def fails(_data: bytes, _key: bytes) -> bytes:
    raise SystemError("built for another Python")


def forgets_the_last_bytes(data: bytes, key: bytes) -> bytes:
    whole = len(data) // 4 * 4
    masked = bytes(byte ^ key[at % 4] for at, byte in enumerate(data[:whole]))
    return masked + data[whole:]


@pytest.mark.parametrize("apply_mask", [fails, forgets_the_last_bytes, None])
def test_a_broken_mask_is_not_used(apply_mask: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "websockets.speedups", speedups(apply_mask))
    assert fast_mask() is None
