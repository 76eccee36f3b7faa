"""What all benchmarks say in the same way: progress, where and when, medians as a table, a place in the docs."""

import os
import platform
import statistics
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.target import ROOT, Figures

DOCS = ROOT / "docs" / "performance.md"
Run = dict[str, float]


def say(text: str) -> None:
    """Show progress, beside the results."""
    print(text, file=sys.stderr, flush=True)


def about() -> Figures:
    """When and where this was measured."""
    return {
        "date": datetime.now(UTC).date().isoformat(),  # noqa: TID251 (of the report, not of the product)
        "cores": os.cpu_count(),
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 1),
    }


def medians(runs: Sequence[Run], goal_of: Callable[[str], str], more: str) -> Iterable[str]:
    """The figures as Markdown, medians with their range; `more` follows the number of runs."""
    where = about()
    yield f"{where['date']}, {where['cores']} cores under a load of {where['load']}, Python {where['python']};"
    yield f"medians of {len(runs)} runs{more}."
    yield ""
    yield "| what | median | least | most | goal |"
    yield "|---|---|---|---|---|"
    for name in runs[0]:
        values = [run[name] for run in runs]
        cells = [f"{value:.2f}" for value in (statistics.median(values), min(values), max(values))]
        yield "| " + " | ".join([name, *cells, goal_of(name)]) + " |"


def goal_in(goals: Mapping[str, float]) -> Callable[[str], str]:
    """The goal of a figure as the table shows it, "" where it has none."""
    return lambda name: f"{goals[name]:g}" if name in goals else ""


def write_docs(mark: str, lines: Iterable[str]) -> None:
    """Replace what stands between a benchmark's marks in the document."""
    begin, end = f"<!-- {mark}: begin -->", f"<!-- {mark}: end -->"
    before, rest = DOCS.read_text().split(begin)
    _, after = rest.split(end)
    DOCS.write_text(f"{before}{begin}\n" + "\n".join(lines) + f"\n{end}{after}")


def pyplot() -> Any:
    """matplotlib, which only a plot needs."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise SystemExit("--plot needs matplotlib: pip install matplotlib") from error
    return plt


def boxes(plt: Any, figures: Mapping[str, Sequence[float]], goals: Mapping[str, float], what: str, file: Path) -> None:
    """Draw the ranges of figures of one unit beside each other, with their goals."""
    names = list(figures)
    figure, axes = plt.subplots(figsize=(9, 6))
    axes.boxplot(list(figures.values()), vert=False, tick_labels=names)
    places = [(at, goals[name]) for at, name in enumerate(names, 1) if name in goals]
    axes.plot([goal for _, goal in places], [at for at, _ in places], "r|", markersize=20, label="goal")
    axes.set_xscale("log")
    axes.set_xlabel(what)
    axes.legend()
    figure.tight_layout()
    figure.savefig(file)
