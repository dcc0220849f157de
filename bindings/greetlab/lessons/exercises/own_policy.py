"""The exercises of notebook 09: policies of the learner's own, each judged over many seeds.

What a policy did is told by one that stands around it and writes down its choices.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from greetlab.channels.calls import Calls
from greetlab.channels.policies import Policy
from greetlab.clusters.cluster import HEADLESS_SERVICE, Cluster
from greetlab.clusters.sim import SimChannel, SimCluster
from greetlab.lessons.exercises.exercise import CannotLook, Exercise

SEEDS = range(1, 11)
CALLS, PODS = 600, 3
HALF = "10.244.0.4:50051"
"""The pod that is half as fast as the two others."""
NEAR = 0.08
"""How far a share may be from what it is to be."""
LOST = 0.02
"""The share of calls that may fail where one pod of three is silent."""


@dataclass
class _Seen:
    """Of one seed: each choice's address, and the calls in flight then: on it, and the fewest."""

    seed: int
    calls: Calls
    chosen: list[str] = field(default_factory=list)
    in_flight: list[tuple[int, int]] = field(default_factory=list)

    def words(self, text: str) -> str:
        """A sentence with the seed in it: the same again is `Cluster.sim(seed=...)`."""
        return f"with seed {self.seed} {text}"

    def broken(self) -> str | None:
        """What is wrong with a policy that fails its calls."""
        if errors := [error for error in self.calls.errors if "pick" in error]:
            return self.words(f"a call failed: {errors[0].rstrip('.')}.")
        return None if self.chosen else self.words("no call was sent to anybody.")


def _of_policy(value: Any) -> type[Policy]:
    if isinstance(value, type) and issubclass(value, Policy):
        return value
    what = " (the class, and not an instance)" if isinstance(value, Policy) else ""
    raise CannotLook(f"this check looks at a class derived from gl.Policy{what}.")


def _run(
    policy: type[Policy],
    seed: int,
    load: Callable[[SimCluster, SimChannel], Calls],
    *,
    slow: bool = False,
) -> _Seen:
    """Runs a client of this policy in a world of this seed, and notes what it chose."""
    chosen: list[str] = []
    in_flight: list[tuple[int, int]] = []

    class Watched(policy):  # type: ignore[valid-type,misc]
        def pick(self, ready: Sequence[Any], call: int) -> Any:
            fewest = min(one.in_flight for one in ready)
            choice = super().pick(ready, call)
            if choice in ready:
                chosen.append(choice.address)
                in_flight.append((choice.in_flight, fewest))
            return choice

    Watched.__name__ = policy.__name__
    random.seed(seed)  # a policy's own draws, so that a verdict is the same each time
    cluster = Cluster.sim(PODS, seed=seed)
    if slow:
        cluster.slow("pod-2", "exponential 40ms")
    channel = cluster.channel(HEADLESS_SERVICE, policy=Watched).wait_ready(all=True)
    calls = load(cluster, channel)
    return _Seen(seed, calls, chosen, in_flight)


def _one_by_one(_: SimCluster, channel: SimChannel) -> Calls:
    return channel.load(CALLS, 1)


def _some_at_once(_: SimCluster, channel: SimChannel) -> Calls:
    return channel.load(CALLS, 12)


def _while_one_is_silent(cluster: SimCluster, channel: SimChannel) -> Calls:
    channel.load(30, 1)
    cluster.lose("pod-2")
    return channel.load(CALLS, every=0.05, timeout=1.0)


def _all_on_one(seen: _Seen) -> str | None:
    if len(set(seen.chosen)) == 1:
        return seen.words(f"all {len(seen.chosen)} calls went to {seen.chosen[0]}.")
    return None


def _every_seed(
    judge: Callable[[_Seen], str | None],
    load: Callable[[SimCluster, SimChannel], Calls],
    *,
    slow: bool = False,
) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        policy = _of_policy(value)
        for seed in SEEDS:
            seen = _run(policy, seed, load, slow=slow)
            wrong = seen.broken() or _all_on_one(seen) or judge(seen)
            if wrong:
                return wrong
        return None

    return check


# By chance.


def _by_chance(seen: _Seen) -> str | None:
    counts = Counter(seen.chosen)
    if len(counts) < PODS:
        return seen.words(f"only {len(counts)} of {PODS} pods were ever chosen.")
    again = sum(one == other for one, other in zip(seen.chosen, seen.chosen[1:], strict=False))
    share = again / (CALLS - 1)
    if again == 0:
        return seen.words("no pod was ever chosen twice in a row: these are turns, not chance.")
    if share > 0.5:
        return seen.words(
            f"the next call goes where the last one went in {share:.0%} of the cases."
        )
    # Four standard deviations of a fair draw: about 46 of 200.
    for pod, count in sorted(counts.items()):
        if abs(count - CALLS / PODS) > 46:
            return seen.words(f"{pod} was chosen {count} times of {CALLS}, which is no chance.")
    return None


# In turn, and not all from the first.


def _in_turn(seen: _Seen) -> str | None:
    for at in range(len(seen.chosen) - PODS + 1):
        if len(set(seen.chosen[at : at + PODS])) < PODS:
            return seen.words(f"one of calls {at + 1} to {at + PODS} had another one's turn.")
    return None


def _check_turns(value: Any) -> str | None:
    policy = _of_policy(value)
    began = []
    for seed in SEEDS:
        seen = _run(policy, seed, _one_by_one)
        if wrong := seen.broken() or _all_on_one(seen) or _in_turn(seen):
            return wrong
        listed = [one.address for one in _order(policy, seed)]
        began.append(listed.index(seen.chosen[0]))
    if len(set(began)) == 1:
        return (
            f"in each of {len(SEEDS)} worlds it began with number {began[0] + 1} of its list: "
            "a fleet that starts at once would all call the same pod."
        )
    return None


def _order(policy: type[Policy], seed: int) -> Sequence[Any]:
    """The READY connections, in the order in which a policy in this world first has them."""
    first: list[Sequence[Any]] = []

    class Order(policy):  # type: ignore[valid-type,misc]
        def pick(self, ready: Sequence[Any], call: int) -> Any:
            first.append(list(ready))
            return super().pick(ready, call)

    channel = Cluster.sim(PODS, seed=seed).channel(HEADLESS_SERVICE, policy=Order)
    channel.wait_ready(all=True).load(1, 1)
    return first[0]


# The fewest calls in flight.


def _fewest(seen: _Seen) -> str | None:
    worse = [(mine, least) for mine, least in seen.in_flight if mine > least]
    if worse:
        mine, least = worse[0]
        return seen.words(
            f"{len(worse)} of {len(seen.in_flight)} calls went to a busier pod than they had to, "
            f"such as one with {mine} in flight where another one had {least}."
        )
    return None


# By speed.


def _by_speed(seen: _Seen) -> str | None:
    counts = Counter(seen.chosen)
    if len(counts) < PODS:
        return seen.words(f"only {len(counts)} of {PODS} pods were ever chosen.")
    for pod, count in sorted(counts.items()):
        due = 0.2 if pod == HALF else 0.4
        if abs(count / CALLS - due) > NEAR:
            return seen.words(f"{pod} had {count / CALLS:.0%} of the calls, and {due:.0%} is due.")
    return None


# One is silent.


def _silent(seen: _Seen) -> str | None:
    failed = len(seen.calls) - seen.calls.ok
    if failed > LOST * len(seen.calls):
        return seen.words(f"{failed} of {len(seen.calls)} calls ran out of time, above {LOST:.0%}.")
    late = Counter(seen.chosen[-CALLS // 2 :])
    if len(late) < PODS - 1:
        return seen.words("one pod carries all of it, and two are well.")
    return None


# Policies that people write.


class _First(Policy):
    """As the notebook gives it."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return ready[0]


class _Chance(Policy):
    """Any of them."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return random.choice(ready)


class _Kept(Policy):
    """Chance once."""

    def __init__(self) -> None:
        self.mine: str | None = None

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        self.mine = self.mine or random.choice(ready).address
        return next(one for one in ready if one.address == self.mine)


class _Lazy(Policy):
    """Chance, now and then."""

    def __init__(self) -> None:
        self.mine = 0

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        if random.random() < 0.3:
            self.mine = random.randrange(len(ready))
        return ready[self.mine % len(ready)]


class _TwoOnly(Policy):
    """One pod is forgotten."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return random.choice(ready[:2])


class _FromTheFirst(Policy):
    """Turns, and everybody's begin at the same place."""

    def __init__(self) -> None:
        self.at = -1

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        self.at += 1
        return ready[self.at % len(ready)]


class _Turns(Policy):
    """Turns from anywhere."""

    def __init__(self) -> None:
        self.at = random.randrange(1000)

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        self.at += 1
        return ready[self.at % len(ready)]


class _Fewest(Policy):
    """The fewest in flight; of those, any."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return min(ready, key=lambda one: (one.in_flight, random.random()))


class _OfTwo(Policy):
    """least_request's: two drawn, the better one taken."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return min(random.choices(ready, k=2), key=lambda one: one.in_flight)


class _BySpeed(Policy):
    """By weight, whatever the list's order."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        weights = [1 if one.address == HALF else 2 for one in ready]
        return random.choices(ready, weights)[0]


class _ByPlace(Policy):
    """By place in a list that DNS shuffles."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return random.choices(ready, [2, 2, 1][: len(ready)])[0]


class _WithoutTheSlow(Policy):
    """As if half as fast were useless."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return random.choice([one for one in ready if one.address != HALF] or ready)


class _Wary(Policy):
    """Turns among those that answer: whose calls stay out is not asked for the next 200."""

    def __init__(self) -> None:
        self.until: dict[str, int] = {}
        self.at = random.randrange(1000)

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        self.at += 1
        for one in ready:
            if one.in_flight > 1:
                self.until[one.address] = self.at + 200
        well = [one for one in ready if self.until.get(one.address, 0) < self.at] or list(ready)
        return well[self.at % len(well)]


class _Nobody(Policy):
    """It waits for something better."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        return None


class _Raises(Policy):
    """It fails."""

    def pick(self, ready: Sequence[Any], call: int) -> Any:
        raise RuntimeError("no idea")


def _is(policy: type[Policy]) -> Callable[[], type[Policy]]:
    return lambda: policy


EXERCISES = (
    Exercise(
        name="09.chance",
        question="Hand in a policy (the class) that sends each call to any pod, by chance.",
        check=_every_seed(_by_chance, _one_by_one),
        unsolved=_is(_First),
        solution=_is(_Chance),
        wrong=(
            (_is(_Turns), "these are turns"),
            (_is(_TwoOnly), "only 2 of 3"),
            (_is(_Lazy), "where the last one went"),
            (_is(_BySpeed), "which is no chance"),
            (_is(_Raises), "a call failed"),
        ),
        forbidden=(_is(_Kept), _is(_FromTheFirst)),
    ),
    Exercise(
        name="09.turns",
        question="Hand in a policy that gives each pod its turn, and does not always begin alike.",
        check=_check_turns,
        unsolved=_is(_First),
        solution=_is(_Turns),
        wrong=(
            (_is(_FromTheFirst), "a fleet that starts at once"),
            (_is(_Chance), "another one's turn"),
            (_is(_Raises), "a call failed"),
        ),
        forbidden=(_is(_Kept), _is(_Fewest)),
    ),
    Exercise(
        name="09.fewest",
        question="Hand in a policy that sends each call to a pod with the fewest calls in flight.",
        check=_every_seed(_fewest, _some_at_once, slow=True),
        unsolved=_is(_First),
        solution=_is(_Fewest),
        wrong=(
            (_is(_Turns), "a busier pod than they had to"),
            (_is(_Nobody), "to anybody"),
            (_is(_Raises), "a call failed"),
        ),
        forbidden=(_is(_OfTwo), _is(_Chance)),
    ),
    Exercise(
        name="09.speed",
        question=(
            f"The pod at {HALF} is half as fast as the two others. Hand in a policy that gives it "
            f"half as many calls as each of them: 20 % (or {NEAR:.0%} more or less)."
        ),
        check=_every_seed(_by_speed, _one_by_one),
        unsolved=_is(_First),
        solution=_is(_BySpeed),
        wrong=(
            (_is(_Turns), "33% of the calls"),
            (_is(_WithoutTheSlow), "only 2 of 3"),
            (_is(_Raises), "a call failed"),
        ),
        forbidden=(_is(_ByPlace), _is(_Chance)),
    ),
    Exercise(
        name="09.silent",
        question=(
            "A pod's machine is lost while calls are made, and its connection stays READY. Hand in "
            f"a policy with which at most {LOST:.0%} of the calls fail, and both others work."
        ),
        check=_every_seed(_silent, _while_one_is_silent),
        unsolved=_is(_First),
        solution=_is(_Wary),
        wrong=(
            (_is(_Turns), "ran out of time"),
            (_is(_Nobody), "to anybody"),
            (_is(_Raises), "a call failed"),
        ),
        forbidden=(_is(_Chance), _is(_Kept)),
    ),
)
