"""What is shown and kept of a run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import processes
from bench.measure import Bar, Effort, Figure, Metric, Outcome, Spread

METRICS: Mapping[Metric, str] = {
    "calls_per_second": "calls/s",
    "p50_us": "p50",
    "cpu_us": "CPU per call",
}


def header(effort: Effort) -> dict[str, str]:
    """When, where and with what: machine and versions."""
    commit = _output("git", "describe", "--always", "--dirty")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": f"{effort.rounds}, with {effort.share:.0%} of the calls of a full run",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.platform()}",
        "load average": f"{os.getloadavg()[0]:.1f} at the start: others' work, which blurs figures",
        "greetlab": f"{_version('greetlab')}, commit {commit}",
        "gRPC C++": _output(str(processes.PEERS / "cq_server"), "--version"),
        "Python": f"{platform.python_version()}, grpcio {_version('grpcio')}, "
        f"protobuf {_version('protobuf')}",
    }


def table_of_header(told: Mapping[str, str]) -> Table:
    """The header for the terminal."""
    table = Table(box=None, show_header=False, pad_edge=False)
    for what, words in told.items():
        table.add_row(Text(what, style="dim"), words)
    return table


def shown(outcome: Outcome) -> RenderableType:
    """A row for the terminal: each contender's figures, then each bar."""
    title = Text(f"\n{outcome.row.name}: {outcome.row.title}", style="bold")
    if outcome.skipped:
        return Group(title, Text(f"  skipped: {outcome.skipped}", style="yellow"))
    if outcome.broken:
        return Group(title, Text(f"  broken: {outcome.broken}", style="red"))
    contenders = Table(box=None, pad_edge=False)
    contenders.add_column("contender")
    for column in ("calls/s", "p50 µs", f"CPU µs ({outcome.row.cpu_of})"):
        contenders.add_column(column, justify="right")
    for name in outcome.samples:
        spreads = [outcome.spread(name, metric) for metric in METRICS]
        digits = (0, 0, 1)
        contenders.add_row(name, *map(_in_words, spreads, digits))
    return Group(title, contenders, _table_of_figures(outcome.figures))


def summary(outcomes: Sequence[Outcome]) -> str:
    """All of it in a line."""
    verdicts = [figure.verdict for outcome in outcomes for figure in outcome.figures]
    parts = {
        "passed": verdicts.count("pass"),
        "short": verdicts.count("short"),
        "rows skipped": sum(bool(outcome.skipped) for outcome in outcomes),
        "rows broken": sum(bool(outcome.broken) for outcome in outcomes),
    }
    return ", ".join(f"{count} {what}" for what, count in parts.items())


def save(path: Path, told: Mapping[str, str], outcomes: Sequence[Outcome]) -> None:
    """Writes everything as JSON: the header, and each row with all of its samples."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {"header": told, "rows": [_as_json(outcome) for outcome in outcomes]}
    path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")


def _as_json(outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {"name": outcome.row.name, "title": outcome.row.title}
    if outcome.skipped:
        return told | {"skipped": outcome.skipped}
    if outcome.broken:
        return told | {"broken": outcome.broken}
    contenders = {
        name: {metric: asdict(outcome.spread(name, metric)) for metric in METRICS}
        | {"samples": [asdict(sample) for sample in samples]}
        for name, samples in outcome.samples.items()
    }
    figures = [
        asdict(figure.bar) | {"ratio": asdict(figure.ratio), "verdict": figure.verdict}
        for figure in outcome.figures
    ]
    return told | {"cpu_of": outcome.row.cpu_of, "contenders": contenders, "figures": figures}


def _table_of_figures(figures: Sequence[Figure]) -> Table:
    table = Table(box=None, pad_edge=False)
    for column in ("ratio", "figure", "bar", ""):
        table.add_column(column)
    for figure in figures:
        bar, passed = figure.bar, figure.verdict == "pass"
        table.add_row(
            f"{METRICS[bar.metric]}: {bar.ours} / {bar.peer}",
            _in_words(figure.ratio, 2),
            _bar_in_words(bar),
            Text(figure.verdict, style="green" if passed else "red"),
        )
    return table


def _bar_in_words(bar: Bar) -> str:
    words = []
    if bar.least is not None:
        words.append(f"≥ {bar.least:.2f}")
    if bar.most is not None:
        words.append(f"≤ {bar.most:.2f}")
    return ", ".join(words)


def _in_words(spread: Spread, digits: int) -> str:
    """The median, then the least and the most."""
    median, least, most = (
        f"{value:,.{digits}f}" for value in (spread.median, spread.least, spread.most)
    )
    return f"{median} ({least}–{most})"  # noqa: RUF001 - an en dash, for a range


def _processor() -> str:
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            return line.partition(":")[2].strip()
    return platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


def _output(*command: str) -> str:
    try:
        done = subprocess.run(command, cwd=processes.ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return "unknown"
    return done.stdout.strip() or "unknown"
