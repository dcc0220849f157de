"""The house style of every figure: ink, quiet greys, a heading on the left, the world's badge.

It is drawn on opaque white, on which the pods' colours are told apart. Where the page is dark the
page turns it (`DARK`): light and dark change places, and each hue stays what it is.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from io import BytesIO
from typing import Any

from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.figure import Figure
from matplotlib.markers import MarkerStyle
from matplotlib.text import Text
from matplotlib.transforms import ScaledTranslation

from greetlab.text import lines, markup, plain
from greetlab.views.palette import PodStyle

INK = "#222222"
QUIET = "#6B6B6B"
GRID = "#E6E6E6"
BAND = "#E3E8EE"
DNS = "#4A5560"
"""Of what has to do with names."""
UNKNOWN = PodStyle("#9A9A9A", "o", "?")
"""What belongs to a pod that the trace does not name."""

DARK = "invert(0.92) hue-rotate(180deg)"
"""The CSS filter of a figure on a dark page."""
SMALL, NORMAL, LARGE = 10, 12, 15
"""Sizes of text, in points."""
WIDTH = 10.0
"""Of a figure, in inches."""
LONGEST = 100
"""Letters of a name that are shown."""
BESIDE = 50
"""As many beside a row: what is longer, in capitals, would leave the row no room."""
CLOSE = 0.17
"""Rows that are closer together than this many inches have no room for words of their own."""


class Picture(Figure):
    """A figure with a summary in words for whoever cannot see it.

    Whatever it says is only text: "$" begins no formula. What is named from outside has to be a
    `label`, too: a newline may be the picture's own.

    alt: that summary. A notebook shows it as the image's alternative text.
    """

    def __init__(self, width: float, height: float) -> None:
        super().__init__(figsize=(width, height), layout="constrained", dpi=150, facecolor="white")
        self.alt = ""

    def head(self, title: str, worlds: Iterable[str]) -> None:
        """The title, and the badge of the world, or worlds, that it shows."""
        # constrained_layout keeps room for a suptitle; an empty one would still take a line.
        self.suptitle(
            label(title) or " ", x=0.01, ha="left", weight="bold", color=INK, fontsize=LARGE
        )
        badge = ", ".join(sorted({label(world) for world in worlds if world}))
        if badge:
            self.text(
                0.99, 1 - 0.09 / self.get_figheight(), badge, ha="right", va="top", fontsize=SMALL,
                color="white", weight="bold", bbox={"boxstyle": "round", "fc": INK, "ec": "none"},
            )  # fmt: skip

    @property
    def alt(self) -> str:
        """The summary in words."""
        return self._alt

    @alt.setter
    def alt(self, words: str) -> None:
        self._alt = plain(words)

    def draw(self, renderer: RendererBase) -> None:
        """Draws it, as every backend asks for."""
        for text in self.findobj(Text):
            assert isinstance(text, Text)
            text.set_parse_math(False)
            text.set_text(lines(text.get_text().split("\n")))
        super().draw(renderer)

    def png(self) -> bytes:
        """The image as a file."""
        file = BytesIO()
        self.savefig(file, format="png", metadata={"Description": self.alt})
        return file.getvalue()

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        png, width = self.png(), round(self.get_figwidth() * 96)
        # JupyterLab takes the width from the metadata, but not the alternative text.
        source = f"data:image/png;base64,{b64encode(png).decode()}"
        # JupyterLab says its theme on the body; a filter of the image's own would not know it.
        html = (
            f'<style>[data-jp-theme-light="false"] .gl-picture {{filter: {DARK}}}</style>'
            f'<img class="gl-picture" alt="{markup(self.alt)}" width="{width}" src="{source}">'
        )
        shown = {"alt": self.alt, "width": width}
        return (
            {"text/html": html, "image/png": png, "text/plain": self.alt},
            {"image/png": shown},
        )


def label(name: str, longest: int = LONGEST) -> str:
    """A name from outside on one line, with its middle left out where it would fill the figure."""
    name = plain(name)
    half = longest // 2
    return name if len(name) <= longest else f"{name[:half]}\u2026{name[-half:]}"


def bare(axes: Axes) -> None:
    """Takes away the frame and the ticks' lines; what is left is the data."""
    axes.tick_params(length=0, colors=INK, labelsize=NORMAL)
    for side in axes.spines.values():
        side.set_visible(False)
    axes.set_axisbelow(True)


def quiet(axes: Axes) -> None:
    """An empty line for words: no frame, no labels, from 0 to 1."""
    axes.set_ylim(0, 1)
    bare(axes)
    axes.tick_params(labelleft=False, labelbottom=False)


def rows(axes: Axes, labels: Sequence[str], pitch: float, longest: int = BESIDE) -> None:
    """Labelled rows, the first on top, each with a thin line.

    pitch: inches from one row to the next; where they are too close, only some have their label.
    longest: letters of a label.
    """
    every = max(1, round(CLOSE / pitch + 0.49)) if pitch < CLOSE else 1
    shown = range(0, len(labels), every)
    axes.set_yticks(list(shown), [label(labels[row], longest) for row in shown])
    axes.set_ylim(max(len(labels), 1) - 0.4, -0.6)
    axes.tick_params(axis="y", labelsize=min(NORMAL, max(7.0, 45 * pitch * every)), pad=6)
    if every == 1:
        axes.grid(axis="y", color=GRID, lw=0.8)


def keys(axes: Axes, styles: Sequence[PodStyle | None], pitch: float) -> None:
    """Each row's shape and colour beside its label, where the rows are far enough apart."""
    if pitch < CLOSE:
        return
    axes.tick_params(axis="y", pad=16)
    for row, style in enumerate(styles):
        if style is not None:
            figure = axes.get_figure(root=True)
            assert figure is not None
            beside = axes.get_yaxis_transform() + ScaledTranslation(
                -8 / 72, 0, figure.dpi_scale_trans
            )
            axes.scatter(
                [0], [row], marker=MarkerStyle(style.marker), color=style.color, s=36,
                clip_on=False, transform=beside, linewidths=1.2 if style.marker == "x" else 0,
            )  # fmt: skip


def pitch_for(count: int, most: float, usual: float = 0.32) -> float:
    """Inches from row to row: the usual ones, and fewer where that would be more than `most`."""
    return min(usual, most / max(count, 1))


def dark_on(color: str) -> str:
    """The ink to be read on this colour."""
    red, green, blue = (int(color[at : at + 2], 16) for at in (1, 3, 5))
    return INK if 0.299 * red + 0.587 * green + 0.114 * blue > 100 else "white"


def plural(count: int, noun: str) -> str:
    """The number and the noun: "1 pod", "1,000 requests"."""
    return f"{count:,} {noun}{'' if count == 1 else 'es' if noun.endswith('s') else 's'}"
