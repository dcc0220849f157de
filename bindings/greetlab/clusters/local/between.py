"""What stands between a client and the pods: kube-proxy's stand-in, and proxies that read calls."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence

from greetlab.clusters.local.loopback import Network
from greetlab.clusters.local.pods import LocalPod
from greetlab.clusters.processes import ClusterIpProxy, Lifeline, Process
from greetlab.clusters.proxies.envoy import EnvoyProxy
from greetlab.clusters.proxies.haproxy import HAProxy
from greetlab.clusters.proxies.l7 import L7Proxy
from greetlab.dns.lookup import with_port


class Between:
    """The proxies of a cluster.

    service_port, port: the services' and the pods'.
    processes: the cluster's, which ends them.
    affinity: of the ClusterIP, as a duration's word; None: it does not matter who connects.

    What changes anything is called with the cluster's lock held.
    """

    def __init__(
        self,
        network: Network,
        *,
        service_port: int,
        port: int,
        seed: int,
        affinity: str | None,
        lifeline: Lifeline,
        processes: list[Process],
    ) -> None:
        self._network = network
        self._service_port, self._port = service_port, port
        self._lifeline = lifeline
        self._processes = processes
        self.l7_proxies: dict[str, L7Proxy] = {}
        """By the service that each stands behind: Envoys, and HAProxy."""
        self.kube_proxies: list[ClusterIpProxy] = []
        """One of each family."""
        network.add(network.cluster_ips)
        for number, ip in enumerate(network.cluster_ips):
            proxy = ClusterIpProxy(
                with_port(ip, service_port),
                seed=(seed + number) % 2**64,
                lifeline=lifeline,
                affinity=affinity,
            )
            self.kube_proxies.append(proxy)
            processes.append(proxy)

    @property
    def virtual(self) -> dict[str, str]:
        """Addresses of the proxies that read calls, by service."""
        return {name: proxy.ip for name, proxy in self.l7_proxies.items()}

    def add_envoy(self, name: str, control_plane: tuple[str, int] | None) -> None:
        """One that stands behind a service of this name; it serves, and is told nothing yet.

        control_plane: that tells it who the endpoints are; None: `set_endpoints` does.

        Raises StartError.
        """
        self._add(
            EnvoyProxy(
                name,
                self._next_ip(),
                self._service_port,
                lifeline=self._lifeline,
                control_plane=control_plane,
            )
        )

    def add_haproxy(self, name: str) -> None:
        """The same, a HAProxy; `set_endpoints` tells it.

        Raises StartError.
        """
        ip = self._next_ip()
        self._add(HAProxy(name, ip, self._service_port, lifeline=self._lifeline))

    def _next_ip(self) -> str:
        ip = self._network.proxy(len(self.l7_proxies) + 1)
        self._network.add([ip])
        return ip

    def _add(self, proxy: L7Proxy) -> None:
        self._processes.append(proxy)
        proxy.await_serving()
        self.l7_proxies[proxy.name] = proxy

    def set_endpoints(self, listed: Sequence[LocalPod]) -> None:
        """Tells those whom no control plane tells, and waits until the kernel's stand-in knows. Who
        has ended, or does not answer, is not told: that is its clients' trouble.
        """
        for proxy in self.l7_proxies.values():
            if not proxy.has_control_plane:
                with contextlib.suppress(OSError):
                    proxy.set_endpoints((pod.ips[0], self._port) for pod in listed)
        for family, kube_proxy in enumerate(self.kube_proxies):
            kube_proxy.set_endpoints(with_port(pod.ips[family], self._port) for pod in listed)
