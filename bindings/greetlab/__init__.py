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

from greetlab.calls import Call, Calls
from greetlab.channel import Channel
from greetlab.checking import Verdict, check
from greetlab.client import Client
from greetlab.cluster import Cluster, Pod
from greetlab.facts import (
    AddressListTaken,
    BackoffStarted,
    CallEnded,
    CallQueued,
    CallStarted,
    CallUnsent,
    ChannelStateChanged,
    Connected,
    ConnectFailed,
    ConnectionLost,
    ConnectStarted,
    CooldownStarted,
    EndpointsChanged,
    GoAwaySent,
    ListSwapped,
    LookupEnded,
    LookupStarted,
    Picked,
    PickerPublished,
    PodChanged,
    ProxyRouted,
    QueryAnswered,
    ReresolutionRequested,
    ResolverBackoffStarted,
    SubchannelCreated,
    SubchannelStateChanged,
)
from greetlab.lookup import DnsResolver, Lookup, nslookup
from greetlab.policies import POLICIES, Policy
from greetlab.prediction import Comparison, Prediction, predict
from greetlab.stepper import Stepper
from greetlab.trace import Event, Trace

if TYPE_CHECKING:
    from greetlab import kube, plot
    from greetlab.widget import Flow

__all__ = [
    "POLICIES",
    "AddressListTaken",
    "BackoffStarted",
    "Call",
    "CallEnded",
    "CallQueued",
    "CallStarted",
    "CallUnsent",
    "Calls",
    "Channel",
    "ChannelStateChanged",
    "Client",
    "Cluster",
    "Comparison",
    "ConnectFailed",
    "ConnectStarted",
    "Connected",
    "ConnectionLost",
    "CooldownStarted",
    "DnsResolver",
    "EndpointsChanged",
    "Event",
    "Flow",
    "GoAwaySent",
    "ListSwapped",
    "Lookup",
    "LookupEnded",
    "LookupStarted",
    "Picked",
    "PickerPublished",
    "Pod",
    "PodChanged",
    "Policy",
    "Prediction",
    "ProxyRouted",
    "QueryAnswered",
    "ReresolutionRequested",
    "ResolverBackoffStarted",
    "Stepper",
    "SubchannelCreated",
    "SubchannelStateChanged",
    "Trace",
    "Verdict",
    "check",
    "kube",
    "nslookup",
    "plot",
    "predict",
]


def __getattr__(name: str) -> Any:
    # `plot` brings matplotlib along, which takes longer to import than all the rest together.
    if name == "plot":
        return import_module("greetlab.plot")
    # `kube` is for who has a Kubernetes.
    if name == "kube":
        return import_module("greetlab.kube")
    # `Flow` brings the notebook's widgets along.
    if name == "Flow":
        return import_module("greetlab.widget").Flow
    raise AttributeError(f"module 'greetlab' has no attribute {name!r}")


def __dir__() -> list[str]:
    return __all__
