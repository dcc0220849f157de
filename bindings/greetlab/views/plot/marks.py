"""Rows of marks: one each while there is room, ticks when it gets tight, then their density."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb

from greetlab.views.palette import PodStyle
from greetlab.views.plot.style import CLOSE

MARKS = 150
"""As many have a shape each."""
TICKS = 1500
"""As many have a line each. More are counted, not drawn."""


def draw_marks(
    axes: Axes,
    x: npt.NDArray[Any],
    row: npt.NDArray[Any],
    styles: Sequence[PodStyle],
    limits: tuple[float, float],
    pitch: float,
) -> None:
    """Draws what happened at `x` on the rows `row`, each row in its style.

    A density is a row's share of all that happened then: a full row had all of it. Where rows are
    too close for heights it is a shade, and the highest share there is has the full colour.

    limits: of the x axis. pitch: inches from row to row.
    """
    if len(x) > TICKS:
        return _densities(axes, x, row, styles, limits, pitch)
    size = min(6.5, 0.8 * 72 * pitch)
    for number, style in enumerate(styles):
        mine = x[row == number]
        y = np.full(len(mine), number)
        if len(x) > MARKS:
            axes.plot(mine, y, "|", color=style.color, ms=max(60 * pitch, 2.0), mew=0.9, ls="")
        else:
            stroke = 1.6 if style.marker == "x" else 0
            axes.plot(mine, y, marker=style.marker, color=style.color, ms=size, mew=stroke, ls="")


def _densities(
    axes: Axes,
    x: npt.NDArray[Any],
    row: npt.NDArray[Any],
    styles: Sequence[PodStyle],
    limits: tuple[float, float],
    pitch: float,
) -> None:
    # Some dozens in each bin, or a fair share would look ragged only because it is cut.
    bins = int(np.clip(len(x) / (15 * len(styles)), 20, 200))
    edges = np.linspace(*limits, bins + 1)
    place = np.clip(
        ((x - limits[0]) / (limits[1] - limits[0]) * bins).astype(np.int64), 0, bins - 1
    )
    counts = np.bincount(row.astype(np.int64) * bins + place, minlength=bins * len(styles))
    counts = counts.reshape(len(styles), bins)
    shares = counts / np.maximum(counts.sum(axis=0), 1)
    if pitch < CLOSE:
        return _shades(axes, shares, styles, limits)
    heights = np.append(shares, np.zeros((len(styles), 1)), axis=1)
    for number, style in enumerate(styles):
        if counts[number].any():
            floor = number + 0.4
            axes.fill_between(
                edges, floor, floor - 0.8 * heights[number], step="post", color=style.color, lw=0
            )


def _shades(
    axes: Axes,
    shares: npt.NDArray[Any],
    styles: Sequence[PodStyle],
    limits: tuple[float, float],
) -> None:
    colors = np.array([to_rgb(style.color) for style in styles])
    image = np.concatenate(
        [np.broadcast_to(colors[:, None], (*shares.shape, 3)), (shares / shares.max())[..., None]],
        axis=2,
    )
    extent = (*limits, len(styles) - 0.5, -0.5)
    axes.imshow(image, extent=extent, aspect="auto", interpolation="nearest")
