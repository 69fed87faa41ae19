"""The answers of several models on a terminal: in panes side by side, or one after another."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, cast

from meshapi.cli.output import Output
from meshapi.cli.terminal import printable, without_controls

if TYPE_CHECKING:
    from rich.table import Table

    from meshapi import CompareStreamEvent

# Narrower panes have a word or two in a line.
_NARROWEST = 24


def follow(stream: "Iterable[CompareStreamEvent]", models: Sequence[str], output: Output) -> None:
    """Show the answers as they arrive, then the comparison."""
    answers = Answers(models)
    if output.live and output.width >= _NARROWEST * len(models) and _has_rich():
        _in_panes(stream, answers, output)
    else:
        _one_after_another(stream, answers, output)


class Answers:
    """What each model has said so far, and the comparison."""

    def __init__(self, models: Sequence[str]) -> None:
        self.texts = dict.fromkeys(models, "")
        self.errors: dict[str, str] = {}
        self.ended: set[str] = set()
        self.comparison = ""

    def add(self, event: "CompareStreamEvent") -> None:
        delta = event.delta or ""
        if event.event == "comparison_chunk":
            self.comparison += delta
        elif event.model is not None:
            self.texts[event.model] = self.texts.get(event.model, "") + delta
            if event.error is not None:
                self.errors[event.model] = _message_of(event.error)
            # With a comparison, an answer comes whole, and with its latency.
            whole = event.latency_ms is not None or event.event == "model_stream_done"
            if whole or event.error is not None:
                self.ended.add(event.model)
        elif event.event in ("model_done", "done"):
            self.ended.update(self.texts)


def _message_of(error: object) -> str:
    if not isinstance(error, Mapping):
        return str(error)
    return str(cast("Mapping[str, object]", error).get("message", "unknown"))


def _one_after_another(
    stream: "Iterable[CompareStreamEvent]", answers: Answers, output: Output
) -> None:
    """Show the first answer as it arrives, and each other once those before it have ended."""
    column = _Column(output)
    for event in stream:
        answers.add(event)
        column.show(answers)
    answers.ended.update(answers.texts)
    column.show(answers)
    if answers.comparison:
        output.say(f"\n{output.paint.bold('comparison')}")
        output.show([answers.comparison])


class _Column:
    """Writes answers below one another, as far as they have arrived."""

    def __init__(self, output: Output) -> None:
        self._output = output
        self._done: set[str] = set()
        self._shown = -1

    def show(self, answers: Answers) -> None:
        for model, text in answers.texts.items():
            if model in self._done:
                continue
            if self._shown < 0:
                title = self._output.paint.bold(printable(model))
                self._output.say(("\n" if self._done else "") + title)
                self._shown = 0
            self._output.relay(text[self._shown :])
            self._shown = len(text)
            if model not in answers.ended:
                return
            if text and not text.endswith("\n"):
                self._output.say()
            if model in answers.errors:
                self._output.line(f"no answer: {answers.errors[model]}")
            self._done.add(model)
            self._shown = -1


def _in_panes(stream: "Iterable[CompareStreamEvent]", answers: Answers, output: Output) -> None:
    from rich.console import Console
    from rich.live import Live

    console = Console(
        file=output.paint.stream, width=output.width, no_color=not output.paint.coloured
    )
    with Live(console=console, refresh_per_second=12) as live:
        for event in stream:
            answers.add(event)
            live.update(panes(answers))
    if answers.comparison:
        output.say(output.paint.bold("comparison"))
        output.show([answers.comparison])


def panes(answers: Answers) -> "Table":
    from rich.panel import Panel
    from rich.table import Table
    from rich.text import Text

    grid = Table.grid(expand=True)
    panes: list[Any] = []
    for model, text in answers.texts.items():
        grid.add_column(ratio=1)
        said = Text(without_controls(text))
        if model in answers.errors:
            said.append(printable(f"no answer: {answers.errors[model]}"), style="red")
        panes.append(Panel(said, title=Text(printable(model)), title_align="left"))
    grid.add_row(*panes)
    return grid


def _has_rich() -> bool:
    from importlib.util import find_spec

    return find_spec("rich") is not None
