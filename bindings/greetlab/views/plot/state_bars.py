"""The connectivity states of a channel and of its subchannels, as bars in time."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from greetlab.clusters.cluster import Cluster
from greetlab.trace.trace import STATES, Trace
from greetlab.views.palette import PodStyle
from greetlab.views.plot.clock import WordLine, changes_in, pod_changes, time_axis
from greetlab.views.plot.columns import Column, mean_open, spans
from greetlab.views.plot.reading import Reading, in_order
from greetlab.views.plot.style import (
    BAND,
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
    quiet,
    rows,
)

COLORS = ("#E0E0E0", "#9FB6C6", "#33505F", "#D98C97", "#FFFFFF")
"""Of the states, by number: greys from nothing to READY, and a red; no pod's colour. They differ in
lightness, too. After SHUTDOWN there is nothing."""
_SHUTDOWN = STATES.index("SHUTDOWN")
MOST_ROWS = 40
"""More subchannels than this are counted, not drawn one by one."""


def states(trace: Trace, *, cluster: Cluster | None = None, title: str = "") -> Picture:
    """Connectivity states in time: the channel, each of its subchannels, and what they wait for.

    A triangle is an attempt to connect, the line under a bar a backoff with its length. The
    resolver has a row of its own: its lookups, and the band of the cooldown in which it may not
    look up again. Many subchannels, or many clients, are drawn as how many are in each state.

    cluster: whose pods' names to show for addresses that answered nothing in the trace.

    Raises ValueError for a trace without a subchannel.
    """
    reading = Reading(trace, cluster.pods if cluster else ())
    whole = reading.whole
    made = whole.column("SubchannelCreated", "subchannel")
    if not len(made):
        raise ValueError(f"plot.states(): no client has a subchannel in {trace!r}")
    counted = len(made) > MOST_ROWS or len(reading.clients) > 1
    shown = [] if counted else _subchannels(reading)
    labels = ["resolver"] if counted else ["channel", *(one.name for one in shown), "resolver"]
    pitch = pitch_for(len(labels), 6.0, 0.46)
    top_height = 0.3 if changes_in(reading) else 0.04
    heights = [top_height, *([2.6] * counted), pitch * len(labels)]
    picture = Picture(WIDTH, 1.75 + sum(heights))
    axes = picture.subplots(len(heights), 1, sharex=True, height_ratios=heights)
    limits = (reading.begin - 0.01 * reading.seconds, 1.01 * reading.seconds or 1e-6)
    inches = WIDTH - 1.8
    quiet(axes[0])
    axes[0].set_title(label(reading.title), loc="left", fontsize=NORMAL, color=INK)
    changes = pod_changes(axes[1:], axes[0], reading, limits, inches)
    bars: Axes = axes[-1]
    bars.set_label("states")
    bare(bars)
    rows(bars, labels, pitch)
    bars.grid(False)
    if counted:
        told = [_counts(axes[1], reading, limits)]
    else:
        keys(bars, [None, *(one.style for one in shown), None], pitch)
        told = _rows(bars, reading, shown, limits, inches)
    told += _resolver(bars, reading, len(labels) - 1, limits, inches)
    time_axis(bars, limits, "the client began")
    _legend(picture, reading)
    picture.head(title or "Connectivity states", [trace.world])
    picture.alt = ". ".join([title or "Connectivity states", reading.title, *told, *changes])
    return picture


@dataclass(frozen=True)
class _Subchannel:
    """key: it and its client, as in `Facts.keys`. began: when it came into being, in seconds."""

    key: int
    began: float
    name: str
    style: PodStyle | None


def _subchannels(reading: Reading) -> list[_Subchannel]:
    """The subchannels as they came into being; those of one moment in the order of their names."""
    whole, found = reading.whole, reading.connections
    # Where the ClusterIP chooses, a subchannel has no pod of its own.
    pod_of = dict(
        zip(found.owner.tolist(), np.where(found.routed > 0, -1, found.pod).tolist(), strict=True)
    )
    made = []
    for key, began, word in zip(
        whole.column("SubchannelCreated", "subchannel").tolist(),
        whole.when("SubchannelCreated").tolist(),
        whole.column("SubchannelCreated", "address").tolist(),
        strict=True,
    ):
        pod = pod_of.get(key, -1)
        name = reading.pods[pod] if pod >= 0 else ""
        address = reading.trace.word(word).rsplit(":", 1)[0]
        style = reading.styles.get(name)
        made.append(_Subchannel(key, began, f"{name}  {address}".strip(), style))
    place = {name: number for number, name in enumerate(in_order(one.name for one in made))}
    return sorted(made, key=lambda one: (one.began, place[one.name]))


def _rows(
    axes: Axes,
    reading: Reading,
    shown: Sequence[_Subchannel],
    limits: tuple[float, float],
    inches: float,
) -> list[str]:
    """The channel's bar and one for each subchannel; returns how each of them ended."""
    whole = reading.whole
    end = reading.seconds
    when, to = whole.when("ChannelStateChanged"), whole.column("ChannelStateChanged", "to")
    last = [_bar(axes, 0, when, to, limits[0], end)]
    owner = whole.column("SubchannelStateChanged", "subchannel")
    when, to = whole.when("SubchannelStateChanged"), whole.column("SubchannelStateChanged", "to")
    attempts, attempted = whole.when("ConnectStarted"), whole.column("ConnectStarted", "subchannel")
    waits, waiting = whole.when("BackoffStarted"), whole.column("BackoffStarted", "subchannel")
    until = whole.until("BackoffStarted")
    told = [f"channel is {last[0]} in the end"]
    for row, one in enumerate(shown, start=1):
        mine = owner == one.key
        last.append(_bar(axes, row, when[mine], to[mine], one.began, end))
        tried = attempts[(attempted == one.key) & (attempts <= end)]
        axes.plot(tried, np.full(len(tried), row - 0.42), "v", color=INK, ms=5, mew=0, ls="",
                  label="attempts")  # fmt: skip
        line = WordLine(axes, row, limits, inches)
        # A subchannel that is given up waits no longer.
        closing = min([end, *when[mine & (to == _SHUTDOWN)]])
        for start, planned in zip(
            waits[waiting == one.key], until[waiting == one.key], strict=True
        ):
            stop = min(planned, closing)
            if limits[0] <= start <= end:
                axes.hlines(row + 0.36, start, stop, color=INK, lw=1.4, label="backoff")
                line.inside(f"{planned - start:.3g} s", start, stop)
        told.append(f"{one.name}: {plural(len(tried), 'attempt')}, {last[-1]} in the end")
    for row, state in enumerate(last):
        axes.text(
            1.005, row, state.replace("_", "\n"), color=QUIET, fontsize=8, linespacing=0.9,
            transform=axes.get_yaxis_transform(), va="center",
        )  # fmt: skip
    return told


def _bar(axes: Axes, row: int, when: Column, to: Column, began: float, end: float) -> str:
    """One row of states, IDLE at first; returns the state that it ends with."""
    seen = when <= end
    moments = np.concatenate([[began], when[seen], [end]])
    code = np.concatenate([[0], to[seen].astype(np.int64)])
    for state, color in enumerate(COLORS):
        mine = np.flatnonzero((code == state) & (np.diff(moments) > 0))
        if len(mine) and state < _SHUTDOWN:
            # The edge keeps a state that was short visible, unless it is of no interest.
            edge = 0.0 if state == 0 else 0.8
            axes.broken_barh(
                spans(moments[mine], moments[mine + 1]), (row - 0.27, 0.54), facecolor=color,
                edgecolor=color, lw=edge, label=STATES[state], zorder=2 + 0.1 * state,
            )  # fmt: skip
    return STATES[int(code[-1])]


def _counts(axes: Axes, reading: Reading, limits: tuple[float, float]) -> str:
    """How many subchannels are in each state, stacked."""
    whole = reading.whole
    edges = np.linspace(*limits, 241)
    when = whole.when("SubchannelStateChanged")
    to = whole.column("SubchannelStateChanged", "to")
    left = whole.column("SubchannelStateChanged", "from")
    made = whole.when("SubchannelCreated")
    shown = (2, 1, 0, 3)  # READY at the bottom, trouble on top
    counts = [
        mean_open(
            np.concatenate([when[to == state], *([made] if state == 0 else [])]),
            when[left == state],
            edges,
        )
        for state in shown
    ]
    axes.stackplot(edges[:-1], counts, colors=[COLORS[state] for state in shown], step="post", lw=0)
    bare(axes)
    axes.set_ylim(0, None)
    axes.set_ylabel("subchannels", fontsize=NORMAL, color=INK)
    axes.set_label("counts")
    last = ", ".join(
        f"{round(float(n[-1])):,} {STATES[s]}" for s, n in zip(shown, counts, strict=True)
    )
    return f"{plural(len(made), 'subchannel')}, in the end {last}"


def _resolver(
    axes: Axes, reading: Reading, row: int, limits: tuple[float, float], inches: float
) -> list[str]:
    """Lookups, cooldowns and the resolver's own backoff, on one row; told in words."""
    view, end = reading.view, reading.seconds
    line = WordLine(axes, row, limits, inches)
    told = []
    for kind, color, word in (
        ("CooldownStarted", BAND, "cooldown"), ("ResolverBackoffStarted", COLORS[3], "backoff"),
    ):  # fmt: skip
        start, stop = view.when(kind), np.minimum(view.until(kind), end)
        axes.broken_barh(
            spans(start, stop), (row - 0.27, 0.54), facecolor=color, lw=0,
            label=f"resolver {word}", zorder=2,
        )  # fmt: skip
        for begin, close, until in zip(start, stop, view.until(kind), strict=True):
            for said in (f"{until - begin:.3g} s of {word} left", f"{until - begin:.3g} s left"):
                if line.inside(said, begin, close):
                    break
        if len(start):
            told.append(plural(len(start), "resolver " + word))
    found = reading.lookups.start
    axes.plot(found, np.full(len(found), row), "|", color=INK, ms=14, mew=2, ls="", label="lookups")
    return [plural(len(found), "lookup"), *told]


def _legend(picture: Picture, reading: Reading) -> None:
    """Says what the colours and signs mean, those that are there."""
    seen = {0, *np.unique(reading.whole.column("SubchannelStateChanged", "to")).tolist()} - {
        _SHUTDOWN
    }
    signs: list[tuple[str, Patch | Line2D]] = [
        (STATES[state], Patch(color=COLORS[state])) for state in sorted(seen)
    ]
    if len(picture.axes) == 2:
        signs.append(("attempt", Line2D([], [], color=INK, marker="v", ms=5, mew=0, ls="")))
        if len(reading.whole.rows("BackoffStarted")):
            signs.append(("backoff", Line2D([], [], color=INK, lw=1.4)))
    if len(reading.whole.rows("CooldownStarted")):
        signs.append(("cooldown", Patch(color=BAND)))
    signs.append(("lookup", Line2D([], [], color=INK, marker="|", ms=11, mew=2, ls="")))
    picture.legend(
        [sign for _, sign in signs], [word for word, _ in signs], ncols=len(signs),
        loc="outside lower left", frameon=False, fontsize=SMALL, labelcolor=INK,
        columnspacing=1.4, handlelength=1.4,
    )  # fmt: skip
