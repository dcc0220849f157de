"""A cluster to experiment on: pods behind a ClusterIP service and a headless one."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from types import TracebackType
from typing import TYPE_CHECKING, Any, ClassVar, Self

if TYPE_CHECKING:
    from greetlab.client import Client
    from greetlab.local import LocalCluster
    from greetlab.lookup import Lookup
    from greetlab.sim import SimCluster

CLUSTER_IP_SERVICE = "greetserver"
HEADLESS_SERVICE = "greetserver-headless"


@dataclass(frozen=True)
class Pod:
    """A pod as it is at this moment.

    state: "serving", "draining" (it was told to end and finishes its calls) or "dead".
    listed: whether the services list it as an endpoint: whether new clients can find it.
    """

    name: str
    ip: str
    state: str
    listed: bool


class Cluster(ABC):
    """Pods of greet-server behind two services.

    `greetserver` is a ClusterIP, `greetserver-headless` is headless. Make a cluster with
    `Cluster.local()`; close it, or use it in a `with` block.
    """

    world: ClassVar[str]
    """Where what it shows comes from; stands on every figure: "LOCAL"."""

    @staticmethod
    def local(pods: int = 3, **options: Any) -> LocalCluster:
        """Real processes and sockets on this machine's loopback addresses; see `LocalCluster`."""
        from greetlab.local import LocalCluster

        return LocalCluster(pods, **options)

    @staticmethod
    def sim(pods: int = 3, seed: int | None = None, **options: Any) -> SimCluster:
        """A virtual world, in which an hour costs milliseconds; see `SimCluster`."""
        from greetlab.sim import SimCluster

        return SimCluster(pods, seed, **options)

    @property
    @abstractmethod
    def pods(self) -> list[Pod]:
        """The pods, dead and draining ones included, in the order in which they were made."""

    @abstractmethod
    def lookup(self, name: str, types: Sequence[str] = ("A", "AAAA")) -> Lookup:
        """Looks a name up as a pod of this cluster would: search list, ndots:5 and all."""

    @abstractmethod
    def channel(self, service: str, *, policy: str = "pick_first") -> Client:
        """A new client of a service of this cluster; each world has more options."""

    @abstractmethod
    def scale(self, pods: int) -> None:
        """Adds pods, or drains the newest ones, until this many serve."""

    @abstractmethod
    def kill(self, pod: str) -> None:
        """Ends a pod at once, in the middle of what it does (SIGKILL)."""

    @abstractmethod
    def restart(self, pod: str) -> None:
        """Makes a pod serve again at the same address, killing it first if it still runs."""

    @abstractmethod
    def drain(self, pod: str) -> None:
        """Ends a pod in order: off the endpoints and SIGTERM, both at once, as Kubernetes does."""

    @abstractmethod
    def slow(self, pod: str, latency: float | tuple[float, float]) -> None:
        """Makes a pod wait before each answer; two numbers: a uniform draw; 0: as fast as it can.

        latency: seconds.
        """

    @abstractmethod
    def fail(self, pod: str, rate: float) -> None:
        """Makes a pod fail this share of its calls (0 to 1) with UNAVAILABLE."""

    @abstractmethod
    def set_serving(self, pod: str, serving: bool) -> None:
        """Sets what a pod's health service says. It stays on the endpoints and takes its traffic.

        A real kubelet's readiness probe would take it off the endpoints some seconds later. Clients
        do not care, unless their service config asks for health checks (gRFC A17).
        """

    @abstractmethod
    def close(self) -> None:
        """Ends every process and closes every socket. Closing twice is fine."""

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
        lines = [f"{type(self).__name__} [{self.world}] · {len(pods)} pod{'s' * (len(pods) != 1)}"]
        for pod in pods:
            lines.append(f"  {pod.name:8} {pod.ip:15} {pod.state:9}{_listed(pod)}")
        return "\n".join(lines)

    def _repr_html_(self) -> str:
        rows = "".join(
            f"<tr><td>{escape(pod.name)}</td><td>{pod.ip}</td><td>{pod.state}</td>"
            f"<td>{_listed(pod)}</td></tr>"
            for pod in self.pods
        )
        return (
            f"<div><b>{type(self).__name__}</b> [{self.world}]</div><table><thead><tr><th>pod</th>"
            f"<th>address</th><th>state</th><th>endpoint</th></tr></thead><tbody>{rows}</tbody></table>"
        )


def _listed(pod: Pod) -> str:
    return "listed" if pod.listed else "not listed"
