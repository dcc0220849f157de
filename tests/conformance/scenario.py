"""What a scenario is, and what many of them share."""

from __future__ import annotations

from dataclasses import dataclass

from conformance.model import Client, ClusterSpec, ScriptedSpec, share
from conformance.steps import Step

THREE_PODS = ClusterSpec()
FAIR = Client(policy="round_robin")


@dataclass(frozen=True)
class Scenario:
    """A name, why it must be so and who says so, and what happens."""

    name: str
    why: str
    source: str
    steps: tuple[Step, ...]
    cluster: ClusterSpec | ScriptedSpec = THREE_PODS
    client: Client = FAIR


SPEC = "grpc/grpc doc/client_channel_specification.md"
LOAD_BALANCING = "grpc/grpc doc/load-balancing.md"
STATES = "grpc/grpc doc/connectivity-semantics-and-api.md"
BACKOFF = "grpc/grpc doc/connection-backoff.md"
WAIT_FOR_READY = "grpc/grpc doc/wait-for-ready.md"
ROUND_ROBIN = "grpc/grpc src/core/load_balancing/round_robin/round_robin.cc"
COOLDOWN = "grpc/grpc src/core/resolver/polling_resolver.cc, dns_min_time_between_resolutions_ms"
IDLE = "grpc/grpc src/core/ext/filters/channel_idle, GRPC_ARG_CLIENT_IDLE_TIMEOUT_MS"
KUBE_PROXY = "kubernetes.io: Virtual IPs and Service Proxies"
K8S_DNS = "kubernetes/dns docs/specification.md 1.1.0"

ALL = ("pod-1", "pod-2", "pod-3")
FIRST_TWO = ("pod-1", "pod-2")
EVEN = share(20, 20, 20)
LAGGING = ClusterSpec(listed_when_dead=True)
PICK_FIRST = Client(policy="pick_first")
QUICK = Client(policy="round_robin", cooldown=0.1)
