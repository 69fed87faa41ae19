"""The page that says what was measured: `RESULTS.md`."""

from bench.figures import figure, judge, ratio
from bench.table import SECTIONS

PROLOGUE = """\
# Results

Written by `python bench/run.py`; nothing in it comes from elsewhere. CPU is that of the measured
process alone, user and system; client and server are processes of their own on one machine. Each
figure is the median of its samples, with the least and the most of them. A ratio is taken of two
samples of the same round, and is the median of those: below 1 is better than the other.
"""


def page(data, rows, plots=()):
    """The whole page.

    Args:
        data: what `run` keeps: the machine, versions, and for each row its results.
        rows: those of the table that were asked for.
        plots: (title, path of an SVG) of each picture.
    """
    measured = [row for row in rows if row.name in data["rows"]]
    parts = [PROLOGUE, about(data), *goals(data, measured)]
    parts += [f"![{title}]({path})\n" for title, path in plots]
    for title, section in SECTIONS.items():
        chosen = [row for row in section if row in measured]
        if chosen:
            parts.append(f"## {title}\n")
            parts += [table(row, data["rows"][row.name]["results"]) for row in chosen]
    return "\n".join([*parts, versions(data)])


def about(data):
    machine = data["machine"]
    quick = " Quick: few and short samples, not to be quoted." if data["quick"] else ""
    return (
        f"{machine['date']}, commit {machine['commit']}. {machine['python']}, {machine['system']}, "
        f"{machine['cores']} cores of {machine['processor']}; "
        f"{machine['minutes']:.1f} minutes.{quick}\n"
    )


def goals(data, rows):
    lines = []
    for row in rows:
        for verdict in judge(row, data["rows"][row.name]["results"]):
            goal = verdict.goal
            against = goal.against or row.figures[goal.figure]
            words = verdict.words if verdict.met else f"**{verdict.words}**"
            cells = [row.title, against, f"≤ {number(goal.at_most)}", *shown(verdict.measured)]
            lines.append(line([*cells, words]))
    if not lines:
        return
    yield "## What must hold\n"
    head = ["row", "against", "goal", "measured", "least to most", ""]
    yield "\n".join([*table_head(head), *lines, ""])


def table(row, results):
    """A row's own table: a line for each contender."""
    first = row.contenders[0].label
    several = len(row.contenders) > 1
    head = [""]
    for unit in row.figures.values():
        head += [unit, "least to most"] + ([f"{first} / it"] if several else [])
    lines = []
    for contender in row.contenders:
        result = results.get(contender.label, {})
        if not result:
            # One that `--quick` leaves out.
            continue
        if not result.get("samples"):
            reason = result.get("reason", "no sample")
            empty = [""] * (len(head) - 2)
            lines.append(line([contender.label, f"not run: {reason}", *empty]))
            continue
        cells = [contender.label]
        for name in row.figures:
            cells += shown(figure(results, contender.label, name))
            if several:
                same = contender.label == first
                cells.append("" if same else shown(ratio(results, first, contender.label, name))[0])
        lines.append(line(cells))
    intro = f"### {row.title}\n\n`{row.name}`. {row.note}".rstrip()
    return "\n".join([intro, "", *table_head(head), *lines, ""])


def versions(data):
    lines = ["## Versions\n"]
    for name, found in data["versions"].items():
        listed = ", ".join(f"{dist} {version}" for dist, version in found.items())
        lines.append(f"- {name}: {listed}")
    return "\n".join(lines) + "\n"


def shown(spread):
    if spread is None:
        return "", ""
    return number(spread.median), f"{number(spread.least)} to {number(spread.most)}"


def number(value):
    """Three digits that count, and thousands apart."""
    if value == 0:
        return "0"
    size = abs(value)
    digits = 0 if size >= 100 else 1 if size >= 10 else 2 if size >= 1 else 3
    return f"{value:,.{digits}f}".rstrip("0").rstrip(".") if digits else f"{value:,.0f}"


def line(cells):
    return "| " + " | ".join(str(cell).replace("|", "\\|") for cell in cells) + " |"


def table_head(cells):
    return line(cells), "|---" + "|---:" * (len(cells) - 1) + "|"
