"""How long something took under several settings: every run is a dot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from greetlab.views.palette import FAILED
from greetlab.views.plot.style import (
    BAND,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    WIDTH,
    Picture,
    bare,
    pitch_for,
    plural,
    rows,
)

_DOT = "#33505F"


def waits(
    runs: Mapping[str, Sequence[float | None]],
    *,
    world: str,
    title: str = "How long it took",
    never: str = "never",
) -> Picture:
    """Seconds that each run took, one row for each setting: a dot a run, a line at the median.

    runs: setting to the seconds of its runs; None for a run in which it did not happen at all.
    world: where they were made: "SIM", "LOCAL", "KUBE". never: what to call what did not happen.

    Raises ValueError without a run.
    """
    if not runs or not all(len(took) for took in runs.values()):
        raise ValueError("plot.waits() needs at least one run of each setting")
    known = {name: sorted(s for s in took if s is not None) for name, took in runs.items()}
    widest = max((took[-1] for took in known.values() if took), default=1.0)
    pitch = pitch_for(len(runs), 6.0, 0.42)
    picture = Picture(WIDTH, 1.25 + pitch * len(runs))
    axes = picture.subplots()
    bare(axes)
    rows(axes, list(runs), pitch)
    axes.set_xlim(-0.01 * widest, 1.04 * widest)
    axes.set_xlabel("s", color=INK, fontsize=NORMAL)
    told = []
    for row, (name, took) in enumerate(known.items()):
        missing = len(runs[name]) - len(took)
        words = [f"median {_short(float(np.median(took)))} s"] if took else []
        words += [never if not took else f"{never}: {missing}"] if missing else []
        if took:
            axes.barh(row, took[-1] - took[0], left=took[0], height=0.5, color=BAND, lw=0)
            axes.vlines(float(np.median(took)), row - 0.32, row + 0.32, color=INK, lw=2)
            axes.plot(took, [row] * len(took), "o", color=_DOT, ms=5.5, alpha=0.65, mew=0)
        axes.text(
            1.015, row, ", ".join(words), transform=axes.get_yaxis_transform(), va="center",
            fontsize=NORMAL, color=INK if took else FAILED.color,
        )  # fmt: skip
        told.append(f"{name}: {', '.join(words)}")
    most = max(len(took) for took in runs.values())
    axes.set_title(
        f"a dot is one of {plural(most, 'run')}; the line is their median",
        loc="left", fontsize=SMALL, color=QUIET,
    )  # fmt: skip
    picture.head(title, [world])
    picture.alt = ". ".join([title, *told])
    return picture


def _short(seconds: float) -> str:
    return f"{seconds:.1f}" if seconds < 10 else f"{seconds:.0f}"
