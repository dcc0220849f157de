"""What the API tells of a namespace, and who in it is whose."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object

_SERVICE_LABEL = "kubernetes.io/service-name"
_OPTIONAL = {
    "networkpolicies.networking.k8s.io": "whether a NetworkPolicy drops what clients send",
    "horizontalpodautoscalers.autoscaling": "whether pods are added by themselves",
}
# "web:50051", "dns:///web.shop.svc.cluster.local:50051": a name, perhaps its namespace, a port. The
# port may be told elsewhere, where the name is all of the word, or of what follows its "=".
_DIALLED = re.compile(
    r"(?<![\w.-])([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)"
    r"(?:\.([a-z0-9](?:[-a-z0-9]*[a-z0-9])?)(?:\.svc(?:\.[-a-z0-9.]+)?)?\.?)?:(\d{1,5})(?!\d)"
)


@dataclass
class State:
    """A namespace. unknown: what may not be seen of it, in sentences."""

    namespace: str
    services: list[Object] = field(default_factory=list)
    slices: list[Object] = field(default_factory=list)
    pods: list[Object] = field(default_factory=list)
    deployments: list[Object] = field(default_factory=list)
    policies: list[Object] = field(default_factory=list)
    scalers: list[Object] = field(default_factory=list)
    labels: dict[str, str] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def service(self, name: str) -> Object | None:
        """The Service of this name."""
        return next((s for s in self.services if s["metadata"]["name"] == name), None)

    def slices_of(self, service: Object) -> list[Object]:
        """All its EndpointSlices: each has 100 endpoints at most."""
        name = service["metadata"]["name"]
        return [s for s in self.slices if labels_of(s).get(_SERVICE_LABEL) == name]

    def pods_of(self, selector: dict[str, str] | None) -> list[Object]:
        """The pods that have these labels; without any, none."""
        if not selector:
            return []
        return [p for p in self.pods if selector.items() <= labels_of(p).items()]

    def deployment_of(self, selector: dict[str, str] | None) -> Object | None:
        """Whose pods have these labels."""
        for each in self.deployments:
            labels = each["spec"]["template"].get("metadata", {}).get("labels") or {}
            if selector and selector.items() <= labels.items():
                return each
        return None


def labels_of(thing: Object) -> dict[str, str]:
    """An object's labels."""
    return thing["metadata"].get("labels") or {}


def read(kubectl: Kubectl, namespace: str) -> State:
    """Raises KubectlError if Services, EndpointSlices, pods or Deployments may not be listed."""
    state = State(namespace)

    def get(kind: str) -> list[Object]:
        return kubectl.get(kind, namespace=namespace)

    state.services = get("services")
    state.slices = get("endpointslices.discovery.k8s.io")
    state.pods = get("pods")
    state.deployments = get("deployments.apps")
    found: list[list[Object]] = []
    for kind, what in _OPTIONAL.items():
        try:
            found.append(get(kind))
        except KubectlError as error:
            found.append([])
            state.unknown.append(f"{what.capitalize()}: {error}")
    state.policies, state.scalers = found
    state.labels = {"kubernetes.io/metadata.name": namespace}
    try:
        (own,) = kubectl.get("namespaces", name=namespace)
        state.labels |= labels_of(own)
    except (KubectlError, ValueError):  # its name is a label that each has, and is known
        pass
    return state


def words_of(template: Object) -> list[str]:
    """What the containers of a pod are told: arguments and environment."""
    words = []
    for container in template["spec"].get("containers") or ():
        words += [*(container.get("command") or ()), *(container.get("args") or ())]
        words += [str(entry.get("value", "")) for entry in container.get("env") or ()]
    return words


def dialled(template: Object, namespace: str) -> Iterator[tuple[str, str, int | None]]:
    """What looks like a Service in it: namespace, name, port if it is told. It may be none."""
    for word in words_of(template):
        found = _DIALLED.findall(word) or _DIALLED.findall(f"{word.rpartition('=')[2]}:0")
        for name, where, port in found:
            yield where or namespace, name, int(port) or None
