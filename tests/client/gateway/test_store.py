"""What endpoints keep, within bounds."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway import store
from meshapi.gateway.footprint import footprint
from meshapi.gateway.store import Store
from meshapi.testing import LocalGateway
from support.gateway_calls import call, get, post

JSON = st.recursive(
    st.none() | st.integers() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner),
    max_leaves=20,
)


@given(JSON, JSON)
def test_a_value_takes_more_than_what_is_in_it(one: object, other: object) -> None:
    assert footprint([one, {"a": other}]) > footprint(one) + footprint(other)


def test_counting_stops_where_it_is_enough() -> None:
    large: list[list[int]] = [[] for _ in range(1000)]
    assert 500 < footprint(large, 500) < footprint(large)


@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 60_000)), max_size=20))
def test_the_oldest_go_until_the_rest_fits(things: list[tuple[int, int]]) -> None:
    kept: Store[bytes] = Store()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(store, "_MOST_BYTES", 100_000)
        for name, size in things:
            kept.put(str(name), bytes(size))
            assert kept.get(str(name)) == bytes(size)
            assert len(list(kept)) == 1 or sum(map(footprint, kept)) <= 100_000
        for key in {str(name) for name, _ in things}:
            if kept.find(key) is not None:
                kept.remove(key)
        kept.put("last", bytes(90_000))
        kept.put("least", b"")
        assert len(list(kept)) == 2


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store, "_MOST_BYTES", 100_000)


@pytest.mark.usefixtures("small")
def test_templates_that_grow_push_out_older_ones(gateway: LocalGateway) -> None:
    path = "/v1/templates"
    first, second = (post(gateway, path, {"name": name}).json()["id"] for name in "ab")
    # Nested lists take thirty times as much memory as bytes.
    grown = call(gateway, "PATCH", f"{path}/{second}", {"params": {"x": [[]] * 2000}})
    assert grown.status == 200
    assert get(gateway, f"{path}/{first}").status == 404
    assert get(gateway, f"{path}/{second}").status == 200


@pytest.mark.usefixtures("small")
def test_uploads_push_out_older_ones(gateway: LocalGateway) -> None:
    made = [
        post(gateway, "/v1/files", {"file_name": f"{name}.txt", "mime_type": "text/plain"}).json()
        for name in ("../../a", "/etc/b")
    ]
    for file in made:
        path = file["signed_url"][len(gateway.url) :]
        sent = call(gateway, "PUT", path, b"words " * 10_000, content_type="text/plain")
        assert sent.status == 200
    assert [get(gateway, f"/v1/files/{file['file_id']}").status for file in made] == [
        404,
        200,
    ]
