import copy
import json
import pickle
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core._secret import Secret
from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call, SignedPut
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import InvalidParamsError
from meshapi_core.extras import Extras
from meshapi_core.multipart import FilePart, Multipart
from meshapi_core.readers import EmptyReader
from support.structs import json_objects

TOKEN = "rsk_test_0123456789abcdef"
URL = "https://gateway.example"


def request(ours: Any = b'{"model":"m"}', **extras: Any) -> Any:
    """The request of a call that has this body and a query."""
    config = MeshAPIConfig(base_url=URL, token=TOKEN, extras=Extras(**extras))
    pairs = (("a", "1"), ("b", "2"), ("b", "2"))
    call = Call(method="POST", path="/v1/x", query=pairs, body=ours, reader=EmptyReader())
    return call.request(config)


class TestHeaders:
    def test_ours_are_replaced_whatever_their_case(self):
        headers = request(headers={"USER-AGENT": "mine", "X-New": "1"}).headers
        names = [name for name, _ in headers]
        assert len(set(names)) == len(names)
        assert dict(headers)["user-agent"] == "mine"
        assert dict(headers)["x-new"] == "1"
        assert dict(headers)["authorization"] == f"Bearer {TOKEN}"

    def test_none_removes_ours(self):
        headers = dict(request(headers={"X-MeshAPI-SDK": None, "x-unknown": None}).headers)
        assert "x-meshapi-sdk" not in headers
        assert "x-unknown" not in headers

    def test_the_authorization_may_be_another_and_stays_hidden(self):
        sent = request(headers={"Authorization": "Bearer rsk_test_other"})
        assert dict(sent.headers)["authorization"] == "Bearer rsk_test_other"
        assert "other" not in repr(sent.headers)
        assert TOKEN not in str(dict(sent.headers))

    @pytest.mark.parametrize(
        "name",
        "Connection Content-Length content-type EXPECT Host keep-alive te Trailer"
        " Transfer-Encoding upgrade".split(),
    )
    @pytest.mark.parametrize("value", ["1", None])
    def test_what_frames_the_message_is_not_the_callers_to_say(self, name, value):
        with pytest.raises(InvalidParamsError, match="set by the client"):
            Extras(headers={name: value})

    @pytest.mark.parametrize("name", ["", "a b", "a:", "a\r\nb", "ü", ":method", 7, None, b"x"])
    def test_a_name_that_no_header_has_is_refused(self, name):
        with pytest.raises(InvalidParamsError, match="extra_headers"):
            Extras(headers={name: "1"})

    @pytest.mark.parametrize(
        "value", ["a\r\nx: secret", "a\n", "a\0secret", " secret", "secret ", "secret €", "\x7f"]
    )
    def test_a_value_that_no_header_holds_is_refused_and_not_shown(self, value):
        with pytest.raises(InvalidParamsError) as caught:
            Extras(headers={"X-Key": value})
        assert caught.value.field == "extra_headers['X-Key']"
        assert "secret" not in str(caught.value)

    @pytest.mark.parametrize("value", [7, True, b"secret", ["a"], 1.5])
    def test_a_value_that_is_no_text_is_refused(self, value):
        with pytest.raises(InvalidParamsError, match="str or None"):
            Extras(headers={"X-Key": value})

    @pytest.mark.parametrize("value", ["", "a b\tc", "caf\xe9", 'a,b;c="d"'])
    def test_other_values_are_sent_as_they_are(self, value):
        assert dict(request(headers={"X-Key": value}).headers)["x-key"] == value

    @pytest.mark.parametrize("headers", ["a: b", 7, [("a", "b")], {"a"}])
    def test_something_else_than_a_mapping_is_refused(self, headers):
        for name in ("headers", "query", "body"):
            with pytest.raises(InvalidParamsError, match=f"extra_{name}"):
                Extras(**{name: headers})


class TestQuery:
    def test_parameters_are_replaced_added_and_removed(self):
        extra = {"b": 3, "c": [True, "x y"], "a": None}
        assert request().target == "/v1/x?a=1&b=2&b=2"
        assert request(query=extra).target == "/v1/x?b=3&c=true&c=x%20y"

    @pytest.mark.parametrize("kind", [list, tuple])
    def test_sequences_are_repeated_keys(self, kind):
        assert request(query={"a": kind([1, 2])}).target == "/v1/x?b=2&b=2&a=1&a=2"

    @pytest.mark.parametrize(
        "value", [{}, [[]], [{}], b"x", {1}, float("nan"), object(), ((1,),), "\ud800"]
    )
    def test_what_no_query_holds_is_refused_at_once(self, value):
        with pytest.raises(InvalidParamsError, match="extra_query"):
            Extras(query={"a": value})

    @pytest.mark.parametrize("name", [7, None, b"a", "\ud800"])
    def test_a_name_that_is_no_text_is_refused_at_once(self, name):
        for kind in ("query", "body"):
            with pytest.raises(InvalidParamsError, match=f"extra_{kind}"):
                Extras(**{kind: {name: 1}})


class TestBody:
    @given(json_objects, json_objects)
    def test_members_are_merged_into_json(self, ours, added):
        added.pop("stream", None)
        body = json.dumps(ours).encode()
        merged = json.loads(request(body, body=(added)).body)
        assert merged == {**ours, **added}
        assert list(merged) == list({**ours, **added})

    def test_numbers_of_ours_stay_as_they_are(self):
        body = b'{"a":123456789012345678901234567890,"b":1e-7,"c":0.1,"d":-0.0}'
        merged = json.loads(request(body, body=({"x": 1})).body)
        assert merged == {**json.loads(body), "x": 1}

    def test_what_is_not_replaced_is_written_as_it_was(self):
        body = b'{"a":1.0e+2,"b":[1 , {"c":"\\u00e9"}],"c":1}'
        sent = request(body, body={"c": 2}).body
        assert sent == b'{"a":1.0e+2,"b":[1 , {"c":"\\u00e9"}],"c":2}'

    def test_none_is_null_in_json(self):
        assert json.loads(request(b'{"a":1}', body=({"a": None})).body) == {"a": None}

    def test_an_empty_body_stays_empty(self):
        sent = request(b"", body=({"a": 1}))
        assert sent.body == b""
        assert "content-type" not in dict(sent.headers)

    def test_fields_are_merged_into_forms(self):
        form = Multipart((("a", "1"), ("b", "2")), (FilePart("f", FileSource(b"c"), "c"),))
        body = request(form, body=({"b": [3, False], "c": "x", "a": None})).body
        assert body.count(b"Content-Disposition") == 4
        assert b'name="a"' not in body
        assert body.index(b"\r\n3\r\n") < body.index(b"\r\nfalse\r\n") < body.index(b'name="f"')

    def test_what_no_form_holds_is_refused_before_it_is_sent(self):
        with pytest.raises(InvalidParamsError):
            request(Multipart((("a", "1"),)), body=({"a": {"b": 1}}))

    @pytest.mark.parametrize("value", [True, False, None])
    def test_stream_is_the_name_of_the_method(self, value):
        with pytest.raises(InvalidParamsError, match="stream") as caught:
            Extras(body={"stream": value})
        assert "stream()" in str(caught.value)

    @pytest.mark.parametrize("value", [b"x", {1}, float("inf"), object(), "\ud800", {1: 2}])
    def test_what_json_cannot_hold_is_refused_at_once(self, value):
        with pytest.raises(InvalidParamsError, match="extra_body"):
            Extras(body={"a": [value]})

    def test_what_holds_itself_is_refused(self):
        circle: dict[str, Any] = {}
        circle["a"] = circle
        with pytest.raises(InvalidParamsError, match="nested too deeply"):
            Extras(body=circle)

    def test_what_the_caller_changes_later_is_not_sent(self):
        given_body: dict[str, Any] = {"a": {"b": [1]}}
        extras = Extras(body=given_body, query=given_body["a"])
        given_body["a"]["b"].append(2)
        assert extras == Extras(body={"a": {"b": [1]}}, query={"b": [1]})


class TestMerging:
    def test_later_ones_win_and_none_removes(self):
        one = Extras(headers={"X-A": "1", "X-B": "1"}, query={"q": 1}, body={"b": {"x": 1}})
        two = Extras(headers={"x-a": "2", "x-b": None}, query={"q": None}, body={"b": {"y": 2}})
        both = one.merged(two)
        assert both == Extras(
            headers={"x-a": "2", "x-b": None}, query={"q": None}, body={"b": {"y": 2}}
        )
        assert one.merged(Extras()) == Extras().merged(one) == one

    @given(
        st.lists(
            st.dictionaries(st.sampled_from(["x-a", "x-b"]), st.sampled_from(["1", "2", None])),
            min_size=3,
            max_size=3,
        )
    )
    def test_the_order_of_merging_does_not_matter(self, headers):
        a, b, c = (Extras(headers=fields) for fields in headers)
        assert a.merged(b).merged(c) == a.merged(b.merged(c))


class TestValue:
    def test_no_repr_shows_a_value(self):
        extras = Extras(
            headers={"X-Key": "secret"}, query={"q": "secret"}, body={"prompt": "secret"}
        )
        config = MeshAPIConfig(base_url=URL, token=TOKEN, extras=extras)
        for shown in (repr(extras), str(extras), repr(config), repr([extras])):
            assert "secret" not in shown
            assert "prompt" in shown
        assert repr(Extras()) == "Extras()"
        assert isinstance((extras.headers or {})["x-key"], Secret)

    def test_its_values_are_the_secrets_of_a_request_but_for_what_never_is_one(self):
        extras = Extras(
            headers={
                "X-Key": "a secret",
                "Cookie": "b",
                "X-Request-Id": "mine",
                "OpenAI-Version": "2026-01-01",
                "X-Gone": None,
            },
            query={"tenant": ["c", 7], "api-version": "2026-01-01", "x": True},
        )
        secrets = extras.secrets_with(Secret(TOKEN))
        assert secrets == (TOKEN, "a secret", "b", "c")
        assert all(isinstance(secret, Secret) for secret in secrets)
        assert Extras(body={"a": "b"}).secrets_with(TOKEN) == (TOKEN,)

    def test_a_query_with_a_secret_is_one(self):
        sent = request(query={"key": "a secret"})
        assert sent.target == "/v1/x?a=1&b=2&b=2&key=a%20secret"
        assert isinstance(sent.target, Secret)
        assert sent.url.reveal() == URL + sent.target.reveal()

    def test_it_can_be_copied_and_compared_and_kept_in_a_config(self):
        extras = Extras(headers={"X-Key": "secret"}, query={"q": [1]}, body={"b": 1})
        for twin in (copy.copy(extras), copy.deepcopy(extras), pickle.loads(pickle.dumps(extras))):
            assert twin == extras
            assert "secret" not in repr(twin)
        config = MeshAPIConfig(base_url=URL, token=TOKEN, extras=extras)
        assert copy.deepcopy(config) == config

    def test_nothing_of_it_goes_to_a_signed_url(self):
        extras = Extras(headers={"X-Key": "secret"}, query={"q": 1}, body={"b": 1})
        config = MeshAPIConfig(base_url=URL, token=TOKEN, extras=extras)
        put = SignedPut(
            url="https://storage.example/f?sig=1", content_type="a/b", source=FileSource(b"c")
        )
        sent = put.request(config)
        assert sent.headers == (("content-type", "a/b"),)
        assert sent.target == "/f?sig=1"
        assert sent.body == b"c"
