"""Everything that a program, a log or an error tracker can show of a client and of its calls.

    with Shown() as shown:
        client = world.client(url, **shown.options(world))
        ...
        shown.error(exc)
        shown.client(client)
    shown.check(SECRETS)

Between the two, it collects the records of all loggers (text, `extra` and exception), what hooks
are given, spans and metrics, and warnings. Errors and clients are passed to it.
"""

import base64
import logging
import pickle
import traceback
import warnings
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional

from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from typing_extensions import Self

from meshapi import Hooks
from support.flavours import Awaited
from support.reporters import seen

HOOKS = ("on_request", "on_response", "on_retry", "on_error", "on_event")

# What a server sent is the program's to keep: see "What may show" in docs/logging-and-tracing.md.
_DATA = frozenset({"headers", "value"})

# As deep as a client's objects go, with the pool and its connections.
_DEEPEST = 8


class Shown(logging.Handler):
    """See the module.

    Args:
        all_loggers: whether to look at the loggers of other libraries, too.
    """

    def __init__(self, *, all_loggers: bool = True) -> None:
        super().__init__(1)
        self._all_loggers = all_loggers
        self._texts: list[tuple[str, str]] = []
        self._spans = InMemorySpanExporter()
        self._traces = TracerProvider(shutdown_on_exit=False)
        self._traces.add_span_processor(SimpleSpanProcessor(self._spans))
        self._reader = InMemoryMetricReader()
        self._metrics = MeterProvider([self._reader], shutdown_on_exit=False)
        self._warnings: Any = warnings.catch_warnings(record=True)
        self.records: list[str] = []
        """What the logger `meshapi` said."""

    # Watching

    def options(self, *, content: bool = False, names: Iterable[str] = HOOKS) -> dict[str, Any]:
        """Arguments of a client that is watched.

        Args:
            content: whether spans have the messages to and from the model.
            names: of the hooks.
        """
        mode = "content" if content else "metadata_only"
        return {
            "hooks": Hooks(**{name: self._hook(name) for name in names}),
            "open_telemetry": {
                "tracer_provider": self._traces,
                "meter_provider": self._metrics,
                "traces": {"content_mode": mode},
                "metrics": {"names": "both"},
            },
        }

    def _hook(self, name: str) -> Any:
        def hook(info: Any) -> None:
            self.text(name, _written(info), _written(info.about))
            self.text(f"pickled {name}", pickled(info.about))
            if name == "on_request":
                self.text(f"pickled {name}", pickled(info))
            for each in info.__struct_fields__:
                if each not in _DATA:
                    self.text(f"{name}: {each}", _written(getattr(info, each)))
            self.text(name, repr([info.request_id, info.path] if name == "on_response" else ()))
            error = getattr(info, "error", None)
            if error is not None:
                self.error(error)

        return hook

    def emit(self, record: logging.LogRecord) -> None:
        """Take a record."""
        if record.name.startswith("meshapi"):
            self.records.append(record.getMessage())
        elif not self._all_loggers:
            return
        self.text(f"log {record.name}", f"{record.getMessage()} {vars(record)!r}")
        if record.exc_info and record.exc_info[1]:
            self.error(record.exc_info[1])

    def __enter__(self) -> Self:
        root = logging.getLogger()
        self._levels = {root: root.level, logging.getLogger("meshapi"): 0}
        for logger in self._levels:
            logger.setLevel(1)
        root.addHandler(self)
        self._warned = self._warnings.__enter__()
        warnings.simplefilter("always")
        return self

    def __exit__(self, *args: object) -> None:
        logging.getLogger().removeHandler(self)
        for logger, level in self._levels.items():
            logger.setLevel(level)
        self._warnings.__exit__(*args)
        self._traces.shutdown()
        for warning in self._warned:
            self.text("warning", str(warning.message))
        for span in self._spans.get_finished_spans():
            self.text("span", span.to_json())
        found: Any = self._reader.get_metrics_data()
        self._metrics.shutdown()
        self.text("metrics", found.to_json() if found else "")

    # Taking

    def text(self, where: str, *texts: str) -> None:
        """Take texts that anybody may see."""
        self._texts += [(where, each) for each in texts]

    def error(self, error: BaseException) -> None:
        """Take what reporters show of an error: its frames, its causes, its pickle."""
        lines = traceback.format_exception_only(type(error), error)
        self.text("error", seen(error), "".join(lines))

    def client(self, client: Any, *, has_data: bool = False) -> None:
        """Take the reprs of a client, and of all that it is made of.

        Args:
            has_data: whether there is data from the server among its parts, as in a session.
        """
        for each in parts(client._target if isinstance(client, Awaited) else client):
            if not (has_data and isinstance(each, (str, bytes, bytearray))):
                self.text(f"part {type(each).__qualname__}", _written(each))
        self.text("pickled client", pickled(client))

    def check(self, secrets: Mapping[str, str]) -> None:
        """Fail if a secret was shown; of a long one, its first 20 characters are enough."""
        for name, secret in secrets.items():
            for where, text in self._texts:
                for form in forms(secret):
                    position = text.find(form)
                    around = text[max(0, position - 300) : position + 100]
                    assert position < 0, f"{name} shows in {where}: {around}"


def pickled(value: Any) -> str:
    """The pickle of an object; "" if it cannot be pickled."""
    try:
        return pickle.dumps(value, 0).decode("latin-1")
    except (TypeError, AttributeError, pickle.PicklingError):
        return ""


def forms(secret: str) -> Iterator[str]:
    """A secret, and what Basic authentication makes of it."""
    yield secret[:20]
    yield base64.b64encode(secret.encode()).decode().rstrip("=")


def parts(value: Any, depth: int = _DEEPEST, known: Optional[set[int]] = None) -> Iterator[Any]:
    """The objects of ours that an object refers to, itself included."""
    known = set() if known is None else known
    if depth == 0 or id(value) in known:
        return
    known.add(id(value))
    inner: list[Any]
    if isinstance(value, (str, bytes, bytearray)):
        yield value
        return
    if isinstance(value, Mapping):
        inner = [*value, *value.values()]
    elif isinstance(value, (list, tuple, set, frozenset)):
        inner = [*value]
    elif type(value).__module__.startswith("meshapi"):
        yield value
        inner = [*_members(value).values()]
    else:
        return
    for each in inner:
        yield from parts(each, depth - 1, known)


def _members(value: Any) -> dict[str, Any]:
    found = dict(getattr(value, "__dict__", {}))
    for kind in type(value).__mro__:
        slots = kind.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            found[name] = getattr(value, name, None)
    for name in getattr(value, "__struct_fields__", ()):
        found[name] = getattr(value, name)
    return found


def _written(value: Any) -> str:
    # As log lines, the traceback module and rich show it.
    by_rich = getattr(value, "__rich_repr__", None)
    return f"{value!r} {value} {'' if by_rich is None else list(by_rich())!r}"
