"""Pictures of what happened. Each takes results and returns a figure; none measures anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from greetlab.calls import Calls
from greetlab.palette import FAILED, PodStyle, pod_styles

INK = "#222222"
QUIET = "#767676"


def requests(*runs: Calls, pods: Sequence[str] = (), title: str = "") -> Figure:
    """Which pod handled each request: request number across, pods down, one mark a request.

    runs: each gets a strip of its own, under its title, with the count per pod beside it.
    pods: those to show; those that answered nothing get an empty row. Without it, those that
        answered something.

    Raises ValueError without a run.
    """
    if not runs or not all(isinstance(run, Calls) for run in runs):
        raise ValueError("plot.requests() needs at least one run, each the Calls of one client")
    if isinstance(pods, str):
        raise ValueError(f"pods={pods!r}: a list of names, such as [{pods!r}]")
    names = list(pods) or sorted({name for run in runs for name in run.pods})
    failed = any(run.ok < len(run) for run in runs)
    rows = len(names) + failed
    figure = Figure(
        figsize=(10, 1.3 + len(runs) * (0.62 + 0.32 * rows)), layout="constrained", dpi=150
    )
    strips = figure.subplots(len(runs), 1, squeeze=False, sharex=True)[:, 0]
    for strip, run in zip(strips, runs, strict=True):
        _strip(strip, run, names, failed)
    strips[-1].set_xlim(0.2, max(*(len(run) for run in runs), 1) + 0.8)
    strips[-1].xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    strips[-1].set_xlabel("request", color=INK, fontsize=12)
    worlds = ", ".join(sorted({run.world for run in runs if run.world}))
    heading = figure.suptitle(
        title or "Which pod handled each request", x=0.01, ha="left", weight="bold", color=INK,
        fontsize=15,
    )  # fmt: skip
    if worlds:
        figure.text(
            0.985, heading.get_position()[1] - 0.005, worlds, ha="right", va="top", fontsize=10,
            color="white", weight="bold", bbox={"boxstyle": "round", "fc": INK, "ec": "none"},
        )  # fmt: skip
    return figure


def _strip(axes: Axes, run: Calls, names: Sequence[str], failed: bool) -> None:
    styles = pod_styles(names)
    request = np.arange(1, len(run) + 1)
    for row, name in enumerate(names):
        code = run.pods.index(name) if name in run.pods else None
        mine = request[run.pod == code] if code is not None else request[:0]
        style = styles[name]
        axes.plot(
            mine, np.full(len(mine), row), style.marker, color=style.color, ms=6.5, mew=0, ls=""
        )
        _count(axes, row, len(mine), style)
    labels = list(names)
    if failed:
        lost = request[run.pod < 0]
        axes.plot(lost, np.full(len(lost), len(names)), FAILED.marker, color=FAILED.color, ls="")
        _count(axes, len(names), len(lost), FAILED)
        labels.append("failed")
    axes.set_title(
        f"{run.title}  ·  {len(run.connections)} connection{'s' * (len(run.connections) != 1)}",
        loc="left", fontsize=12, color=INK,
    )  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.grid(axis="y", color="#E6E6E6", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK, labelsize=12)
    for side in axes.spines.values():
        side.set_visible(False)


def _count(axes: Axes, row: int, count: int, style: PodStyle) -> None:
    """How many marks a row has, at its right end."""
    axes.text(
        1.01, row, f"{count}", transform=axes.get_yaxis_transform(), va="center", fontsize=13,
        color=style.color if count else QUIET, weight="bold" if count else "normal",
    )  # fmt: skip
