"""A count over two things that were varied: where is it zero?"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from matplotlib.colors import LinearSegmentedColormap, LogNorm, to_hex
from matplotlib.patches import Rectangle

from greetlab.views.palette import FAILED
from greetlab.views.plot.style import (
    BESIDE,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    WIDTH,
    Picture,
    bare,
    label,
)

_RAMP = LinearSegmentedColormap.from_list("failed", ["#FBE9E7", FAILED.color])


def surface(
    counts: Mapping[str, Mapping[str, int]],
    *,
    world: str,
    of: str = "failed calls",
    across: str = "",
    title: str = "",
) -> Picture:
    """A count for each setting of two things, as a table of fields; those with none are framed.

    counts: row to column to count; every row has the same columns. The scale of the colours is
    logarithmic: a tenth is one step.
    world: where they were made: "SIM", "LOCAL", "KUBE". of: what was counted. across: what the
    columns are.

    Raises ValueError without a field, and for rows that differ in their columns.
    """
    columns = list(next(iter(counts.values()), {}))
    if not columns or any(list(row) != columns for row in counts.values()):
        raise ValueError("plot.surface() needs rows of the same columns: {row: {column: count}}")
    height = 0.42
    picture = Picture(WIDTH, 1.35 + height * len(counts))
    axes = picture.subplots()
    bare(axes)
    most = max(2, *(int(count) for row in counts.values() for count in row.values()))
    shade = LogNorm(1, most)
    for y, row in enumerate(counts.values()):
        for x, count in enumerate(row.values()):
            fill = to_hex(_RAMP(shade(count))) if count else "#FFFFFF"
            axes.add_patch(
                Rectangle(
                    (x - 0.47, y - 0.44), 0.94, 0.88, facecolor=fill,
                    edgecolor="none" if count else INK, lw=0 if count else 1.4,
                    label=f"{count}",
                )
            )  # fmt: skip
            axes.text(
                x, y, f"{count:,}", ha="center", va="center", fontsize=NORMAL,
                color="white" if count and shade(count) > 0.55 else INK,
                weight="normal" if count else "bold",
            )  # fmt: skip
    axes.set_xlim(-0.55, len(columns) - 0.45)
    axes.set_ylim(len(counts) - 0.45, -0.55)
    axes.set_xticks(np.arange(len(columns)), [label(column) for column in columns])
    axes.set_yticks(np.arange(len(counts)), [label(row, BESIDE) for row in counts])
    axes.set_xlabel(label(across), color=INK, fontsize=NORMAL)
    axes.set_title(f"{label(of)}; framed: none", loc="left", fontsize=SMALL, color=QUIET)
    picture.head(title or f"{of} by setting", [world])
    told = [
        f"{name}: {', '.join(f'{column} {count:,}' for column, count in row.items())}"
        for name, row in counts.items()
    ]
    picture.alt = ". ".join([title or f"{of} by setting", *told])
    return picture
