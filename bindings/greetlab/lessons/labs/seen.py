"""What a lab's steps see of the cluster: the namespace's objects, taken once, and greetings."""

from __future__ import annotations

import json
import re
from functools import cached_property

from greetlab.clusters.kube.kubectl import Kubectl, Object
from greetlab.clusters.kube.namespace import NAMESPACE, is_there
from greetlab.lessons.exercises.exercise import CannotLook

_KINDS = (
    "deployments.apps",
    "services",
    "pods",
    "endpointslices.discovery.k8s.io",
    "jobs.batch",
)
_ANSWERED = re.compile(r"from pod: name\((.*?)\)")


class Seen:
    """The state of a cluster, as far as the steps have looked."""

    def __init__(self, kubectl: Kubectl) -> None:
        self.kubectl = kubectl
        self._logs: dict[str, str] = {}

    @cached_property
    def namespace(self) -> bool:
        """Whether the namespace is there. Raises ForeignNamespaceError if it is not ours."""
        return is_there(self.kubectl)

    @cached_property
    def _objects(self) -> list[Object]:
        return self.kubectl.get(*_KINDS, namespace=NAMESPACE) if self.namespace else []

    def all(self, kind: str) -> dict[str, Object]:
        """The namespace's objects of a kind, "Service", by name."""
        return {
            thing["metadata"]["name"]: thing for thing in self._objects if thing["kind"] == kind
        }

    def pods_of(self, selector: dict[str, str]) -> dict[str, Object]:
        """The pods that a selector chooses, without those that are about to go, or have ended."""
        return {
            name: pod
            for name, pod in self.all("Pod").items()
            if "deletionTimestamp" not in pod["metadata"]
            and pod["status"].get("phase") not in ("Failed", "Succeeded")
            and selector.items() <= (pod["metadata"].get("labels") or {}).items()
        }

    def log(self, pod: str) -> str:
        """What a pod's container has printed. Raises KubectlError if that cannot be had."""
        if pod not in self._logs:
            self._logs[pod] = self.kubectl.logs(pod, NAMESPACE)
        return self._logs[pod]

    def endpoints(self, service: str) -> list[Object]:
        """The EndpointSlices of a Service."""
        return [
            piece
            for piece in self.all("EndpointSlice").values()
            if (piece["metadata"].get("labels") or {}).get("kubernetes.io/service-name") == service
        ]

    def greet(self, service: str, port: str) -> str:
        """Sends one greeting to the gateway through the API server, and says which pod answered.

        service, port: the gateway's Service, and the name or the number of its port.

        Raises KubectlError if there was no answer, CannotLook for one that is not the gateway's.
        """
        path = f"/api/v1/namespaces/{NAMESPACE}/services/{service}:{port}/proxy/greet"
        reply = self.kubectl.post(path, '{"first_name": "Ada", "last_name": "Lovelace"}')
        pod = pod_of(reply)
        if pod is None:
            told = f"{reply[:80]!r}"
            raise CannotLook(f"what answers behind the Service {service} is no gateway: {told}.")
        return pod


def pod_of(reply: str) -> str | None:
    """Who answered: kubectl accepts JSON, so the reply is that; the greeting's text has it, too."""
    try:
        told = json.loads(reply)
    except json.JSONDecodeError:
        told = None
    if isinstance(told, dict) and isinstance(told.get("podName"), str):
        return str(told["podName"])
    found = _ANSWERED.search(reply)
    return found[1] if found else None
