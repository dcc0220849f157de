"""The namespace `greetlab`, the only one that is ever touched; and only if it is ours."""

from __future__ import annotations

from collections import Counter

from greetlab.clusters.kube.kubectl import Kubectl, Object

NAMESPACE = "greetlab"
OURS = "app.kubernetes.io/part-of=greetlab"
"""The label that everything of ours carries."""
_KINDS = (
    "deployments.apps",
    "jobs.batch",
    "pods",
    "services",
    "ingresses.networking.k8s.io",
    "networkpolicies.networking.k8s.io",
    "poddisruptionbudgets.policy",
)
DELETE_TIMEOUT = 120.0
"""Seconds until a deleted namespace must be gone."""


class ForeignNamespaceError(RuntimeError):
    """There is a namespace of this name, and it is somebody else's."""


def is_there(kubectl: Kubectl, name: str = NAMESPACE) -> bool:
    """Whether the namespace is there.

    Raises ForeignNamespaceError if it does not carry our label.
    """
    found = kubectl.get("namespaces", name=name)
    if not found:
        return False
    key, _, value = OURS.partition("=")
    if (found[0]["metadata"].get("labels") or {}).get(key) != value:
        raise ForeignNamespaceError(
            f"the namespace {name} in context {kubectl.context} does not carry the label "
            f"{OURS}: it is not this lab's, and is left alone"
        )
    return True


def delete(kubectl: Kubectl, name: str = NAMESPACE) -> dict[str, int] | None:
    """Deletes the namespace and all that is in it, and waits until it is gone.

    Returns how many objects of each kind went with it; None if it was not there.
    Raises ForeignNamespaceError if it is not ours, KubectlError if it could not be deleted.
    """
    if not is_there(kubectl, name):
        return None
    inside = Counter(thing["kind"] for thing in kubectl.get(*_KINDS, namespace=name))
    # By label and name at once: one that somebody else made meanwhile is not deleted.
    chosen = [f"--selector={OURS}", f"--field-selector=metadata.name={name}"]
    kubectl.delete("namespaces", chosen, wait=DELETE_TIMEOUT)
    return dict(inside)


def elsewhere(kubectl: Kubectl) -> list[str]:
    """What carries our label outside the namespace: "Service default/greetserver"."""
    found = kubectl.get("namespaces", *_KINDS, selector=OURS, everywhere=True)
    return [
        f"{thing['kind']} {where}{thing['metadata']['name']}"
        for thing in found
        if (where := _place(thing)) != f"{NAMESPACE}/"
    ]


def _place(thing: Object) -> str:
    meta = thing["metadata"]
    # A namespace is not in one; ours, if it has come back, is no place elsewhere.
    inside = meta["name"] if thing["kind"] == "Namespace" else meta["namespace"]
    return "" if thing["kind"] == "Namespace" and inside != NAMESPACE else f"{inside}/"
