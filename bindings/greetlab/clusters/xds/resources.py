"""What the control plane serves: one service's listener, routes, cluster and endpoints.

Apart from `control_plane`, for the messages' modules are many, and optional.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from envoy.config.cluster.v3 import cluster_pb2
from envoy.config.core.v3 import config_source_pb2
from envoy.config.endpoint.v3 import endpoint_pb2
from envoy.config.listener.v3 import listener_pb2
from envoy.config.route.v3 import route_pb2
from envoy.extensions.filters.http.router.v3 import router_pb2
from envoy.extensions.filters.network.http_connection_manager.v3 import (
    http_connection_manager_pb2 as manager_pb2,
)
from envoy.service.discovery.v3 import discovery_pb2
from google.protobuf.any_pb2 import Any as AnyMessage

_TYPES = {
    "LDS": "envoy.config.listener.v3.Listener",
    "RDS": "envoy.config.route.v3.RouteConfiguration",
    "CDS": "envoy.config.cluster.v3.Cluster",
    "EDS": "envoy.config.endpoint.v3.ClusterLoadAssignment",
}
_PREFIX = "type.googleapis.com/"


def _packed(message: Any) -> AnyMessage:
    packed = AnyMessage()
    packed.Pack(message)
    return packed


def _ads() -> config_source_pb2.ConfigSource:
    source = config_source_pb2.ConfigSource(resource_api_version="V3")
    source.ads.SetInParent()
    return source


class Resources:
    """The messages, for a service of this name."""

    def __init__(self, service: str) -> None:
        self.endpoints: Sequence[tuple[str, int]] = ()
        self._service = service

    read_request = staticmethod(discovery_pb2.DiscoveryRequest.FromString)
    write_response = staticmethod(discovery_pb2.DiscoveryResponse.SerializeToString)

    def kind(self, type_url: str) -> str:
        """ "LDS" and so on; the type itself where it is none of ours."""
        name = type_url.removeprefix(_PREFIX)
        return next((kind for kind, type_name in _TYPES.items() if type_name == name), name)

    def summary(self, kind: str) -> str:
        """What is in an answer, for people."""
        many = len(self.endpoints)
        return f"{many} endpoint{'s' * (many != 1)}" if kind == "EDS" else self._service

    def response(self, kind: str, names: Sequence[str] | None, version: str, nonce: str) -> Any:
        """What there is of the kind, and of these names (None: of any): none of a stranger's."""
        make = {
            "LDS": self._listener, "RDS": self._routes, "CDS": self._cluster,
            "EDS": self._assignment,
        }.get(kind)  # fmt: skip
        known = make is not None and (names is None or self._service in names)
        return discovery_pb2.DiscoveryResponse(
            version_info=version,
            nonce=nonce,
            type_url=_PREFIX + _TYPES.get(kind, kind),
            resources=[_packed(make())] if make is not None and known else [],
        )

    def _listener(self) -> Any:
        manager = manager_pb2.HttpConnectionManager(
            rds=manager_pb2.Rds(route_config_name=self._service, config_source=_ads()),
            http_filters=[
                manager_pb2.HttpFilter(name="router", typed_config=_packed(router_pb2.Router()))
            ],
        )
        return listener_pb2.Listener(
            name=self._service,
            api_listener={"api_listener": _packed(manager)},
        )

    def _routes(self) -> Any:
        routes = route_pb2.RouteConfiguration(name=self._service)
        host = routes.virtual_hosts.add(name=self._service, domains=["*"])
        route = host.routes.add()
        route.match.prefix = ""
        route.route.cluster = self._service
        return routes

    def _cluster(self) -> Any:
        cluster = cluster_pb2.Cluster(
            name=self._service, type=cluster_pb2.Cluster.EDS,
            lb_policy=cluster_pb2.Cluster.ROUND_ROBIN,
        )  # fmt: skip
        cluster.eds_cluster_config.eds_config.CopyFrom(_ads())
        return cluster

    def _assignment(self) -> Any:
        told = endpoint_pb2.ClusterLoadAssignment(cluster_name=self._service)
        if self.endpoints:
            locality = told.endpoints.add()
            locality.load_balancing_weight.value = 1  # gRPC leaves out those that have none
            locality.locality.zone = "local"
            for ip, port in self.endpoints:
                where = locality.lb_endpoints.add().endpoint.address.socket_address
                where.address, where.port_value = ip, port
        return told
