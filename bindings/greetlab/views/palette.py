"""One colour, one shape and one sign per pod, the same in every figure, table and terminal.

The colours are Okabe and Ito's, which people with any kind of colour vision can tell apart; the
shape says the same once more.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class PodStyle:
    """How a pod is drawn: a colour, matplotlib's marker, and the sign for a terminal."""

    color: str
    marker: str
    sign: str


STYLES = (
    PodStyle("#56B4E9", "o", "●"),
    PodStyle("#E69F00", "^", "▲"),
    PodStyle("#009E73", "s", "■"),
    PodStyle("#CC79A7", "D", "◆"),
    PodStyle("#0072B2", "v", "▼"),
    PodStyle("#D55E00", "P", "✚"),
    PodStyle("#000000", "X", "✖"),
)
"""By the pod's number; after the last they begin again."""

FAILED = PodStyle("#B00020", "x", "x")
"""A call that no pod answered."""


def pod_styles(pods: Iterable[str]) -> dict[str, PodStyle]:
    """The style of each pod: by the number at the end of its name ("pod-1" is the first).

    Where a name has none, as on a real cluster, all go by their place in the alphabet.
    """
    names = sorted(set(pods))
    numbers = [re.search(r"-(\d+)$", name) for name in names]
    places = (
        [int(number[1]) - 1 for number in numbers if number]
        if all(numbers)
        else list(range(len(names)))
    )
    return {name: STYLES[place % len(STYLES)] for name, place in zip(names, places, strict=True)}
