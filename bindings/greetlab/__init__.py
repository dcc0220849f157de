"""greetlab: see, and break, how gRPC load balancing on Kubernetes really works.

import greetlab as gl

with gl.Cluster.local(pods=3) as cluster:
    print(cluster.lookup("greetserver"))            # one virtual address
    print(cluster.lookup("greetserver-headless"))   # three pods
    with cluster.channel("greetserver") as sticky:
        print(sticky.greet("Ada", times=60))        # one pod took them all
    with cluster.channel("greetserver-headless", policy="round_robin") as fair:
        fair.wait_ready(all=True)
        print(fair.greet("Ada", times=60))          # 20, 20, 20
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

from greetlab.channels.calls import Call, Calls
from greetlab.channels.channel import Channel
from greetlab.channels.greet_channel import GreetChannel
from greetlab.channels.policies import POLICIES, Policy
from greetlab.clusters.cluster import Cluster, Pod
from greetlab.clusters.faults import Faults
from greetlab.dns.lookup import DnsResolver, Lookup, nslookup
from greetlab.lessons.checking import Verdict, check
from greetlab.lessons.prediction import Comparison, Prediction, predict
from greetlab.trace.stepper import Stepper
from greetlab.trace.trace import KINDS, Event, Trace

if TYPE_CHECKING:
    from greetlab.clusters import kube
    from greetlab.views import plot
    from greetlab.views.play import Playground
    from greetlab.views.widget import Flow

__all__ = [
    "POLICIES",
    "Call",
    "Calls",
    "Channel",
    "GreetChannel",
    "Cluster",
    "Comparison",
    "DnsResolver",
    "Event",
    "Faults",
    "Flow",
    "Lookup",
    "Playground",
    "Pod",
    "Policy",
    "Prediction",
    "Stepper",
    "Trace",
    "Verdict",
    "check",
    "kube",
    "nslookup",
    "plot",
    "predict",
    *KINDS,
]

# The kinds of facts that a trace is made of, as plain words: `trace.of(gl.Picked)`. What each means
# and which fields it has stands in cpp/trace/fact.h.
globals().update(zip(KINDS, KINDS, strict=True))


def __getattr__(name: str) -> Any:
    # `plot` brings matplotlib along, which takes longer to import than all the rest together.
    if name == "plot":
        return import_module("greetlab.views.plot")
    # `kube` is for who has a Kubernetes.
    if name == "kube":
        return import_module("greetlab.clusters.kube")
    # `Flow` brings the notebook's widgets along; `Playground` is a page of its own.
    if name == "Flow":
        return import_module("greetlab.views.widget").Flow
    if name == "Playground":
        return import_module("greetlab.views.play").Playground
    raise AttributeError(f"module 'greetlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
