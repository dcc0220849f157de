"""The essay's scenes, for those who tell of the same: the demo, the report, a notebook.

They are written once, as the page's script (views/widget/js/scenes.js); scenes.json is made of it,
and a test holds the two together.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True)
class Scene:
    """One thing to learn.

    words: what the world is. watch: what to look at. ask: what to guess. because: why it comes out
        as it does. links: its worlds, as their levers stand at first.
    """

    title: str
    words: tuple[str, ...]
    watch: str
    ask: str
    because: str
    links: tuple[str, ...]


@cache
def scenes() -> tuple[Scene, ...]:
    """All of them, in their order."""
    told = json.loads((files("greetlab.views.play") / "scenes.json").read_text(encoding="utf-8"))
    return tuple(
        Scene(**{**one, "words": tuple(one["words"]), "links": tuple(one["links"])}) for one in told
    )


def scene(title: str) -> Scene:
    """The one of this title. Raises KeyError if there is none."""
    return {one.title: one for one in scenes()}[title]
