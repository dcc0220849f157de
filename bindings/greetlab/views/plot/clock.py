"""The time axis that the lanes of a figure share."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator

from greetlab.text import plain
from greetlab.views.plot.reading import Reading
from greetlab.views.plot.style import INK, NORMAL, SMALL

_UNITS = (
    (1e-4, 1e6, "\u00b5s"),
    (2.0, 1e3, "ms"),
    (600.0, 1.0, "s"),
    (float("inf"), 1 / 60, "min"),
)


def time_axis(axes: Axes, limits: tuple[float, float], since: str) -> None:
    """Labels the time, which runs in seconds, in a unit that fits."""
    scale, unit = next((scale, unit) for most, scale, unit in _UNITS if limits[1] <= most)
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(_Steps(scale))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x * scale:,.6g}")
    axes.set_xlabel(f"{unit} since {since}", color=INK, fontsize=NORMAL)


class _Steps(MaxNLocator):
    """Round steps in the unit that is shown, not in seconds."""

    def __init__(self, scale: float) -> None:
        super().__init__(nbins=7, steps=[1, 2, 5, 10])
        self._scale = scale

    def tick_values(self, vmin: float, vmax: float) -> Sequence[float]:
        shown = super().tick_values(vmin * self._scale, vmax * self._scale)
        return [float(x) / self._scale for x in shown]


class WordLine:
    """Words along a line of the time axis that never run into one another.

    inches: about how wide the axes are.
    """

    def __init__(self, axes: Axes, y: float, limits: tuple[float, float], inches: float) -> None:
        self._axes = axes
        self._y = y
        self._begin, self._end = limits
        self._free = limits[0]
        self._letter = 0.6 * SMALL / 72 / inches * (limits[1] - limits[0])

    def put(
        self, word: str, begin: float, end: float, until: float | None = None, color: str = INK
    ) -> bool:
        """Writes it right of `end`, or left of `begin` where that is the side with room.

        until: where the next thing on the line begins. Returns whether there was room.
        """
        word = plain(word)
        width = self._letter * (len(word) + 1)
        if begin < self._free:
            return False
        if end + width <= (self._end if until is None else until):
            self._write(word, end + self._letter / 2, "left", color)
            self._free = end + width
        elif begin - width >= self._free:
            self._write(word, begin - self._letter / 2, "right", color)
            self._free = end
        else:
            return False
        return True

    def inside(self, word: str, begin: float, end: float, color: str = INK) -> bool:
        """Writes it in the middle of a bar, if it fits in there."""
        begin = max(begin, self._begin)
        if end - begin < self._letter * len(word):
            return False
        self._axes.text(
            (begin + end) / 2, self._y, word, fontsize=SMALL, color=color, ha="center",
            va="center", zorder=5,
        )  # fmt: skip
        return True

    def _write(self, word: str, x: float, side: Literal["left", "right"], color: str) -> None:
        self._axes.text(
            x, self._y, word, fontsize=SMALL, color=color, ha=side, va="center",
            bbox={"fc": "white", "ec": "none", "pad": 0.5},
        )  # fmt: skip


def pod_changes(
    lanes: Sequence[Axes], top: Axes, reading: Reading, limits: tuple[float, float], inches: float
) -> list[str]:
    """A line down all lanes, and words on the top one, where pods changed; returns all words."""
    times = changes_in(reading)
    line = WordLine(top, 0.4, limits, inches)
    told = []
    for at, changes in times.items():
        told.append("; ".join(f"{_some(pods)} {change}" for change, pods in changes.items()))
        for lane in lanes:
            lane.axvline(at, color=INK, lw=0.9, ls=(0, (3, 3)), zorder=1.5)
        line.put(told[-1], at, at)
    return told


def changes_in(reading: Reading) -> dict[float, dict[str, list[str]]]:
    """When pods changed once the client was there: moment to change to the pods."""
    times: dict[float, dict[str, list[str]]] = {}
    for event in reading.trace.of("PodChanged"):
        at = reading.moment(event.time_ns)
        if at > 0:
            times.setdefault(at, {}).setdefault(event.change, []).append(event.pod)
    return times


def _some(pods: list[str]) -> str:
    return ", ".join(pods) if len(pods) <= 3 else f"{len(pods)} pods"
