"""What `meshapi chat` takes besides a question, and what it prints for programs."""

import base64
import json
from pathlib import Path

import pytest

from meshapi import MeshAPI
from meshapi.cli import images, main
from meshapi.testing import LocalGateway

PICTURES = [
    (b"\x89PNG\r\n\x1a\n...", "image/png"),
    (b"\xff\xd8\xff\xe0...", "image/jpeg"),
    (b"GIF89a...", "image/gif"),
    (b"RIFF\x00\x00\x00\x00WEBPVP8 ", "image/webp"),
]


@pytest.mark.parametrize(("content", "media_type"), PICTURES)
def test_a_picture_is_sent_with_its_kind(
    content: bytes, media_type: str, gateway: LocalGateway, tmp_path: Path
) -> None:
    file = tmp_path / "picture"
    file.write_bytes(content)
    url = "https://example.com/a.png"
    assert main(["chat", "What is this?", "--image", str(file), "-i", url]) == 0
    text, first, second = gateway.requests[0].json()["messages"][0]["content"]
    assert text == {"type": "text", "text": "What is this?"}
    encoded = base64.b64encode(content).decode()
    assert first["image_url"] == {"url": f"data:{media_type};base64,{encoded}"}
    assert second["image_url"] == {"url": url}


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (None, "cannot read "),
        (b"%PDF-1.7", " is no picture: expected PNG, JPEG, GIF or WebP"),
        (b"", " is no picture: expected PNG, JPEG, GIF or WebP"),
        (b"GIF89a" + b"." * 100, " is too large: expected at most"),
    ],
)
def test_what_is_no_picture_is_refused(
    content: bytes,
    told: str,
    gateway: LocalGateway,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr(images, "MOST_BYTES", 100)
    if content is not None:
        (tmp_path / "file").write_bytes(content)
    assert main(["chat", "Hi", "--image", str(tmp_path / "file")]) == 2
    assert told in capfd.readouterr().err
    assert gateway.requests == []


def test_a_template_is_filled_in(
    gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    with MeshAPI() as client:
        client.templates.create(name="polite", system="Speak like {{style}}.")
    (tmp_path / "style").write_text("a = b")
    variable = f"style=@{tmp_path / 'style'}"
    assert main(["chat", "Repeat: yes", "--template", "polite", "--var", variable]) == 0
    assert capfd.readouterr().out == "yes\n"
    body = gateway.requests[-1].json()
    assert (body["template"], body["variables"]) == ("polite", {"style": "a = b"})


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (["--var", "style"], "--var: expected NAME=TEXT, got 'style'"),
        (["--var", "=x"], "--var: expected NAME=TEXT, got '=x'"),
        (["--var", "a=b"], "--var: expected --template beside it"),
        (["--schema", "none"], "cannot read none: "),
        (["--system", "@none"], "cannot read none: "),
        (
            ["--timeout", "soon"],
            "--timeout: expected a number of seconds above 0, at most 2,000,000, got 'soon'",
        ),
    ],
)
def test_what_cannot_be_used_is_refused_before_anything_is_sent(
    arguments: list[str],
    told: str,
    gateway: LocalGateway,
    capfd: pytest.CaptureFixture[str],
) -> None:
    assert main(["chat", "Hi", *arguments]) == 2
    assert capfd.readouterr().err.startswith(f"meshapi: {told}")
    assert gateway.requests == []


def test_an_answer_matches_a_schema(
    gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    schema = {
        "type": "object",
        "properties": {"city": {"type": "string"}},
        "required": ["city"],
        "additionalProperties": False,
    }
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(schema))
    assert main(["chat", "Where?", "--schema", str(file)]) == 0
    assert isinstance(json.loads(capfd.readouterr().out)["city"], str)
    file.write_text("[]")
    assert main(["chat", "Where?", "--schema", str(file)]) == 2


def test_as_json_the_completion_is_one_line(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["chat", "Count to 3", "--json"]) == 0
    out, err = capfd.readouterr()
    assert (out.count("\n"), err) == (1, "")
    completion = json.loads(out)
    assert completion["choices"][0]["message"]["content"] == "1 2 3"
    assert completion["usage"]["total_tokens"] > 0


def test_as_json_an_error_leaves_the_output_empty(
    gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["chat", "Count to 6", "--model", "mesh/broken-stream", "--json"]) == 4
    out, err = capfd.readouterr()
    assert out == ""
    assert err.count("\n") == 1


def test_a_refusal_is_shown(gateway: LocalGateway, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["chat", "Hi", "--model", "mesh/refusal"]) == 1
    assert capfd.readouterr().out == "I can't help with that.\n"


SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
    "additionalProperties": False,
}


@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("wrong-json", "does not match the schema: the property 'city' is missing"),
        ("not-json", "does not match the schema: it is not JSON: "),
        ("length", "the answer is cut off: it has reached its limit of model tokens"),
        ("content-filter", "a content filter stopped the model"),
        ("refusal", "the model refused to answer"),
    ],
)
def test_an_answer_that_does_not_match_a_schema_is_shown_and_an_error(
    model: str, told: str, gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "schema.json"
    file.write_text(json.dumps(SCHEMA))
    assert main(["chat", "Where?", "--schema", str(file), "--model", f"mesh/{model}"]) == 1
    out, err = capfd.readouterr()
    assert out
    assert told in err
    assert err.count("\n") == 1


@pytest.mark.parametrize("as_json", [False, True])
@pytest.mark.parametrize(
    ("model", "told"),
    [
        ("length", "the answer is cut off: it has reached its limit of model tokens"),
        ("content-filter", "the answer is cut off: a content filter stopped the model"),
        ("refusal", "the model refused to answer"),
    ],
)
def test_an_answer_that_is_not_whole_is_shown_and_an_error(
    model: str, told: str, as_json: bool, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    more = ["--json"] if as_json else []
    assert main(["chat", "Count to 100", "--model", f"mesh/{model}", *more]) == 1
    out, err = capfd.readouterr()
    assert out.count("\n") == 1
    assert err == f"meshapi: {told}\n"
