"""Models that the gateway refuses while it serves others: their calls wait alone.

A refusal does not say whose limit it is: that of the account, or that of one provider, which is
overloaded. At first it is taken for the account's, and everything waits. What happens next tells:

    what happens                                what it shows
    ------------------------------------------  ----------------------------------------------------
    the model is refused again after the        it is suspect: its calls wait until others have been
    cool-down, and there are other models       served `_SERVED` times, or nothing else is to do
    then it is refused again, and no other      the refusals are its own: it stands apart
    model was
    then it is served, or another model is      the limit is the account's
    refused

Only attempts count that began after the refusal before, so after its cool-down: of those under way
together, the first may be served and the last refused by the limit of the account. A run of one
model has no others, so nothing of this happens there.

Apart means:

- Refusals of the model neither stop nor slow down the calls of other models.
- At first, one of its calls at a time is sent. After each refusal the model waits longer.
- Once it is served, it may have one more call under way for each that is served, so they double in
  the time that a call takes. A refusal halves that number, and from there on it grows slowly.
- Its other calls are kept here, `MOST_KEPT` of them. If there are more, no further ones are taken
  from the program. That holds up other models, but memory is bounded, and nothing is lost.
- After a minute without a refusal, it is one of many again.
- If it is served nothing for `GIVEN_UP` seconds, its calls fail, except for one now and then that
  finds out whether it is back. So a model that is down does not hold up a run for ever.
"""

from collections import deque
from math import inf
from typing import Final, Generic, Literal, Optional, TypeVar

from typing_extensions import TypeAlias

__all__ = ["GIVEN_UP", "MOST_BYTES", "MOST_KEPT", "Models", "Whose"]

J = TypeVar("J")

Whose: TypeAlias = Literal["new", "account", "found", "own"]
"""Whose limit a refusal shows: the account's, for the first time or again, or that of the model,
for the first time or again."""

MOST_KEPT: Final = 10_000
"""Calls of all models apart that wait: some minutes of a fast run."""

MOST_BYTES: Final = 32_000_000
"""Bytes of their bodies: about what 10,000 calls with a text of a page each have."""

GIVEN_UP: Final = 1200.0
"""Seconds: twice as long as the 20 refusals take that a call is sent again after."""

_SERVED: Final = 5
"""Near the limit of an account, some are refused and some are not, by chance. That five are served,
and the one that is refused next is of the model that was refused before, hardly happens."""

_QUIET: Final = 60.0
"""Seconds: most limits are counted by the minute."""

_ROUNDS: Final = 16
"""As in `concurrency`."""

_MOST_WATCHED: Final = 16
"""Models that are looked at, or stand apart: names come from the program, which may have many."""


class _Watch:
    """A model that was refused once."""

    __slots__ = ("has_others", "since")

    def __init__(self, now: float) -> None:
        self.since, self.has_others = now, False


class _Apart(Generic[J]):
    """A model whose calls are kept: it is suspect, or apart, or one of many again."""

    __slots__ = (
        "given_up",
        "kept",
        "most",
        "refused",
        "served",
        "since",
        "slow_from",
        "stage",
        "streak",
        "under_way",
        "until",
    )

    stage: Literal["suspect", "apart", "released"]

    def __init__(self) -> None:
        self.kept: deque[tuple[J, int]] = deque()
        self.under_way = 0
        self.stage = "released"

    def suspect(self, now: float) -> None:
        """Begin to suspect it."""
        self.stage = "suspect"
        self.most, self.slow_from, self.given_up = 1.0, inf, False
        # How often others were served; how often it was refused in a row.
        self.served = self.streak = 0
        # When a call may begin; when it was served last, or suspected; when it was refused.
        self.until = self.since = self.refused = now

    def may_begin(self, now: float, *, is_idle: bool = False) -> bool:
        """Whether one more attempt may begin."""
        if self.stage == "released":
            return True
        if self.stage == "suspect" and self.served < _SERVED and not is_idle:
            return False
        return self.under_way < int(self.most) and now >= self.until

    def refuse(self, begun: float, now: float) -> None:
        """Take one more refusal that is its own."""
        if begun > self.refused:
            self.streak += 1
            self.slow_from = self.most / 2 if self.most >= 2 else inf
            self.most = max(1.0, self.most / 2)
            self.refused = now
        self.given_up = self.given_up or now - self.since >= GIVEN_UP

    def serve(self, now: float) -> None:
        """Take that a call was served that began after the last refusal."""
        self.streak, self.given_up = 0, False
        self.until = self.since = now
        step = 1.0
        if self.most >= self.slow_from:
            step = max(1.0, self.slow_from / _ROUNDS) / self.most
        self.most += step


class Models(Generic[J]):
    """The models of a run. Times are seconds, as in `Admission`; it has no lock either.

    Attributes:
        is_watching: whether it has to be told what is served. It has not until there is a refusal.
    """

    def __init__(self) -> None:
        self.is_watching = False
        self._watched: dict[str, _Watch] = {}
        self._apart: dict[str, _Apart[J]] = {}
        self._kept = self._bytes = 0

    def __bool__(self) -> bool:
        """Whether the calls of any model may be kept."""
        return bool(self._apart)

    def __len__(self) -> int:
        """How many calls are kept."""
        return self._kept

    @property
    def is_full(self) -> bool:
        """Whether no further call can be kept."""
        return self._kept >= MOST_KEPT or self._bytes >= MOST_BYTES

    def refuse(self, model: str, begun: float, now: float) -> Whose:
        """Take a refusal; call `delay` then.

        Args:
            model: whose call was refused.
            begun: when the attempt began.
            now: the time.
        """
        self.see(model)
        apart = self._apart.get(model)
        if apart is not None and apart.stage == "apart":
            apart.refuse(begun, now)
            return "own"
        is_new = not self._watched and not any(
            one.stage == "suspect" for one in self._apart.values()
        )
        is_new = self._clear(model, begun, now) or is_new
        if apart is not None and apart.stage == "suspect":
            if begun > apart.refused and apart.served >= _SERVED:
                apart.stage = "apart"
                apart.refuse(begun, now)
                return "found"
            return "account"
        watch = self._watched.get(model)
        if watch is not None:
            if begun > watch.since and watch.has_others:
                del self._watched[model]
                self._apart.setdefault(model, _Apart()).suspect(now)
        elif len(self._watched) + len(self._apart) < _MOST_WATCHED:
            self._watched[model] = _Watch(now)
            self.is_watching = True
        return "new" if is_new else "account"

    def see(self, model: str) -> None:
        """Take that the run has calls of a model."""
        for name, watch in self._watched.items():
            watch.has_others = watch.has_others or name != model

    def serve(self, model: str, begun: float, now: float) -> None:
        """Take that a call was served."""
        self.see(model)
        apart = self._apart.get(model)
        if apart is not None and apart.stage != "released" and begun > apart.refused:
            if apart.stage == "suspect":
                self._release(model)
            else:
                apart.serve(now)
                if now - apart.refused >= _QUIET and not apart.kept:
                    self._release(model)
        watch = self._watched.get(model)
        if watch is not None and begun > watch.since:
            del self._watched[model]
        for name, other in self._apart.items():
            other.served += name != model and other.stage == "suspect" and begun > other.since
        self.is_watching = bool(self._watched or self._apart)

    def is_apart(self, model: str) -> bool:
        """Whether a model stands apart."""
        apart = self._apart.get(model)
        return apart is not None and apart.stage == "apart"

    def streak(self, model: str) -> int:
        """Return how often in a row a model was refused that stands apart, without the last."""
        apart = self._apart.get(model)
        return 0 if apart is None else max(0, apart.streak - 1)

    def delay(self, model: str, until: float, *, gives_up: bool = False) -> None:
        """Let no call begin of a model that stands apart.

        Args:
            model: that was refused.
            until: when one may begin; of several times, the latest counts.
            gives_up: whether its calls are not to wait for that.
        """
        if self.is_apart(model):
            apart = self._apart[model]
            apart.until = max(apart.until, until)
            apart.given_up = apart.given_up or gives_up

    def is_given_up(self, model: str) -> bool:
        """Whether the calls of a model do not wait any more, but fail."""
        return self.is_apart(model) and self._apart[model].given_up

    def may_begin(self, model: str, now: float) -> bool:
        """Whether an attempt may begin, as far as its model is concerned."""
        apart = self._apart.get(model)
        return apart is None or apart.may_begin(now)

    def begin(self, model: str) -> bool:
        """Note that an attempt begins. Return whether `end` must be told when it has ended."""
        apart = self._apart.get(model)
        if apart is not None:
            apart.under_way += 1
        return apart is not None

    def end(self, model: str) -> None:
        """Note that an attempt has ended that began while its model stood apart."""
        apart = self._apart.get(model)
        if apart is not None and apart.under_way:
            apart.under_way -= 1

    def keep(self, model: str, job: J, size: int) -> None:
        """Keep a call until its model may have it.

        Args:
            model: stands apart.
            job: the call.
            size: of its body, in bytes.
        """
        self._apart[model].kept.append((job, size))
        self._kept += 1
        self._bytes += size

    def ready(self, now: float, *, is_idle: bool = False) -> Optional[J]:
        """Return a kept call that may begin; it is kept until `take`. None if there is none.

        Args:
            now: the time.
            is_idle: whether there is nothing else to do.
        """
        if self._kept:
            for apart in self._apart.values():
                if apart.kept and apart.may_begin(now, is_idle=is_idle):
                    return apart.kept[0][0]
        return None

    def take(self, model: str) -> J:
        """Stop keeping the first call of a model, and return it."""
        apart = self._apart[model]
        job, size = apart.kept.popleft()
        self._kept -= 1
        self._bytes -= size
        if apart.stage == "released" and not apart.kept:
            del self._apart[model]
        return job

    def take_all(self, model: Optional[str] = None) -> list[J]:
        """Stop keeping all calls, or all of one model, and return them."""
        found = [(name, len(apart.kept)) for name, apart in self._apart.items()]
        return [
            self.take(name)
            for name, count in found
            for _ in range(count if model in (None, name) else 0)
        ]

    def wait(self, now: float) -> float:
        """Return the seconds until another kept call may begin.

        Infinite if an attempt must end before, or if one waits for something else.
        """
        wait = inf
        for apart in self._apart.values() if self._kept else ():
            is_due = apart.stage == "apart" and apart.under_way < int(apart.most)
            if is_due and apart.kept and apart.until > now:
                wait = min(wait, apart.until - now)
        return wait

    def _clear(self, model: str, begun: float, now: float) -> bool:
        """Take that a model was refused: others that were before it need not be to blame."""
        is_new = False
        for name, watch in self._watched.items():
            if name != model and begun > watch.since:
                watch.since, is_new = now, True
        for name, apart in list(self._apart.items()):
            if name != model and apart.stage == "suspect" and begun > apart.since:
                self._release(name)
                is_new = True
        return is_new

    def _release(self, model: str) -> None:
        apart = self._apart[model]
        apart.stage = "released"
        if not apart.kept:
            del self._apart[model]
