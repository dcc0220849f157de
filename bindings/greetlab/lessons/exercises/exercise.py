"""What an exercise is."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeVar

T = TypeVar("T")


class CannotLook(Exception):  # noqa: N818 (no error: the verdict is "unknown")
    """A check could not look: the value is none that it knows. Its words say why."""


@dataclass(frozen=True)
class Exercise:
    """One exercise of a notebook.

    name: the notebook's number and a few words, "01.three-addresses". question: what to do.
    check: looks at a value. None: it is right; else the sentence that says what is wrong, and never
        how to mend it. Raises CannotLook for a value that it does not know.
    unsolved: makes the state as the notebook gives it; solution: one that passes. Both are cheap,
        and leave nothing behind.
    wrong: typical wrong answers: (what makes one, a part of the sentence that it gets).
    forbidden: answers that look right by their numbers, and that its own words rule out.
    """

    name: str
    question: str
    check: Callable[[Any], str | None]
    unsolved: Callable[[], Any]
    solution: Callable[[], Any]
    wrong: tuple[tuple[Callable[[], Any], str], ...]
    forbidden: tuple[Callable[[], Any], ...]


def of_type(value: object, kind: type[T], what: str) -> T:
    """The value, if it is of this kind. what: its name in words, "a Lookup".

    Raises CannotLook if it is not.
    """
    if isinstance(value, bool) or not isinstance(value, kind):
        raise CannotLook(f"this check looks at {what}, and was given {_named(value)}.")
    return value


def known_number(value: object, right: float, known: Mapping[float, str], how: str) -> str | None:
    """What is wrong with a number; None: it is the right one.

    known: the sentences of the wrong ones that people give. how: of any other, to find it out.

    Raises CannotLook for what is no number.
    """
    if isinstance(value, bool) or not isinstance(value, Real):
        raise CannotLook("this check looks at a number.")
    number = float(value)
    return None if number == right else known.get(number, f"{value} it is not; {how}")


def _named(value: object) -> str:
    if value is None:
        return "nothing"
    name = type(value).__name__
    return f"{'an' if name[0] in 'aeiouAEIOU' else 'a'} {name}"
