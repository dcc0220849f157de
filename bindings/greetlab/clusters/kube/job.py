"""The Job that runs greet-client in the cluster."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from importlib.metadata import version

from greetlab.clusters.kube.kubectl import Object
from greetlab.clusters.kube.namespace import NAMESPACE

KEPT = 600
"""Seconds that Kubernetes keeps a Job that ended and that nobody came to delete."""
GRACE = 60
"""Seconds that a Job may go on, after which nobody waits for it any more."""


def own_image() -> str:
    """The image of this version, as labs/00_setup builds it."""
    return f"greetlab:{version('greetlab')}"


def manifest(arguments: Sequence[str], image: str, timeout: float) -> Object:
    """A Job that runs greet-client once, with a name of its own.

    arguments: greet-client's. timeout: seconds that we wait for it. Whoever waits also deletes it;
    only if we died, Kubernetes ends it, and deletes it, by itself.

    The namespace enforces the "restricted" Pod Security Standard, so the pod gives up what it
    allows to be given up. Its labels are those that the NetworkPolicy lets out.
    """
    labels = {"app.kubernetes.io/name": "greetclient", "app.kubernetes.io/part-of": "greetlab"}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": f"greetclient-{secrets.token_hex(4)}",
            "namespace": NAMESPACE,
            "labels": labels,
        },
        "spec": {
            "backoffLimit": 0,  # a failed measurement is told, not made again
            "activeDeadlineSeconds": int(timeout) + GRACE,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "automountServiceAccountToken": False,
                    "enableServiceLinks": False,
                    "securityContext": {
                        "runAsNonRoot": True,
                        "runAsUser": 65532,
                        "runAsGroup": 65532,
                        "seccompProfile": {"type": "RuntimeDefault"},
                    },
                    "containers": [
                        {
                            "name": "greetclient",
                            "image": image,
                            "imagePullPolicy": "IfNotPresent",
                            "command": ["greet-client"],
                            "args": list(arguments),
                            "securityContext": {
                                "allowPrivilegeEscalation": False,
                                "readOnlyRootFilesystem": True,
                                "capabilities": {"drop": ["ALL"]},
                            },
                            "resources": {
                                "requests": {"cpu": "100m", "memory": "64Mi"},
                                "limits": {"memory": "1Gi"},  # a trace of millions of events
                            },
                        }
                    ],
                },
            },
        },
    }
