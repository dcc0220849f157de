"""A cluster to experiment on: pods behind a ClusterIP service and a headless one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from importlib import import_module
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self, Unpack, cast

from greetlab.channels.options import ChannelOptions
from greetlab.text import lines, markup

if TYPE_CHECKING:
    from greetlab.channels.greet_channel import GreetChannel
    from greetlab.clusters.kube.cluster import KubeCluster
    from greetlab.clusters.local import LocalCluster
    from greetlab.clusters.sim import SimCluster
    from greetlab.dns.lookup import Lookup

CLUSTER_IP_SERVICE = "greetserver"
HEADLESS_SERVICE = "greetserver-headless"
ENVOY_SERVICE = "greetserver-envoy"
HAPROXY_SERVICE = "greetserver-haproxy"
WATCH = "watch:///"
"""Before a service's name: the client is told of its endpoints, and looks nothing up."""
KUBE = "k8s:///"
"""The same, by a Kubernetes API: before "service.namespace:port"."""

XDS = "xds:///"
"""Before a service's name: gRPC's own client asks a control plane, step by step."""


@dataclass(frozen=True)
class Pod:
    """A pod as it is at this moment.

    state: "starting" (it runs, and the readiness probe has not found out), "serving", "draining"
        (it was deleted: it goes on until its preStop is over, and then finishes its calls), "dead"
        or, in the sim, "lost".
    ip, ips: its address; in a cluster of both families it has two (status.podIPs), IPv4 first.
    listed: whether the services list it as an endpoint: whether new clients can find it.
    """

    name: str
    ip: str
    state: str
    listed: bool
    ips: Sequence[str] = field(default=(), compare=False)


class Cluster(ABC):
    """Pods of greet-server behind two services.

    `greetserver` is a ClusterIP, `greetserver-headless` is headless. Make a cluster with
    `Cluster.local()`; close it, or use it in a `with` block.
    """

    world: ClassVar[str]
    """Where what it shows comes from; stands on every figure: "LOCAL"."""

    _worlds: ClassVar[dict[str, type[Cluster]]] = {}

    def __init_subclass__(cls) -> None:
        Cluster._worlds[cls.world] = cls

    @staticmethod
    def local(pods: int = 3, **options: Any) -> LocalCluster:
        """Real processes and sockets on this machine's loopback addresses; see `LocalCluster`."""
        return cast("LocalCluster", Cluster._of("LOCAL", pods, **options))

    @staticmethod
    def sim(pods: int = 3, seed: int | None = None, **options: Any) -> SimCluster:
        """A virtual world, in which an hour costs milliseconds; see `SimCluster`."""
        return cast("SimCluster", Cluster._of("SIM", pods, seed, **options))

    @staticmethod
    def kube(pods: int | None = None, **options: Any) -> KubeCluster:
        """A real Kubernetes, in a context that you name; see `KubeCluster`."""
        import_module("greetlab.clusters.kube")  # which is for who has one
        return cast("KubeCluster", Cluster._of("KUBE", pods, **options))

    @staticmethod
    def from_link(link: str) -> SimCluster:
        """The virtual world of a link, such as the page's address: see `SimCluster.link`."""
        worlds = cast("dict[str, type[SimCluster]]", Cluster._worlds)
        return worlds["SIM"].from_link(link)

    @staticmethod
    def _of(world: str, *arguments: Any, **options: Any) -> Cluster:
        return Cluster._worlds[world](*arguments, **options)

    @property
    @abstractmethod
    def pods(self) -> list[Pod]:
        """The pods, dead and draining ones included, in the order in which they were made."""

    @abstractmethod
    def lookup(self, name: str, types: Sequence[str] = ("A", "AAAA")) -> Lookup:
        """Looks a name up as a pod of this cluster would: search list, ndots:5 and all."""

    @abstractmethod
    def channel(self, service: str, **options: Unpack[ChannelOptions]) -> GreetChannel:
        """A new client of a service of this cluster.

        service: its name: the client looks it up in DNS; or "watch:///greetserver-headless": the
            client looks nothing up, but is told by the cluster of every change of the service's
            endpoints, as a client of the Kubernetes API is (EndpointSlices). Of a ClusterIP service
            it is told the pods, too.
        """

    @abstractmethod
    def scale(self, pods: int) -> None:
        """Adds pods, or drains the newest ones, until this many serve."""

    @abstractmethod
    def drain(self, pod: str) -> None:
        """Deletes a pod, as Kubernetes does. Two things begin at once: it is taken off the
        endpoints, which takes `endpoint_lag`, and it ends: SIGTERM after `pre_stop`, until when it
        takes new connections, too; its calls may go on for `grace` after that.
        """

    @abstractmethod
    def rollout(self, *, max_surge: int = 1, max_unavailable: int = 0) -> None:
        """Replaces the pods by new ones, as a Deployment's rolling update does, and returns at
        once, as `kubectl rollout restart` does.

        There are at most `max_surge` more pods than there were, and at most `max_unavailable` fewer
        are ready, at any time; a new one counts when it is ready, and the old ones are drained, the
        oldest first. Another rollout meanwhile replaces those pods, too.

        Raises ValueError if both are 0: no pod could ever be replaced.
        """

    @abstractmethod
    def wait_rollout(self, timeout: float = 60.0) -> Self:
        """Waits until the rollout is over: all pods are new, and ready. The old ones may still be
        draining.

        Raises TimeoutError, with the state of each pod, after `timeout` seconds.
        """

    @abstractmethod
    def wait_ready(self, pods: int | None = None, timeout: float = 60.0) -> Self:
        """Waits until so many pods are ready, and listed; None: all that are meant to serve.

        Raises TimeoutError, with the state of each pod, after `timeout` seconds.
        """

    @abstractmethod
    def close(self) -> None:
        """Ends every process and closes every socket. Closing twice is fine."""

    def _ready_enough(self, pods: int | None) -> bool:
        meant = [pod for pod in self.pods if pod.state in ("starting", "serving")]
        listed = sum(pod.state == "serving" and pod.listed for pod in meant)
        return listed >= (len(meant) if pods is None else pods)

    def _too_slow(self, what: str, timeout: float) -> TimeoutError:
        seen = ", ".join(f"{pod.name} {pod.state} ({_listed(pod)})" for pod in self.pods)
        return TimeoutError(f"{what} within {timeout} s; the pods are {seen or 'none'}")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        pods = self.pods
        told = [f"{type(self).__name__} [{self.world}] · {len(pods)} pod{'s' * (len(pods) != 1)}"]
        for pod in pods:
            ips = " ".join(pod.ips)
            told.append(f"  {pod.name:8} {ips:15} {pod.state:9}{_listed(pod)}")
        return lines(told)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{markup(pod.name)}</td><td>{markup(pod.ip)}</td><td>{pod.state}</td>"
            f"<td>{_listed(pod)}</td></tr>"
            for pod in self.pods
        )
        return (
            f"<div><b>{type(self).__name__}</b> [{self.world}]</div><table><thead><tr><th>pod</th>"
            f"<th>address</th><th>state</th><th>endpoint</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def _listed(pod: Pod) -> str:
    return "listed" if pod.listed else "not listed"
