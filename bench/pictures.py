"""The pictures, as SVG and PNG: run with matplotlib's environment, on what `run` has kept.

    python -m bench.pictures RESULTS.json FOLDER

Prints a title and a path, from the folder above, for each one that it has the rows for.
"""

import json
import sys
from pathlib import Path

import matplotlib

from bench.figures import figure
from bench.pictures_table import BARS, LINES
from bench.rows import FLOORS, NAMES
from bench.table import ROWS

matplotlib.use("Agg")
from matplotlib import pyplot, ticker

OURS, OTHERS, FLOOR = "#0b6e4f", "#9aa5b1", "#d9c27e"
COLOURS = {
    "meshapi": OURS,
    "meshapi on uvloop": "#57b894",
    "meshapi on trio": "#8fd3b6",
    "aiohttp": "#2f6fb3",
    "official 0.1.11": "#c0504d",
    "openai": "#7f7f7f",
    "httpcore": "#b07aa1",
    "httpcore2": "#d4a6c8",
    "socket + h11 + msgspec": "#c9a227",
}
FLOOR_LABELS = {NAMES.get(name, name) for name in FLOORS}
TITLES = {row.name: row.title.replace("`", "") for row in ROWS}
UNITS = {row.name: row.figures for row in ROWS}


def bars(data, row, name):
    """A bar for each contender, the shortest on top; None where nothing was measured."""
    results = data["rows"][row]["results"]
    found = {label: figure(results, label, name) for label in results}
    found = {label: each for label, each in found.items() if each is not None}
    if not found:
        return None
    labels = sorted(found, key=lambda label: -found[label].median)
    figures, axes = pyplot.subplots(figsize=(7, 0.6 + 0.36 * len(labels)))
    values = [found[label].median for label in labels]
    colours = [colour(label) for label in labels]
    axes.barh(labels, values, color=colours, height=0.72)
    for at, value in enumerate(values):
        axes.annotate(
            f"{value:,.0f}" if value >= 10 else f"{value:.1f}",
            (value, at),
            xytext=(4, 0),
            textcoords="offset points",
            va="center",
            fontsize=8,
        )
    axes.set_xlabel(UNITS[row][name])
    axes.margins(x=0.12)
    plain(axes, TITLES[row])
    return figures


def colour(label):
    if label.startswith("meshapi"):
        return COLOURS.get(label, OURS)
    return FLOOR if label in FLOOR_LABELS else OTHERS


def lines(data, title, below, rows, contenders):
    """A line for each contender; None where fewer than two points were measured."""
    figures, axes = pyplot.subplots(figsize=(7, 4))
    drawn = 0
    for label in contenders:
        points = [
            (x, figure(data["rows"][row]["results"], label, "cpu"))
            for x, row in rows.items()
            if row in data["rows"]
        ]
        points = [(x, each) for x, each in points if each is not None]
        if not points:
            continue
        drawn = max(drawn, len(points))
        width = 2.4 if label == "meshapi" else 1.4
        axes.plot(
            [x for x, _ in points],
            [each.median for _, each in points],
            marker="o",
            markersize=4,
            linewidth=width,
            color=COLOURS[label],
            label=label,
        )
    if drawn < 2:
        pyplot.close(figures)
        return None
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel(below)
    axes.set_ylabel("µs of CPU")
    axes.set_xticks(list(rows), [f"{x:,}" for x in rows])
    axes.minorticks_off()
    axes.yaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:,.0f}" if y >= 1 else f"{y:g}")
    axes.grid(True, which="major", alpha=0.25)
    axes.legend(fontsize=8, frameon=False)
    plain(axes, title)
    return figures


def plain(axes, title):
    axes.set_title(title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(labelsize=8)


def save(figures, folder, name):
    # The same figures give the same file.
    figures.savefig(folder / f"{name}.svg", bbox_inches="tight", metadata={"Date": None})
    figures.savefig(folder / f"{name}.png", bbox_inches="tight", dpi=110)
    pyplot.close(figures)
    path = folder / f"{name}.svg"
    text = path.read_text("utf-8")
    path.write_text("\n".join(line.rstrip() for line in text.splitlines()) + "\n", "utf-8")


def main(results, folder):
    data = json.loads(Path(results).read_text("utf-8"))
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    matplotlib.rcParams["svg.hashsalt"] = "bench"
    made = []
    for name, row, which in BARS:
        figures = bars(data, row, which) if row in data["rows"] else None
        if figures is not None:
            save(figures, folder, name)
            made.append((TITLES[row], f"{folder.name}/{name}.svg"))
    for name, title, below, rows, contenders in LINES:
        figures = lines(data, title, below, rows, contenders)
        if figures is not None:
            save(figures, folder, name)
            made.append((title, f"{folder.name}/{name}.svg"))
    print(json.dumps(made))


if __name__ == "__main__":
    main(*sys.argv[1:])
