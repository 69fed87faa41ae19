import re
from typing import Annotated, Any, Optional

import msgspec
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from python_multipart import MultipartParser

from meshapi_core.bodies import FileSource, OpenBody, StreamedBody
from meshapi_core.calls import Call
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import FilePart, Multipart, draw_id, encode_form, file_part
from meshapi_core.readers import EmptyReader
from meshapi_core.types._base import Params
from support.randomness import seeded
from support.structs import texts

BOUNDARY = "meshapi-0123456789abcdef"
CONFIG = MeshAPIConfig(base_url="https://gateway.example", token="rsk_test_1")


class OnDisk:
    """A source that the host opens; its content is its name, in two pieces."""

    def __init__(self, content: bytes) -> None:
        self.content = content
        self.length = len(content)

    def pieces(self):
        half = self.length // 2
        yield from filter(None, (self.content[:half], self.content[half:]))

    def close(self) -> None:
        pass


def sent(form: Multipart, boundary: str = BOUNDARY) -> bytes:
    """The bytes of a form, whose length must be the declared one."""
    body = form.encode(boundary)
    if isinstance(body, bytes):
        return body
    opened = body.open(lambda source: OnDisk(source.content[0]))
    data = b"".join(opened.pieces())
    assert len(data) == len(opened)
    return data


def parsed(body: bytes, boundary: str = BOUNDARY) -> list[tuple[dict[str, str], bytes]]:
    """The headers and content of each part, by another library's parser."""
    parts: list[Any] = []
    at: dict[str, bytes] = {}

    def begin() -> None:
        parts.append(({}, []))
        at.update(field=b"", value=b"")

    def add(name: str) -> Any:
        def on_data(data: bytes, start: int, end: int) -> None:
            at[name] += data[start:end]

        return on_data

    def header_end() -> None:
        parts[-1][0][at["field"].decode().lower()] = at["value"].decode()
        at.update(field=b"", value=b"")

    ended = []
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": begin,
            "on_header_field": add("field"),
            "on_header_value": add("value"),
            "on_header_end": header_end,
            "on_part_data": lambda data, start, end: parts[-1][1].append(data[start:end]),
            "on_end": lambda: ended.append(True),
        },
    )
    parser.write(body)
    parser.finalize()
    assert ended, "the last boundary is missing"
    return [(fields, b"".join(pieces)) for fields, pieces in parts]


def disposition(fields: dict[str, str]) -> tuple[str, Optional[str]]:
    """The name and the file name, as HTML prescribes to write them."""
    found = re.fullmatch(
        r'form-data; name="([^"\r\n]*)"(?:; filename="([^"\r\n]*)")?',
        fields["content-disposition"],
    )
    assert found is not None, fields
    return plain(found[1]), None if found[2] is None else plain(found[2])


def plain(name: str) -> str:
    return name.replace("%22", '"').replace("%0D", "\r").replace("%0A", "\n")


# A percent sign is not escaped in HTML's form, so names that hold its escapes are ambiguous.
names = texts.filter(lambda text: text == plain(text))
contents = st.binary(max_size=40) | st.sampled_from(
    [b"", b"\r\n", b"--", b"\r\n--", b"--meshapi-", f"\r\n--{BOUNDARY[:-1]}".encode(), b"\0" * 9]
)
sources = contents.map(FileSource) | contents.map(lambda content: FileSource((content,)))
files = st.builds(FilePart, names, sources, names)
forms = st.builds(
    Multipart,
    st.lists(st.tuples(names, texts), max_size=4).map(tuple),
    st.lists(files, max_size=3).map(tuple),
)


@given(forms)
@example(Multipart((('a"b\r\nc', "\r\n--x\r\n"),), (FilePart('"', FileSource(b""), "ü\n😀.mp3"),)))
def test_any_form_is_read_back_by_another_parser(form):
    parts = parsed(sent(form)) if form.fields or form.files else []
    got = [
        (disposition(fields)[0], content.decode()) for fields, content in parts[: len(form.fields)]
    ]
    assert got == list(form.fields)
    for part, (fields, content) in zip(form.files, parts[len(form.fields) :]):
        assert disposition(fields) == (part.name, part.filename)
        assert fields["content-type"] == part.content_type
        assert content == (
            part.source.content
            if isinstance(part.source.content, bytes)
            else part.source.content[0]
        )
    assert len(parts) == len(form.fields) + len(form.files)
    assert all(set(fields) <= {"content-disposition", "content-type"} for fields, _ in parts)


def test_names_cannot_begin_another_header_or_part():
    evil = 'x"\r\nContent-Type: text/html\r\n\r\n<script>\r\n--B'
    ((fields, content),) = parsed(
        sent(Multipart((), (FilePart(evil, FileSource(b"c"), evil),)), "B"), "B"
    )
    assert disposition(fields) == (evil, evil)
    assert content == b"c"


def test_a_name_that_utf8_cannot_hold_is_sent_with_marks_in_its_place():
    # Like file names on systems with another encoding.
    data = sent(Multipart((), (FilePart("file", FileSource(b"c"), "a\udce9.mp3"),)))
    assert b'filename="a?.mp3"' in data
    assert b"a?" in sent(Multipart((("a\udce9", "v"),)))


def test_small_forms_in_memory_are_plain_bytes_and_others_are_not():
    small = Multipart((("a", "b"),), (FilePart("f", FileSource(b"c"), "c"),))
    assert isinstance(small.encode("B"), bytes)
    large = Multipart((), (FilePart("f", FileSource(b"c" * 2**20), "c"),))
    assert isinstance(large.encode("B"), StreamedBody)
    assert isinstance(
        Multipart((), (FilePart("f", FileSource("p"), "c"),)).encode("B"), StreamedBody
    )


class Words(Params, kw_only=True):
    model: str
    free: Optional[bool] = None
    tags: Optional[list[str]] = None
    speed: Optional[Annotated[float, msgspec.Meta(ge=0)]] = None
    nested: Optional[dict[str, Any]] = None


def test_parameters_become_fields():
    fields = {"model": "m", "free": False, "tags": ["a", "b"], "speed": None}
    part = FilePart("file", FileSource(b"c"), "c")
    for form in (
        encode_form(Words, None, fields, [part]),
        encode_form(Words, Words(**fields), {}, [part]),
    ):
        assert sorted(form.fields) == [
            ("free", "false"), ("model", "m"), ("tags", "a"), ("tags", "b"),
        ]  # fmt: skip
        assert form.files == (part,)


@pytest.mark.parametrize(
    ("fields", "where"),
    [({}, "model"), ({"model": 1}, "model"), ({"model": "m", "speed": -1}, "speed"),
     ({"model": "m", "x": 1}, "x"), ({"model": "m", "nested": {"a": 1}}, "nested")],
)  # fmt: skip
def test_wrong_parameters_are_refused_by_name(fields, where):
    with pytest.raises(InvalidParamsError) as caught:
        encode_form(Words, None, fields, [])
    assert caught.value.field == where


@given(st.binary(min_size=13, max_size=13))
def test_an_id_is_26_hexadecimal_digits_that_are_drawn(drawn):
    text = draw_id(lambda size: drawn[:size])
    assert re.fullmatch("[0-9a-f]{26}", text)
    assert bytes.fromhex(text) == drawn


def test_each_request_has_a_boundary_of_its_own_that_its_body_uses():
    form = Multipart((("a", "b"),), (FilePart("f", FileSource(b"c"), "c"),))
    call = Call(method="POST", path="/v1/x", body=form, reader=EmptyReader())
    seen = set()
    for seed in range(20):
        request = call.request(CONFIG, seeded(seed))
        kind, _, boundary = dict(request.headers)["content-type"].partition("; boundary=")
        assert kind == "multipart/form-data"
        assert re.fullmatch("[0-9a-zA-Z-]{20,70}", boundary), "RFC 2046, section 5.1.1"
        assert isinstance(request.body, bytes)
        assert [content for _, content in parsed(request.body, boundary)] == [b"b", b"c"]
        seen.add(boundary)
    assert len(seen) == 20


def test_a_form_is_a_value_that_shows_nothing():
    form = Multipart((("a", "secret"),), (FilePart("f", FileSource("secret"), "secret"),))
    assert repr(form) == "<Multipart of 1 fields and 1 files>"
    assert form == Multipart(form.fields, form.files)
    assert hash(form) == hash(Multipart(form.fields, form.files))
    assert "secret" not in repr(Call(method="POST", path="/", body=form, reader=EmptyReader()))


def test_an_open_form_can_be_sent_again():
    form = Multipart((("a", "b"),), (FilePart("f", FileSource((b"content",)), "c"),))
    body = form.encode(BOUNDARY)
    assert isinstance(body, StreamedBody)
    opened = body.open(lambda source: OnDisk(source.content[0]))
    assert isinstance(opened, OpenBody)
    assert b"".join(opened.pieces()) == b"".join(opened.pieces())


@pytest.mark.parametrize(
    ("filename", "content_type", "sent_type"),
    [
        ("talk.mp3", None, "audio/mpeg"),
        (None, None, "application/jsonl"),
        ("talk", None, "application/octet-stream"),
        ("talk.mp3", "audio/x-own", "audio/x-own"),
    ],
)
def test_a_file_has_the_type_that_is_given_or_that_its_name_says(filename, content_type, sent_type):
    part = file_part("file", b"x", filename, content_type, "nameless.jsonl")
    assert part.content_type == sent_type
    assert part.filename == (filename or "nameless.jsonl")
