"""Looks at a Service in a cluster, from inside, and says what is wrong with it."""

from greetlab.commands.doctor.cluster.examine import examine_cluster, is_cluster_target
from greetlab.commands.doctor.cluster.report import ClusterReport, Cure, Inside, ServiceLook

__all__ = [
    "ClusterReport", "Cure", "Inside", "ServiceLook", "examine_cluster", "is_cluster_target",
]  # fmt: skip
