"""What is known of a Service in a cluster after it was looked at."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

from greetlab.commands.doctor.finding import Finding


@dataclass
class Cure:
    """Something to be done, for the user to do: nothing is ever applied.

    command: the whole of it. refused: why the server would not take it (--dry-run=server); "": it
    would.
    """

    title: str
    command: str
    refused: str = ""


@dataclass(frozen=True)
class Inside:
    """What a client of ours saw, in a pod of the namespace.

    addresses: what the name gave. failed: those of them that could not be reached, and why.
    said: DNS's answer where there is no address, "NXDOMAIN".
    """

    addresses: list[str]
    failed: dict[str, str] = field(default_factory=dict)
    said: str = ""


@dataclass
class ServiceLook:
    """One Service.

    service: "greetlab/greetserver". kind: "ClusterIP", "headless", "NodePort", .... port: the one
    that clients dial; None: it has none. inside: None: nobody of ours could look from there.
    connections: of each pod of the client, how many it has to whom. sticky: None: cannot be known.
    """

    service: str
    kind: str
    port: int | None
    ready: list[str] = field(default_factory=list)
    not_ready: list[str] = field(default_factory=list)
    terminating: list[str] = field(default_factory=list)
    inside: Inside | None = None
    connections: dict[str, dict[str, int]] = field(default_factory=dict)
    sticky: bool | None = None
    verdict: str = ""
    findings: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    cures: list[Cure] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Nothing is to be done."""
        return not self.sticky and not any(finding.level == "bad" for finding in self.findings)


@dataclass
class ClusterReport:
    """What was looked at, and each Service that it is about.

    role: "client": of these Services, "server": behind them.
    """

    context: str
    namespace: str
    target: str
    role: str
    services: list[ServiceLook]

    @property
    def healthy(self) -> bool:
        """Nothing is to be done."""
        return all(look.healthy for look in self.services)

    def to_dict(self) -> dict[str, Any]:
        """For JSON."""
        services = [{"healthy": look.healthy, **asdict(look)} for look in self.services]
        return {"healthy": self.healthy, **asdict(self), "services": services}
