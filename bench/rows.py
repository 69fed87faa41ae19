"""What a row of the table is made of; the table itself is `table`."""

from typing import NamedTuple, Optional

NAMES = {
    "ours": "meshapi",
    "official": "official 0.1.11",
    "socket": "bare socket",
    "ready": "bytes that are ready",
    "h11": "socket + h11 + msgspec",
    "split": "split + msgspec",
    "bare": "the machine alone",
    "wsproto": "wsproto + msgspec",
    "wire": "no WebSocket",
}
"""Peers whose name on the page is not that of their package."""

FLOORS = ("socket", "ready", "h11", "split", "bare", "wsproto", "wire")
"""No libraries to compare with, but the least that could do the work, in our environment."""


class Contender(NamedTuple):
    """Who does what a row says.

    Fields:
        label: its name in the row.
        peer: the module in `peers/`, or what a case knows it by.
        options: for the case, above the row's.
        server: the kind of server, where it is not the row's.
    """

    label: str
    peer: str
    options: dict = {}  # noqa: RUF012 - never changed
    server: Optional[str] = None

    @property
    def environment(self):
        return "ours" if self.peer in FLOORS else self.peer


class Goal(NamedTuple):
    """What must hold for what `of` measured: `figure` at most so much, or so many times another's.

    Fields:
        at_most: a ratio, or with `against=None` the figure itself.
        against: the label of a contender in the same row.
        of: the label of the one that is judged.
    """

    at_most: float
    against: Optional[str] = None
    figure: str = "cpu"
    of: str = "meshapi"


class Row(NamedTuple):
    """One thing that is measured.

    Fields:
        name: what `--only` takes; the words before a dash are its subject.
        title: on the page.
        case: module and function in `cases/`.
        contenders: who does it; the first is what the others are compared with.
        figures: the unit of each figure that a sample has.
        options: for the case.
        goals: what must hold.
        server: its kind, of `servers.KINDS`; None where there is none.
        fresh: a sample is a process, where what was there before would be counted.
        at_most: so many samples of a `fresh` row, where they take long.
        note: what a reader has to know.
    """

    name: str
    title: str
    case: str
    contenders: tuple
    figures: dict
    options: dict = {}  # noqa: RUF012 - never changed
    goals: tuple = ()
    server: Optional[str] = "http"
    fresh: bool = False
    at_most: int = 3
    note: str = ""


def contender(each):
    """A contender as the table has it: the name of a peer, `peer on loop`, or a `Contender`."""
    if isinstance(each, Contender):
        return each
    peer, _, loop = each.partition(" on ")
    label = NAMES.get(peer, peer) + (f" on {loop}" if loop else "")
    return Contender(label, peer, {"loop": loop} if loop else {})


def contenders(text, *more):
    """`"ours, official, ours on trio"`, and those that need more words."""
    return tuple(contender(each) for each in [*text.split(", "), *more])


def against(figure="cpu", of="meshapi", **limits):
    """Goals by peer: `against(official=0.15, h11=0.75)`."""
    return tuple(Goal(most, NAMES.get(peer, peer), figure, of) for peer, most in limits.items())


def selected(rows, words):
    """Rows that `--only` names: a name, or the words that it begins with.

    Raises:
        ValueError: nothing has that name.
    """
    for word in words:
        if not any(names(word, row) for row in rows):
            every = ", ".join(row.name for row in rows)
            raise ValueError(f"--only {word}: no such row; there are {every}")
    return [row for row in rows if not words or any(names(word, row) for word in words)]


def thinned(rows):
    """The rows without contenders that no goal names, but for each peer the first time.

    What `--quick` measures: everything is seen to run, and nothing as often as in a whole run.
    """
    seen = set()
    for row in rows:
        wanted = {row.contenders[0].label, *(goal.against for goal in row.goals)}
        kept = [each for each in row.contenders if each.label in wanted or each.peer not in seen]
        seen.update(each.peer for each in kept)
        yield row._replace(contenders=tuple(kept))


def names(word, row):
    return row.name == word or row.name.startswith(word.rstrip("-") + "-")
