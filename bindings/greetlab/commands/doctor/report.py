"""What is known of a service after it was looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from greetlab.commands.doctor.finding import Finding
from greetlab.commands.doctor.names import ServiceName
from greetlab.commands.doctor.peer import Peer

CONNECTIONS_TRIED = 12
"""How many connections are opened to one address, to see how many pods are behind it: of three pods
all are met with a probability of 98 %."""


@dataclass(frozen=True)
class Run:
    """A number of calls with one policy.

    connections: how many carried calls. by_address: how many calls each address was sent.
    by_pod: how many each pod answered; empty, unless the service is greet. most_pods: how many pods
    answered over one connection, of that which had most. by_status: how they ended. goaways: how
    many connections the server ended in order meanwhile.
    """

    policy: str
    calls: int
    connections: int
    by_address: dict[str, int]
    by_pod: dict[str, int]
    most_pods: int
    by_status: dict[str, int]
    goaways: int = 0


@dataclass(frozen=True)
class Question:
    """A DNS query that the client's lookup took."""

    type: str
    name: str
    status: str
    milliseconds: float


@dataclass(frozen=True)
class Behind:
    """What new connections to the one address met.

    pods: from here. elsewhere: the pods met from other addresses of this machine, by that address.
    """

    pods: list[str]
    elsewhere: dict[str, list[str]] = field(default_factory=dict)

    @property
    def all(self) -> list[str]:
        """Every pod that was met."""
        return sorted({*self.pods, *(pod for pods in self.elsewhere.values() for pod in pods)})

    @property
    def affine(self) -> bool:
        """Whether it depends on the caller's address which pod is met (sessionAffinity)."""
        return len(self.pods) == 1 and len(self.all) > 1


@dataclass(frozen=True)
class Fix:
    """What to change.

    service: a headless Service; "" where the name is one, or needs none. target: what clients dial.
    clients: their lines, by language.
    """

    service: str
    target: str
    clients: dict[str, str]


@dataclass
class ServiceReport:
    """What there is to say about a service, as one client saw it: the lab's own.

    policy: the client's. meanings: what each language makes of the target, where that is not the
    same. questions: all that its lookup asked of DNS. addresses: the answer. service: how
    Kubernetes' DNS knows the name. headless: a headless Service that is there beside it; free_name:
    what one can be called. pods_port: what the pods listen on (targetPort); None: nothing told.
    unreachable: address to reason. runs: the calls with the client's policy, then with round_robin.
    speaks: "greet", "grpc" (another service, or none that says who it is) or "" (nobody answered).
    peers: what each address said of itself. pod_ips: of the pods that said so. behind: what new
    connections to the one address met; None: not to be known. forwarded: the command of the
    port-forward that was called instead of the service. balanced: who shares the calls: the client,
    among connections; a proxy in between, request by request; "" nobody.
    sticky: whether all calls go one way; None: could not be seen. verdict: the same in a sentence.
    findings: what is wrong, each with its remedy. unknown: what cannot be known from here.
    """

    target: str
    policy: str
    meanings: dict[str, str] = field(default_factory=dict)
    questions: list[Question] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    service: ServiceName | None = None
    headless: ServiceName | None = None
    free_name: str = ""
    pods_port: int | None = None
    unreachable: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    speaks: Literal["greet", "grpc", ""] = ""
    peers: dict[str, Peer] = field(default_factory=dict)
    pod_ips: dict[str, str] = field(default_factory=dict)
    behind: Behind | None = None
    forwarded: str = ""
    balanced: Literal["client", "proxy", ""] = ""
    sticky: bool | None = None
    verdict: str = ""
    findings: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    fix: Fix | None = None

    @property
    def healthy(self) -> bool:
        """Whether calls are shared, as far as can be seen, and nothing else is wrong."""
        return (self.sticky is False or self.balanced == "proxy") and not any(
            f.level == "bad" for f in self.findings
        )

    @property
    def proxy(self) -> str:
        """What the proxy calls itself that answered; "" if none said so."""
        return next((peer.proxy for peer in self.peers.values() if peer.proxy), "")

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "healthy": self.healthy}
