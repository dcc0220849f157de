"""Designs side by side: a row each, a panel for each thing that they are measured by."""

from __future__ import annotations

from collections.abc import Sequence

from matplotlib.patches import Patch

from greetlab.views.measures import Row, measures, shown
from greetlab.views.palette import FAILED
from greetlab.views.plot.style import INK, NORMAL, QUIET, SMALL, UNKNOWN, Picture, bare, label

KINDS = {
    "the ClusterIP": "#E69F00",
    "the client, by DNS": "#56B4E9",
    "the client, told": "#009E73",
    "a balancer, asked": "#0072B2",
    "a proxy": "#CC79A7",
}
"""Who decides which pod is called, and the colour of the designs in which it does."""

_WIDTH = 12.0


def scoreboard(rows: Sequence[Row], *, title: str = "") -> Picture:
    """What became of each design, as bars with their numbers.

    rows: of one world, as `greetlab compare --json` prints them; or those of its fleet. Each panel
        has a scale of its own, from 0; a number in red is one that hurts.

    Raises ValueError without rows, or for those of several worlds.
    """
    drawn = [one for one in shown(measures(rows), rows) if one.field not in ("p50", "parts")]
    picture = Picture(_WIDTH, 1.6 + 0.36 * len(rows))
    panels = picture.subplots(1, len(drawn), sharey=True, squeeze=False)[0]
    for axes, measure in zip(panels, drawn, strict=True):
        bare(axes)
        axes.tick_params(labelbottom=False)
        most = max([measure.value(row) or 0 for row in rows]) or 1
        axes.set_xlim(0, most * 2.1)  # so that a number has room beside the longest bar
        for y, row in enumerate(rows):
            value = measure.value(row) or 0
            axes.barh(y, value, 0.62, color=KINDS.get(row["kind"], UNKNOWN.color))
            bad = measure.bad(row)
            axes.text(
                value + most * 0.06, y, measure.text(row), va="center", fontsize=SMALL,
                color=FAILED.color if bad else INK, weight="bold" if bad else "normal",
            )  # fmt: skip
        unit = f"\n{measure.unit}" if measure.unit else "\n"
        axes.set_title(measure.head + unit, loc="left", fontsize=NORMAL, color=INK)
    panels[0].set_yticks(range(len(rows)), [label(row["design"], 40) for row in rows])
    panels[0].set_ylim(len(rows) - 0.5, -0.5)
    kinds = dict.fromkeys(row["kind"] for row in rows)
    picture.legend(
        handles=[Patch(color=KINDS.get(kind, UNKNOWN.color)) for kind in kinds],
        labels=[label(kind) for kind in kinds], loc="outside lower center", ncols=len(kinds),
        frameon=False, fontsize=SMALL, labelcolor=QUIET, title="Who decides which pod is called",
        title_fontsize=SMALL,
    )  # fmt: skip
    clients = rows[0].get("clients")
    head = title or f"Every design, {f'with {clients:,} clients' if clients else 'on the same day'}"
    picture.head(head, [rows[0]["world"].upper()])
    told = [
        f"{row['design']}: "
        + ", ".join(f"{one.head} {one.text(row)} {one.unit}".strip() for one in drawn)
        for row in rows
    ]
    picture.alt = ". ".join([head, *told])
    return picture
