"""The exercises of notebook 05: how a client hears of new pods."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from greetlab.clusters.cluster import HEADLESS_SERVICE, Cluster
from greetlab.lessons.exercises.exercise import CannotLook, Exercise, known_number, of_type
from greetlab.trace.trace import Trace

SOON, ENOUGH = 1.0, 55.0
"""Seconds within which a new pod is called; seconds for which calls go on."""


def _of_pods(value: Any) -> Trace:
    trace = of_type(value, Trace, "a Trace, such as channel.trace")
    if not len(trace.of("PodChanged")):
        raise CannotLook("this trace does not say what became of the pods; one of the sim does.")
    return trace


def _clients(trace: Trace) -> int:
    started = trace.of("CallStarted")
    return len(np.unique(trace.core.who[started.rows])) if len(started) else 0


def _first_answers(trace: Trace) -> dict[str, float]:
    """When each pod first answered."""
    answers: dict[str, float] = {}
    for event in trace.of("CallEnded", code="OK"):
        answers.setdefault(event.pod, event.seconds)
    return answers


def _check_in_a_second(value: Any) -> str | None:
    trace = _of_pods(value)
    pods = [(event.seconds, event.pod) for event in trace.of("PodChanged", change="started")]
    new = {pod: when for when, pod in pods if when > pods[0][0]}
    if not new:
        return "no pod came in this trace."
    if (clients := _clients(trace)) != 1:
        return f"{clients} clients made calls: a new one finds the new pods without being told."
    if trace.of("CallStarted").seconds[0] >= min(new.values()):
        return "the client made its first call after the new pods had come."
    answers = _first_answers(trace)
    for pod, when in new.items():
        if pod not in answers:
            return f"{pod} has not had one request."
        if (waited := answers[pod] - when) > SOON:
            return f"{pod} waited {waited:.1f} s for its first request, above {SOON:.0f} s."
    return None


def _grown(
    service: str = "watch:///greetserver-headless",
    *,
    pods: int = 5,
    late: bool = False,
    another: bool = False,
    policy: str = "round_robin",
    **options: Any,
) -> Callable[[], Trace]:
    def make() -> Trace:
        cluster = Cluster.sim(pods=3, seed=7, **options)
        channel = cluster.channel(service, policy=policy)
        if not late:
            channel.load(40, every=1.0)
        cluster.run(seconds=1)
        cluster.scale(pods)
        if another:
            cluster.channel(service, policy=policy).load(60, every=0.01)
            return cluster.trace
        channel.load(600, every=0.1)
        return channel.trace

    return make


def _check_cold(value: Any) -> str | None:
    trace = _of_pods(value)
    listed = trace.of("EndpointsChanged", service=HEADLESS_SERVICE)
    alone = [event.seconds for event in listed if event.count == 1]
    more = [event.seconds for event in listed if event.count > 1]
    if not alone or not more:
        return "there was no moment in this trace when one pod was ready, and others came later."
    calls = trace.of("CallStarted").seconds
    if (clients := _clients(trace)) != 1:
        return f"{clients} clients made calls, and this is about the one that came early."
    if calls[0] >= more[0]:
        return "the client made its first call when more than one pod was ready already."
    if calls[-1] < calls[0] + ENOUGH:
        return f"its calls end {calls[-1] - calls[0]:.0f} s after the first one, before a minute."
    if len(answered := _first_answers(trace)) < 3:
        return f"in {calls[-1] - calls[0]:.0f} s only {', '.join(sorted(answered))} answered."
    return None


def _early(
    service: str = "watch:///greetserver-headless",
    *,
    pods: int = 1,
    calls: int = 600,
    interval: float = 2.0,
    clients: int = 1,
    **options: Any,
) -> Callable[[], Trace]:
    def make() -> Trace:
        cluster = Cluster.sim(pods=3, seed=7, start_interval=interval, **options)
        cluster.wait_ready(pods=1)
        for _ in range(clients):
            channel = cluster.channel(service, policy="round_robin").wait_ready(
                pods=pods, timeout=60
            )
            channel.load(calls, every=0.1)
        return cluster.trace

    return make


# kube-controller-manager's --max-endpoints-per-slice is 100 by default, and at most 1000.
def _check_slices(value: Any) -> str | None:
    return known_number(
        value,
        3,
        {
            250: "that would be one for each pod; a slice holds more than one.",
            1: "by default one slice does not hold so many.",
            2: "by default two hold 200.",
        },
        "watch so many pods in the sim and look at EndpointsTold.",
    )


_DNS = HEADLESS_SERVICE

EXERCISES = (
    Exercise(
        name="05.in-a-second",
        question=(
            "Hand in the Trace of one client that made calls before and after 3 pods became 5, "
            f"where both new pods get a request within {SOON:.0f} s."
        ),
        check=_check_in_a_second,
        unsolved=_grown(_DNS, max_connection_age=30.0),
        solution=_grown(),
        wrong=(
            (_grown(watch_lag=5.0), "pod-4 waited 5"),
            (_grown(_DNS), "pod-4 has not had one request"),
            (_grown(late=True), "after the new pods had come"),
            (_grown(_DNS, another=True), "2 clients made calls"),
            (_grown(pods=3), "no pod came"),
        ),
        forbidden=(
            _grown(_DNS, another=True),
            _grown(_DNS, late=True),
            _grown(policy="pick_first"),
        ),
    ),
    Exercise(
        name="05.cold",
        question=(
            "Hand in the Trace of one client that makes its first call when one of three pods is "
            "ready, calls for a minute, and is answered by all three."
        ),
        check=_check_cold,
        unsolved=_early(_DNS),
        solution=_early(),
        wrong=(
            (_early(_DNS, pods=3), "more than one pod was ready already"),
            (_early(_DNS, interval=0.0), "no moment in this trace"),
            (_early(calls=100), "before a minute"),
            (_early(_DNS, clients=2), "2 clients made calls"),
        ),
        forbidden=(_early(_DNS, clients=2), _early(_DNS, pods=3)),
    ),
    Exercise(
        name="05.slices",
        question=(
            "How many EndpointSlices has a Service of 250 pods, at least, where a slice holds as "
            "many endpoints as it does by default?"
        ),
        check=_check_slices,
        unsolved=lambda: 250,
        solution=lambda: 3,
        wrong=(
            (lambda: 1, "does not hold so many"),
            (lambda: 2, "hold 200"),
            (lambda: 25, "EndpointsTold"),
        ),
        forbidden=(lambda: 2.5, lambda: float("nan"), lambda: -3),
    ),
)
