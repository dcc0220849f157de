"""What a link opens, asked before the page is: so a bad one is a sentence where it was given."""

from __future__ import annotations

import re

from greetlab.clusters.sim import SimCluster
from greetlab.views.play.scenes import scenes

_SCENE = re.compile(r"scene-(\d{1,3})")
_BETWEEN = "!"
"""Two worlds in a link, side by side; neither's words have one (essay.js has it, too)."""


def fragment_of(link: str) -> str:
    """What stands after its "#", or all of it."""
    return link.rpartition("#")[2]


def worlds_of(link: str) -> list[SimCluster]:
    """The worlds that the page shows: of a world's link, of a fork's, of "#scene-3".

    Raises ValueError, with what is wrong, for what is no such link.
    """
    fragment = fragment_of(link)
    parts = fragment.split(_BETWEEN)
    if scene := _SCENE.fullmatch(fragment):
        number = int(scene[1])
        if not 1 <= number <= len(scenes()):
            raise ValueError(f"scene {number}: there are scenes 1 to {len(scenes())}")
        parts = list(scenes()[number - 1].links[:2])
    return [SimCluster.from_link(part) for part in parts]
