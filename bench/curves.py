"""How cost grows: pictures of what contenders were measured at that differ in one number only."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from matplotlib.axes import Axes
from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

from bench.measure import Metric, Outcome, Spread
from greetlab.views.palette import STYLES
from greetlab.views.plot.style import GRID, INK, NORMAL, QUIET, SMALL, WIDTH, Picture, bare

ORDER = (STYLES[4], STYLES[1], STYLES[6], STYLES[2])
"""The lines' styles, ours first: blue, orange and black stand apart best."""


class Point(NamedTuple):
    """A place on a curve: the number that grows, and the contender that was measured at it."""

    x: float
    row: str
    contender: str


class Panel(NamedTuple):
    """One of a curve's figures. logarithmic: for costs that grow by orders of magnitude."""

    metric: Metric
    label: str
    logarithmic: bool = False


@dataclass(frozen=True)
class Curve:
    """A picture: the figures of `panels` side by side, one line for each of `lines`."""

    name: str
    title: str
    x_label: str
    panels: Sequence[Panel]
    lines: Mapping[str, Sequence[Point]]

    def draw(self, outcomes: Sequence[Outcome], path: Path) -> bool:
        """Draws what has been measured of it; a line of one point is none.

        Returns whether there was anything to draw.
        """
        by_row = {outcome.row.name: outcome for outcome in outcomes}
        picture = Picture(WIDTH, 4.2)
        picture.head(self.title, ())
        picture.text(
            *(0.99, 0.975),
            "median; shaded: least to most",
            ha="right",
            va="top",
            fontsize=SMALL,
            color=QUIET,
        )
        panels = picture.subplots(1, len(self.panels), squeeze=False)[0]
        drawn = [
            self._line(axes, panel, name, number, by_row)
            for axes, panel in zip(panels, self.panels, strict=True)
            for number, name in enumerate(self.lines)
        ]
        if not any(drawn):
            return False
        for axes, panel in zip(panels, self.panels, strict=True):
            self._finish(axes, panel)
        picture.savefig(path, format="png", metadata={"Software": None})
        return True

    def _line(
        self, axes: Axes, panel: Panel, name: str, number: int, by_row: Mapping[str, Outcome]
    ) -> bool:
        measured: list[tuple[float, Spread]] = [
            (point.x, spread)
            for point in self.lines[name]
            if point.row in by_row
            and (spread := by_row[point.row].spread(point.contender, panel.metric))
        ]
        if len(measured) < 2:
            return False
        x = [at for at, _ in measured]
        style = ORDER[number]
        low, high = ([getattr(s, end) for _, s in measured] for end in ("least", "most"))
        axes.fill_between(x, low, high, color=style.color, alpha=0.15, linewidth=0)
        axes.plot(
            x,
            [spread.median for _, spread in measured],
            color=style.color,
            marker=style.marker,
            label=name,
            lw=2,
            ms=7,
        )
        return True

    def _finish(self, axes: Axes, panel: Panel) -> None:
        bare(axes)
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(sorted(self._all_x())))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(FuncFormatter(lambda x, _: _short(x)))
        axes.set_xlabel(self.x_label, fontsize=NORMAL, color=INK)
        if panel.logarithmic:
            axes.set_yscale("log")
            axes.yaxis.set_minor_locator(NullLocator())
        else:
            axes.set_ylim(bottom=0)
        axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:,.10g}"))
        axes.grid(axis="y", color=GRID, lw=0.8)
        axes.set_title(panel.label, loc="left", fontsize=NORMAL, color=INK)
        if len(self.lines) > 1:
            axes.legend(frameon=False, fontsize=SMALL)

    def _all_x(self) -> set[float]:
        return {point.x for points in self.lines.values() for point in points}


def _short(count: float) -> str:
    """The count for an axis: "1,000", "10k", "1M"."""
    for unit, letter in ((1_000_000, "M"), (1_000, "k")):
        if count >= unit and count >= 10_000:
            return f"{count / unit:g}{letter}"
    return f"{count:,g}"
