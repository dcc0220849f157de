"""The exercises of notebook 03."""

from __future__ import annotations

import json
from typing import Any

from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import GreetChannel
from greetlab.clusters.cluster import Cluster
from greetlab.lessons.exercises.exercise import Exercise, of_type

ENOUGH = 30
"""Calls from which turns can be told from luck."""
TURNS = "round_robin"
SHARING = (TURNS, "weighted_round_robin")


# Calls that the pods share in turn.


def _check_turns(value: Any) -> str | None:
    calls = of_type(value, Calls, "the Calls that greet() and load() return")
    if len(calls) < ENOUGH:
        return f"{len(calls)} calls are too few to tell turns from luck."
    if calls.ok < len(calls):
        return f"{len(calls) - calls.ok} of {len(calls)} calls failed."
    counts = {**dict.fromkeys(calls.known, 0), **calls.by_pod}
    if len(counts) < 2:
        return "there is one pod only: nobody to take turns with."
    if len(counts) < 3:
        return f"{len(counts)} pods took turns, and three are to."
    if len(calls.connections) > len(counts):
        return f"{len(calls)} calls took {len(calls.connections)} connections: it dials all day."
    if len(calls.by_pod) == 1:
        (pod,) = calls.by_pod
        return f"all {len(calls)} calls went to {pod}, over one connection."
    if max(counts.values()) - min(counts.values()) > 1:
        told = ", ".join(f"{pod} {count}" for pod, count in sorted(counts.items()))
        return f"turns would differ by one at most; here it is {told}."
    return None


def _calls(
    service: str = "greetserver-headless",
    policy: str = "round_robin",
    *,
    wait: bool = True,
    times: int = 60,
    pods: int = 3,
    **options: Any,
) -> Calls:
    channel = Cluster.sim(pods=pods, seed=7).channel(service, policy=policy, **options)
    return (channel.wait_ready(all=True) if wait else channel).load(times, 6)


# The service config.


def _check_config(value: Any) -> str | None:
    text = of_type(value, str, "a service config, the JSON text")
    try:
        config = json.loads(text)
    except json.JSONDecodeError as error:
        return f"this is no JSON: {error.msg} at character {error.pos + 1}."
    if not isinstance(config, dict):
        return "a service config is a JSON object."
    if "loadBalancingConfig" in config:  # it wins over the old field
        return _check_list(config["loadBalancingConfig"])
    if "loadBalancingPolicy" in config:  # deprecated: the article's
        name = str(config["loadBalancingPolicy"])
        if name.lower() != "round_robin":
            return f"it asks for the policy {name!r}."
        return "Node ignores loadBalancingPolicy, the older field: use loadBalancingConfig."
    return "nothing in it names a load-balancing policy, so it stays pick_first."


def _check_list(policies: Any) -> str | None:
    if not isinstance(policies, list):
        return "loadBalancingConfig is a list: the client takes the first policy that it knows."
    known = ("pick_first", *SHARING)
    for entry in policies:
        if not isinstance(entry, dict) or len(entry) != 1:
            return f"each policy is an object with one field, its name; {json.dumps(entry)} is not."
        ((name, told),) = entry.items()
        if not isinstance(told, dict):
            return f"what a policy is told is an object, {{}} at least; {json.dumps(told)} is none."
        if name == "round_robin":
            return None
        if name in known:
            return f"the client takes the first policy that it knows: {name}."
    names = ", ".join(name for entry in policies for name in entry) or "nothing"
    return f"no gRPC client knows a policy in this list, which has {names}."


# A channel that is warm before its first call.


def _check_warm(value: Any) -> str | None:
    channel = of_type(value, GreetChannel, "a channel")  # type: ignore[type-abstract]
    made = len(channel.trace.of("CallStarted"))
    if made:
        return f"this channel has made {made} call{'s' * (made != 1)} already."
    states = [subchannel.state for subchannel in channel.subchannels]
    if not states:
        return f"the channel is {channel.state} and has no subchannel yet."
    if len(states) < 2:
        return f"it has one subchannel, {channel.subchannels[0].address}: one to choose from."
    policy = channel.title.rpartition(", ")[2]
    if policy != TURNS:
        return f"its policy is {policy}, which takes no turns."
    cold = [state for state in states if state != "READY"]
    if cold:
        return f"{len(cold)} of {len(states)} subchannels are not READY: {', '.join(cold)}."
    return None


def _channel(service: str = "greetserver-headless", policy: str = "round_robin") -> GreetChannel:
    return Cluster.sim(pods=3, seed=7).channel(service, policy=policy)


def _used() -> GreetChannel:
    channel = _channel().wait_ready(all=True)
    channel.greet()
    return channel


EXERCISES: tuple[Exercise, ...] = (
    Exercise(
        name="03.turns",
        question="Hand in the Calls of one client, 30 at least, that the pods shared in turn.",
        check=_check_turns,
        unsolved=lambda: _calls("greetserver"),
        solution=_calls,
        wrong=(
            (lambda: _calls(policy="pick_first"), "over one connection"),
            (lambda: _calls(policy="random"), "by one at most; here it is pod-1 23, pod-2 20"),
            (lambda: _calls(wait=False, connection_per_call=True), "connections: it dials"),
            (lambda: _calls(times=3), "too few"),
            (lambda: _calls(wait=False), "by one at most; here it is pod-1 18, pod-2 18"),
            (lambda: _calls(pods=2), "2 pods took turns"),
        ),
        forbidden=(lambda: _calls(times=29), lambda: _calls(pods=1), lambda: _calls(pods=2)),
    ),
    Exercise(
        name="03.service-config",
        question="Hand in the service config, as JSON, that makes any gRPC client use round_robin.",
        check=_check_config,
        unsolved=lambda: "{}",
        solution=lambda: '{"loadBalancingConfig": [{"round_robin": {}}]}',
        wrong=(
            (lambda: "{loadBalancingConfig: round_robin}", "no JSON"),
            (lambda: '{"loadBalancingConfig": {"round_robin": {}}}', "is a list"),
            (lambda: '{"loadBalancingConfig": ["round_robin"]}', "an object with one field"),
            (lambda: '{"loadBalancingConfig": [{"roundrobin": {}}]}', "knows a policy"),
            (
                lambda: '{"loadBalancingConfig": [{"pick_first": {}}, {"round_robin": {}}]}',
                "first policy that it knows: pick_first",
            ),
            (lambda: '{"loadBalancingConfig": [{"round_robin": 1}]}', "is told is an object"),
            (lambda: '{"loadBalancingPolicy": "round_robin"}', "the older field"),
        ),
        forbidden=(
            lambda: '{"loadBalancingPolicy": "pick_first"}',
            lambda: '{"loadBalancingConfig": []}',
            lambda: '{"loadBalancingConfig": [], "loadBalancingPolicy": "round_robin"}',
        ),
    ),
    Exercise(
        name="03.warm",
        question="Hand in a channel that has not made a call, and whose first one takes its turn.",
        check=_check_warm,
        unsolved=_channel,
        solution=lambda: _channel().wait_ready(all=True),
        wrong=(
            (lambda: _channel().wait_ready(), "are not READY: CONNECTING"),
            (lambda: _channel("greetserver").wait_ready(all=True), "one subchannel"),
            (_used, "has made 1 call already"),
            (lambda: _channel(policy="random").wait_ready(all=True), "takes no turns"),
        ),
        forbidden=(
            _used,
            lambda: _channel(policy="random").wait_ready(all=True),
            lambda: _channel(policy="pick_first").wait_ready(all=True),
        ),
    ),
)
