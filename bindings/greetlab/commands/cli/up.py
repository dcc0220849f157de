"""`greetlab up`."""

from __future__ import annotations

import contextlib
import os
import signal
from typing import TYPE_CHECKING, Annotated, Any

import typer

from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE
from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab.clusters.local import LocalCluster


_ENDING = (signal.SIGINT, signal.SIGTERM)


def up(
    pods: Annotated[int, typer.Option(help="How many pods.")] = 3,
    as_json: Json = False,
) -> None:
    """Start a local cluster that stays until Ctrl-C, and print how to reach it.

    Real processes on this machine's loopback addresses, which nobody else can reach. SIGTERM ends
    it as Ctrl-C does; nothing is left behind. Exit status 0 if it was ended, 2 if it did not start.
    """
    from greetlab.clusters.cluster import Cluster

    console = Terminal(quiet=as_json)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # as Ctrl-C, also while it starts
    with (
        contextlib.suppress(KeyboardInterrupt),
        failing_in_words("up"),
        Cluster.local(pods=pods) as cluster,
    ):
        told = _listen()
        if as_json:
            print_json(_document(cluster))
        _show(console, cluster)
        os.read(told, 1)
        for each in _ENDING:
            signal.signal(each, signal.SIG_IGN)  # once is enough
    console.print(Text("ended: no process, no address is left", "dim"))


def _listen() -> int:
    """What can be read once Ctrl-C or SIGTERM has come. From now on they raise nothing."""
    heard, tell = os.pipe()
    for each in _ENDING:
        signal.signal(each, lambda *_: os.write(tell, b"."))
    return heard


def _document(cluster: LocalCluster) -> dict[str, Any]:
    from greetlab.clusters.reach import lines
    from greetlab.dns.lookup import with_port

    return {
        "dns": cluster.dns_address,
        "cluster_ip": with_port(cluster.cluster_ip, cluster.service_port),
        "pods": [
            {"name": pod.name, "address": with_port(pod.ip, cluster.port)} for pod in cluster.pods
        ],
        "targets": {name: cluster.target(name) for name in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE)},
        "lines": [{"shows": line.shows, "command": line.command} for line in lines(cluster)],
    }


def _show(console: Terminal, cluster: LocalCluster) -> None:
    from greetlab.clusters.reach import lines
    from greetlab.dns.lookup import with_port
    from greetlab.views.palette import pod_styles

    pods = cluster.pods
    count = f"{len(pods)} pod{'s' * (len(pods) != 1)}"
    console.print()
    console.print(
        Text.assemble((f"A cluster of {count}", "bold"), f" on 127.{cluster.network}.0.0/16")
    )
    console.print()
    console.print(f"  DNS         {cluster.dns_address}")
    console.print(f"  ClusterIP   {with_port(cluster.cluster_ip, cluster.service_port)}")
    styles = pod_styles(pod.name for pod in pods)
    for pod in pods:
        style = styles[pod.name]
        name = Text(f"{style.sign} {pod.name:9}", style.color)
        console.print(Text.assemble("  ", name, f" {with_port(pod.ip, cluster.port)}"))
    console.print()
    console.print(Text("From another terminal:", "bold"))
    for line in lines(cluster):
        console.print()
        console.print(Text(f"  # {line.shows}", "dim"))
        console.print(Text(f"  {line.command}"), soft_wrap=True)  # whole, to be copied
    console.print()
    console.print(Text("Ctrl-C ends it.", "bold"))
