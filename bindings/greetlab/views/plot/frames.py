"""The frames on each connection: streams that share one wire, and what goes over it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection
from matplotlib.colors import to_rgb
from matplotlib.lines import Line2D

from greetlab.clusters.cluster import Cluster
from greetlab.trace.trace import FRAME_TYPES, Trace
from greetlab.views.plot.clock import time_axis
from greetlab.views.plot.columns import Column
from greetlab.views.plot.reading import Reading
from greetlab.views.plot.style import (
    GRID,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    UNKNOWN,
    WIDTH,
    Picture,
    bare,
    label,
    pitch_for,
    plural,
)

SHAPES = {
    "HEADERS": ">", "DATA": "s", "RST_STREAM": "x", "SETTINGS": "D", "PING": "P", "GOAWAY": "X",
    "WINDOW_UPDATE": "|", "PREFACE": "*",
}  # fmt: skip
"""Of a type of frame; those that are seldom seen have `OTHER`."""
OTHER = "."
SHADES = (0.0, -0.35, 0.4)
"""Streams beside each other differ: their pod's colour, darker, lighter."""
MOST_CONNECTIONS = 8
MOST_STREAMS = 90
"""More than this are counted, not drawn."""


def frames(trace: Trace, *, cluster: Cluster | None = None, title: str = "") -> Picture:
    """The HTTP/2 frames of a trace, connection by connection: what multiplexing looks like.

    The two lines on top of a connection are its wire, one for each direction: a tick is a frame, in
    the shade of its stream, so that streams which share the wire are seen to alternate. Below, each
    stream has a line of its own, and a mark for each of its frames: the shape is the type, hollow
    was sent, filled was received. What is the connection's own (stream 0) is black, on the wire.

    cluster: whose pods' names to show for addresses that answered nothing in the trace.

    Raises ValueError for a trace without frames: they are asked for with `channel(frames=True)`.
    """
    reading = Reading(trace, cluster.pods if cluster else ())
    shown = _frames(reading)
    if not len(shown.when):
        raise ValueError(
            f"plot.frames(): no frames in {trace!r}; ask for them: cluster.channel(..., "
            "frames=True), with the lab's engine, on LOCAL or KUBE"
        )
    wires = _wires(reading, shown)
    drawn = wires[:MOST_CONNECTIONS]
    most = max(4, MOST_STREAMS // len(drawn))
    heights = [len(wire.streams[:most]) + 3.4 for wire in drawn]
    pitch = pitch_for(round(sum(heights)), 7.2, 0.24)
    picture = Picture(WIDTH, 1.75 + pitch * sum(heights) + 0.35 * len(drawn))
    grid = picture.subplots(len(drawn), 1, squeeze=False, sharex=True, height_ratios=heights)
    first, last = float(shown.when.min()), float(shown.when.max())
    room = 0.015 * (last - first) or 1e-6
    limits = (first - room, last + room)
    told = []
    for axes, wire in zip(grid[:, 0], drawn, strict=True):
        _draw(axes, wire, most, pitch)
        axes.set_label(wire.pod)
        said = wire.sentence()
        axes.set_title(label(said), loc="left", fontsize=NORMAL, color=INK, pad=3)
        told.append(said)
    if len(wires) > len(drawn):
        told.append(f"{plural(len(wires) - len(drawn), 'connection')} more are not drawn")
    time_axis(grid[-1, 0], limits, "the client began")
    title = title or "Frames on the wire"
    picture.head(title, [trace.world])
    picture.alt = ". ".join([title, *told])
    _legend(picture, {kind for wire in drawn for kind in wire.frames.type.tolist()},
            told[len(drawn):])  # fmt: skip
    return picture


@dataclass(frozen=True)
class _Frames:
    """Columns, a row a frame."""

    when: Column
    connection: Column
    sent: Column
    type: Column
    stream: Column
    length: Column

    def of(self, which: Column) -> _Frames:
        return _Frames(**{name: column[which] for name, column in vars(self).items()})


@dataclass(frozen=True)
class _Wire:
    """A connection with frames. streams: their numbers, in the order in which they began."""

    client: str
    pod: str
    color: str
    frames: _Frames
    streams: list[int]

    def shade(self, stream: int) -> tuple[float, float, float]:
        """The colour of one of its streams."""
        by = SHADES[stream // 2 % len(SHADES)]
        red, green, blue = to_rgb(self.color)
        to, share = (1.0, by) if by > 0 else (0.0, -by)
        return tuple(part + (to - part) * share for part in (red, green, blue))  # type: ignore[return-value]

    def sentence(self) -> str:
        """How much there is on it."""
        size = int(self.frames.length.sum())
        heads = 9 * int((self.frames.type != FRAME_TYPES.index("PREFACE")).sum())
        return (
            f"{self.client} \u21c4 {self.pod}, one connection: "
            f"{plural(len(self.streams), 'stream')}, "
            f"{plural(len(self.frames.when), 'frame')}, {plural(size + heads, 'byte')}"
        )


def _frames(reading: Reading) -> _Frames:
    columns = {
        name: reading.view.column("FrameSeen", name)
        for name in ("connection", "sent", "type", "stream", "length")
    }
    return _Frames(when=reading.view.when("FrameSeen"), **columns)


def _wires(reading: Reading, shown: _Frames) -> list[_Wire]:
    """The connections that have frames, in the order of their pods."""
    table = reading.trace.core.table("connections")
    row_of = {number: row for row, number in enumerate(table["id"].tolist())}
    found = reading.connections
    pod_of = dict(zip(found.key.tolist(), found.pod.tolist(), strict=True))
    wires: list[tuple[int, _Wire]] = []
    for number in dict.fromkeys(np.sort(shown.connection).tolist()):
        mine = shown.of(shown.connection == number)
        row = row_of.get(number, -1)
        pod = pod_of.get(row, -1)
        client = reading.trace.word(int(table["client"][row])) if row >= 0 else "client"
        address = reading.trace.word(int(table["address"][row])) if row >= 0 else ""
        name = reading.pods[pod] if pod >= 0 else address or f"connection {number}"
        color = (reading.styles[name] if pod >= 0 else UNKNOWN).color
        streams = [stream for stream in dict.fromkeys(mine.stream.tolist()) if stream]
        place = pod if pod >= 0 else len(reading.pods)
        wires.append((place, _Wire(client, name, color, mine, streams)))
    return [wire for _, wire in sorted(wires, key=lambda one: one[0])]


def _draw(axes: Axes, wire: _Wire, most: int, pitch: float) -> None:
    """The wire, both ways, and its streams below."""
    bare(axes)
    shown = wire.streams[:most]
    place = {stream: 2.7 + row for row, stream in enumerate(shown)}
    ticks = {0.0: f"{wire.client} \u2192", 1.0: f"{wire.pod} \u2192"}
    every = max(1, round(0.19 / pitch + 0.49)) if pitch < 0.19 else 1
    for stream in shown[::every]:
        ticks[place[stream]] = f"stream {stream}"
    axes.set_yticks(list(ticks), [label(tick, 24) for tick in ticks.values()])
    axes.tick_params(axis="y", labelsize=SMALL - 1, pad=4)
    axes.set_ylim(2.7 + len(shown) - 0.2 + 0.6 * (len(wire.streams) > most), -0.6)
    frames = wire.frames
    for way, row in ((1, 0.0), (0, 1.0)):
        axes.axhline(row, color=GRID, lw=0.8, zorder=0)
        mine = frames.of((frames.sent == way) & (frames.stream > 0))
        axes.add_collection(
            LineCollection(
                [((x, row - 0.38), (x, row + 0.38)) for x in mine.when.tolist()],
                colors=[wire.shade(stream) for stream in mine.stream.tolist()], linewidths=1.3,
            )
        )  # fmt: skip
    spans, shades = [], []
    for stream, row in place.items():
        when = frames.when[frames.stream == stream]
        spans.append(((when.min(), row), (when.max(), row)))
        shades.append(wire.shade(stream))
    axes.add_collection(LineCollection(spans, colors=shades, linewidths=max(0.8, 9 * pitch),
                                       alpha=0.55, capstyle="butt"))  # fmt: skip
    size = min(6.0, max(3.0, 0.62 * 72 * pitch))
    for kind in np.unique(frames.type).tolist():
        marker = SHAPES.get(FRAME_TYPES[kind], OTHER)
        for sent in (1, 0):
            mine = frames.of((frames.type == kind) & (frames.sent == sent))
            y = np.array([place.get(s, np.nan) if s else 1.0 - sent for s in mine.stream.tolist()])
            colors = [wire.shade(s) if s else to_rgb(INK) for s in mine.stream.tolist()]
            thin = marker in "x|"
            axes.scatter(
                mine.when, y, s=size**2 * (1.6 if marker in "*|" else 1), marker=marker,
                facecolors=colors if thin or not sent else "white", zorder=3,
                edgecolors=None if thin else colors, linewidths=1.4 if thin else 0.9,
            )  # fmt: skip
    if len(wire.streams) > most:
        axes.text(
            1.0, 0.0, f"and {plural(len(wire.streams) - most, 'stream')} more", ha="right",
            va="bottom", transform=axes.transAxes, fontsize=SMALL, color=QUIET,
        )  # fmt: skip


def _legend(picture: Picture, kinds: set[int], more: list[str]) -> None:
    """Says what the shapes mean, those that are there."""
    signs = [
        (FRAME_TYPES[kind], Line2D([], [], color=INK, ls="", ms=6, mew=1.2, mfc=INK,
                                   marker=SHAPES.get(FRAME_TYPES[kind], OTHER)))
        for kind in sorted(kinds)
    ]  # fmt: skip
    signs += [
        ("sent", Line2D([], [], mec=INK, mfc="white", ls="", ms=6, marker="o")),
        ("received", Line2D([], [], mec=INK, mfc=INK, ls="", ms=6, marker="o")),
        *((words, Line2D([], [], ls="")) for words in more),
    ]
    picture.legend(
        [sign for _, sign in signs], [word for word, _ in signs], ncols=min(len(signs), 7),
        loc="outside lower left", frameon=False, fontsize=SMALL, labelcolor=INK,
        columnspacing=1.2, handletextpad=0.3,
    )  # fmt: skip
