"""The playground in a notebook's cell."""

from __future__ import annotations

import html
from pathlib import Path
from typing import Any

from greetlab.clusters.sim import SimCluster
from greetlab.text import plain
from greetlab.views.play.page import document

SCENES = 9
_BETWEEN = "!"  # two worlds in a link, side by side


class Playground:
    """The page of `greetlab play`: nine scenes, a sandbox with every lever, a policy of your own.

    world: what the sandbox shows: a cluster of the sim, with all that was done to it up to now, or
        a link, as `cluster.link()` and the page's own address are; "": the essay.
    scene: the essay's scene to begin with, from 1.
    height: of the frame, in pixels.

    What is done in it stays in it; its sandbox has a link, and `Cluster.from_link(link)` brings the
    world back to Python. It needs neither a network nor Python once it is shown. Where no frame can
    be shown (a code host) there are words.

    Raises ValueError for a link that is none, TypeError for what is neither.
    """

    def __init__(
        self, world: SimCluster | str = "", *, scene: int | None = None, height: int = 900
    ) -> None:
        if scene is not None and (world != "" or scene not in range(1, SCENES + 1)):
            raise ValueError(f"scene {scene!r}: it is 1 to {SCENES}, and without a world")
        if isinstance(world, SimCluster):
            world = world.link()
        if not isinstance(world, str):
            raise TypeError(f"Playground() shows a cluster of the sim, or a link, not {world!r}")
        self.link = world.rpartition("#")[2]
        """What stands after the "#" in the page's address."""
        for one in self.link.split(_BETWEEN) if self.link else ():
            SimCluster.from_link(one)  # says what is wrong with it
        self.link = f"scene-{scene}" if scene is not None else self.link
        self._height = height

    def to_html(self) -> str:
        """One page that needs nothing else: no network, no server. Opens by double click."""
        return document(self.link)

    def save(self, path: str | Path) -> None:
        """Writes `to_html()` there. Raises OSError if it cannot."""
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def __repr__(self) -> str:
        return plain(f"Playground({self.link!r}): greetlab play shows it in a browser")

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        # A frame of its own: the page's style is not the notebook's, nor its scripts' business.
        frame = (
            f'<iframe title="The playground" sandbox="allow-scripts" width="100%" '
            f'height="{self._height}" style="border: 0" srcdoc="{html.escape(self.to_html())}">'
            "</iframe>"
        )
        return {"text/html": frame, "text/plain": repr(self)}
