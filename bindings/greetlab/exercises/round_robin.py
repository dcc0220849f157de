"""The exercises of notebook 03."""

from __future__ import annotations

from greetlab.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = ()
