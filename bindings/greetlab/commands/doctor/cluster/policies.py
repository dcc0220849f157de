"""What a NetworkPolicy lets through (kubernetes.io, "Network Policies")."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from typing import Any, Literal

from greetlab.clusters.kube.kubectl import Object

Direction = Literal["Ingress", "Egress"]


@dataclass(frozen=True)
class End:
    """A pod, as policies see it. space: its namespace; its labels are `space_labels`."""

    labels: dict[str, str]
    space: str
    space_labels: dict[str, str]
    ip: str = ""
    ports: tuple[tuple[str, int], ...] = ()
    """Those that it names."""


def selecting(policies: list[Object], pod: End, direction: Direction) -> list[Object]:
    """Those that isolate the pod in this direction."""
    return [
        policy
        for policy in policies
        if policy["metadata"]["namespace"] == pod.space
        and direction in _types(policy["spec"])
        and _selects(policy["spec"].get("podSelector") or {}, pod.labels)
    ]


def lets(policies: list[Object], pod: End, peer: End, port: int, direction: Direction) -> bool:
    """Whether one of the policies that select `pod` lets it speak with `peer`.

    port: the server's, TCP. Ingress: `pod` is the server; Egress: it is the client.
    """
    server = pod if direction == "Ingress" else peer
    key, side = ("ingress", "from") if direction == "Ingress" else ("egress", "to")
    return any(
        _peers(rule.get(side), peer, pod.space) and _ports(rule.get("ports"), port, server)
        for policy in policies
        for rule in policy["spec"].get(key) or ()
    )


def _types(spec: Object) -> list[str]:
    """Ingress always, and Egress if it has such rules, where it does not say."""
    default = ["Ingress", "Egress"] if spec.get("egress") else ["Ingress"]
    return spec.get("policyTypes") or default


def _peers(peers: list[Any] | None, end: End, space: str) -> bool:
    return not peers or any(_is(peer, end, space) for peer in peers)


def _is(peer: Object, end: End, space: str) -> bool:
    if block := peer.get("ipBlock"):
        if not end.ip:
            return False
        ip = ipaddress.ip_address(end.ip)
        inside = ip in ipaddress.ip_network(block["cidr"])
        return inside and not any(ip in ipaddress.ip_network(n) for n in block.get("except") or ())
    spaces = peer.get("namespaceSelector")
    there = end.space == space if spaces is None else _selects(spaces, end.space_labels)
    return there and _selects(peer.get("podSelector") or {}, end.labels)


def _ports(ports: list[Any] | None, port: int, server: End) -> bool:
    if not ports:
        return True
    for each in ports:
        if each.get("protocol", "TCP") != "TCP":
            continue
        told = each.get("port")
        if told is None or (isinstance(told, str) and (told, port) in server.ports):
            return True
        if isinstance(told, int) and told <= port <= each.get("endPort", told):
            return True
    return False


def _selects(selector: Object, labels: dict[str, str]) -> bool:
    wanted = selector.get("matchLabels") or {}
    return wanted.items() <= labels.items() and all(
        _matches(each, labels) for each in selector.get("matchExpressions") or ()
    )


def _matches(expression: Object, labels: dict[str, str]) -> bool:
    value, values = labels.get(expression["key"]), expression.get("values") or ()
    return {
        "In": value in values,
        "NotIn": value not in values,
        "Exists": value is not None,
        "DoesNotExist": value is None,
    }[expression["operator"]]
