"""Text on a terminal: in colour or not, and never with control characters from a model."""

import io

import pytest

from meshapi.cli.terminal import Terminal


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestTerminal:
    @pytest.mark.parametrize(
        ("stream", "variables", "coloured"),
        [
            (Screen(), {"WT_SESSION": "1"}, True),
            (Screen(), {"WT_SESSION": "1", "NO_COLOR": ""}, True),
            (Screen(), {"WT_SESSION": "1", "NO_COLOR": "1"}, False),
            (Screen(), {"WT_SESSION": "1", "TERM": "dumb"}, False),
            (io.StringIO(), {"WT_SESSION": "1"}, False),
        ],
    )
    def test_is_in_colour_only_where_that_is_seen_and_wanted(
        self, stream: io.StringIO, variables: dict[str, str], coloured: bool
    ) -> None:
        assert ("\x1b[" in Terminal(stream, variables).bold("x")) is coloured

    def test_is_not_steered_by_what_a_model_says(self) -> None:
        said = "a\x1b]0;title\x07b\tc\nd\x9b2J"
        screen, pipe = Screen(), io.StringIO()
        Terminal(screen, {}).relay(said)
        Terminal(pipe, {}).relay(said)
        assert screen.getvalue() == "a]0;titleb\tc\nd2J"
        assert pipe.getvalue() == said
