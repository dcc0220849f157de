"""The exercises of notebook 07: retries, and pods that fall silent."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import numpy as np

from greetlab.clusters.cluster import Cluster
from greetlab.lessons.exercises.exercise import CannotLook, Exercise, known_number, of_type
from greetlab.trace.trace import Trace

ATTEMPTS, FAILED, SECONDS = 3, 100, 1200.0
"""Attempts a call at most; calls that may fail; seconds after the loss for which calls go on."""
AGAIN = ["UNAVAILABLE"]
_FIELDS = ("maxAttempts", "initialBackoff", "maxBackoff", "backoffMultiplier")


# A service config that tries again.


def _check_config(value: Any) -> str | None:
    text = of_type(value, str, "a service config, the JSON text")
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        return f"this is no JSON: {error.msg} at character {error.pos + 1}."
    methods = config.get("methodConfig") if isinstance(config, dict) else None
    if not isinstance(methods, list) or not methods or not isinstance(methods[0], dict):
        return (
            "nothing in it says what to do for a method: there is no methodConfig, or it is empty."
        )
    names = methods[0].get("name")
    if not names:
        return "the entry's name list is empty: it applies to no method, and nobody complains."
    if {} not in names:
        return f"it is for {json.dumps(names)} only, and every method was asked for."
    policy = methods[0].get("retryPolicy")
    if not isinstance(policy, dict):
        return "the entry has no retryPolicy."
    if missing := [field for field in _FIELDS if field not in policy]:
        return f"the retryPolicy says no {', '.join(missing)}; gRPC refuses it."
    if policy["maxAttempts"] != ATTEMPTS:
        return f"maxAttempts is {policy['maxAttempts']}, the first one included."
    codes = policy.get("retryableStatusCodes")
    if codes != AGAIN:
        return f"it tries again after {json.dumps(codes)}, and {AGAIN[0]} was asked for."
    budget = config.get("retryThrottling")
    if not isinstance(budget, dict) or not {"maxTokens", "tokenRatio"} <= budget.keys():
        return "nothing limits all the retries together: it would feed a storm."
    return None


def _config(**changes: Any) -> Callable[[], str]:
    """Makes a good one, but for the changes: to the entry, its policy, or the budget."""

    def make() -> str:
        policy = {
            "maxAttempts": ATTEMPTS,
            "initialBackoff": "0.1s",
            "maxBackoff": "1s",
            "backoffMultiplier": 2,
            "retryableStatusCodes": AGAIN,
        }
        policy |= {name: told for name, told in changes.items() if name in policy}
        entry = {"name": changes.get("name", [{}]), "retryPolicy": policy}
        budget = changes.get("budget", {"maxTokens": 10, "tokenRatio": 0.1})
        return json.dumps(
            {"methodConfig": [entry], **({"retryThrottling": budget} if budget else {})}
        )

    return make


# The cap.


def _check_attempts(value: Any) -> str | None:
    return known_number(
        value,
        5,
        {
            10: "the policy asks for ten, and gRPC has a cap of its own, whatever it is told.",
            9: "nine would be the retries of ten attempts; gRPC has a cap below that.",
            4: "four is how many retries there are; the first attempt counts, too.",
            1: "with one there would be no retry at all.",
        },
        "run it against pods that fail each call and count Picked.",
    )


# A machine is lost, and somebody notices.


def _check_silence(value: Any) -> str | None:
    trace = of_type(value, Trace, "a Trace, such as channel.trace")
    changes = trace.of("PodChanged")
    if not len(changes):
        raise CannotLook("this trace does not say what became of the pods; one of the sim does.")
    gone = [event for event in changes if event.change in ("killed", "draining", "lost")]
    if not gone:
        return "no pod's machine is lost in this trace."
    if gone[0].change != "lost":
        return f"{gone[0].pod} was {gone[0].change}, and a client hears of that; a loss is silent."
    started = trace.of("CallStarted").seconds
    if not len(started) or started[0] > gone[0].seconds:
        return "the client made no call before the machine was lost."
    if started[-1] < gone[0].seconds + 0.95 * SECONDS:
        return f"the calls end {started[-1] - gone[0].seconds:.0f} s after it, and not 20 minutes."
    rate = len(started) / (started[-1] - started[0])
    if rate < 5:
        return f"{rate:.1f} calls a second are too few to be hurt; the question has ten."
    if (failed := int(np.count_nonzero(trace.column("CallEnded", "code")))) > FAILED:
        return f"{failed} of {len(started)} calls failed before anybody noticed."
    return None


def _silent(
    how: str = "lose", *, calls: int = 12_000, every: float = 0.1, **options: Any
) -> Callable[[], Trace]:
    def make() -> Trace:
        cluster = Cluster.sim(pods=3, seed=7)
        channel = cluster.channel("greetserver-headless", policy="round_robin", **options)
        channel.wait_ready(all=True).start(calls, every=every, timeout=1.0)
        cluster.run(seconds=20)
        if how:
            getattr(cluster, how)("pod-2")
        cluster.run(seconds=1300)
        return channel.trace

    return make


EXERCISES = (
    Exercise(
        name="07.config",
        question=(
            "Hand in a service config (JSON) that makes calls of every method again after "
            "UNAVAILABLE, at most three attempts each, with a budget for all of them."
        ),
        check=_check_config,
        unsolved=_config(name=[]),
        solution=_config(),
        wrong=(
            (_config(budget=None), "feed a storm"),
            (_config(maxAttempts=4), "maxAttempts is 4"),
            (_config(retryableStatusCodes=[*AGAIN, "INTERNAL"]), '"INTERNAL"'),
            (_config(name=[{"service": "greet.GreetService"}]), "every method was asked for"),
            (lambda: "{}", "no methodConfig"),
        ),
        forbidden=(
            _config(maxAttempts=1),
            _config(retryableStatusCodes=[]),
            lambda: '{"methodConfig": [{"name": [{}], "retryPolicy": {"maxAttempts": 3}}]}',
        ),
    ),
    Exercise(
        name="07.attempts",
        question="maxAttempts is 10: how many attempts does gRPC make of a call, at most?",
        check=_check_attempts,
        unsolved=lambda: 10,
        solution=lambda: 5,
        wrong=(
            (lambda: 9, "the retries of ten"),
            (lambda: 4, "the first attempt counts"),
            (lambda: 1, "no retry at all"),
            (lambda: 3, "count Picked"),
        ),
        forbidden=(lambda: 6, lambda: float("nan"), lambda: -1),
    ),
    Exercise(
        name="07.silence",
        question=(
            "Hand in the Trace of one client whose pod's machine is lost, that makes ten calls a "
            f"second for 20 minutes after it, and of whose calls at most {FAILED} fail."
        ),
        check=_check_silence,
        unsolved=_silent(),
        solution=_silent(keepalive_time=10.0),
        wrong=(
            (_silent(keepalive_time=10.0, keepalive_timeout=60.0), "before anybody noticed"),
            (_silent("kill"), "was killed"),
            (_silent(""), "no pod's machine"),
            (_silent(calls=600, keepalive_time=10.0), "not 20 minutes"),
            (_silent(calls=250, every=5.0), "too few"),
        ),
        forbidden=(
            _silent(keepalive_time=10.0, keepalive_timeout=60.0),
            _silent("drain"),
            _silent(calls=600),
        ),
    ),
)
