"""Looks at a lab's steps, and says what it found."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from importlib import import_module

from greetlab.clusters.kube.kubectl import Kubectl, KubectlError
from greetlab.lessons.checking import Verdict
from greetlab.lessons.exercises.exercise import CannotLook
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen

LABS = (
    "setup",
    "sticky_to_round_robin",
    "more_pods_fewer_pods",
    "a_rollout_without_a_lost_call",
    "pods_that_die_and_fall_silent",
    "a_proxy_that_balances_requests",
    "tls_with_a_headless_service",
)
"""The modules, each with a `LAB`, in the order of their numbers."""


@dataclass(frozen=True)
class Judgement:
    """What was found. right: what the steps said before the one that decided."""

    verdict: Verdict
    right: tuple[str, ...] = ()


@cache
def all_labs() -> dict[int, Lab]:
    """Every lab by its number."""
    labs = [import_module(f"greetlab.lessons.labs.{module}").LAB for module in LABS]
    return {lab.number: lab for lab in labs}


def find(number: int) -> Lab:
    """The lab of this number. Raises ValueError, with those that there are, if there is none."""
    known = all_labs()
    if number not in known:
        there = ", ".join(f"{lab.number} ({lab.name})" for lab in known.values())
        raise ValueError(f"no lab {number}: there is {there}")
    return known[number]


def judge(number: int, context: str | None) -> Judgement:
    """Looks at what the learner made for a lab, in the cluster of this context.

    It changes nothing there; the last step of a lab may send greetings.

    Raises ValueError for a lab that there is not and without a context, ForeignNamespaceError if
    the namespace is not ours.
    """
    lab = find(number)
    right: list[str] = []
    try:
        seen = Seen(Kubectl(context))
        for step in lab.steps:
            right.append(step(seen))
    except Wrong as wrong:
        return Judgement(Verdict(lab.title, "fail", str(wrong)), tuple(right))
    except (CannotLook, KubectlError) as reason:
        return Judgement(Verdict(lab.title, "unknown", str(reason)), tuple(right))
    return Judgement(Verdict(lab.title, "pass", lab.done), tuple(right))
