"""Who stands where: which address is whose, as far as a trace tells.

A trace names pods ("pod-1") and addresses ("10.244.0.2:50051"), but no fact says which is whose.
It follows: from a call that a pod answered over a connection to an address, from the endpoint that
appeared when a pod started, and, for those that began together, from the order.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from greetlab.trace import Event, Trace


@dataclass
class Topology:
    """Pods with their addresses ("" where the trace does not tell), and the virtual addresses."""

    pods: dict[str, str] = field(default_factory=dict)
    virtual: list[str] = field(default_factory=list)


def topology(trace: Trace) -> Topology:
    """Reads it off a trace."""
    whole = Trace(trace.core)
    found = Topology()
    endpoints = _endpoints(whole, found)
    dialled = {
        e.connection: whole.of_subchannel(e.who, e.subchannel) or ""
        for e in whole.of("ConnectStarted")
    }
    routed = {e.connection: e.endpoint for e in whole.of("ProxyRouted")}
    answered = _answered(whole)
    behind: dict[str, set[str]] = {}
    for connection, pod in answered.items():
        behind.setdefault(dialled.get(connection, ""), set()).add(pod)
    for connection, address in dialled.items():
        # Virtual: the proxy was seen to route it; or it is nobody's endpoint; or, where the trace
        # does not tell of endpoints, several pods answered there.
        if address and (
            connection in routed
            or (endpoints and address not in endpoints)
            or len(behind.get(address, ())) > 1
        ):
            found.virtual.append(address)
    found.virtual = sorted(set(found.virtual))
    for connection, pod in answered.items():
        address = routed.get(connection, dialled.get(connection, ""))
        if address and address not in found.virtual:
            found.pods[pod] = address
        else:
            found.pods.setdefault(pod, "")
    for address in sorted(set(endpoints) - set(found.pods.values())):
        found.pods.setdefault(address, address)  # an endpoint of whom nothing else is known
    return found


def _answered(trace: Trace) -> dict[int, str]:
    """Connection to the pod that answered a call over it. One call a connection is enough."""
    answered: dict[int, str] = {}
    for row in trace.of("CallEnded").rows.tolist():
        fields = trace.core.fields(row)
        if fields["pod"]:
            answered.setdefault(fields["connection"], fields["pod"])
    return answered


def _endpoints(trace: Trace, found: Topology) -> list[str]:
    """Every address that was ever an endpoint; names the pods that came with them."""
    endpoints: list[str] = []
    waiting: list[str] = []
    for event in trace.of("PodChanged", "EndpointsChanged"):
        if event.kind == "PodChanged":
            if event.pod not in found.pods:
                found.pods[event.pod] = ""
                waiting.append(event.pod)
            continue
        new = [a for a in _listed(event) if a not in endpoints]
        endpoints += new
        if len(new) == len(waiting):
            found.pods.update(zip(waiting, new, strict=True))
            waiting = []
    return endpoints


def _listed(event: Event) -> list[str]:
    return event.addresses.split(",") if event.addresses else []
