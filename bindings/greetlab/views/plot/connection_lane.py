"""The lane of the connections: a bar from open to close, one row each, in its pod's colour."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes

from greetlab.views.palette import FAILED, PodStyle
from greetlab.views.plot.columns import Column, mean_open
from greetlab.views.plot.reading import Reading
from greetlab.views.plot.style import (
    CLOSE,
    INK,
    QUIET,
    SMALL,
    UNKNOWN,
    bare,
    dark_on,
    keys,
    label,
    plural,
    rows,
)

MOST_ROWS = 150
"""More connections than this are counted, not drawn one by one."""


@dataclass(frozen=True)
class Rows:
    """Which row each attempt is on, and of which attempt each row has its name.

    A failed attempt is on the row of the connection that it would have replaced.
    """

    of: Column
    first: list[int]


def rows_of(reading: Reading) -> Rows | None:
    """The rows of a trace's connections; None if they are too many for rows."""
    found = reading.connections
    made = ~np.isnan(found.up)
    if made.sum() > MOST_ROWS:
        return None
    last: dict[int, int] = {}  # of each subchannel: the row of its last connection
    first: list[int] = []
    of = np.empty(len(made), np.int64)
    for number in np.lexsort((found.pod, found.start)).tolist():  # of the same moment: by pod
        owner, up = int(found.owner[number]), bool(made[number])
        if up or owner not in last:
            bare_row = last.get(owner, -1)
            if up and bare_row >= 0 and not made[first[bare_row]]:
                first[bare_row] = number  # so far it had failed attempts only
            else:
                last[owner] = len(first)
                first.append(number)
        of[number] = last[owner]
    return Rows(of, first) if len(first) <= MOST_ROWS else None


def draw_connections(
    axes: Axes, reading: Reading, placed: Rows | None, limits: tuple[float, float], pitch: float
) -> str:
    """Draws the lane, and says how many connections it shows.

    pitch: inches from row to row.
    """
    found = reading.connections
    made = ~np.isnan(found.up)
    bare(axes)
    told = plural(int(made.sum()), "connection")
    failed = int((~np.isnan(found.failed)).sum())
    if failed:
        told += f", {plural(failed, 'failed attempt')}"
    if placed is None:
        _open_at_a_time(axes, reading, limits)
        return told
    styles = [_style(reading, number) for number in placed.first]
    if pitch < CLOSE:  # a name at every third row would seem to be that of all three
        told += ", each in the colour of its pod"
        axes.set_yticks([])
    else:
        rows(axes, [_name(reading, number) for number in placed.first], pitch)
    keys(axes, styles, pitch)
    thick = 0.62
    last = min(limits[1], reading.seconds)  # nothing is known of what came after the trace
    end = np.where(np.isnan(found.down), last, np.minimum(found.down, last))
    tried = np.fmin(np.fmin(found.up, found.failed), end)
    axes.hlines(placed.of, found.start, tried, color=QUIET, lw=1.2, zorder=2, label="connecting")
    for number in np.flatnonzero(made).tolist():
        row, color = int(placed.of[number]), _style(reading, number).color
        span = (found.up[number], end[number] - found.up[number])
        axes.broken_barh([span], (row - thick / 2, thick), color=color, lw=0, zorder=3)
        _address(axes, reading, number, row, color, limits, pitch)
    lost = made & ~np.isnan(found.down) & (found.down <= limits[1])
    size = min(7.0, 60 * pitch)
    broken = lost & found.lost & (found.graceful != 1)
    axes.plot(found.down[broken], placed.of[broken], "x", color=FAILED.color, ms=size, mew=1.8,
              ls="", zorder=4, label="broken")  # fmt: skip
    ended = lost & found.lost & (found.graceful == 1)
    axes.plot(found.down[ended], placed.of[ended], "|", color=INK, ms=72 * pitch * thick * 1.4,
              mew=2, ls="", zorder=4, label="ended in order")  # fmt: skip
    axes.plot(found.failed, placed.of, "x", color=FAILED.color, ms=size * 0.75, mew=1.2, ls="",
              zorder=4, label="failed")  # fmt: skip
    return told


def _open_at_a_time(axes: Axes, reading: Reading, limits: tuple[float, float]) -> None:
    """How many connections are open to each pod, stacked."""
    found = reading.connections
    made = ~np.isnan(found.up)
    edges = np.linspace(*limits, 241)
    begins, pods = found.up[made], found.pod[made]
    ends = np.where(np.isnan(found.down[made]), np.inf, found.down[made])
    counts, colors = [], []
    for code in range(-1, len(reading.pods)):
        mine = pods == code
        if mine.any():
            counts.append(mean_open(begins[mine], ends[mine], edges))
            colors.append(reading.styles[reading.pods[code]].color if code >= 0 else UNKNOWN.color)
    axes.stackplot(edges[:-1], counts, colors=colors, step="post", lw=0)
    axes.set_ylim(0, None)
    axes.tick_params(axis="y", labelsize=SMALL)
    axes.set_ylabel("open", fontsize=SMALL, color=INK)


def _style(reading: Reading, number: int) -> PodStyle:
    pod = int(reading.connections.pod[number])
    return reading.styles[reading.pods[pod]] if pod >= 0 else UNKNOWN


def _name(reading: Reading, number: int) -> str:
    """The pod; where that is not known the address."""
    pod = int(reading.connections.pod[number])
    if pod >= 0:
        return reading.pods[pod]
    return _ip(reading, number)


def _ip(reading: Reading, number: int) -> str:
    return reading.trace.word(int(reading.connections.address[number])).rsplit(":", 1)[0]


def _address(
    axes: Axes,
    reading: Reading,
    number: int,
    row: int,
    color: str,
    limits: tuple[float, float],
    pitch: float,
) -> None:
    """The address that was dialled, inside the bar where it fits."""
    found = reading.connections
    begin = max(found.up[number], limits[0])
    end = np.fmin(found.down[number], limits[1])
    if pitch < 0.2 or end - begin < 0.25 * (limits[1] - limits[0]) or found.pod[number] < 0:
        return
    axes.text(
        begin + 0.01 * (limits[1] - limits[0]), row, label(_ip(reading, number)), fontsize=SMALL,
        color=dark_on(color), va="center_baseline", zorder=5, clip_on=True,
    )  # fmt: skip
