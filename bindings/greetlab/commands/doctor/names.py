"""What DNS alone tells of a Service: whether it is headless, which ports it has, who never answers.

Kubernetes' DNS has SRV records of a Service's named ports (kubernetes/dns specification 1.1.0,
2.3.2 and 2.4.2), under the Service's own name too, as CoreDNS does it: of a ClusterIP the target is
the Service itself and the port is the Service's; of a headless one each target is a pod's name
under it, and the port is the pods', the targetPort.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

from greetlab._core import ResolverConfig
from greetlab.dns.lookup import DnsResolver, Lookup, system_resolver, with_usual_port

_PATIENCE = 2.0
"""Seconds for a question of the doctor's own; DNS answers within milliseconds, or not at all."""
_LONGEST_LABEL = 63  # RFC 1035 2.3.4; a Service's name is one label


@dataclass(frozen=True)
class ServiceName:
    """A name, as Kubernetes' DNS knows it.

    name: in full, with its final dot. kind: "" where DNS tells nothing of that kind. ports: those
    that a client can dial. exists: whether DNS knows the name at all.
    """

    name: str
    kind: Literal["cluster_ip", "headless", ""] = ""
    ports: tuple[int, ...] = ()
    exists: bool = True

    def port_for(self, port: int | None) -> int | None:
        """The port to dial: this one, if it has it, or its only one; None: DNS does not tell."""
        if port in self.ports:
            return port
        return self.ports[0] if len(self.ports) == 1 else None


class Names:
    """Asks DNS as a client of that target would.

    server: the target's own, "ip:port"; "" = this machine's.
    """

    def __init__(self, server: str) -> None:
        self._server = server

    @cached_property
    def _config(self) -> ResolverConfig:
        return system_resolver().config

    @property
    def _servers(self) -> list[str]:
        return [with_usual_port(self._server)] if self._server else self._config.servers

    def service(self, name: str) -> ServiceName:
        """What it knows of a name. One that ends with a dot is taken as it stands."""
        found = self._ask(name, "SRV", _PATIENCE)
        full = f"{found.answer_name.rstrip('.')}." if found.ok else name
        if not found.ok:
            return ServiceName(full, exists=found.status != "nxdomain")
        ports = tuple(sorted({srv.port for srv in found.srv}))
        targets = {f"{srv.target.rstrip('.')}.".lower() for srv in found.srv}
        if targets == {full.lower()}:
            return ServiceName(full, "cluster_ip", ports)
        if all(target.endswith(f".{full.lower()}") for target in targets):
            return ServiceName(full, "headless", ports)
        return ServiceName(full)

    def beside(self, name: str) -> tuple[ServiceName | None, str]:
        """A headless Service that is there already beside one with a ClusterIP, by custom; and the
        first name of that kind that is still free, for one to come."""
        free = ""
        for candidate in headless_names(name):
            found = self.service(candidate)
            if found.kind == "headless":
                return found, free
            if not found.exists and not free:
                free = candidate
        return None, free

    def silence(self, name: str) -> dict[str, Lookup]:
        """A and AAAA, each asked alone and once, at the same time; see what became of each."""
        with ThreadPoolExecutor(2) as threads:
            asked = {
                kind: threads.submit(self._ask, name, kind, _PATIENCE) for kind in ("A", "AAAA")
            }
            return {kind: each.result() for kind, each in asked.items()}

    @property
    def patience(self) -> float:
        """Seconds until a client of this resolv.conf gives up a question that nobody answers."""
        return len(self._servers) * self._config.attempts * self._config.timeout

    def _ask(self, name: str, kind: Literal["A", "AAAA", "SRV"], timeout: float) -> Lookup:
        resolver = DnsResolver(
            self._servers, self._config.search, self._config.ndots, timeout, attempts=1
        )
        return resolver.lookup(name, [kind])


def headless_names(name: str) -> Iterator[str]:
    """What a headless Service beside `name` may be called: never `name` itself, for a clusterIP
    cannot be changed, nor longer than a Service's name may be."""
    first, dot, rest = name.partition(".")
    for end in ("-headless", "-pods", "-direct"):
        stem = first.removesuffix("-headless")[: _LONGEST_LABEL - len(end)].rstrip("-")
        if stem + end != first:
            yield f"{stem}{end}{dot}{rest}"


def is_service_name(host: str) -> bool:
    """Whether it can be a Service's: no address, not this machine, labels of DNS (RFC 1123)."""
    labels = host.rstrip(".").split(".")
    if host == "localhost" or not all(
        label.replace("-", "").isalnum() and label.isascii() and label.strip("-") == label
        for label in labels
    ):
        return False
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return not labels[-1].isdecimal()
    return False
