"""The page in a notebook."""

from __future__ import annotations

import base64
import html
from pathlib import Path
from typing import Any

from greetlab.clusters.sim import SimCluster
from greetlab.views.play.links import fragment_of, worlds_of
from greetlab.views.play.page import document
from greetlab.views.widget import still
from greetlab.views.widget.pack import pack, summary

# The frame cannot see its notebook. But what an element's color-scheme says is the preferred one of
# the page in it (CSS Color Adjustment, 2.3); where a notebook has no theme, it is the system's.
_THEMES = (
    "<style>"
    '[data-jp-theme-light="true"] .greetlab-playground, .vscode-light .greetlab-playground '
    "{color-scheme: light} "
    '[data-jp-theme-light="false"] .greetlab-playground, .vscode-dark .greetlab-playground '
    "{color-scheme: dark}"
    "</style>"
)


class Playground:
    """The playground in a notebook's cell: the essay's scenes, and a sandbox with every lever.

    world: a virtual cluster (`Cluster.sim`), or a link, as `cluster.link()` gives one and as the
    page shows it: it opens in the sandbox, byte for byte the same events.
    scene: which of the essay's scenes to open, from 1; without a world the first.
    height: of the cell, in pixels.

    It is `greetlab play`'s page in a frame, shut off from the notebook and from any network; once
    shown it needs Python no more, and stays alive in what nbconvert makes. The line at its top is
    the link to what it shows: `gl.Cluster.from_link` makes a world of it again. What is done in
    the page does nothing to the cluster that it was made from. Where no scripts run (a code host)
    there is a still picture.

    Raises TypeError for what is neither a virtual cluster nor a link, and ValueError, with what is
    wrong, for a link that is none, a scene that there is not, and a world that a link cannot say
    (see `Cluster.sim().link`).
    """

    def __init__(
        self, world: str | SimCluster | None = None, *, scene: int | None = None, height: int = 900
    ) -> None:
        if world is not None and scene is not None:
            raise ValueError("Playground() opens a world or a scene, not both")
        if world is None:
            world = f"#scene-{1 if scene is None else scene}"
        if not isinstance(world, str | SimCluster):
            raise TypeError(f"Playground() opens a Cluster.sim or a link, not {world!r}")
        link = world if isinstance(world, str) else world.link()
        traces = [one.trace for one in worlds_of(link)]
        self.link = f"#{fragment_of(link)}"
        self.height = int(height)
        self.alt = "\n".join(map(summary, traces))
        self._packed = [pack(trace, "") for trace in traces]

    def to_html(self) -> str:
        """The page as one file that opens with this world, by double click and offline."""
        return document(self.link)

    def save(self, path: str | Path) -> None:
        """Writes `to_html()` there. Raises OSError if it cannot."""
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def png(self) -> bytes:
        """A still picture: who was connected to whom, and who answered how many."""
        return still.picture(self._packed)

    def _repr_mimebundle_(
        self, include: object = None, exclude: object = None
    ) -> tuple[dict[str, Any], dict[str, Any]]:
        # srcdoc, for a blob: or a file's address is not allowed everywhere (VS Code), and scripts
        # only: its origin is none, so nothing of the notebook's is within its reach.
        frame = (
            f"{_THEMES}"
            '<iframe title="greetlab: the playground" class="greetlab-playground" '
            'sandbox="allow-scripts" '
            f'style="width: 100%; height: {self.height}px; border: 0" '
            f'srcdoc="{html.escape(self.to_html())}"></iframe>'
        )
        picture = base64.b64encode(self.png()).decode()
        bundle = {"text/html": frame, "image/png": picture, "text/plain": self.alt}
        return bundle, {"image/png": {"width": still.WIDTH, "alt": self.alt}}
