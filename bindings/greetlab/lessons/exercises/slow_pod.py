"""The exercises of notebook 08: pods that are not equal."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greetlab.channels.calls import Calls
from greetlab.channels.policies import AnyPolicy
from greetlab.clusters.cluster import Cluster
from greetlab.lessons.exercises.exercise import Exercise, known_number, of_type

CALLS, RATE, TAIL = 2000, 250.0, 0.2
"""How many calls, how many a second at least, and the seconds that p99 may take."""
SLOW = "pod-5"
FAILED = 0.05
"""The share of calls that may fail where one pod of five is broken."""


def _check_tail(value: Any) -> str | None:
    calls = of_type(value, Calls, "Calls, which load() returns")
    if (wrong := _too_few(calls)) is not None:
        return wrong
    if len(calls) / calls.seconds < RATE:
        return (
            f"{len(calls) / calls.seconds:.0f} calls a second is less than these pods were given: "
            "who has time to spare is never late."
        )
    if failed := len(calls) - calls.ok:
        return f"{failed} of {len(calls)} calls failed."
    if not calls.by_pod.get(SLOW):
        return f"{SLOW} answered none: it is slow, not useless."
    if calls.by_pod[SLOW] > len(calls) / 6:
        return f"{SLOW} answered {calls.by_pod[SLOW]} calls: here it is not slow at all."
    if (p99 := calls.percentile(99)) > TAIL:
        return f"one call in a hundred took {p99 * 1e3:.0f} ms or more, above {TAIL * 1e3:.0f} ms."
    return None


def _check_black_hole(value: Any) -> str | None:
    calls = of_type(value, Calls, "Calls, which load() returns")
    if (wrong := _too_few(calls)) is not None:
        return wrong
    if calls.by_pod.get(SLOW):
        return f"{SLOW} answered {calls.by_pod[SLOW]} calls: it is not broken here."
    if SLOW not in calls.known:
        return f"there is no {SLOW} here, and so nobody who is broken."
    failed = len(calls) - calls.ok
    if failed > FAILED * len(calls):
        return f"{failed} of {len(calls)} calls failed, above {FAILED:.0%}."
    return None


def _too_few(calls: Calls) -> str | None:
    return f"there are {len(calls)} calls, of {CALLS}." if len(calls) < CALLS else None


def _check_streams(value: Any) -> str | None:
    return known_number(
        value,
        0,
        {
            6: "six would make it even, and nobody ends a stream that is fine to begin it anew.",
            2: "two is what each of the six pods would have if they were shared; none was asked.",
            12: "that would be all of them; nothing happened to their connections.",
            4: "four is what each of the first three pods has, and keeps.",
        },
        "open long calls, scale, and look where they end.",
    )


def _tail(
    policy: AnyPolicy, *, calls: int = CALLS, every: str = "exponential 3.367ms", slow: bool = True
) -> Callable[[], Calls]:
    def make() -> Calls:
        cluster = Cluster.sim(
            5, seed=7, capacity=2, queue=20, service_time="exponential 20ms", load_reports=True
        )
        if slow:
            cluster.slow(SLOW, "exponential 60ms")
        channel = cluster.channel("greetserver-headless", policy=policy).wait_ready(all=True)
        return channel.load(calls, every=every, timeout=2.0)

    return make


def _hole(
    policy: AnyPolicy, *, calls: int = CALLS, rate: float = 1.0, pods: int = 5
) -> Callable[[], Calls]:
    def make() -> Calls:
        cluster = Cluster.sim(pods, seed=7)
        for pod in cluster.pods[:4]:
            cluster.slow(pod.name, "exponential 20ms")
        if pods == 5:
            cluster.fail(SLOW, rate)
        channel = cluster.channel("greetserver-headless", policy=policy).wait_ready(all=True)
        return channel.load(calls, 20)

    return make


_OF_FIVE = {"least_request": {"choiceCount": 5}}
_WATCHED = {
    "outlier_detection_experimental": {
        "interval": "0.2s",
        "failurePercentageEjection": {"requestVolume": 10},
        "childPolicy": [{"round_robin": {}}],
    }
}

EXERCISES = (
    Exercise(
        name="08.tail",
        question=(
            "Hand in 2,000 calls to the five pods, at 297 a second, of which none failed, and "
            f"whose p99 is at most {TAIL * 1e3:.0f} ms."
        ),
        check=_check_tail,
        unsolved=_tail("round_robin"),
        solution=_tail(_OF_FIVE),
        wrong=(
            (_tail("least_request"), "one call in a hundred took"),
            (_tail("round_robin", every="40ms"), "25 calls a second"),
            (_tail("round_robin", slow=False), "not slow at all"),
            (_tail(_OF_FIVE, calls=200), "there are 200 calls"),
        ),
        forbidden=(_tail("pick_first"), _tail("random"), _tail(_OF_FIVE, every="20ms")),
    ),
    Exercise(
        name="08.black-hole",
        question=(
            f"Hand in 2,000 calls to five pods, of which {SLOW} fails each that it gets, and of "
            f"which at most {FAILED:.0%} failed."
        ),
        check=_check_black_hole,
        unsolved=_hole("least_request"),
        solution=_hole(_WATCHED),
        wrong=(
            (_hole("round_robin"), "400 of 2000 calls failed"),
            (_hole("round_robin", rate=0.04), "not broken here"),
            (_hole("least_request", pods=4), "there is no pod-5"),
            (_hole(_WATCHED, calls=100), "there are 100 calls"),
        ),
        forbidden=(_hole("random"), _hole("round_robin", rate=0.0)),
    ),
    Exercise(
        name="08.streams",
        question="12 streams on three pods; three pods become six. How many streams move?",
        check=_check_streams,
        unsolved=lambda: 6,
        solution=lambda: 0,
        wrong=(
            (lambda: 2, "if they were shared"),
            (lambda: 4, "and keeps"),
            (lambda: 12, "all of them"),
            (lambda: 3, "look where they end"),
        ),
        forbidden=(lambda: 1, lambda: float("nan"), lambda: -1),
    ),
)
