"""What a service config means, and what one means that is not as it should be."""

from __future__ import annotations

import json
from typing import Any

from conformance.model import Client, Expect, Reply, ScriptedSpec, all_fail, share
from conformance.retries import EVERYTHING, FAILING, TWO, retrying
from conformance.scenario import Scenario
from conformance.script_steps import Attempts, Dead, Replies
from conformance.steps import Calls, Until, WaitReady

DOC = "grpc/grpc doc/service_config.md; grpc-proto service_config.proto"
POLICIES = "grpc/grpc src/core/load_balancing/lb_policy_registry.cc, ParseLoadBalancingConfig"
GREET = {"service": "greet.GreetService", "method": "Greet"}
SERVICE = {"service": "greet.GreetService"}
EVEN = share(10, 10)


def config(**fields: Any) -> Client:
    """A client with this service config."""
    return Client(service_config=json.dumps(fields))


def methods(*configs: dict[str, Any]) -> Client:
    """A client with these methodConfigs."""
    return config(methodConfig=list(configs))


RETRY = {
    "maxAttempts": 3,
    "initialBackoff": "0.01s",
    "maxBackoff": "0.01s",
    "backoffMultiplier": 1,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
REFUSED = Calls(1, all_fail(1, status="INVALID_ARGUMENT"))
"""A config that is refused where a channel is made: C-core makes one all of whose calls fail."""
OUT_OF_TIME = Expect(failed=1, status="DEADLINE_EXCEEDED", at_least=0.19, within=0.8)

# Named, for `differences.py` has another end for them.
METHOD_S_TIME = Calls(1, OUT_OF_TIME)
METHOD_S_HEADER = Attempts(1, timeouts=(0.1, 0.2))

SERVICE_CONFIGS = (
    Scenario(
        "the first policy that is known",
        "a client takes the first of the list that it has, and skips the others",
        DOC,
        (WaitReady(all=True), Calls(20, EVEN)),
        TWO,
        config(loadBalancingConfig=[{"of_next_year": {"x": 1}}, {"round_robin": {}}]),
    ),
    Scenario(
        "no policy that is known",
        "the config is refused, and without an older one calls fail",
        POLICIES,
        (REFUSED, Attempts(0)),
        TWO,
        config(loadBalancingConfig=[{"of_next_year": {}}]),
    ),
    Scenario(
        "the policy by its old field",
        "loadBalancingPolicy, in capitals as it was once written",
        "grpc/grpc client_channel_service_config.cc",
        (WaitReady(all=True), Calls(20, EVEN)),
        TWO,
        config(loadBalancingPolicy="ROUND_ROBIN"),
    ),
    Scenario(
        "the policy by both fields",
        "loadBalancingConfig counts",
        DOC,
        (WaitReady(all=True), Calls(20, EVEN)),
        TWO,
        config(loadBalancingPolicy="pick_first", loadBalancingConfig=[{"round_robin": {}}]),
    ),
    Scenario(
        "a policy's wrong field",
        "shuffleAddressList is true or false; anything else refuses the config",
        "grpc/grpc pick_first.cc",
        (REFUSED, Attempts(0)),
        TWO,
        config(loadBalancingConfig=[{"pick_first": {"shuffleAddressList": "perhaps"}}]),
    ),
    Scenario(
        "fields of next year",
        "what a client does not know it skips",
        DOC,
        (WaitReady(all=True), Until(20, EVEN)),  # channelz has READY before the picker (seen)
        TWO,
        config(loadBalancingConfig=[{"round_robin": {"x": 1}}], ofNextYear={"x": 1}),
    ),
    Scenario(
        "a text that is no JSON",
        "the config is refused",
        DOC,
        (REFUSED, Attempts(0)),
        ScriptedSpec(),
        Client(service_config="{"),
    ),
    Scenario(
        "a method's timeout",
        "is the call's, where that is the longer one",
        DOC,
        (
            Replies((Reply(never=True),)),
            METHOD_S_TIME,
            METHOD_S_HEADER,
        ),
        ScriptedSpec(),
        methods({"name": [GREET], "timeout": "0.2s"}),
    ),
    Scenario(
        "a call's own timeout",
        "is the call's, where that is the shorter one",
        DOC,
        (
            Replies((Reply(never=True),)),
            Calls(1, OUT_OF_TIME, timeout=0.2),
            Attempts(1, timeouts=(0.1, 0.21)),  # stock rounds up to milliseconds (seen: 201m)
        ),
        ScriptedSpec(),
        methods({"name": [GREET], "timeout": "5s"}),
    ),
    Scenario(
        "a method that waits",
        "waitForReady: a call waits for a connection until its time is over",
        DOC,
        (Dead("pod-1"), Calls(1, OUT_OF_TIME, timeout=0.2)),
        ScriptedSpec(),
        methods({"name": [SERVICE], "waitForReady": True}),
    ),
    Scenario(
        "a methodConfig without a name",
        "is of no method, and nobody says so: the mistake of many",
        DOC,
        (Replies((FAILING,)), Calls(1, all_fail(1)), Attempts(1)),
        ScriptedSpec(),
        methods({"retryPolicy": RETRY}),
    ),
    Scenario(
        "a methodConfig with no names",
        "the same",
        DOC,
        (Replies((FAILING,)), Calls(1, all_fail(1)), Attempts(1)),
        ScriptedSpec(),
        retrying(name=()),
    ),
    Scenario(
        "a methodConfig of the method",
        "service and method, as the proto file has them",
        DOC,
        (Replies((FAILING,)), Calls(1), Attempts(2)),
        ScriptedSpec(),
        retrying(name=(GREET,)),
    ),
    Scenario(
        "a methodConfig of the service",
        "of all its methods",
        DOC,
        (Replies((FAILING,)), Calls(1), Attempts(2)),
        ScriptedSpec(),
        retrying(name=(SERVICE,)),
    ),
    Scenario(
        "a methodConfig of another method",
        "says nothing of this one",
        DOC,
        (Replies((FAILING,)), Calls(1, all_fail(1)), Attempts(1)),
        ScriptedSpec(),
        retrying(name=({"service": "greet.GreetService", "method": "GreetStream"},)),
    ),
    Scenario(
        "the method before its service",
        "the more exact one counts, and alone: its silence is not filled from the other",
        DOC,
        (Replies((FAILING,)), Calls(1, all_fail(1)), Attempts(1)),
        ScriptedSpec(),
        methods({"name": [SERVICE], "retryPolicy": RETRY}, {"name": [GREET], "timeout": "3s"}),
    ),
    Scenario(
        "one name twice",
        "refuses the config",
        'grpc/grpc service_config_impl.cc, "multiple method configs with same name"',
        (REFUSED, Attempts(0)),
        ScriptedSpec(),
        methods({"name": [GREET]}, {"name": [GREET], "timeout": "3s"}),
    ),
    Scenario(
        "maxAttempts of one",
        "is no retrying at all, and refuses the config",
        'gRFC A6: "must be an integer greater than 1"',
        (REFUSED, Attempts(0)),
        ScriptedSpec(),
        retrying(maxAttempts=1),
    ),
    Scenario(
        "an answer that is too long",
        "maxResponseMessageBytes: RESOURCE_EXHAUSTED, by the client",
        DOC,
        (
            Calls(1, all_fail(1, status="RESOURCE_EXHAUSTED")),
            Attempts(1),
        ),
        ScriptedSpec(),
        methods({"name": [EVERYTHING], "maxResponseMessageBytes": 4}),
    ),
    Scenario(
        "a request that is too long",
        "maxRequestMessageBytes: RESOURCE_EXHAUSTED, and nothing of it is seen",
        DOC,
        (Calls(1, all_fail(1, status="RESOURCE_EXHAUSTED")),),
        ScriptedSpec(),
        methods({"name": [EVERYTHING], "maxRequestMessageBytes": 4}),
    ),
)
