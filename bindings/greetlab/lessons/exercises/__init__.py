"""The exercises: one module for each notebook, found by name.

A module has `EXERCISES`, a tuple of `Exercise`.
"""

from __future__ import annotations

from functools import cache
from importlib import import_module

from greetlab.lessons.exercises.exercise import CannotLook, Exercise, of_type

__all__ = ["CannotLook", "Exercise", "all_exercises", "find", "of_type"]

NOTEBOOKS = (
    "lookup",
    "sticky",
    "round_robin",
    "scale",
    "being_told",
    "goodbye",
    "again",
    "slow_pod",
    "own_policy",
)
"""The modules, in the order of the notebooks: 01, 02, ..."""


@cache
def all_exercises() -> dict[str, Exercise]:
    """Every exercise by its name, in the order of the notebooks."""
    modules = [import_module(f"greetlab.lessons.exercises.{module}") for module in NOTEBOOKS]
    return {exercise.name: exercise for module in modules for exercise in module.EXERCISES}


def find(name: str) -> Exercise:
    """The exercise of this name.

    Raises LookupError, with the names that there are, if there is none.
    """
    known = all_exercises()
    if name not in known:
        raise LookupError(f"no exercise {name!r}: there is {', '.join(known)}")
    return known[name]
