"""What the demo measures, and whether it came out as it should."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from greetlab.channels.calls import Calls
from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE, Cluster
from greetlab.clusters.local import LocalCluster
from greetlab.dns.lookup import Lookup
from greetlab.trace.trace import Trace

PODS = 3
REQUESTS = 60
COST_REQUESTS = 1000


@dataclass(frozen=True)
class Check:
    """Something that has to be so, or the story does not hold."""

    claim: str
    held: bool


@dataclass
class Cost:
    """What one way to connect costs: `calls` one after the other.

    opened: the connections that were opened for them: on the ClusterIP by the proxy's own count, on
        the headless service by the different peers that the pods saw.
    """

    mode: str
    calls: Calls
    opened: int

    @property
    def opened_per_1000(self) -> float:
        """Connections opened for 1,000 requests."""
        return 1000 * self.opened / len(self.calls)


@dataclass
class Story:
    """Everything that was measured, act by act."""

    pods: list[str] = field(default_factory=list)
    lookups: dict[str, Lookup] = field(default_factory=dict)
    sticky: dict[str, Calls] = field(default_factory=dict)
    cold: Calls | None = None
    fair: Calls | None = None
    costs: list[Cost] = field(default_factory=list)
    oracle: dict[str, Calls] = field(default_factory=dict)
    """By gRPC's own engine; the same keys as `sticky`, and "fair"."""
    traces: dict[str, Trace] = field(default_factory=dict)
    """What happened in the sticky client, and in the fair one from its cold start on."""
    checks: list[Check] = field(default_factory=list)

    @property
    def held(self) -> bool:
        """Whether all came out as the explanation says it must."""
        return bool(self.checks) and all(check.held for check in self.checks)

    @property
    def runs(self) -> dict[str, Calls]:
        """Every run of calls by a name that says which it was."""
        runs = {f"sticky-{policy}": calls for policy, calls in self.sticky.items()}
        if self.cold and self.fair:
            runs |= {"headless-cold": self.cold, "headless-ready": self.fair}
        runs |= {f"cost-{cost.mode.replace(' ', '-')}": cost.calls for cost in self.costs}
        return runs | {f"grpc-{name}": calls for name, calls in self.oracle.items()}

    def summary(self) -> dict[str, Any]:
        """The figures as one JSON document."""
        return {
            "held": self.held,
            "checks": [{"claim": check.claim, "held": check.held} for check in self.checks],
            "pods": self.pods,
            "lookups": {name: answer.addresses for name, answer in self.lookups.items()},
            "runs": {
                name: {
                    "title": calls.title,
                    "calls": len(calls),
                    "by_status": calls.by_status,
                    "by_pod": calls.by_pod,
                    "errors": calls.errors,
                    "connections": len(calls.connections),
                    "p50_ms": round(calls.percentile(50) * 1e3, 4),
                    "p99_ms": round(calls.percentile(99) * 1e3, 4),
                }
                for name, calls in self.runs.items()
            },
            "costs": [
                {
                    "mode": cost.mode,
                    "connections_per_1000_requests": cost.opened_per_1000,
                    "p50_ms": round(cost.calls.percentile(50) * 1e3, 4),
                    "p99_ms": round(cost.calls.percentile(99) * 1e3, 4),
                }
                for cost in self.costs
            ],
        }


def tell(cluster: LocalCluster, story: Story) -> Iterator[str]:
    """Runs the acts against `cluster` and fills `story`; yields each act's name when done.

    The acts: "lookups", "sticky", "fair", "costs", "oracle".
    """
    story.pods = [pod.name for pod in cluster.pods]
    _look_up(cluster, story)
    yield "lookups"
    _stick(cluster, story)
    yield "sticky"
    _spread(cluster, story)
    yield "fair"
    _count_the_cost(cluster, story)
    yield "costs"
    _ask_the_oracle(cluster, story)
    yield "oracle"


def _look_up(cluster: Cluster, story: Story) -> None:
    for name in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE):
        story.lookups[name] = cluster.lookup(name)
    one, all_of_them = (set(lookup.addresses) for lookup in story.lookups.values())
    pods = {pod.ip for pod in cluster.pods}
    story.checks += [
        Check(
            f"{CLUSTER_IP_SERVICE} has one address, and it is no pod's",
            len(one) == 1 and not one & pods,
        ),
        Check(f"{HEADLESS_SERVICE} has the address of every pod", all_of_them == pods),
    ]


def _stick(cluster: Cluster, story: Story) -> None:
    for policy in ("pick_first", "round_robin"):
        with cluster.channel(CLUSTER_IP_SERVICE, policy=policy) as channel:
            calls = story.sticky[policy] = channel.greet("Ada", "Lovelace", times=REQUESTS)
            story.traces.setdefault("sticky", channel.trace)  # pick_first's, which is the first
        story.checks += [
            Check(
                f"ClusterIP, {policy}: one pod has all {REQUESTS}, over one connection",
                list(calls.by_pod.values()) == [REQUESTS] and len(calls.connections) == 1,
            )
        ]


def _spread(cluster: Cluster, story: Story) -> None:
    with cluster.channel(HEADLESS_SERVICE, policy="round_robin") as channel:
        cold = story.cold = channel.greet("Ada", "Lovelace", times=REQUESTS)
        cold.title += ", the first 60"
        story.traces["fair"] = channel.trace
        channel.wait_ready(all=True)
        fair = story.fair = channel.greet("Ada", "Lovelace", times=REQUESTS)
        fair.title += ", once all are READY"
    each = REQUESTS // len(story.pods)
    story.checks += [
        Check("headless, round_robin, cold: every call succeeded", cold.ok == REQUESTS),
        Check(
            f"headless, round_robin, all READY: {each} for each pod",
            fair.by_pod == dict.fromkeys(sorted(story.pods), each),
        ),
        Check(
            f"{len(story.pods)} connections, and they were kept",
            len(fair.connections) == len(story.pods)
            and set(cold.connections) <= set(fair.connections),
        ),
    ]


def _routed(cluster: LocalCluster) -> int:
    """How many connections the ClusterIP has opened so far."""
    return sum(fact["fact"] == "opened" for fact in cluster.proxy_facts)


def _count_the_cost(cluster: LocalCluster, story: Story) -> None:
    for mode, service, policy, per_call in (
        ("one per request", CLUSTER_IP_SERVICE, "pick_first", True),
        ("one, sticky", CLUSTER_IP_SERVICE, "pick_first", False),
        ("round robin", HEADLESS_SERVICE, "round_robin", False),
    ):
        routed = _routed(cluster)
        with cluster.channel(service, policy=policy, connection_per_call=per_call) as channel:
            if not per_call:
                channel.wait_ready(all=True)
            calls = channel.load(COST_REQUESTS, concurrency=1)
        routed = _routed(cluster) - routed
        direct = service == HEADLESS_SERVICE
        story.costs.append(Cost(mode, calls, len(calls.connections) if direct else routed))
    per_request, sticky, fair = (cost.opened for cost in story.costs)
    story.checks += [
        Check(
            f"all {3 * COST_REQUESTS:,} calls of the comparison succeeded",
            sum(cost.calls.ok for cost in story.costs) == 3 * COST_REQUESTS,
        ),
        Check(
            "round robin kept its connections: one for each pod, where a connection per request "
            f"opened {COST_REQUESTS:,}",
            (per_request, sticky, fair) == (COST_REQUESTS, 1, len(story.pods)),
        ),
    ]


def _ask_the_oracle(cluster: LocalCluster, story: Story) -> None:
    """The same once more with gRPC's own engine, which knows nothing of ours."""
    for policy in story.sticky:
        with cluster.channel(CLUSTER_IP_SERVICE, policy=policy, engine="grpc") as channel:
            story.oracle[policy] = channel.greet("Ada", "Lovelace", times=REQUESTS)
    with cluster.channel(HEADLESS_SERVICE, policy="round_robin", engine="grpc") as channel:
        channel.wait_ready(all=True)
        story.oracle["fair"] = channel.greet("Ada", "Lovelace", times=REQUESTS)
    assert story.fair is not None
    ours = {**story.sticky, "fair": story.fair}
    story.checks += [
        Check(
            "gRPC's own engine agrees: the same number of pods, and of requests for each",
            all(_shares(ours[name]) == _shares(calls) for name, calls in story.oracle.items()),
        )
    ]


def _shares(calls: Calls) -> list[int]:
    """How many requests a pod got, whichever pod it was: that is a matter of luck."""
    return sorted(calls.by_pod.values())
