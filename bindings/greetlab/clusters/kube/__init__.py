"""A real Kubernetes, through kubectl; only the lab's own namespace is ever touched.

`Cluster.kube` is a world like the others; `run` brings a trace of greet-client back from there.
"""

from greetlab.clusters.kube.cluster import KubeCluster, KubeError
from greetlab.clusters.kube.fleet import Fleet, FleetClient
from greetlab.clusters.kube.kubectl import ContextNotNamedError, Kubectl, KubectlError
from greetlab.clusters.kube.namespace import NAMESPACE, ForeignNamespaceError
from greetlab.clusters.kube.runs import Run, RunError, run, run_client

__all__ = [
    "NAMESPACE",
    "ContextNotNamedError",
    "Fleet",
    "FleetClient",
    "ForeignNamespaceError",
    "KubeCluster",
    "KubeError",
    "Kubectl",
    "KubectlError",
    "Run",
    "RunError",
    "run",
    "run_client",
]
