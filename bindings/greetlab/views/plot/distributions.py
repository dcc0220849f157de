"""How long calls took, one distribution for each way of making them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.ticker import LogLocator, NullLocator

from greetlab.channels.calls import Calls
from greetlab.views.palette import FAILED
from greetlab.views.plot.columns import Column
from greetlab.views.plot.style import (
    INK,
    NORMAL,
    QUIET,
    SMALL,
    WIDTH,
    Picture,
    bare,
    plural,
    rows,
)

_BODY, _LINE = "#A9BCCB", "#33505F"


def latency(loads: Mapping[str, Calls] | Sequence[Calls], *, title: str = "") -> Picture:
    """How long the successful calls took: a distribution for each load, its p50 and p99 marked.

    The scale is logarithmic: a tail ten times as slow as the median is one step away.

    loads: such as {"connection per request": calls, ...}, or Calls, which have titles of their own.

    Raises ValueError without loads, and for what is no Calls.
    """
    if isinstance(loads, Calls) or not all(
        isinstance(load, Calls)
        for load in (loads.values() if isinstance(loads, Mapping) else loads)
    ):
        raise ValueError("plot.latency() needs the Calls of each load: {title: calls} or a list")
    named = (
        list(loads.items())
        if isinstance(loads, Mapping)
        else [(load.title or f"load {n}", load) for n, load in enumerate(loads, start=1)]
    )
    if not named:
        raise ValueError("plot.latency() needs at least one load")
    good = [load.latency_ns[load.status == 0] / 1e6 for _, load in named]
    seen = np.concatenate([*good, [np.nan]])
    least, most = (np.nanmin(seen), np.nanmax(seen)) if len(seen) > 1 else (0.1, 10.0)
    limits = (float(least) / 1.25, float(most) * 1.25)
    pitch = 0.85
    picture = Picture(WIDTH, 1.35 + pitch * len(named))
    axes: Axes = picture.subplots()
    axes.set_label("latency")
    bare(axes)
    rows(axes, [name for name, _ in named], pitch)
    axes.grid(False)
    axes.set_xscale("log")
    axes.set_xlim(*limits)
    axes.xaxis.set_major_locator(LogLocator(base=10, subs=(1, 2, 5), numticks=12))
    axes.xaxis.set_minor_locator(NullLocator())
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:,g}")
    axes.grid(axis="x", color="#E6E6E6", lw=0.8)
    axes.set_xlabel(
        "ms, logarithmic: the same distance is the same factor", color=INK, fontsize=NORMAL
    )
    told = []
    for row, ((name, load), milliseconds) in enumerate(zip(named, good, strict=True)):
        _ridge(axes, row, milliseconds, limits)
        words = _percentiles(axes, row, load)
        failed = len(load) - load.ok
        axes.text(
            1.01, row, f"{load.ok:,}" + f"\n{failed:,} failed" * bool(failed), va="center",
            color=FAILED.color if failed else QUIET, fontsize=NORMAL,
            transform=axes.get_yaxis_transform(),
        )  # fmt: skip
        told.append(
            f"{name}: {plural(load.ok, 'call')}, {words}" + f", {failed:,} failed" * bool(failed)
        )
    axes.text(
        1.01, 1.0, "calls", transform=axes.transAxes, va="bottom", color=QUIET, fontsize=SMALL
    )
    axes.set_ylim(len(named) - 0.55, -0.75)
    picture.head(title or "How long a call takes", (load.world for _, load in named))
    picture.alt = ". ".join([title or "How long a call takes", *told])
    return picture


def _ridge(axes: Axes, row: int, milliseconds: Column, limits: tuple[float, float]) -> None:
    """The distribution, in bins of equal width on the logarithmic scale."""
    if not len(milliseconds):
        return
    bins = int(np.clip(4 * len(milliseconds) ** 0.5, 30, 240))
    edges = np.geomspace(*limits, bins + 1)
    counts, _ = np.histogram(milliseconds, edges)
    heights = np.append(counts / counts.max(), 0.0)
    floor = row + 0.3
    axes.fill_between(edges, floor, floor - 0.62 * heights, step="post", color=_BODY, lw=0)
    axes.axhline(floor, color="#E6E6E6", lw=0.8)


def _percentiles(axes: Axes, row: int, load: Calls) -> str:
    """Marks p50 and p99 under the distribution, and returns them in words."""
    told = []
    for percent, ink, side in ((50, _LINE, "right"), (99, FAILED.color, "left")):
        value = load.percentile(percent) * 1e3
        if np.isnan(value):
            return "none succeeded"
        axes.vlines(value, row + 0.3, row - 0.36, color=ink, lw=1.8, label=f"p{percent}")
        axes.annotate(
            f"p{percent} {_short(value)}", (value, row - 0.36), ha=side,
            xytext=(5 if side == "left" else -5, 0), textcoords="offset points", va="center",
            fontsize=SMALL, color=ink, weight="bold",
        )  # fmt: skip
        told.append(f"p{percent} {_short(value)} ms")
    return ", ".join(told)


def _short(milliseconds: float) -> str:
    """Three digits are what a latency is worth."""
    return f"{milliseconds:,.3g}" if milliseconds < 1000 else f"{milliseconds:,.0f}"
