"""The exercises of notebook 01."""

from __future__ import annotations

from greetlab.exercises.exercise import Exercise

EXERCISES: tuple[Exercise, ...] = ()
