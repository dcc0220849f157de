"""Pictures of what happened. Each takes results and returns a figure; none measures anything."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from greetlab.calls import Calls
from greetlab.palette import FAILED, pod_styles

INK = "#222222"
QUIET = "#767676"


def requests(*runs: Calls, pods: Sequence[str] = (), title: str = "") -> Figure:
    """Which pod handled each request: request number across, pods down, one mark a request.

    runs: each gets a strip of its own, under its title, with the count per pod beside it.
    pods: those to show; those that answered nothing get an empty row. Without it, those that
        answered something.

    Raises ValueError without a run.
    """
    if not runs:
        raise ValueError("plot.requests() needs the calls of at least one run")
    names = list(pods) or sorted({name for run in runs for name in run.pods})
    failed = any(run.ok < len(run) for run in runs)
    rows = len(names) + failed
    figure = Figure(
        figsize=(10, 1.1 + len(runs) * (0.45 + 0.3 * rows)), layout="constrained", dpi=150
    )
    strips = figure.subplots(len(runs), 1, squeeze=False)[:, 0]
    for strip, run in zip(strips, runs, strict=True):
        _strip(strip, run, names, failed)
    for strip in strips[:-1]:
        strip.set_xticklabels([])  # the same numbers as at the bottom
    strips[-1].set_xlabel("request", color=INK)
    figure.suptitle(
        title or "Which pod handled each request", x=0.01, ha="left", weight="bold", color=INK
    )
    worlds = {run.world for run in runs if run.world}
    if worlds:
        figure.text(
            0.99, 0.99, " ".join(sorted(worlds)), ha="right", va="top", fontsize=9,
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
            mine, np.full(len(mine), row), style.marker, color=style.color, ms=5.5, mew=0, ls=""
        )
        axes.text(
            1.01, row, f"{len(mine)}", transform=axes.get_yaxis_transform(), va="center",
            color=style.color if len(mine) else QUIET, weight="bold" if len(mine) else "normal",
        )  # fmt: skip
    labels = list(names)
    if failed:
        lost = request[run.pod < 0]
        axes.plot(lost, np.full(len(lost), len(names)), FAILED.marker, color=FAILED.color, ls="")
        labels.append("failed")
    axes.set_title(
        f"{run.title}  ·  {len(run.connections)} connection{'s' * (len(run.connections) != 1)}",
        loc="left", fontsize=10, color=INK,
    )  # fmt: skip
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.4, -0.6)
    axes.set_xlim(0, max(len(run), 1) + 1)
    axes.grid(axis="y", color="#E6E6E6", lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0, colors=INK)
    for side in axes.spines.values():
        side.set_visible(False)
