"""How to reach a local cluster from another terminal: lines that work as they stand."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE
from greetlab.clusters.local import DOMAIN, NAMESPACE, LocalCluster
from greetlab.dns.lookup import with_port


@dataclass(frozen=True)
class Line:
    """A command, and what it shows."""

    shows: str
    command: str


def lines(cluster: LocalCluster) -> list[Line]:
    """Commands that reach this cluster as long as it is open: dig, grpcurl, our own."""
    ip, port = cluster.dns_address.rsplit(":", 1)
    server = cluster.dns_address
    ip = ip.strip("[]")
    full = {s: f"{s}.{NAMESPACE}.svc.{DOMAIN}" for s in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE)}
    sticky, fair = map(cluster.target, full)

    def dig(service: str, *more: str) -> str:
        kind = ["AAAA"] * (":" in ip)
        return shlex.join(["dig", f"@{ip}", "-p", port, "+short", full[service], *kind, *more])

    # Without a proto file: the pods answer reflection (grpc.reflection.v1alpha).
    request = '{"greeting": {"first_name": "Ada", "last_name": "Lovelace"}}'
    address = with_port(cluster.cluster_ip, cluster.service_port)
    method = "greet.GreetService/Greet"
    grpcurl = shlex.join(["grpcurl", "-plaintext", "-d", request, address, method])
    # Without --wait-ready the pod that is READY first has the first calls: a cold start.
    round_robin = ["--policy", "round_robin", "--wait-ready"]
    return [
        Line("one virtual address", dig(CLUSTER_IP_SERVICE)),
        Line("the addresses of the pods", dig(HEADLESS_SERVICE)),
        Line("the same as a pod asks", f"greetlab lookup {HEADLESS_SERVICE} --server {server}"),
        Line("a new connection: any pod", grpcurl),
        Line("one connection: one pod", shlex.join(["greetlab", "call", sticky])),
        Line("shared by all pods", shlex.join(["greetlab", "call", fair, *round_robin])),
        Line(
            "the same without Python", shlex.join(["greet-client", fair, *round_robin, "-n", "6"])
        ),
        Line("is it sticky?", shlex.join(["greetlab", "doctor", sticky])),
    ]
