"""What a lab is: steps that look at a real cluster, one after the other."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from greetlab.lessons.labs.seen import Seen

Step = Callable[[Seen], str]
"""Looks at one thing. Returns a sentence on what is right; raises Wrong for what is not, and
CannotLook, or KubectlError, if it could not tell."""


class Wrong(Exception):  # noqa: N818 (no error: the verdict is "fail")
    """What the learner made is not it yet. Its words say what is wrong, never how to mend it."""


@dataclass(frozen=True)
class Lab:
    """One lab.

    number: its own, and its folder's in labs/. name: the folder's, without the number.
    done: what there is to say when all steps are right.
    steps: in the order of causes: what a later one finds may come from what an earlier one found.
    """

    number: int
    name: str
    done: str
    steps: tuple[Step, ...]

    @property
    def title(self) -> str:
        """ "lab 1"."""
        return f"lab {self.number}"
