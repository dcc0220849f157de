"""What is known of a service after it was looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from greetlab.commands.doctor.finding import Finding

CONNECTIONS_TRIED = 12
"""How many connections are opened to one address, to see how many pods are behind it: of three pods
all are met with a probability of 98 %."""


@dataclass(frozen=True)
class Run:
    """A number of calls with one policy.

    connections: how many carried calls. by_address: how many calls each address was sent.
    by_pod: how many each pod answered; empty, unless the service is greet. by_status: how they
    ended.
    """

    policy: str
    calls: int
    connections: int
    by_address: dict[str, int]
    by_pod: dict[str, int]
    by_status: dict[str, int]


@dataclass(frozen=True)
class Question:
    """A DNS query that the client's lookup took."""

    type: str
    name: str
    status: str
    milliseconds: float


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
    """What there is to say about a service.

    policy: the client's. questions: all that its lookup asked of DNS. addresses: the answer.
    unreachable: address to reason. runs: the calls with the client's policy, then with round_robin.
    speaks: "greet", "grpc" (another service, or none that says who it is) or "" (nobody answered).
    behind: the pods met by CONNECTIONS_TRIED connections to the one address; None: not to be known.
    sticky: whether all calls go one way; None: could not be seen. verdict: the same in a sentence.
    findings: what is wrong, each with its remedy. unknown: what cannot be known from here.
    """

    target: str
    policy: str
    questions: list[Question] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    speaks: str = ""
    behind: list[str] | None = None
    sticky: bool | None = None
    verdict: str = ""
    findings: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    fix: Fix | None = None

    @property
    def healthy(self) -> bool:
        """Whether calls are shared and nothing else is wrong."""
        return self.sticky is False and not any(f.level == "bad" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "healthy": self.healthy}
