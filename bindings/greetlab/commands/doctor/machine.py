"""Whether this machine can run the lab: each thing that it needs, looked at by itself."""

from __future__ import annotations

import os
import platform
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec

from greetlab import executables
from greetlab.clusters.local import DNS_PORT
from greetlab.commands.doctor.environment import (
    PROXY_VARIABLES,
    proxy_of,
    without_password,
)
from greetlab.commands.doctor.finding import Finding
from greetlab.real import missing

ENOUGH_DESCRIPTORS = 1024
"""A cluster of three takes some dozens; each pod takes about four, each connection one or two."""

_LOOPBACK = "127.0.0.0/8"


def examine_machine() -> Iterator[Finding]:
    """Looks at each thing, one after the other. It changes nothing, and needs no network."""
    for look in (_python, _system, _build, _jupyter) if missing() else _EXAMINATIONS:
        yield look()


def _python() -> Finding:
    return Finding("Python", "good", f"{platform.python_version()} at {sys.executable}")


def _system() -> Finding:
    saw = f"{platform.system()} {platform.release()} on {platform.machine()}"
    if sys.platform.startswith("linux"):
        return Finding("system", "good", saw)
    return Finding("system", "bad", saw, "a local cluster needs Linux; Cluster.sim runs anywhere")


def _build() -> Finding:
    saw, cure = missing() or ("", "")
    return Finding("build", "bad", f"{saw}: Cluster.sim and the playground work", cure)


def _loopback() -> Finding:
    try:
        with socket.create_server(("127.83.0.1", 0)):
            return Finding("loopback", "good", f"all of {_LOOPBACK} is this machine's")
    except OSError as error:
        remedy = f"ip addr add {_LOOPBACK} dev lo (as root); where it cannot be: Cluster.sim"
        return Finding("loopback", "bad", f"127.83.0.1: {error.strerror}", remedy)


def _network() -> Finding:
    taken = []
    for number in range(1, 255):
        address = f"127.{number}.0.10"
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            try:
                probe.bind((address, DNS_PORT))
            except OSError:
                taken.append(number)
    free = 254 - len(taken)
    saw = f"{free} of 254 loopback networks are free for a cluster (port {DNS_PORT})"
    if free:
        return Finding("networks", "good", saw)
    remedy = f"close other clusters, or what listens on UDP port {DNS_PORT}: ss -lunp"
    return Finding("networks", "bad", saw, remedy)


def _executables() -> Finding:
    ours = version("greetlab")
    again = "install the package again: pip install --force-reinstall greetlab"
    for name in executables.NAMES:
        try:
            said = subprocess.run(
                [executables.path(name), "--version"], capture_output=True, text=True, timeout=10
            )
        except (OSError, subprocess.TimeoutExpired) as error:
            return Finding("executables", "bad", str(error), again)
        if said.returncode != 0:
            return Finding("executables", "bad", f"{name}: {_last_line(said.stderr)}", again)
        if ours not in said.stdout.split():
            other = f"{name} is {said.stdout.strip()}, the package is {ours}"
            return Finding("executables", "bad", other, again)
    return Finding("executables", "good", f"{', '.join(executables.NAMES)} {ours}")


def _descriptors() -> Finding:
    import resource  # which Windows has not: there is nothing but the simulator, either

    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    saw = f"{soft:,} open files a process"
    if soft >= ENOUGH_DESCRIPTORS or soft == resource.RLIM_INFINITY:
        return Finding("descriptors", "good", saw)
    most = hard if 0 < hard < ENOUGH_DESCRIPTORS else ENOUGH_DESCRIPTORS
    return Finding("descriptors", "bad", f"only {saw}", f"ulimit -n {most}")


def _proxy() -> Finding:
    """gRPC's own clients ask it for a local cluster, too; the lab's channels never do."""
    asked = proxy_of(os.environ)
    if asked is None:
        return Finding("proxy", "good", f"none of {', '.join(PROXY_VARIABLES)} is set")
    saw = f"{asked.variable} is {without_password(asked.url)}"
    wanted = (_LOOPBACK, "localhost", "cluster.local.")
    missing = [word for word in wanted if word not in asked.spared]
    if not missing:
        return Finding("proxy", "good", f"{saw}, and no_proxy spares local clusters")
    remedy = f"export no_proxy={','.join([*asked.spared, *missing])}"
    return Finding("proxy", "bad", f"{saw}: grpcio and other clients ask it for pods", remedy)


def _grpcio() -> Finding:
    try:
        installed = version("grpcio")
    except PackageNotFoundError:
        return Finding("grpcio", "good", "not installed, and not needed")
    # Two gRPC libraries in one process, loaded in either order.
    for order in ("grpc, greetlab._core", "greetlab._core, grpc"):
        try:
            ended = subprocess.run(
                [sys.executable, "-c", f"import {order}"],
                capture_output=True, text=True, timeout=60,
            )  # fmt: skip
        except subprocess.TimeoutExpired:
            return Finding("grpcio", "bad", f"import {order}: hangs", "pip install -U grpcio")
        if ended.returncode != 0:
            why = _last_line(ended.stderr) or f"status {ended.returncode}"
            return Finding("grpcio", "bad", f"import {order}: {why}", "pip install -U grpcio")
    return Finding("grpcio", "good", f"{installed} and the lab's own gRPC share a process")


def _jupyter() -> Finding:
    if find_spec("jupyterlab"):
        return Finding("Jupyter", "good", f"JupyterLab {version('jupyterlab')}")
    remedy = f"{sys.executable} -m pip install 'greetlab[notebooks]'"
    return Finding("Jupyter", "note", "not installed: the notebooks need it", remedy)


def _dig() -> Finding:
    if found := shutil.which("dig"):
        return Finding("dig", "good", found)
    return Finding("dig", "note", "not installed: `greetlab up` prints lines for it",
                   "apt-get install bind9-dnsutils")  # fmt: skip


def _chromium() -> Finding:
    if found := shutil.which("chromium"):
        return Finding("chromium", "good", found)
    return Finding("chromium", "note", "not installed: only the project's own tests need it",
                   "apt-get install chromium")  # fmt: skip


def _resolv_conf() -> Finding:
    from greetlab._core import system_resolver_config

    try:
        config = system_resolver_config()
    except (RuntimeError, ValueError) as error:
        remedy = "make /etc/resolv.conf readable, with a line such as: nameserver 127.0.0.53"
        return Finding("resolv.conf", "bad", str(error), remedy)
    return Finding("resolv.conf", "good", f"asks {', '.join(config.servers)}, ndots:{config.ndots}")


def _clock() -> Finding:
    """Traces of several processes are put in order by CLOCK_MONOTONIC."""
    resolution = time.clock_getres(time.CLOCK_MONOTONIC)
    saw = f"CLOCK_MONOTONIC ticks every {resolution * 1e9:,.0f} ns"
    if resolution <= 1e-6:
        return Finding("clock", "good", saw)
    remedy = "boot with a better clock source: /sys/devices/system/clocksource/clocksource0"
    return Finding("clock", "bad", saw, remedy)


def _ipv6() -> Finding:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return Finding("IPv6", "good", "::1 can be listened on")
    except OSError as error:
        saw = f"::1: {error.strerror}; a local cluster is IPv4 and does without"
        return Finding("IPv6", "note", saw, "sysctl net.ipv6.conf.lo.disable_ipv6=0")


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or [""])[-1]


_EXAMINATIONS: tuple[Callable[[], Finding], ...] = (
    _python, _system, _loopback, _network, _executables, _descriptors, _resolv_conf, _clock,
    _proxy, _grpcio, _jupyter, _dig, _chromium, _ipv6,
)  # fmt: skip
