"""Predict first, then run: a guess per pod, drawn over what happened.

guess = gl.predict({"pod-1": 60, "pod-2": 0, "pod-3": 0})
guess.compare(calls)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

from greetlab.calls import Calls

if TYPE_CHECKING:
    from greetlab.plot import Picture

FAILED = "failed"
"""What a guess calls the requests that no pod answered."""


@dataclass(frozen=True)
class Prediction:
    """How many requests each pod will answer, said before the run.

    counts: requests by pod name; "failed" are those that no pod will answer. Empty: no guess yet.
    """

    counts: dict[str, int]

    def compare(self, calls: Calls, *, whichever: bool = False) -> Comparison:
        """The guess beside what happened.

        whichever: chance chooses the pod, so only the counts matter: the largest guess is held
            against the pod with the most requests, and so on.

        Raises ValueError for a guess about a pod that there is not, TypeError for what is no Calls.
        """
        if not isinstance(calls, Calls):
            raise TypeError(
                f"compare() looks at Calls, which greet() and load() return, not at "
                f"{type(calls).__name__}"
            )
        happened = _happened(calls)
        strange = [pod for pod in self.counts if pod not in happened and pod != FAILED]
        if strange:
            raise ValueError(f"your guess has {', '.join(strange)}; there is {', '.join(happened)}")
        guessed = _by_rank(self.counts, happened) if whichever else self.counts
        happened = {**happened, **({FAILED: 0} if guessed.get(FAILED) else {})}
        return Comparison(guessed, happened, calls.title, calls.world)

    def __str__(self) -> str:
        if not self.counts:
            return 'no guess yet: type your guess, as in gl.predict({"pod-1": 10, "pod-2": 50})'
        told = ", ".join(f"{pod} {count}" for pod, count in self.counts.items())
        return f"your guess: {told} ({sum(self.counts.values())} requests)"

    __repr__ = __str__


@dataclass(frozen=True)
class Comparison:
    """A guess and what happened. A notebook shows the one drawn over the other.

    guessed: requests by pod; empty without a guess. happened: the same, of the run.
    """

    guessed: dict[str, int]
    happened: dict[str, int]
    title: str
    world: str

    @property
    def distance(self) -> int | None:
        """How many requests would have to move to turn the guess into what happened.

        None without a guess. Where the totals differ, requests that are missing or too many count
        as moves, too.
        """
        if not self.guessed:
            return None
        off = [count - self.guessed.get(pod, 0) for pod, count in self.happened.items()]
        return max(sum(n for n in off if n > 0), -sum(n for n in off if n < 0))

    @property
    def sentence(self) -> str:
        """What came of the guess, in one sentence."""
        distance, ran, said = self.distance, sum(self.happened.values()), sum(self.guessed.values())
        if distance is None:
            return "No guess yet: type one into gl.predict(...) and run it again."
        if said != ran:
            return f"Your guess adds up to {said:,} requests, and there were {ran:,}."
        if distance == 0:
            return f"Exactly: all {ran:,} requests went where you said."
        pod = max(self.happened, key=lambda pod: abs(self.happened[pod] - self.guessed.get(pod, 0)))
        moved = f"{distance:,} request{'s' * (distance != 1)} would have to move"
        return f"{moved}: you said {self.guessed.get(pod, 0):,} for {pod}, it was " + (
            f"{self.happened[pod]:,}."
        )

    @cached_property
    def picture(self) -> Picture:
        """The guess, an outline, over what happened, a bar."""
        from greetlab.plot.guessed import guessed  # with matplotlib, which takes its time

        return guessed(self)

    def __str__(self) -> str:
        return self.sentence

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.picture._repr_mimebundle_()


def predict(counts: Mapping[str, int] | None = None, /, **pods: int) -> Prediction:
    """How many requests you think each pod will answer: type it before you run.

    gl.predict({"pod-1": 60, "pod-2": 0}) or gl.predict(pod_1=60, pod_2=0); "failed" for the ones
    that fail. Without a number it is a placeholder that asks for one.

    Raises TypeError and ValueError, in words, for what cannot be a count.
    """
    if counts is not None and not isinstance(counts, Mapping):
        raise TypeError(f"predict({counts!r}): a count for each pod, as in predict(pod_1=60)")
    typed = {**(counts or {}), **pods}
    for pod, count in typed.items():
        if not isinstance(pod, str):
            raise TypeError(f"predict(): {pod!r} is no name of a pod")
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"predict(): {pod} {count!r}: requests come in whole numbers")
        if count < 0:
            raise ValueError(f"predict(): {pod} {count}: nobody answers less than 0 requests")
    named: dict[str, int] = {}
    for pod, count in typed.items():
        name = pod.replace("_", "-")
        if name in named:
            raise ValueError(f"predict(): {name} is there twice")
        named[name] = count
    return Prediction(named)


def _happened(calls: Calls) -> dict[str, int]:
    """Requests by pod, those that could have answered included, and those that failed."""
    counts = {**dict.fromkeys(sorted(calls.known), 0), **calls.by_pod}
    failed = len(calls) - sum(counts.values())
    return {**dict(sorted(counts.items())), **({FAILED: failed} if failed else {})}


def _by_rank(guess: Mapping[str, int], happened: Mapping[str, int]) -> dict[str, int]:
    """The guess with its counts given to the pods in the order of what they answered."""
    if not guess:
        return {}
    pods = sorted((p for p in happened if p != FAILED), key=lambda pod: -happened[pod])
    counts = sorted((n for pod, n in guess.items() if pod != FAILED), reverse=True)
    counts += [0] * (len(pods) - len(counts))
    failed = {FAILED: guess[FAILED]} if FAILED in guess else {}
    return {**dict(zip(pods, counts, strict=True)), **failed}
