"""Predict first, then run: a guess, drawn over what happened.

guess = gl.predict({"pod-1": 60, "pod-2": 0, "pod-3": 0})
guess.compare(calls)
gl.predict(questions=2, addresses=3).compare(lookup)
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar

from greetlab.channels.calls import Calls
from greetlab.dns.lookup import Lookup
from greetlab.text import plain
from greetlab.trace.trace import Trace

if TYPE_CHECKING:
    from greetlab.clusters.cluster import Cluster
    from greetlab.views.plot import Picture

FAILED = "failed"
"""What a guess calls the requests that no pod answered."""
QUESTIONS, ADDRESSES = "questions", "addresses"
"""What there is to guess about a lookup: questions on the wire, and addresses that came back."""


@dataclass(frozen=True)
class Prediction:
    """How many requests each pod will answer, said before the run.

    counts: requests by pod name; "failed" are those that no pod will answer. Or, of a lookup, how
        many "questions" go out and how many "addresses" come back. Empty: no guess yet.
    """

    counts: dict[str, int]

    def compare(
        self,
        result: Calls | Trace | Lookup | Mapping[str, int],
        *,
        whichever: bool = False,
        cluster: Cluster | None = None,
    ) -> Comparison:
        """The guess beside what happened: requests, a lookup, or numbers that you counted.

        whichever: chance chooses the pod, so only the counts matter: the largest guess is held
            against the pod with the most requests, and so on.
        cluster: where a lookup was made, for the badge of the figure.

        Of a Kubernetes, whose pods have names that nobody knows beforehand, "pod-1" in a guess is
        the oldest pod, and so on.

        Raises ValueError for a guess about what there is not, TypeError for what is no result.
        """
        if isinstance(result, Calls):
            happened, title, world = _answered(result), result.title, result.world
        elif isinstance(result, Trace):
            happened, title, world = _told(result), "", result.world
        elif isinstance(result, Lookup):
            happened, title = _asked(result), f"the lookup of {result.name}"
            world = cluster.world if cluster else ""
        elif isinstance(result, Mapping):
            happened, title, world = dict(result), "", cluster.world if cluster else ""
        else:
            raise TypeError(
                "compare() looks at Calls, which greet() and load() return, at a Trace, at a "
                f"Lookup, or at numbers by name, not at {type(result).__name__}"
            )
        if isinstance(result, Calls | Trace) and world == "KUBE":
            guessed = _by_number(self.counts, _by_age(result))
        else:
            guessed = self.counts
        strange = [name for name in guessed if name not in happened and name != FAILED]
        if strange:
            raise ValueError(f"your guess has {', '.join(strange)}; there is {', '.join(happened)}")
        moves = isinstance(result, Calls | Trace)
        if whichever:
            happened = _by_size(happened)
            guessed = _by_rank(guessed, happened)
        if not moves and guessed:
            happened = {name: happened[name] for name in guessed}
        elif guessed.get(FAILED):
            happened.setdefault(FAILED, 0)
        return Comparison(guessed, happened, title, world, moves, whichever)

    def __str__(self) -> str:
        if not self.counts:
            return 'no guess yet: type your guess, as in gl.predict({"pod-1": 10, "pod-2": 50})'
        told = ", ".join(f"{pod} {count}" for pod, count in self.counts.items())
        return plain(f"your guess: {told}")

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
    moves: bool
    """Whether it is about requests, each of which went to one place."""
    whichever: bool = False
    """Whether the guess was laid over the pods by size: which pod was meant does not count."""
    FAILED: ClassVar = FAILED

    @property
    def distance(self) -> int | None:
        """How many requests would have to move to turn the guess into what happened.

        None without a guess. Where the totals differ, requests that are missing or too many count
        as moves, too. Of a lookup: by how much the counts are off, all in all.
        """
        if not self.guessed:
            return None
        off = [count - self.guessed.get(name, 0) for name, count in self.happened.items()]
        if not self.moves:
            return sum(map(abs, off))
        return max(sum(n for n in off if n > 0), -sum(n for n in off if n < 0))

    @property
    def sentence(self) -> str:
        """What came of the guess, in one sentence."""
        distance = self.distance
        if distance is None:
            return "No guess yet: type one into gl.predict(...) and run it again."
        ran, said = sum(self.happened.values()), sum(self.guessed.values())
        worst = max(self.happened, key=lambda name: (self._off(name), name == FAILED))
        you_said, it_was = self.guessed.get(worst, 0), self.happened[worst]
        if not self.moves:
            if distance:
                return f"Off by {distance:,}: {_counted(it_was, worst)}, and you said {you_said}."
            counted = [_counted(count, name) for name, count in self.happened.items()]
            return f"Exactly: {' and '.join(counted)}."
        if said != ran:
            return f"Your guess adds up to {said:,} requests, and there were {ran:,}."
        if distance == 0:
            return f"Exactly: all {ran:,} requests went where you said."
        move = f"{distance:,} request{'s' * (distance != 1)} would have to move"
        if worst == FAILED:
            return f"{move}: {it_was:,} failed, and you said {you_said:,}."
        if self.whichever:
            rank = _RANKS[min(list(self.happened).index(worst), len(_RANKS) - 1)]
            return f"{move}: {worst} had {it_was:,}, and your {rank} number is {you_said:,}."
        return f"{move}: {worst} had {it_was:,}, and you said {you_said:,}."

    def _off(self, name: str) -> int:
        return abs(self.happened[name] - self.guessed.get(name, 0))

    @cached_property
    def picture(self) -> Picture:
        """The guess, an outline, over what happened, a bar."""
        from greetlab.lessons.guess_drawn import guessed  # with matplotlib, which takes its time

        return guessed(self)

    def __str__(self) -> str:
        return plain(self.sentence)

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> tuple[dict[str, Any], dict[str, Any]]:
        return self.picture._repr_mimebundle_()


def predict(counts: Mapping[str, int] | None = None, /, **pods: int) -> Prediction:
    """How many requests you think each pod will answer: type it before you run.

    gl.predict({"pod-1": 60, "pod-2": 0}) or gl.predict(pod_1=60, pod_2=0); "failed" for the ones
    that fail. About a lookup: gl.predict(questions=2, addresses=3); about what you count yourself:
    gl.predict(connections=3). Without a number it is a
    placeholder that asks for one.

    Raises TypeError and ValueError, in words, for what cannot be a count.
    """
    if counts is not None and not isinstance(counts, Mapping):
        raise TypeError(f"predict({counts!r}): a count for each pod, as in predict(pod_1=60)")
    typed = {**(counts or {}), **pods}
    for pod, count in typed.items():
        if not isinstance(pod, str):
            raise TypeError(f"predict(): {pod!r} is no name of a pod")
        if isinstance(count, bool) or not isinstance(count, int):
            raise TypeError(f"predict(): {pod} {count!r}: it is a whole number")
        if count < 0:
            raise ValueError(f"predict(): {pod} {count}: there is nothing less than 0")
    named: dict[str, int] = {}
    for pod, count in typed.items():
        name = pod.replace("_", "-")
        if name in named:
            raise ValueError(f"predict(): {name} is there twice")
        named[name] = count
    return Prediction(named)


_RANKS = ("largest", "second largest", "third largest", "next")


def _counted(count: int, noun: str) -> str:
    one = "address" if noun == ADDRESSES else noun.removesuffix("s")
    return f"{count:,} {one if count == 1 else noun}"


def _asked(lookup: Lookup) -> dict[str, int]:
    """What a lookup cost, and what it brought."""
    return {QUESTIONS: len(lookup.queries), ADDRESSES: len(lookup.addresses)}


def _answered(calls: Calls) -> dict[str, int]:
    """Requests by pod, those that could have answered included, and those that failed."""
    good = calls.pod[(calls.status == 0) & (calls.pod >= 0)]
    counts = dict.fromkeys(calls.known, 0)
    counts |= {pod: int((good == row).sum()) for row, pod in enumerate(calls.pods)}
    failed = len(calls) - calls.ok
    return {**dict(sorted(counts.items())), **({FAILED: failed} if failed else {})}


def _told(trace: Trace) -> dict[str, int]:
    """The same of every client of a trace."""
    pods = Counter(event.pod for event in trace.of("CallEnded", code="OK"))
    known = {event.pod for event in trace.of("PodChanged")}
    failed = len(trace.of("CallEnded")) - pods.total()
    counts = {pod: pods[pod] for pod in sorted(known | set(pods))}
    return {**counts, **({FAILED: failed} if failed else {})}


def _by_age(result: Calls | Trace) -> list[str]:
    """The pods, the oldest first, as far as the result tells."""
    if isinstance(result, Calls):
        return list(result.known)
    return list(dict.fromkeys(event.pod for event in result.of("PodChanged")))


def _by_number(guess: Mapping[str, int], pods: list[str]) -> dict[str, int]:
    """The guess with the pods' names in place of pod-1, pod-2, ..."""
    names = {f"pod-{number}": pod for number, pod in enumerate(pods, 1)}
    return {names.get(name, name): count for name, count in guess.items()}


def _by_size(happened: Mapping[str, int]) -> dict[str, int]:
    """The pod with the most first; what failed is no pod, and comes last."""
    return dict(sorted(happened.items(), key=lambda one: (one[0] == FAILED, -one[1])))


def _by_rank(guess: Mapping[str, int], happened: Mapping[str, int]) -> dict[str, int]:
    """The guess with its counts given to the pods in their order, the largest first."""
    if not guess:
        return {}
    pods = [pod for pod in happened if pod != FAILED]
    counts = sorted((n for pod, n in guess.items() if pod != FAILED), reverse=True)
    counts += [0] * (len(pods) - len(counts))
    failed = {FAILED: guess[FAILED]} if FAILED in guess else {}
    return {**dict(zip(pods, counts, strict=True)), **failed}
