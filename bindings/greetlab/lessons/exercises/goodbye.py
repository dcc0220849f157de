"""The exercises of notebook 06: pods that leave."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from greetlab.clusters.cluster import HEADLESS_SERVICE, WATCH, Cluster
from greetlab.lessons.exercises.exercise import CannotLook, Exercise, known_number, of_type
from greetlab.trace.trace import Trace

RATE = 10.0
"""Calls a second, at least."""


def _check_zero(value: Any) -> str | None:
    trace = of_type(value, Trace, "a Trace, such as channel.trace")
    changes = trace.of("PodChanged")
    if not len(changes):
        raise CannotLook("this trace does not say what became of the pods; one of the sim does.")
    if len(trace.of("EndpointsTold")):
        return "the client was told of the endpoints; this is about one that asks DNS."
    killed = [event.pod for event in changes if event.change in ("killed", "lost")]
    if killed:
        return f"{killed[0]} did not leave in order: that is no rollout."
    gone = [event for event in changes if event.change == "draining"]
    if len(gone) < 3:
        return f"{len(gone)} pods were deleted in this trace; a rollout replaces all three."
    ended = [event.seconds for event in changes if event.change == "stopped"]
    if len(ended) < len(gone):
        return f"{len(gone) - len(ended)} of the old pods have not ended yet."
    calls = trace.of("CallStarted").seconds
    if not len(calls) or calls[0] > gone[0].seconds or calls[-1] < max(ended):
        return "there were no calls from before the first goodbye until after the last."
    if len(calls) / (calls[-1] - calls[0]) < RATE:
        return f"{len(calls)} calls in {calls[-1] - calls[0]:.0f} s are too few to meet anybody."
    if failed := int(np.count_nonzero(trace.column("CallEnded", "code"))):
        return f"{failed} of {len(calls)} calls failed."
    return None


def _rolled(
    service: str = HEADLESS_SERVICE,
    *,
    how: str = "rollout",
    calls: int = 3000,
    every: float = 0.02,
    cooldown: float = 30.0,
    seconds: float = 60,
    **options: Any,
) -> Callable[[], Trace]:
    def make() -> Trace:
        cluster = Cluster.sim(3, seed=7, readiness_delay=1.0, **options)
        channel = cluster.channel(service, policy="round_robin", cooldown=cooldown)
        channel.wait_ready(all=True).start(calls, every=every)
        cluster.run(seconds=10)
        if how == "rollout":
            cluster.rollout()
        elif how:
            getattr(cluster, how)("pod-1")
        cluster.run(seconds=seconds)
        return channel.trace

    return make


def _check_pre_stop(value: Any) -> str | None:
    return known_number(
        value,
        3,
        {
            0: "the pods would be gone three seconds before the client hears who else there is.",
            1: "two seconds would be missing: whoever calls meanwhile knows only the dead.",
            2: "a second would be missing: whoever calls meanwhile knows only the dead.",
            4: "it would do, and so would less.",
            30: "it would do, and so would much less: it is not DNS that is asked.",
        },
        "run it in the sim, with watch_lag=3.0.",
    )


def _check_purse(value: Any) -> str | None:
    return known_number(
        value,
        50,
        {
            30: "preStop takes 20 s of it, and 10 s are left for calls that take 30.",
            20: "that is all preStop's, and the calls have nothing.",
            10: "it would end before preStop does, and the pod is killed then.",
            60: "it would do, and so would less.",
        },
        "preStop comes out of it, and then the calls' time does.",
    )


EXERCISES = (
    Exercise(
        name="06.zero",
        question=(
            "Hand in the Trace of one client that asks DNS and calls all the time, while a rollout "
            "replaces all three pods, and none of its calls failed."
        ),
        check=_check_zero,
        unsolved=_rolled(),
        solution=_rolled(cooldown=1.0),
        wrong=(
            (_rolled(f"{WATCH}{HEADLESS_SERVICE}"), "one that asks DNS"),
            (_rolled(how=""), "0 pods were deleted"),
            (_rolled(how="kill"), "did not leave in order"),
            (_rolled(calls=300), "no calls from before"),
            (_rolled(pre_stop=300.0), "have not ended yet"),
            (_rolled(calls=60, every=1.0, cooldown=1.0), "too few"),
        ),
        forbidden=(
            _rolled(f"{WATCH}{HEADLESS_SERVICE}", pre_stop=5.0),
            _rolled(how="drain"),
            _rolled(pre_stop=1.0),
        ),
    ),
    Exercise(
        name="06.pre-stop",
        question=(
            "A client that watches hears of everything 3 s late; all pods are replaced at once. "
            "How many seconds of preStop are enough, at least?"
        ),
        check=_check_pre_stop,
        unsolved=lambda: 0,
        solution=lambda: 3,
        wrong=(
            (lambda: 1, "two seconds would be missing"),
            (lambda: 2, "a second would be missing"),
            (lambda: 4, "so would less"),
            (lambda: 30, "not DNS that is asked"),
            (lambda: 7, "watch_lag=3.0"),
        ),
        forbidden=(lambda: 2.9, lambda: float("nan"), lambda: -1),
    ),
    Exercise(
        name="06.purse",
        question=(
            "preStop is 20 s, and calls take up to 30 s. How many seconds is "
            "terminationGracePeriodSeconds, at least?"
        ),
        check=_check_purse,
        unsolved=lambda: 30,
        solution=lambda: 50,
        wrong=(
            (lambda: 20, "all preStop's"),
            (lambda: 10, "before preStop does"),
            (lambda: 60, "so would less"),
            (lambda: 40, "comes out of it"),
        ),
        forbidden=(lambda: 49, lambda: float("nan"), lambda: 0),
    ),
)
