"""The picture of the mission: which pod handled each request."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from greetlab.channels.calls import Calls
from greetlab.trace.trace import Trace
from greetlab.views.palette import FAILED, PodStyle, pod_styles
from greetlab.views.plot.chance import binomial_band
from greetlab.views.plot.marks import MARKS, draw_marks
from greetlab.views.plot.reading import Reading, in_order
from greetlab.views.plot.style import (
    BAND,
    CLOSE,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    WIDTH,
    Picture,
    bare,
    keys,
    label,
    pitch_for,
    plural,
    rows,
)

UNENDED = PodStyle("#9A9A9A", "$\u25cb$", "o")
"""A call of which nobody knows yet."""


@dataclass(frozen=True)
class _Run:
    """One client's requests. pod: of each the row in `names`; -1 if it failed, -2 if it goes on.

    connections: how many were made, or, where only those are known, used: "3 connections used".
    """

    title: str
    world: str
    connections: str
    names: list[str]
    known: list[str]
    pod: npt.NDArray[Any]


def requests(*runs: Calls | Trace, pods: Sequence[str] = (), title: str = "") -> Picture:
    """Which pod handled each request: request number across, pods down, one mark a request.

    Beside each strip stands how many each pod handled, with the band in which 95 % of the pods
    would be if every request were sent to a pod by chance. Many requests are ticks instead of
    marks; a million are drawn as the share of each pod at the time.

    runs: each gets a strip of its own, under its title: the Calls of one client, or a Trace.
    pods: those to show; those that answered nothing get an empty row. Without it, those that
        answered something, and those that a trace names.

    Raises ValueError without a run, and for what is none.
    """
    if not runs or not all(isinstance(run, Calls | Trace) for run in runs):
        raise ValueError(
            "plot.requests() needs at least one run, each the Calls of one client or a Trace"
        )
    if isinstance(pods, str):
        raise ValueError(f"pods={pods!r}: a list of names, such as [{pods!r}]")
    read = [_of_calls(run) if isinstance(run, Calls) else _of_trace(run) for run in runs]
    names = list(pods) or in_order(name for run in read for name in run.known)
    extra = [("failed", FAILED, -1)] * any((run.pod == -1).any() for run in read)
    extra += [("not ended", UNENDED, -2)] * any((run.pod == -2).any() for run in read)
    count = len(names) + len(extra)
    pitch = pitch_for(count, 6.0 / len(read))
    picture = Picture(WIDTH, 1.35 + len(read) * (0.45 + pitch * (count + 0.2)))
    grid = picture.subplots(len(read), 2, squeeze=False, sharey=True, width_ratios=(5, 1))
    longest = max(*(len(run.pod) for run in read), 1)
    for (strip, share), run in zip(grid, read, strict=True):
        _draw(strip, share, run, names, extra, pitch, longest)
        strip.tick_params(labelbottom=strip is grid[-1, 0])
    if pitch >= CLOSE:  # beside a pod that has all, a fair share of many pods would not be seen
        widest = max(share.get_xlim()[1] for share in grid[:, 1])
        for share in grid[:, 1]:
            share.set_xlim(0, widest)
    share_title = "per pod; grey: by chance"
    grid[0, 1].set_title(share_title, loc="right", fontsize=SMALL, color=QUIET)
    grid[-1, 0].set_xlabel("request", color=INK, fontsize=NORMAL)
    picture.supxlabel(
        "grey: where 95 of 100 pods would be if chance chose the pod of each request",
        x=0.99, ha="right", fontsize=SMALL, color=QUIET,
    )  # fmt: skip
    picture.head(title or "Which pod handled each request", (run.world for run in read))
    picture.alt = ". ".join([title or "Which pod handled each request", *map(_words, read)])
    return picture


def _of_calls(calls: Calls) -> _Run:
    pod = np.where(calls.status == 0, calls.pod, -1)
    names = list(calls.pods)
    used = len(calls.connections)
    connections = f"{plural(used, 'connection')} used" if used else ""
    return _Run(calls.title, calls.world, connections, names, names, pod)


def _of_trace(trace: Trace) -> _Run:
    reading = Reading(trace)
    calls = reading.calls
    pod = np.where(calls.ok, calls.pod, np.where(np.isnan(calls.end), -2, -1))
    made = len(reading.view.rows("Connected"))
    used = np.unique(reading.view.column("CallEnded", "connection"))
    connections = plural(made, "connection")
    if not len(reading.view.rows("ConnectStarted")):  # gRPC's own engine shows none of it
        connections = f"{plural(int(np.count_nonzero(used)), 'connection')} used"
    return _Run(reading.title, trace.world, connections, reading.pods, reading.pods, pod)


def _draw(
    strip: Axes,
    share: Axes,
    run: _Run,
    names: list[str],
    extra: list[tuple[str, PodStyle, int]],
    pitch: float,
    longest: int,
) -> None:
    known = pod_styles(names)
    styles = [*(known[name] for name in names), *(style for _, style, _ in extra)]
    # From the run's own numbers to the rows of the figure: what failed comes last.
    table = np.full(len(run.names) + 2, -1)
    for code, name in enumerate(run.names):
        if name in names:
            table[code] = names.index(name)
    for row, (_, _, code) in enumerate(extra, start=len(names)):
        table[code] = row
    row = table[run.pod]
    limits = (0.2, longest + 0.8)
    number = np.arange(1, len(row) + 1)
    draw_marks(strip, number[row >= 0], row[row >= 0], styles, limits, pitch)
    strip.set_label("requests")
    strip.set_xlim(*limits)
    strip.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    strip.xaxis.set_major_formatter("{x:,.0f}")
    strip.set_title(
        "  \u00b7  ".join(filter(None, (label(run.title), run.connections))),
        loc="left", fontsize=NORMAL, color=INK,
    )  # fmt: skip
    bare(strip)
    rows(strip, [*names, *(name for name, _, _ in extra)], pitch)
    if len(number) > MARKS:  # else the marks themselves have the shapes
        keys(strip, styles, pitch)
    _shares(share, np.bincount(row[row >= 0], minlength=len(styles)), len(names), styles, pitch)


def _shares(
    axes: Axes,
    counts: npt.NDArray[Any],
    pods: int,
    styles: Sequence[PodStyle],
    pitch: float,
) -> None:
    """How many each pod handled, and what chance would have given it."""
    axes.set_label("share")
    ended = max(int(counts.sum()), 1)
    answered = int(counts[:pods].sum())
    widest = counts.max(initial=0)
    if answered and pods > 1:
        least, most = binomial_band(answered, 1 / pods)
        widest = max(widest, most)
        axes.fill_betweenx(
            [-0.5, pods - 0.5], least / ended, most / ended, color=BAND, lw=0, label="by chance"
        )
    colors = [style.color for style in styles]
    axes.barh(range(len(styles)), counts / ended, height=0.55, color=colors)
    axes.set_xlim(0, max(widest / ended, 1e-9))
    axes.tick_params(labelbottom=False, labelleft=False)
    bare(axes)
    if pitch < CLOSE:
        return
    for row, count in enumerate(counts):
        axes.text(
            1.04, row, f"{count:,}", transform=axes.get_yaxis_transform(), va="center",
            fontsize=NORMAL, color=styles[row].color if count else QUIET,
            weight="bold" if count else "normal",
        )  # fmt: skip


def _words(run: _Run) -> str:
    counts = {name: int((run.pod == code).sum()) for code, name in enumerate(run.names)}
    told = [f"{name} {count:,}" for name, count in sorted(counts.items()) if count]
    if len(told) > 12:
        shares = [count for count in counts.values() if count]
        told = [f"{len(shares)} pods between {min(shares):,} and {max(shares):,} each"]
    told += [f"{int((run.pod == -1).sum()):,} failed"] * bool((run.pod == -1).any())
    told += [f"{int((run.pod == -2).sum()):,} not ended"] * bool((run.pod == -2).any())
    what = f"{run.title}: " if run.title else ""
    return f"{what}of {plural(len(run.pod), 'request')}, {', '.join(told) or 'none ended'}"
