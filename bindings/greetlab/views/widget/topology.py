"""Who stands where: which address is whose, as the trace says it.

`PodChanged` has the addresses of each pod, of each family one. A client's own trace, from where the
cluster tells nothing (`greetlab kube run`), has no such fact; there an address is a pod's if only
that pod has answered at it.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from greetlab.trace.trace import Event, Trace


@dataclass
class Topology:
    """Pods with their addresses (none where the trace does not tell), and the virtual addresses."""

    pods: dict[str, list[str]] = field(default_factory=dict)
    virtual: list[str] = field(default_factory=list)

    @property
    def known(self) -> set[str]:
        """Every address that is a pod's."""
        return {address for addresses in self.pods.values() for address in addresses}


def topology(trace: Trace) -> Topology:
    """Reads it off a trace."""
    whole = Trace(trace.core)
    found = Topology({e.pod: e.address.split(",") for e in whole.of("PodChanged")})
    told = bool(found.pods)
    endpoints = {address for e in whole.of("EndpointsChanged") for address in _listed(e)}
    for address in sorted(endpoints - found.known):
        found.pods[address] = [address]  # an endpoint of whom nothing else is known
    dialled = {
        e.connection: whole.of_connection(e.connection) or "" for e in whole.of("ConnectStarted")
    }
    routed = {e.connection for e in whole.of("ProxyRouted")}
    answered = _answered(whole)
    behind: dict[str, set[str]] = {}
    for connection, pod in answered:
        found.pods.setdefault(pod, [])
        behind.setdefault(dialled.get(connection, ""), set()).add(pod)
    known = found.known
    for connection, address in dialled.items():
        # Virtual: the proxy was seen to route it, or it is nobody's; or, where the trace does not
        # tell whose it is, several pods answered there.
        several = len(behind.get(address, ())) > 1
        if address and (connection in routed or (told and address not in known) or several):
            found.virtual.append(address)
    found.virtual = sorted(set(found.virtual))
    for address, pods in behind.items():
        if not told and address and address not in found.virtual:
            found.pods[next(iter(pods))] = [address]
    return found


def _answered(trace: Trace) -> set[tuple[int, str]]:
    """Over which connection which pod answered."""
    answered: set[tuple[int, str]] = set()
    for row in trace.of("CallEnded").rows.tolist():
        fields = trace.core.fields(row)
        if fields["pod"]:
            answered.add((fields["connection"], fields["pod"]))
    return answered


def _listed(event: Event) -> list[str]:
    return event.addresses.split(",") if event.addresses else []
