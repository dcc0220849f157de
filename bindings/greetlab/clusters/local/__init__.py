"""The local cluster: a Kubernetes Service in miniature, of real processes on loopback addresses."""

from greetlab.clusters.local.cluster import LocalCluster
from greetlab.clusters.local.discovery import DNS_PORT, DOMAIN, NAMESPACE

__all__ = ["DNS_PORT", "DOMAIN", "NAMESPACE", "LocalCluster"]
