"""A real Kubernetes, through kubectl; only its namespace `greetlab` is ever touched.

`run` brings a trace of greet-client back from there.
"""

from greetlab.clusters.kube.kubectl import ContextNotNamedError, Kubectl, KubectlError
from greetlab.clusters.kube.namespace import NAMESPACE, ForeignNamespaceError
from greetlab.clusters.kube.runs import Run, RunError, run, run_client

__all__ = [
    "NAMESPACE",
    "ContextNotNamedError",
    "ForeignNamespaceError",
    "Kubectl",
    "KubectlError",
    "Run",
    "RunError",
    "run",
    "run_client",
]
