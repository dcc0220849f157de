"""A still picture of a flow, for where no script runs: who was connected, who answered."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from io import BytesIO
from typing import Any

from greetlab.views.widget.columns import Column
from greetlab.views.widget.pack import unpack

WIDTH = 900
INK, QUIET, LINE = "#1c2430", "#737e8c", "#cfd6de"
MOST = 12  # pods; of more, the first ones are drawn


def picture(blocks: Sequence[bytes]) -> bytes:
    """A PNG of packed traces, side by side, as they were in the end; empty blocks are left out."""
    # matplotlib takes longer to import than all the rest, and a live notebook needs no still.
    from matplotlib.layout_engine import ConstrainedLayoutEngine

    from greetlab.views.plot.style import Picture

    shown = [unpack(block) for block in blocks if block]
    most = max(min(len(header["pods"]), MOST) for header, _ in shown)
    figure = Picture(9, 1.5 + 0.52 * max(most, 3))
    figure.set_layout_engine(ConstrainedLayoutEngine(wspace=0.06))
    for axes, (header, columns) in zip(
        figure.subplots(1, len(shown), squeeze=False)[0], shown, strict=True
    ):
        _panel(axes, header, columns)
    out = BytesIO()
    figure.savefig(out, format="png", dpi=160)
    return out.getvalue()


def _panel(axes: Any, header: dict[str, Any], columns: dict[str, Column]) -> None:
    from greetlab.views.plot.style import label

    axes.set(xlim=(0, 10), ylim=(0, 1))
    axes.axis("off")
    axes.set_title(label(header["title"], 45), loc="left", fontsize=11, weight="bold", color=INK)
    axes.text(
        10, 1.02, label(header["world"], 10), ha="right", va="bottom", fontsize=8, color="white",
        weight="bold", bbox={"boxstyle": "round", "fc": INK, "ec": "none"},
    )  # fmt: skip
    pods = header["pods"][:MOST]
    counts = _answered(header, columns)
    total = max(sum(counts.values()), 1)
    proxied = bool(header["virtual"])
    _card(axes, 1.1, 0.5, "client")
    opened = len(columns.get("Connected.connection", ()))
    axes.text(
        1.1, 0.36, f"{opened:,} connection{'s' * (opened != 1)}", ha="center", fontsize=9,
        color=QUIET,
    )  # fmt: skip
    if proxied:
        _card(axes, 4.1, 0.5, "ClusterIP")
        if counts:
            axes.plot([1.95, 3.25], [0.5, 0.5], color=LINE, lw=7, zorder=1)
    for place, pod in enumerate(pods):
        y = 1 - (place + 0.5) / len(pods)
        count = counts[pod["name"]]
        if count:
            left = 4.95 if proxied else 1.95
            axes.plot(
                [left, 6.4], [0.5, y], color=pod["color"], lw=2 + 7 * count / total, alpha=0.45,
                solid_capstyle="round", zorder=1,
            )  # fmt: skip
        axes.plot([6.65], [y], pod["marker"], color=pod["color"], ms=9, mew=0)
        axes.text(7.0, y, label(pod["name"], 45), va="center", fontsize=10, color=INK)
        axes.text(
            10, y, f"{count:,}", va="center", ha="right", fontsize=12, weight="bold",
            color=INK if count else QUIET,
        )  # fmt: skip
    more = len(header["pods"]) - len(pods)
    failed = counts[""]
    notes = [f"and {more} more pods" * (more > 0), f"{failed:,} failed" * (failed > 0)]
    axes.text(10, -0.05, "   ".join(filter(None, notes)), ha="right", fontsize=9, color=QUIET)


def _card(axes: Any, x: float, y: float, text: str) -> None:
    axes.text(
        x, y, text, ha="center", va="center", fontsize=10, weight="bold", color=INK,
        bbox={"boxstyle": "round,pad=0.6", "fc": "white", "ec": LINE},
    )  # fmt: skip


def _answered(header: dict[str, Any], columns: dict[str, Column]) -> Counter[str]:
    """Calls per pod that answered with OK; "" for those that failed."""
    if "CallEnded.pod" not in columns:
        return Counter()
    words = header["words"]
    ends = zip(columns["CallEnded.pod"].tolist(), columns["CallEnded.code"].tolist(), strict=True)
    return Counter(words[pod] if words[code] == "OK" else "" for pod, code in ends)
