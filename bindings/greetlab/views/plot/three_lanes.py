"""The figure that the lab is about: DNS answers, the connections they led to, their requests."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D

from greetlab.clusters.cluster import Cluster
from greetlab.trace.trace import Trace
from greetlab.views.palette import FAILED, pod_styles
from greetlab.views.plot.clock import WordLine, changes_in, pod_changes, time_axis
from greetlab.views.plot.columns import joined, spans
from greetlab.views.plot.connection_lane import MOST_ROWS, draw_connections, rows_of
from greetlab.views.plot.marks import MARKS, draw_marks
from greetlab.views.plot.reading import Reading, in_order
from greetlab.views.plot.style import (
    DNS,
    GRID,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    Picture,
    bare,
    keys,
    label,
    pitch_for,
    plural,
    quiet,
    rows,
)


def lanes(
    trace: Trace,
    other: Trace | None = None,
    *,
    cluster: Cluster | None = None,
    titles: Sequence[str] = (),
    title: str = "",
) -> Picture:
    """Three lanes on one clock: what DNS answered, the connections, the requests.

    A connection is a bar from open to close in the colour of its pod; a request is its pod's mark
    at the moment when it was sent. What is too much for marks and bars is drawn as its density.

    other: a second trace, beside the first on the same scale, such as that of a headless service.
    cluster: whose pods' names to show for addresses that answered nothing in the trace.
    titles: one for each trace; without them, service and policy.

    Raises ValueError for a trace without events of a client, and for titles that do not fit.
    """
    readings = [
        Reading(shown, cluster.pods if cluster else ())
        for shown in (trace, other)
        if shown is not None
    ]
    for reading in readings:
        if not len(reading.clients):
            raise ValueError(f"plot.lanes(): no client does anything in {reading.trace!r}")
    if titles and len(titles) != len(readings):
        raise ValueError(f"titles={titles!r}: {len(readings)} traces, one title each")
    names = in_order(name for reading in readings for name in reading.pods)
    failed = any((~r.calls.ok & ~np.isnan(r.calls.end)).any() for r in readings)
    seconds = max(reading.seconds for reading in readings) or 1e-6
    limits = (-0.012 * seconds, 1.012 * seconds)
    placed = [rows_of(reading) for reading in readings]
    counts = [0 if one is None else len(one.first) for one in placed]
    most = MOST_ROWS if None in placed else max(*counts, 1)
    bars = pitch_for(most, 3.4, 0.3)
    marks = pitch_for(len(names) + failed, 3.0)
    changed = any(changes_in(reading) for reading in readings)
    heights = [
        0.3 if changed else 0.04,
        0.42,
        bars * most + 0.12,
        marks * (len(names) + failed) + 0.12,
    ]
    picture = Picture(11 if other is not None else 10, 1.75 + sum(heights) + 3 * 0.3)
    grid = picture.subplots(4, len(readings), squeeze=False, sharex=True, height_ratios=heights)
    inches = (picture.get_figwidth() - 0.2) / len(readings) - 0.9
    told = []
    for column, (reading, rows_here) in enumerate(zip(readings, placed, strict=True)):
        top, dns, connections, requests = grid[:, column]
        heading = titles[column] if titles else reading.title
        quiet(top)
        top.set_title(label(heading), loc="left", fontsize=NORMAL + 1, color=INK, weight="bold")
        changes = pod_changes([dns, connections, requests], top, reading, limits, inches)
        words = [
            _draw_dns(dns, reading, limits, inches),
            draw_connections(connections, reading, rows_here, limits, bars),
            _draw_requests(requests, reading, names, failed, limits, marks),
        ]
        if rows_here is not None:
            connections.set_ylim(most - 0.4, -0.6)
        for axes, name, word in zip(
            (dns, connections, requests), ("dns", "connections", "requests"), words, strict=True
        ):
            axes.set_label(name)
            axes.set_title(word, loc="left", fontsize=NORMAL, color=QUIET, pad=3)
        time_axis(requests, limits, "the client began")
        told.append(f"{heading}: {'; '.join([*words, *changes])}")
    picture.head(title, (reading.world for reading in readings))
    picture.alt = ". ".join(filter(None, [title, *told]))
    _legend(picture)
    return picture


def _draw_dns(axes: Axes, reading: Reading, limits: tuple[float, float], inches: float) -> str:
    """A bar for each lookup, with what it found; returns that in words."""
    quiet(axes)
    found = reading.lookups
    end = np.where(np.isnan(found.end), limits[1], found.end)
    good = (found.count > 0) | np.isnan(found.end)
    for which, color in ((good, DNS), (~good, FAILED.color)):
        bars = spans(found.start[which], end[which], gap=(limits[1] - limits[0]) / 1000)
        # The edge keeps a short lookup in a long trace visible.
        axes.broken_barh(bars, (0.2, 0.6), facecolor=color, edgecolor=color, lw=1.5)
    axes.axhline(0.5, color=GRID, lw=0.8, zorder=0)
    line = WordLine(axes, 0.5, limits, inches)
    for number in range(min(len(end), 100) if len(reading.clients) == 1 else 0):
        word = _answer(reading, number)
        color = INK if good[number] else FAILED.color
        until = found.start[number + 1] if number + 1 < len(end) else None
        for text in (word, str(found.count[number])):
            if line.put(text, found.start[number], end[number], until, color):
                break
    if len(end) == 1:
        count = int(found.count[0])
        return f"DNS: {plural(count, 'address') if count else _answer(reading, 0)}"
    bad = int((~good).sum())
    return f"DNS: {plural(len(end), 'lookup')}" + (f", {bad:,} without an address" if bad else "")


def _answer(reading: Reading, number: int) -> str:
    """The addresses that a lookup found, the common beginning said once."""
    found = reading.lookups
    if np.isnan(found.end[number]):
        return "no answer yet"
    if not found.count[number]:
        return reading.trace.word(int(found.status[number])).upper()
    addresses = in_order(reading.trace.word(int(found.addresses[number])).split(","))
    if len(addresses) > 5:
        return plural(len(addresses), "address")
    begin = addresses[0].rsplit(".", 1)[0] + "."
    short = [a.removeprefix(begin[:-1]) if a.startswith(begin) else a for a in addresses[1:]]
    return ", ".join([addresses[0], *short])


def _draw_requests(
    axes: Axes,
    reading: Reading,
    names: list[str],
    failed: bool,
    limits: tuple[float, float],
    pitch: float,
) -> str:
    """A mark for each request; returns how many there are, and of how many pods."""
    calls = reading.calls
    bare(axes)
    known = pod_styles(names)
    labels = [*names, *["failed"] * failed]
    styles = [*(known[name] for name in names), *[FAILED] * failed]
    rows(axes, labels, pitch)
    if len(calls.start) > MARKS:  # else the marks themselves have the shapes
        keys(axes, styles, pitch)
    place = np.array([*(names.index(name) for name in reading.pods), -1])
    bad = ~calls.ok & ~np.isnan(calls.end)
    row = np.where(bad, len(names), place[np.where(calls.ok, calls.pod, -1)])
    sent = np.where(bad, calls.end, calls.picked)
    draw_marks(axes, sent[row >= 0], row[row >= 0], styles, limits, pitch)
    if len(sent) <= MARKS:
        _draw_unended(axes, reading, names, pitch)
        waited = ~np.isnan(calls.queued) & (row >= 0)
        axes.hlines(row[waited], calls.queued[waited], sent[waited], color=QUIET, lw=1.2,
                    zorder=1.5, label="waiting")  # fmt: skip
    used = len(np.unique(calls.pod[calls.ok]))
    told = f"{plural(len(row), 'request')}: {plural(used, 'pod')}"
    going = int(np.isnan(calls.end).sum())
    return (
        told
        + f", {int(bad.sum()):,} failed" * bool(bad.any())
        + (f", {going:,} not ended" if going else "")
    )


def _draw_unended(axes: Axes, reading: Reading, names: list[str], pitch: float) -> None:
    """What was sent and has not ended is hollow, on the row of the pod that it is with."""
    calls, found = reading.calls, reading.connections
    pod = joined(calls.carrier, found.key, found.pod, -1)
    for number in np.flatnonzero(np.isnan(calls.end) & ~np.isnan(calls.picked) & (pod >= 0)):
        name = reading.pods[int(pod[number])]
        style = reading.styles[name]
        axes.plot(
            [calls.picked[number]], [names.index(name)], marker=style.marker, mfc="white", ls="",
            mec=style.color, mew=1.5, ms=min(6.5, 0.8 * 72 * pitch), label="in flight",
        )  # fmt: skip


def _legend(picture: Picture) -> None:
    """Says what the signs mean, those that are there."""
    signs = {
        "connecting": Line2D([], [], color=QUIET, lw=1.2),
        "ended in order": Line2D([], [], color=INK, marker="|", ms=11, mew=2, ls=""),
        "broken": Line2D([], [], color=FAILED.color, marker="x", ms=7, mew=1.8, ls=""),
        "failed": Line2D([], [], color=FAILED.color, marker="x", ms=5, mew=1.2, ls=""),
        "in flight": Line2D([], [], mec=INK, mfc="white", marker="o", ms=6, mew=1.5, ls=""),
    }
    words = {
        "connecting": "connecting, waiting", "ended in order": "connection ended in order (GOAWAY)",
        "broken": "connection broke", "failed": "failed", "in flight": "in flight",
    }  # fmt: skip
    drawn = {
        line.get_label()
        for axes in picture.axes
        for line in axes.lines
        if np.isfinite(np.asarray(line.get_xdata(), float)).any()
    } | {"connecting"}
    shown = [sign for sign in signs if sign in drawn]
    if shown != ["connecting"]:
        picture.legend(
            [signs[sign] for sign in shown], [words[sign] for sign in shown], ncols=len(shown),
            loc="outside lower left", frameon=False, fontsize=SMALL, labelcolor=INK,
        )  # fmt: skip
