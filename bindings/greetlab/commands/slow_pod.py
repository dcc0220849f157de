"""Five pods, one of them slow, at 70 % of what they can do: what each policy makes of it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from greetlab.channels.policies import AnyPolicy
from greetlab.clusters.cluster import Cluster

PODS = 5
CAPACITY = 2
QUEUE = 20
SERVICE_TIME = 0.02
"""Seconds that a pod serves a call on average (exponential)."""
SLOWER = 4
"""Times as long as the others takes the last pod."""
LOAD = 0.7
"""Of what all pods can do together."""
RATE = LOAD * CAPACITY / SERVICE_TIME * (PODS - 1 + 1 / SLOWER)
"""Calls a second: about 297."""
TIMEOUT = 2.0
USER = "user-id"
USERS = 500
WORLDS = ("sim", "local")

POLICIES: dict[str, AnyPolicy] = {
    "pick_first": "pick_first",
    "round_robin": "round_robin",
    "random": "random",
    "least_request": "least_request",
    "least_request, of 5": {"least_request": {"choiceCount": 5}},
    "weighted_round_robin": {
        "weighted_round_robin": {"blackoutPeriod": "0.5s", "weightUpdatePeriod": "0.1s"}
    },
    "ring_hash_experimental": {"ring_hash_experimental": {"requestHashHeader": USER}},
    "random_subsetting": {"random_subsetting": {"subsetSize": 3}},
    "outlier_detection_experimental": {
        "outlier_detection_experimental": {
            "interval": "0.5s",
            "baseEjectionTime": "2s",
            "maxEjectionPercent": 20,
            "failurePercentageEjection": {"threshold": 20, "requestVolume": 10},
            "childPolicy": [{"round_robin": {}}],
        }
    },
}
"""Each policy there is, told what makes a difference in some seconds."""


@dataclass(frozen=True)
class Made:
    """What a policy made of it in one world.

    p50, p99: seconds of the calls that were answered; NaN if none was. share: of these calls, which
    the slow pod answered, 0 to 1. failed: how many were refused or out of time.
    """

    world: str
    policy: str
    calls: int
    p50: float
    p99: float
    share: float
    failed: int

    def as_dict(self) -> dict[str, Any]:
        """For JSON, which has no NaN."""
        told = asdict(self)
        return {k: None if isinstance(v, float) and math.isnan(v) else v for k, v in told.items()}


def one_slow_pod(world: str, calls: int, seed: int) -> Iterator[Made]:
    """Each policy in turn, on pods of its own, as each has ended.

    world: "sim" or "local". calls: how many each gets, at random moments, `RATE` a second.
    """
    make: Callable[..., Any] = Cluster.sim if world == "sim" else Cluster.local
    for name, policy in POLICIES.items():
        with make(
            pods=PODS,
            capacity=CAPACITY,
            queue=QUEUE,
            service_time=f"exponential {SERVICE_TIME * 1e3:g}ms",
            load_reports=True,
            seed=seed,
        ) as cluster:
            slow = cluster.pods[-1].name
            cluster.slow(slow, f"exponential {(SLOWER - 1) * SERVICE_TIME * 1e3:g}ms")
            with cluster.channel("greetserver-headless", policy=policy) as channel:
                done = channel.load(
                    calls,
                    every=f"exponential {1e6 / RATE:.0f}us",
                    timeout=TIMEOUT,
                    keys={USER: USERS},
                )
        yield Made(
            world=world,
            policy=name,
            calls=calls,
            p50=done.percentile(50),
            p99=done.percentile(99),
            share=done.by_pod.get(slow, 0) / max(done.ok, 1),
            failed=len(done) - done.ok,
        )
