"""A guess drawn over what happened."""

from __future__ import annotations

from typing import TYPE_CHECKING

from matplotlib.patches import Patch

from greetlab.views.palette import FAILED as FAILED_STYLE
from greetlab.views.palette import PodStyle, pod_styles
from greetlab.views.plot.style import (
    DNS,
    INK,
    NORMAL,
    QUIET,
    SMALL,
    WIDTH,
    Picture,
    bare,
    keys,
    label,
    pitch_for,
    rows,
)

OUTLINES = ("your guess", "the numbers of your guess, the largest first: for no pod in particular")

if TYPE_CHECKING:
    from greetlab.lessons.prediction import Comparison


def guessed(comparison: Comparison) -> Picture:
    """One row a pod: what happened is a bar in its colour, the guess an outline over it."""
    happened, guess = comparison.happened, comparison.guessed
    names = list(happened)
    known = (
        pod_styles(name for name in names if name != comparison.FAILED) if comparison.moves else {}
    )
    other = FAILED_STYLE if comparison.moves else PodStyle(DNS, "o", "?")
    styles = [known.get(name, other) for name in names]
    pitch = pitch_for(len(names), 5.0, 0.42)
    picture = Picture(WIDTH, 1.3 + pitch * len(names))
    axes = picture.subplots()
    widest = max(*happened.values(), *guess.values(), 1)
    places = range(len(names))
    # Where chance chose the pod, nobody said which one; only the numbers are compared.
    sizes = comparison.whichever and comparison.moves
    word = "yours" if sizes else "guess"
    axes.barh(places, list(happened.values()), height=0.5, color=[style.color for style in styles])
    if guess:
        said = [guess.get(name, 0) for name in names]
        axes.barh(
            places, said, height=0.78, fill=False, edgecolor=INK, linestyle=(0, (4, 2)),
            linewidth=[1.6 if count else 0 for count in said],
        )  # fmt: skip
    axes.set_xlim(0, widest * 1.02)
    bare(axes)
    axes.tick_params(labelbottom=False)
    rows(axes, names, pitch)
    if comparison.moves:
        keys(axes, styles, pitch)
    beside = 1.03 + 0.0135 * max(len(f"{count:,}") for count in happened.values())
    for row, name in enumerate(names):
        axes.text(
            1.015, row, f"{happened[name]:,}", transform=axes.get_yaxis_transform(), va="center",
            ha="left", fontsize=NORMAL, weight="bold", color=INK if happened[name] else QUIET,
        )  # fmt: skip
        if guess:
            axes.text(
                beside, row, f"{word} {guess.get(name, 0):,}", va="center", ha="left",
                transform=axes.get_yaxis_transform(), fontsize=SMALL, color=QUIET,
            )  # fmt: skip
    axes.set_title(label(comparison.sentence), loc="left", fontsize=NORMAL, color=INK)
    shown = [Patch(facecolor=DNS, edgecolor="none", label="what happened")]
    if guess:
        outline = Patch(fill=False, ec=INK, ls=(0, (4, 2)), lw=1.4, label=OUTLINES[sizes])
        shown.append(outline)
    axes.legend(
        handles=shown, loc="upper left", bbox_to_anchor=(-0.01, -0.02), ncols=2, frameon=False,
        fontsize=SMALL, labelcolor=QUIET, handlelength=1.6,
    )  # fmt: skip
    picture.head(comparison.title or "What happened", [comparison.world])
    told = ", ".join(f"{name} {count:,}" for name, count in happened.items())
    picture.alt = f"{comparison.title}: {told}. {comparison.sentence}".removeprefix(": ")
    return picture
