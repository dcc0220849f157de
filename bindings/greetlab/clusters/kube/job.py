"""The Job that runs greet-client in the cluster, once or as several clients."""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from importlib.metadata import version

from greetlab.clusters.kube.kubectl import Object
from greetlab.clusters.kube.namespace import NAMESPACE

JOB_NAME = "batch.kubernetes.io/job-name"
"""The label that a Job's pods carry."""
INDEX = "batch.kubernetes.io/job-completion-index"
"""The one that says which of them a pod is, from 0."""
KEPT = 600
"""Seconds that Kubernetes keeps a Job that ended and that nobody came to delete."""
GRACE = 60
"""Seconds that a Job may go on, after which nobody waits for it any more."""


def own_image() -> str:
    """The image of this version, as labs/00_setup builds it."""
    return f"greetlab:{version('greetlab')}"


def manifest(
    arguments: Sequence[str],
    image: str,
    timeout: float,
    *,
    namespace: str = NAMESPACE,
    clients: int = 1,
) -> Object:
    """A Job that runs greet-client, with a name of its own.

    arguments: greet-client's. timeout: seconds that we wait for it. Whoever waits also deletes it;
    only if we died, Kubernetes ends it, and deletes it, by itself.
    clients: pods that run it at the same time, each with an index. They are spread over the nodes,
    as far as these can take them.

    The namespace enforces the "restricted" Pod Security Standard, so the pod gives up what it
    allows to be given up. Its labels are those that the NetworkPolicy lets out.
    """
    labels = {"app.kubernetes.io/name": "greetclient", "app.kubernetes.io/part-of": "greetlab"}
    name = f"greetclient-{secrets.token_hex(4)}"
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {
            "name": name,
            "namespace": namespace,
            "labels": labels,
        },
        "spec": {
            "completionMode": "Indexed",
            "completions": clients,
            "parallelism": clients,
            # A failed measurement is told, not made again; and of each client by itself: where the
            # whole Job had a limit, one client's failed call would end all the others.
            "backoffLimitPerIndex": 0,
            "activeDeadlineSeconds": int(timeout) + GRACE,
            "ttlSecondsAfterFinished": KEPT,
            "template": {
                "metadata": {"labels": labels},
                "spec": {
                    "restartPolicy": "Never",
                    "topologySpreadConstraints": [
                        {
                            "maxSkew": 1,
                            "topologyKey": "kubernetes.io/hostname",
                            "whenUnsatisfiable": "ScheduleAnyway",
                            "labelSelector": {"matchLabels": {JOB_NAME: name}},
                        }
                    ],
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
                                # Many of them have to find room on one small node.
                                "requests": {
                                    "cpu": "100m" if clients == 1 else "10m",
                                    "memory": "64Mi" if clients == 1 else "16Mi",
                                },
                                "limits": {"memory": "1Gi"},  # a trace of millions of events
                            },
                        }
                    ],
                },
            },
        },
    }
