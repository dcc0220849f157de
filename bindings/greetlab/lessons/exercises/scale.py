"""The exercises of notebook 04."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from greetlab.clusters.cluster import Cluster
from greetlab.clusters.sim import SimChannel, SimCluster
from greetlab.lessons.exercises.exercise import CannotLook, Exercise, known_number, of_type
from greetlab.trace.trace import Trace

SOON = 60.0
"""Seconds within which a new pod is to be found."""
LEAVING = ("killed", "draining", "lost")


def _of_one_client(value: Any) -> Trace:
    """A trace that tells what the cluster did, and what one client made of it."""
    trace = of_type(value, Trace, "a Trace, such as channel.trace")
    if not len(trace.of("PodChanged")):
        raise CannotLook("this trace does not say what became of the pods; one of the sim does.")
    return trace


def _changes(trace: Trace) -> list[tuple[float, str, str]]:
    """What became of the pods: (second, pod, change)."""
    return [(event.seconds, event.pod, event.change) for event in trace.of("PodChanged")]


def _failed(trace: Trace) -> int:
    return int(np.count_nonzero(trace.column("CallEnded", "code")))


# The new pods get requests.


def _check_new_pods(value: Any) -> str | None:
    trace = _of_one_client(value)
    changes = _changes(trace)
    began = changes[0][0]
    new = {pod: when for when, pod, change in changes if change == "started" and when > began}
    if not new:
        return "no pod came in this trace."
    left = [pod for _, pod, change in changes if change in LEAVING]
    if left:
        return f"{left[0]} went away; here nobody needs to."
    started = trace.of("CallStarted")
    clients = {trace.word(int(code)) for code in np.unique(trace.core.who[started.rows])}
    came = min(new.values())
    if len(clients) != 1:
        return (
            f"{len(clients)} clients made calls: a new one finds the new pods, and this is about "
            "an old one."
        )
    if not len(started) or started.seconds[0] > came:
        return "the client made its first call after the new pods had come."
    if failed := _failed(trace):
        return f"{failed} of {len(started)} calls failed."
    if started.seconds[-1] < came + SOON:
        return f"the calls end less than {SOON:.0f} s after the new pods came."
    ended = trace.of("CallEnded")
    answered = [trace.word(int(code)) for code in trace.column("CallEnded", "pod")]
    for pod, when in new.items():
        mine = [s for s, who in zip(ended.seconds, answered, strict=True) if who == pod]
        if not mine:
            return f"{pod} has not had one request: {_looked_up_since(trace, when)}."
        if mine[0] - when > SOON:
            return f"{pod} waited {mine[0] - when:.0f} s for its first request, above {SOON:.0f} s."
    return None


def _looked_up_since(trace: Trace, when: float) -> str:
    count = int(np.count_nonzero(trace.of("LookupStarted").seconds > when))
    return f"{count} lookups came after it" if count else "no lookup came after it"


def _grown(
    *, policy: str = "round_robin", age: float | None = None
) -> tuple[SimCluster, SimChannel]:
    cluster = Cluster.sim(pods=3, seed=7, max_connection_age=age)
    channel = cluster.channel("greetserver-headless", policy=policy)
    channel.load(60, every=1.0)
    cluster.scale(5)
    return cluster, channel


def _new_pods(seconds: int = 180, **options: Any) -> Callable[[], Trace]:
    def make() -> Trace:
        _, channel = _grown(**options)
        channel.load(seconds, every=1.0)
        return channel.trace

    return make


def _another_client() -> Trace:
    cluster, _ = _grown()
    cluster.channel("greetserver-headless", policy="round_robin").load(180, every=1.0)
    return cluster.trace


def _killed() -> Trace:
    cluster, channel = _grown()
    cluster.kill("pod-1")
    channel.load(180, every=1.0)
    return channel.trace


# The number of lookups in an hour.


def _check_hour(value: Any) -> str | None:
    return known_number(
        value,
        1,
        {
            0: "without any lookup it would not know where to connect to.",
            120: "that would be one every 30 s; the 30 s are a minimum between two, not a period.",
            720: "that would be one every 5 s, when the answer's TTL ends; gRPC does not look at "
            "it.",
        },
        "run the hour and count LookupStarted.",
    )


# A pod leaves, and no call fails.


def _check_goodbye(value: Any) -> str | None:
    trace = _of_one_client(value)
    leaving = [change for change in _changes(trace) if change[2] in LEAVING]
    if not leaving:
        return "no pod left in this trace."
    when, pod, change = leaving[0]
    verb = {"killed": "was killed", "draining": "was drained", "lost": "was lost"}[change]
    started, ended = trace.of("CallStarted").seconds, trace.of("CallEnded").seconds
    if not len(started) or started[-1] <= when:
        return f"no call began after {pod} {verb}."
    if len(ended) < len(started):
        return f"{len(started) - len(ended)} calls have not ended in this trace: who knows how."
    if failed := _failed(trace):
        return f"{failed} of {len(started)} calls failed after {pod} {verb}."
    if np.count_nonzero(started < when) <= np.count_nonzero(ended <= when):
        return f"no call was in flight when {pod} {verb}: nobody was there to be hurt."
    return None


def _goodbye(how: str, *, idle: bool = False, seconds: float = 60) -> Callable[[], Trace]:
    def make() -> Trace:
        cluster = Cluster.sim(pods=3, seed=7, latency=0.005)
        channel = cluster.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
        busiest = max(channel.greet(times=6).by_pod)
        if idle:
            getattr(cluster, how)(busiest)
            cluster.run(seconds=1)
            channel.greet(times=60)
            return channel.trace
        channel.start(600, 10, timeout=1.0)
        cluster.run(seconds=0.1)
        if how:
            getattr(cluster, how)(busiest)
        cluster.run(seconds=seconds)
        return channel.trace

    return make


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="04.new-pods",
        question=(
            "Hand in the Trace of one client that made calls before and after 3 pods became 5: "
            f"both new pods get a request within {SOON:.0f} s, and no pod leaves."
        ),
        check=_check_new_pods,
        unsolved=_new_pods(),
        solution=_new_pods(age=30.0),
        wrong=(
            (_new_pods(age=30.0, policy="pick_first"), "pod-4 waited 125 s"),
            (_new_pods(900, age=600.0), "pod-4 waited 4"),
            (_new_pods(30, age=30.0), "the calls end less than 60 s after"),
            (_another_client, "2 clients made calls"),
            (_killed, "pod-1 went away"),
        ),
        forbidden=(_another_client, _killed),
    ),
    Exercise(
        name="04.the-hour",
        question="How often does a healthy round_robin channel look its name up in an hour?",
        check=_check_hour,
        unsolved=lambda: 120,
        solution=lambda: 1,
        wrong=(
            (lambda: 0, "would not know where"),
            (lambda: 720, "TTL"),
            (lambda: 60, "count LookupStarted"),
        ),
        forbidden=(lambda: 2, lambda: float("nan"), lambda: -1, lambda: 1.5),
    ),
    Exercise(
        name="04.goodbye",
        question=(
            "Hand in the Trace of one client with calls in flight when a pod left, "
            "and none of them failed."
        ),
        check=_check_goodbye,
        unsolved=_goodbye("kill"),
        solution=_goodbye("drain"),
        wrong=(
            (_goodbye("lose"), "was lost"),
            (_goodbye(""), "no pod left"),
            (_goodbye("kill", idle=True), "in flight"),
            (_goodbye("lose", seconds=0.5), "have not ended"),
        ),
        forbidden=(_goodbye("lose", seconds=0.5), _goodbye("drain", idle=True)),
    ),
)
