"""Worlds to experiment on: virtual, on this machine, and Kubernetes."""

from greetlab.clusters import local, sim  # each world tells Cluster of itself

__all__ = ["local", "sim"]
