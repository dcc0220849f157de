"""Calls that are tried again (gRFC A6), and those that are not."""

from __future__ import annotations

import json
from typing import Any

from conformance.model import Client, Expect, Reply, ScriptedSpec, all_fail
from conformance.scenario import Scenario
from conformance.script_steps import Attempts, Dead, Replies
from conformance.steps import Calls, WaitReady

A6 = "gRFC A6"
EVERYTHING: dict[str, str] = {}
"""A methodConfig's name: of all methods."""
FAILING = Reply("UNAVAILABLE", "not now")
REFUSED_STREAM, INTERNAL_ERROR = 0x7, 0x2
TWO = ScriptedSpec(2)

# Named, for `differences.py` has another end for them.
WORKS = Calls(1)
FAILS = Calls(1, all_fail(1))
AT_ONCE = Calls(1, Expect(within=0.5), timeout=0.6)
ONE_ATTEMPT = Attempts(1)
TWO_ATTEMPTS = Attempts(2)
SENT_AGAIN = Attempts(2, (None, None))
ONE_ON_TOP = Attempts(4, (None, None, "1", "2"))


def retrying(
    *,
    name: object = (EVERYTHING,),
    policy: str | None = None,
    throttling: dict[str, Any] | None = None,
    method: dict[str, Any] | None = None,
    **fields: Any,
) -> Client:
    """A client whose calls are tried again: at once, or nearly, where nobody says otherwise."""
    how = {
        "maxAttempts": 3,
        "initialBackoff": "0.01s",
        "maxBackoff": "0.01s",
        "backoffMultiplier": 1,
        "retryableStatusCodes": ["UNAVAILABLE"],
        **fields,
    }
    config: dict[str, Any] = {
        "methodConfig": [{"name": list(name), "retryPolicy": how, **(method or {})}]  # type: ignore[call-overload]
    }
    if policy is not None:
        config["loadBalancingConfig"] = [{policy: {}}]
    if throttling is not None:
        config["retryThrottling"] = throttling
    return Client(service_config=json.dumps(config))


RETRIES = (
    Scenario(
        "a failure is an answer where nobody says otherwise",
        "without a retryPolicy only what no server has seen is sent again",
        A6,
        (Replies((FAILING,)), Calls(1, all_fail(1)), Attempts(1, (None,))),
        ScriptedSpec(),
        Client(),
    ),
    Scenario(
        "a call is tried again",
        "and its second attempt says that it is one",
        A6,
        (Replies((FAILING,)), Calls(1), Attempts(2, (None, "1"))),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "maxAttempts counts the first one",
        "3 are 3; the call ends as the last of them did",
        A6,
        (
            Replies((FAILING,), always=True),
            Calls(1, all_fail(1)),
            Attempts(3, (None, "1", "2")),
        ),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "maxAttempts is 5 at most",
        "more is taken as 5",
        A6,
        (
            Replies((FAILING,), always=True),
            Calls(1, all_fail(1)),
            Attempts(5, (None, "1", "2", "3", "4")),
        ),
        ScriptedSpec(),
        retrying(maxAttempts=9),
    ),
    Scenario(
        "a code that is not in the list",
        "ends the call, with attempts left",
        A6,
        (
            Replies((FAILING, Reply("INTERNAL"))),
            Calls(1, all_fail(1, status="INTERNAL")),
            Attempts(2),
        ),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "each code in the list",
        "is tried again, whichever came before",
        A6,
        (Replies((FAILING, Reply("ABORTED"))), Calls(1), Attempts(3)),
        ScriptedSpec(),
        retrying(retryableStatusCodes=["ABORTED", "UNAVAILABLE"]),
    ),
    Scenario(
        "a code by its number",
        "is as good as its name",
        "grpc-proto service_config.proto; grpc/grpc retry_service_config.cc",
        (Replies((FAILING,)), WORKS, TWO_ATTEMPTS),
        ScriptedSpec(),
        retrying(retryableStatusCodes=[14]),
    ),
    Scenario(
        "a code in lower case",
        "A6's names are of any case",
        A6,
        (Replies((FAILING,)), WORKS, TWO_ATTEMPTS),
        ScriptedSpec(),
        retrying(retryableStatusCodes=["unavailable"]),
    ),
    Scenario(
        "the time between attempts grows",
        "initialBackoff * backoffMultiplier^(n-1), give or take 20 %",
        "gRFC A6, with A6's jitter of 0.8 to 1.2",
        (
            Replies((FAILING, FAILING)),
            Calls(1),
            Attempts(3, gaps=((0.079, 0.35), (0.159, 0.6))),
        ),
        ScriptedSpec(),
        retrying(initialBackoff="0.1s", maxBackoff="1s", backoffMultiplier=2),
    ),
    Scenario(
        "a server says when",
        "grpc-retry-pushback-ms stands in the backoff's place",
        A6,
        (
            Replies((Reply("UNAVAILABLE", pushback="200"),)),
            Calls(1),
            Attempts(2, (None, "1"), gaps=((0.199, 0.6),)),
        ),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "a server says at once",
        "pushback of 0, where the backoff would take 10 s",
        A6,
        (
            Replies((Reply("UNAVAILABLE", pushback="0"),)),
            AT_ONCE,
            TWO_ATTEMPTS,
        ),
        ScriptedSpec(),
        retrying(initialBackoff="10s", maxBackoff="10s"),
    ),
    Scenario(
        "a server says never",
        "pushback below zero ends the call",
        A6,
        (Replies((Reply("UNAVAILABLE", pushback="-1"),)), Calls(1, all_fail(1)), Attempts(1)),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "a server says something else",
        "pushback that is no number is taken as: do not",
        A6,
        (Replies((Reply("UNAVAILABLE", pushback="soon"),)), FAILS, Attempts(1)),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "headers commit a call",
        "what has begun to be answered is not tried again",
        A6,
        (Replies((Reply("UNAVAILABLE", headers_first=True),)), Calls(1, all_fail(1)), Attempts(1)),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "tokens run out",
        "4 tokens: two failures leave 2, which is half, and nothing is tried again",
        A6,
        (
            Replies((FAILING,), always=True),
            Calls(1, all_fail(1)),
            Attempts(2),
            Calls(1, all_fail(1)),
            Attempts(1),
        ),
        ScriptedSpec(),
        retrying(throttling={"maxTokens": 4, "tokenRatio": 0.1}),
    ),
    Scenario(
        "tokens come back",
        "each call that ends well gives tokenRatio of one back",
        A6,
        (
            Replies((FAILING, FAILING)),
            Calls(1, all_fail(1)),
            Attempts(2),
            Calls(2),
            Attempts(2),
            Replies((FAILING,)),
            Calls(1),
            Attempts(2),
        ),
        ScriptedSpec(),
        retrying(throttling={"maxTokens": 4, "tokenRatio": 1.0}),
    ),
    Scenario(
        "tokens come back by a whole number",
        "a tokenRatio of 1 is one of 1.0",
        A6,
        (
            Replies((FAILING, FAILING)),
            Calls(1, all_fail(1)),
            Attempts(2, (None, "1")),
            Calls(2),
            Attempts(2, (None, None)),
            Replies((FAILING,)),
            WORKS,
            TWO_ATTEMPTS,
        ),
        ScriptedSpec(),
        retrying(throttling={"maxTokens": 4, "tokenRatio": 1}),
    ),
    Scenario(
        "codes that are not tried again take no tokens",
        "only those of the list, and pushback that says no",
        A6,
        (
            Replies((Reply("INTERNAL"),) * 4),
            Calls(4, all_fail(4, status="INTERNAL")),
            Attempts(4),
            Replies((FAILING,)),
            Calls(1),
            Attempts(2),
        ),
        ScriptedSpec(),
        retrying(throttling={"maxTokens": 4, "tokenRatio": 0.1}),
    ),
    Scenario(
        "a call's time is that of all its attempts",
        "the second one has no more than what is left",
        A6,
        (
            Replies((Reply("UNAVAILABLE", after=0.15), Reply(never=True))),
            Calls(
                1,
                Expect(failed=1, status="DEADLINE_EXCEEDED", at_least=0.39, within=0.9),
                timeout=0.4,
            ),
            Attempts(2),
        ),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "a call's time is over between two attempts",
        "the backoff does not outlast the deadline",
        A6,
        (
            Replies((FAILING,), always=True),
            Calls(1, Expect(failed=1, status="DEADLINE_EXCEEDED", within=0.9), timeout=0.3),
            Attempts(1),
        ),
        ScriptedSpec(),
        retrying(initialBackoff="10s", maxBackoff="10s"),
    ),
    Scenario(
        "each attempt is picked anew",
        "with round_robin the second attempt is another pod's",
        A6,
        (
            WaitReady(all=True),
            Replies((FAILING,), pods=("pod-1",), always=True),
            Calls(20, Expect(by_pod=(("pod-2", 20),))),
        ),
        TWO,
        retrying(policy="round_robin"),
    ),
    Scenario(
        "with pick_first all attempts are one pod's",
        "picked anew, and there is one to pick",
        A6,
        (
            Replies((FAILING,), pods=("pod-1",), always=True),
            Calls(1, all_fail(1)),
            Attempts(3, pods=("pod-1",) * 3),
        ),
        TWO,
        retrying(),
    ),
    Scenario(
        "an attempt at nobody",
        "a call that finds no connection fails, and is tried again like any other",
        A6,
        (
            Dead("pod-1"),
            Calls(1, Expect(failed=1, at_least=0.15, within=2.0)),
            Attempts(0),
        ),
        ScriptedSpec(),
        retrying(initialBackoff="0.1s", maxBackoff="0.1s"),
    ),
    Scenario(
        "a stream that was refused",
        "REFUSED_STREAM: nobody has looked at it, so it is sent again, and counts as the first",
        A6,
        (Replies((Reply(reset=REFUSED_STREAM),)), WORKS, SENT_AGAIN),
        ScriptedSpec(),
        Client(),
    ),
    Scenario(
        "a stream that is refused again",
        "once is transparent, twice is not",
        A6,
        (
            Replies((Reply(reset=REFUSED_STREAM),), always=True),
            FAILS,
            SENT_AGAIN,
        ),
        ScriptedSpec(),
        Client(),
    ),
    Scenario(
        "a stream that is refused again, with a policy",
        "the transparent one comes on top of maxAttempts",
        A6,
        (
            Replies((Reply(reset=REFUSED_STREAM),), always=True),
            Calls(1, all_fail(1)),
            ONE_ON_TOP,
        ),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "a stream that is reset",
        "INTERNAL_ERROR is INTERNAL, and no code of the list",
        "grpc/grpc doc/PROTOCOL-HTTP2.md",
        (
            Replies((Reply(reset=INTERNAL_ERROR),)),
            Calls(1, all_fail(1, status="INTERNAL")),
            Attempts(1),
        ),
        ScriptedSpec(),
        retrying(),
    ),
    Scenario(
        "a hedgingPolicy",
        "three attempts at once would be one answer; C-core has no hedging, and does not say so",
        "gRFC A6 (Java, Node and .NET have it); grpc/grpc retry_service_config.cc",
        (
            Replies((Reply(after=0.1),) * 3),
            Calls(1),
            ONE_ATTEMPT,
        ),
        ScriptedSpec(),
        Client(
            service_config=json.dumps(
                {
                    "methodConfig": [
                        {
                            "name": [EVERYTHING],
                            "hedgingPolicy": {"maxAttempts": 3, "hedgingDelay": "0s"},
                        }
                    ]
                }
            )
        ),
    ),
)
