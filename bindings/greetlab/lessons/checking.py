"""Checks of the exercises: they look at what the learner made and say what is wrong with it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

from greetlab.lessons.exercises import CannotLook, find
from greetlab.text import plain


@dataclass(frozen=True)
class Verdict:
    """What a check found.

    status: "pass", "fail" or "unknown" (it could not look). sentence: why.
    """

    exercise: str
    status: Literal["pass", "fail", "unknown"]
    sentence: str

    @property
    def ok(self) -> bool:
        """Whether it passed."""
        return self.status == "pass"

    def __str__(self) -> str:
        sign = {"pass": "✔", "fail": "✘", "unknown": "?"}[self.status]
        return plain(f"{sign} {self.status.upper():7} {self.exercise}: {self.sentence}")

    def __repr__(self) -> str:
        return plain(f"<{self.status} {self.exercise}>")  # `check` has printed the sentence

    def _ipython_display_(self) -> None:
        """Nothing: `check` has printed it, and a cell's last value would print it again."""


def check(name: str, value: Any = ..., /) -> Verdict:
    """Looks at what you made for an exercise, prints what it found and returns it.

    name: of the exercise, such as "01.three-addresses". value: what you made; without it the
    question is asked again.

    Raises LookupError, with the names that there are, for an exercise that there is not.
    """
    verdict = judge(name, value)
    print(verdict)
    return verdict


def judge(name: str, value: Any) -> Verdict:
    """What `check` prints."""
    exercise = find(name)
    if value is ...:
        return Verdict(name, "unknown", f"nothing to look at yet. {exercise.question}")
    try:
        wrong = exercise.check(value)
    except CannotLook as reason:
        return Verdict(name, "unknown", str(reason))
    return Verdict(name, "fail" if wrong else "pass", wrong or "yes, that is it.")
