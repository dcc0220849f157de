"""Policies that hear of their pods: health, failures, load; and one that goes by a key."""

from __future__ import annotations

from dataclasses import replace

from conformance.model import Client, Expect, Reply, ScriptedSpec, all_fail, share
from conformance.retries import FAILING
from conformance.scenario import Scenario
from conformance.script_steps import Dead, Healthy, Keys, Replies
from conformance.service_configs import config
from conformance.steps import AwaitState, Calls, Until, WaitReady

A17, A50, A58, A42 = "gRFC A17", "gRFC A50", "gRFC A58", "gRFC A42, A76"
THREE = ScriptedSpec(3)
OTHER_TWO = Expect(by_pod=(("pod-2", 10), ("pod-3", 10)))
EVEN = share(10, 10, 10)
WATCHING = config(
    loadBalancingConfig=[{"round_robin": {}}], healthCheckConfig={"serviceName": "greet"}
)


def ejecting(**fields: object) -> Client:
    """A client that leaves pods out which fail."""
    return config(
        loadBalancingConfig=[
            {
                "outlier_detection_experimental": {
                    "interval": "0.1s",
                    "baseEjectionTime": "0.2s",
                    "maxEjectionPercent": 100,
                    "failurePercentageEjection": {
                        "threshold": 50,
                        "minimumHosts": 3,
                        "requestVolume": 4,
                    },
                    "childPolicy": [{"round_robin": {}}],
                    **fields,
                }
            }
        ]
    )


def weighted(**fields: object) -> Client:
    """A client that goes by load reports."""
    told = {"blackoutPeriod": "0s", "weightUpdatePeriod": "0.1s", **fields}
    return config(loadBalancingConfig=[{"weighted_round_robin": told}])


HASHING = replace(
    config(loadBalancingConfig=[{"ring_hash_experimental": {"requestHashHeader": "user"}}]),
    # A76: without it the field is not read.
    environment=(("GRPC_EXPERIMENTAL_RING_HASH_SET_REQUEST_HASH_KEY", "true"),),
)

# pod-1 has twice the others' weight: half their utilization at the same rate (A58: qps over it).
LOADED = tuple(
    Replies((Reply(load=(utilization, 100.0)),), pods=(f"pod-{number}",), always=True)
    for number, utilization in ((1, 0.25), (2, 0.5), (3, 0.5))
)

HEALTH_AND_LOAD = (
    Scenario(
        "a pod that says NOT_SERVING",
        "is left out, its connection or no",
        A17,
        (
            Healthy(True),
            Healthy(False, ("pod-1",)),
            WaitReady(),
            Until(20, OTHER_TWO),
        ),
        THREE,
        WATCHING,
    ),
    Scenario(
        "a pod that says NOT_SERVING, and SERVING again",
        "it is told, and need not be asked",
        A17,
        (
            Healthy(True),
            WaitReady(),
            Until(30, EVEN),
            Healthy(False, ("pod-1",)),
            Until(20, OTHER_TWO),
            Healthy(True, ("pod-1",)),
            Until(30, EVEN),
        ),
        THREE,
        WATCHING,
    ),
    Scenario(
        "pods without a health service",
        "UNIMPLEMENTED is as good as SERVING",
        A17,
        (WaitReady(), Until(30, EVEN)),
        THREE,
        WATCHING,
    ),
    Scenario(
        "all pods say NOT_SERVING",
        "TRANSIENT_FAILURE: calls fail at once",
        A17,
        (Healthy(False), Calls(2, all_fail(2)), AwaitState(("TRANSIENT_FAILURE",))),
        THREE,
        WATCHING,
    ),
    Scenario(
        "pick_first does not ask after health",
        "whatever the config says",
        A17,
        (Healthy(False), Calls(10, share(10))),
        THREE,
        config(
            loadBalancingConfig=[{"pick_first": {}}], healthCheckConfig={"serviceName": "greet"}
        ),
    ),
    Scenario(
        "a pod that fails its calls is left out",
        "outlier_detection: more than 50 % of an interval's calls failed, and there were enough",
        A50,
        (
            WaitReady(all=True),
            Replies((FAILING,), pods=("pod-1",), always=True),
            Until(20, OTHER_TWO),
        ),
        THREE,
        ejecting(baseEjectionTime="30s"),
    ),
    Scenario(
        "a pod that was left out comes back",
        "after baseEjectionTime, whether it is well or not",
        A50,
        (
            WaitReady(all=True),
            Replies((FAILING,), pods=("pod-1",), always=True),
            Until(20, OTHER_TWO),
            Replies((Reply(),), always=True),
            Until(30, EVEN),
        ),
        THREE,
        ejecting(),
    ),
    Scenario(
        "too few pods to judge",
        "minimumHosts: with less nobody is left out",
        A50,
        (
            WaitReady(all=True),
            Replies((FAILING,), pods=("pod-1",), always=True),
            *(Until(30, Expect(failed=10)),) * 4,
        ),
        THREE,
        ejecting(
            failurePercentageEjection={"threshold": 50, "minimumHosts": 4, "requestVolume": 4}
        ),
    ),
    Scenario(
        "nobody is left out who enforces nothing",
        "enforcementPercentage 0: it is counted, and no more",
        A50,
        (
            WaitReady(all=True),
            Replies((FAILING,), pods=("pod-1",), always=True),
            *(Until(30, Expect(failed=10)),) * 4,
        ),
        THREE,
        ejecting(
            failurePercentageEjection={
                "threshold": 50,
                "minimumHosts": 3,
                "requestVolume": 4,
                "enforcementPercentage": 0,
            }
        ),
    ),
    Scenario(
        "a threshold of failures for two of three",
        "maxEjectionPercent 40: when one of three is out the next one may go, and no third",
        A50,
        (
            WaitReady(all=True),
            Replies((FAILING,), always=True),
            Until(30, Expect(failed=30, share=())),
        ),
        THREE,
        ejecting(maxEjectionPercent=40, baseEjectionTime="30s"),
    ),
    Scenario(
        "calls by weight",
        "weighted_round_robin: half the utilization at the same rate is twice the calls",
        A58,
        (WaitReady(all=True), *LOADED, Until(40, share(10, 10, 20))),
        THREE,
        weighted(),
    ),
    Scenario(
        "weights that nobody reports",
        "all alike: round_robin",
        A58,
        (WaitReady(all=True), Calls(30, EVEN)),
        THREE,
        weighted(),
    ),
    Scenario(
        "weights that are too young",
        "blackoutPeriod: a pod's weight counts only when it has reported for so long",
        A58,
        (WaitReady(all=True), *LOADED, *(Until(30, EVEN),) * 3),
        THREE,
        weighted(blackoutPeriod="60s"),
    ),
    Scenario(
        "one pod that reports",
        "with fewer than two weights they are not used",
        A58,
        (WaitReady(all=True), LOADED[0], *(Until(30, EVEN),) * 3),
        THREE,
        weighted(),
    ),
    Scenario(
        "a key is a pod's",
        "ring_hash: all calls with one key go to one pod, and keys to several",
        A42,
        (Keys("user", at_least_pods=2), Keys("user", as_before=True)),
        THREE,
        HASHING,
    ),
    Scenario(
        "a key's pod dies",
        "its keys move, and those of the others stay",
        A42,
        (
            Keys("user", at_least_pods=2),
            Dead("pod-1"),
            # One may be sent before the client has heard of it: nobody knows what became of that.
            Calls(5, Expect(failed=None, at_most_failed=1, status="UNAVAILABLE")),
            Keys("user", as_before=True, gone=("pod-1",)),
        ),
        THREE,
        HASHING,
    ),
)
