"""Whom a client can ask who the endpoints are: DNS, Kubernetes' API, an xDS control plane; or, call
by call, a balancer.

All of them are told the same at the same time; what differs is how a client gets to hear of it.
"""

from __future__ import annotations

import errno
import random
import socket
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from greetlab.channels.service_config import AnyServiceConfig, txt_record
from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE
from greetlab.clusters.local.loopback import Network
from greetlab.clusters.lookaside.balancer import Balancer
from greetlab.clusters.xds.control_plane import ControlPlane
from greetlab.dns.lookup import Lookup, pod_resolver, pod_search, with_port

if TYPE_CHECKING:
    from greetlab import _core
    from greetlab.clusters.kube_api import EndpointApi
    from greetlab.clusters.local.pods import LocalPod
    from greetlab.dns.server import ClusterDns

DNS_PORT = 10053
NAMESPACE = "default"
DOMAIN = "cluster.local"
SEARCH = pod_search(NAMESPACE, DOMAIN)


class Discovery:
    """What of it a cluster has; DNS always. It begins to serve at once.

    service_port, port: the services' and the pods'.
    watch_lag: seconds that news takes through Kubernetes' API.
    cleanup: where it puts how it is undone.

    What changes anything is called with the cluster's lock held.
    """

    def __init__(
        self,
        families: Sequence[str],
        *,
        service_port: int,
        port: int,
        watch_lag: float,
        dns_ttl: int,
        seed: int,
        cleanup: list[Callable[[], None]],
    ) -> None:
        self.network, self.dns = _claim_network(families, dns_ttl, seed, cleanup)
        self.dns_address = with_port(self.network.dns, DNS_PORT)
        self.control_plane: ControlPlane | None = None
        self.balancer: Balancer | None = None
        self._service_port, self._port = service_port, port
        self._watch_lag = watch_lag
        self._seed = (seed + 2**33) % 2**64
        self._resolver = pod_resolver(self.dns_address, namespace=NAMESPACE, domain=DOMAIN)
        self._config_record = ""
        self._api: EndpointApi | None = None
        self._slices: Sequence[_core.SliceEndpoint] = ()
        self._cleanup = cleanup

    def lookup(self, name: str, types: Sequence[str]) -> Lookup:
        """As a pod of this cluster would: search list, ndots:5 and all."""
        return self._resolver.lookup(name, types)

    def start_control_plane(self) -> None:
        """Raises StartError."""
        plane = ControlPlane(self.network.dns, CLUSTER_IP_SERVICE)
        self._cleanup.append(plane.close)
        self.control_plane = plane

    def start_balancer(self) -> None:
        """Raises StartError."""
        balancer = Balancer(self.network.dns, CLUSTER_IP_SERVICE, self._seed)
        self._cleanup.append(balancer.close)
        self.balancer = balancer

    @property
    def api(self) -> EndpointApi:
        """Kubernetes' API, which serves from when it is first asked for."""
        if self._api is None:
            from greetlab.clusters.kube_api import EndpointApi  # which takes its time

            api = EndpointApi(self.network.dns, NAMESPACE, ("grpc", self._port))
            self._cleanup.append(api.close)
            self._api = api
            self._tell_api()
        return self._api

    def set_config(self, config: AnyServiceConfig | Sequence[Mapping[str, object]] | None) -> None:
        """What DNS says of service configs (gRFC A2) when next it is published."""
        self._config_record = txt_record(config)

    def publish(
        self,
        listed: Sequence[LocalPod],
        slices: Sequence[_core.SliceEndpoint],
        virtual: Mapping[str, str],
    ) -> None:
        """Tells all of them.

        listed: the pods that are endpoints. slices: the same as EndpointSlices have it, with those
        that are not ready. virtual: addresses of services that have no endpoints of their own, by
        name: proxies stand behind them.
        """
        # A Deployment's pods have no hostname of their own: DNS names them after their address.
        endpoints = [(None, ip) for pod in listed for ip in pod.ips]
        ports = {"grpc": (self._service_port, self._port)}
        for service, ips in (
            (CLUSTER_IP_SERVICE, self.network.cluster_ips),
            (HEADLESS_SERVICE, ()),
        ):
            self.dns.set_service(
                service,
                NAMESPACE,
                cluster_ip=ips,
                ports=ports,
                endpoints=endpoints,
                config=self._config_record,
            )
        for service, ip in virtual.items():
            port_of_its_own = {"grpc": (self._service_port, self._service_port)}
            self.dns.set_service(service, NAMESPACE, cluster_ip=[ip], ports=port_of_its_own)
        for told in (self.control_plane, self.balancer):
            if told is not None:
                told.set_endpoints((pod.ips[0], self._port) for pod in listed)
        self._slices = slices
        self._tell_api()

    def _tell_api(self) -> None:
        if self._api is not None:
            for service in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE):
                self._api.set_endpoints(service, self._slices, self._watch_lag)


def _claim_network(
    families: Sequence[str], dns_ttl: int, seed: int, cleanup: list[Callable[[], None]]
) -> tuple[Network, ClusterDns]:
    """A /16 of 127.0.0.0/8 that no other cluster has: whose DNS address we could bind. One that has
    no IPv4 claims it all the same, for the number is of both families.
    """
    from greetlab.dns.server import ClusterDns  # with dnspython, which takes its time

    candidates = list(range(1, 255))
    random.shuffle(candidates)
    for number in candidates:
        network = Network(number, families)
        v4 = (f"127.{number}.0.10", DNS_PORT)
        mine = [network.close]
        try:
            if families[0] == "v6":
                claim = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
                mine.append(claim.close)
                claim.bind(v4)
                network.add([network.dns])
            dns = ClusterDns(network.dns, DNS_PORT, ttl=dns_ttl, seed=seed)
            mine.append(dns.close)
            # Where lo is down, only this fails.
            socket.create_connection((network.dns, DNS_PORT), 5).close()
        except BaseException as error:
            for undo in reversed(mine):
                undo()
            if not isinstance(error, OSError) or error.errno == errno.EADDRNOTAVAIL:
                raise
            if error.errno != errno.EADDRINUSE:
                raise OSError(
                    error.errno,
                    f"use {with_port(*v4)}: {error.strerror}; a local cluster "
                    "needs all of 127.0.0.0/8 on the loopback interface, which this system has "
                    "not: is the interface up? (ip link set lo up)",
                ) from error
        else:
            cleanup += mine
            return network, dns
    raise OSError(
        errno.EADDRINUSE,
        f"port {DNS_PORT} is taken on all of 127.1.0.10 to 127.254.0.10: close other clusters, "
        "or whatever listens on that port on every address",
    )
