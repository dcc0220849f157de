"""What is shown and kept of a run."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from datetime import UTC, datetime
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from bench import processes
from bench.curves import Curve
from bench.measure import Bar, Effort, Metric, Outcome, Spread


class Words(NamedTuple):
    """How a metric is shown."""

    label: str
    digits: int


METRICS: Mapping[Metric, Words] = {
    "calls_per_second": Words("calls/s", 0),
    "p50_us": Words("p50 µs", 1),
    "cpu_us": Words("CPU µs per call", 2),
    "seconds": Words("seconds", 3),
    "nanoseconds": Words("ns", 2),
    "instructions": Words("instructions", 0),
    "system_calls": Words("system calls", 2),
    "allocations": Words("allocations", 1),
    "bytes_per_connection": Words("bytes per connection", 0),
    "bytes_per_event": Words("bytes per event", 1),
    "save_seconds": Words("save, seconds", 4),
    "load_seconds": Words("load, seconds", 4),
}


def header(effort: Effort) -> dict[str, str]:
    """When, where and with what: machine and versions."""
    commit = _output("git", "describe", "--always", "--dirty")
    return {
        "date": datetime.now(UTC).isoformat(timespec="seconds"),
        "rounds": f"at least {effort.rounds}, with {effort.share:.0%} of the calls of a full run",
        "machine": f"{_processor()}, {os.cpu_count()} cores, {platform.platform()}",
        "load average": f"{os.getloadavg()[0]:.1f} at the start: others' work, which blurs figures",
        "greetlab": f"{_version('greetlab')}, commit {commit}",
        "gRPC C++, c-ares": ", ".join(
            (
                _output(str(processes.PEERS / "cq_server"), "--version"),
                _output(str(processes.PEERS / "dns_client"), "--version"),
            )
        ),
        "h2load, HAProxy": ", ".join(
            (
                _words(_output("h2load", "--version"), 1),
                _words(_output("haproxy", "-v"), 2),
            )
        ),
        "Python": ", ".join(
            (
                platform.python_version(),
                *(f"{name} {_version(name)}" for name in PYTHON_PEERS),
            )
        ),
    }


PYTHON_PEERS = ("grpcio", "protobuf", "dnspython", "simpy")


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
    metrics = _metrics(outcome)
    contenders = Table(box=None, pad_edge=False)
    contenders.add_column("contender")
    for metric in metrics:
        label = METRICS[metric].label
        cpu_of = f" ({outcome.row.cpu_of})" if metric == "cpu_us" else ""
        contenders.add_column(label + cpu_of, justify="right")
    for name in outcome.samples:
        cells = (
            _in_words(spread, METRICS[metric].digits) if spread else "–"  # noqa: RUF001
            for metric in metrics
            for spread in (outcome.spread(name, metric),)
        )
        contenders.add_row(name, *cells)
    return Group(title, contenders, table_of_figures([outcome]))


def table_of_figures(outcomes: Sequence[Outcome], *, named: bool = False) -> Table:
    """The bars of these rows: what was measured, what it is held to, pass or short.

    named: with the row's name; and a row without figures says why.
    """
    table = Table(box=None, pad_edge=False)
    for column in (*(["row"] if named else []), "what", "figure", "bar", ""):
        table.add_column(column)
    for cells in _lines(outcomes):
        color = {"pass": "green", "short": "red"}.get(cells[-1], "yellow")
        table.add_row(*cells[0 if named else 1 : -1], Text(cells[-1], style=color))
    return table


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


def save(
    folder: Path, told: Mapping[str, str], outcomes: Sequence[Outcome], curves: Sequence[Curve]
) -> None:
    """Writes a run into a folder, in place of the one that was there.

    figures.json: the header, and each row with all of its samples. README.md: the header, the
    bars, and a picture of each curve that has points.
    """
    folder.mkdir(parents=True, exist_ok=True)
    document = {"header": told, "rows": [_as_json(outcome) for outcome in outcomes]}
    text = json.dumps(document, indent=1, ensure_ascii=False) + "\n"
    (folder / "figures.json").write_text(text)

    page = ["# A run of `./run bench`", "", *_markdown(("", ""), told.items()), ""]
    page += [f"{summary(outcomes)}.", ""]
    page += _markdown(("row", "what", "figure", "bar", ""), _lines(outcomes))
    for curve in curves:
        picture = folder / f"{curve.name}.png"
        picture.unlink(missing_ok=True)
        if curve.draw(outcomes, picture):
            page += ["", f"![{curve.title}]({curve.name}.png)"]
    (folder / "README.md").write_text("\n".join(page) + "\n")


def _lines(outcomes: Sequence[Outcome]) -> Iterator[tuple[str, str, str, str, str]]:
    """Of each figure: row, what, figure, bar, verdict. A row without any says why."""
    for outcome in outcomes:
        if outcome.skipped or outcome.broken:
            verdict = "skipped" if outcome.skipped else "broken"
            yield outcome.row.name, outcome.skipped or outcome.broken, "", "", verdict
        for figure in outcome.figures:
            bar = figure.bar
            digits = METRICS[bar.metric].digits if bar.peer is None else 2
            yield (
                outcome.row.name,
                _what_in_words(bar),
                _in_words(figure.spread, digits),
                _bar_in_words(bar, digits),
                figure.verdict,
            )


def _markdown(columns: Sequence[str], lines: Any) -> list[str]:
    table = [columns, ["---"] * len(columns), *lines]
    return [f"| {' | '.join(cells)} |" for cells in table]


def _as_json(outcome: Outcome) -> dict[str, Any]:
    told: dict[str, Any] = {"name": outcome.row.name, "title": outcome.row.title}
    if outcome.skipped:
        return told | {"skipped": outcome.skipped}
    if outcome.broken:
        return told | {"broken": outcome.broken}
    contenders = {
        name: {metric: _maybe(outcome.spread(name, metric)) for metric in _metrics(outcome)}
        | {"samples": [dict(sample) for sample in samples]}
        for name, samples in outcome.samples.items()
    }
    figures = [
        asdict(figure.bar) | {"figure": asdict(figure.spread), "verdict": figure.verdict}
        for figure in outcome.figures
    ]
    return told | {"cpu_of": outcome.row.cpu_of, "contenders": contenders, "figures": figures}


def _maybe(spread: Spread | None) -> dict[str, float] | None:
    return asdict(spread) if spread else None


def _metrics(outcome: Outcome) -> list[Metric]:
    """What any of its contenders tells of."""
    told = {metric for samples in outcome.samples.values() for metric in samples[0]}
    return [metric for metric in METRICS if metric in told]


def _what_in_words(bar: Bar) -> str:
    """What is measured: "calls/s: a / b", or "seconds: a"."""
    sides = [bar.ours] if bar.peer is None else [bar.ours, bar.peer]
    return f"{METRICS[bar.metric].label}: {' / '.join(sides)}"


def _bar_in_words(bar: Bar, digits: int) -> str:
    words = []
    if bar.least is not None:
        words.append(f"≥ {bar.least:,.{digits}f}")
    if bar.most is not None:
        words.append(f"≤ {bar.most:,.{digits}f}")
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


def _words(text: str, last: int) -> str:
    """The program and its version, out of the first line of what it says of itself."""
    first = text.splitlines()[0]
    return " ".join(first.split()[: last + 1])


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
