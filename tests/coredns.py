"""What a real cluster's CoreDNS says of Services that are made for it, and what ours says.

coredns.json is the former, recorded by `pytest tests/kube/test_dns.py --renew`, and
test_coredns.py holds ours to it. Both worlds are made of SERVICES, both are asked QUESTIONS.

Endpoints stand in EndpointSlices that are written by hand, so no pods run for them, and their
addresses are the same each time; the ClusterIPs are of the band that is kept for fixed ones
(KEP-3070), of the range that kubeadm, kind and minikube have: 10.96.0.0/12.
"""

import json
import re
from dataclasses import dataclass
from pathlib import Path

import dns.flags
import dns.message
import dns.name
import dns.query
import dns.rcode
import dns.rdatatype
import dns.reversename

TABLE = Path(__file__).parent / "coredns.json"
NAMESPACE = "greetlab-dns"
SVC = f"{NAMESPACE}.svc.cluster.local"
POD_IP = "10.244.201.1"
"""In place of the address that the one real pod has, which is another one each time."""


def endpoints(count, third):
    """All as long as each other: so many fit into an answer whichever of them come first."""
    return [(None, f"10.244.{third}.{n}") for n in range(100, 100 + count)]


GRPC = {"grpc": (80, 50051)}
SERVICES = {
    "web": {
        "cluster_ip": "10.96.0.201",
        "ports": {"http": (80, 8080), "grpc": (50051, 50051), "dns": (53, 53, "udp")},
        "endpoints": endpoints(2, 200),
    },
    "empty": {"cluster_ip": "10.96.0.202", "ports": GRPC},
    "headless": {
        "ports": GRPC,
        "endpoints": [
            ("db-0", "10.244.202.1"), (None, "10.244.202.2"), ("db-2", "10.244.202.3", False)
        ],
    },
    "portless": {"ports": {}, "endpoints": endpoints(2, 203)},
    "unnamed": {"ports": {"": (80, 50051)}, "endpoints": endpoints(2, 204)},
    "six": {"ports": GRPC, "endpoints": [(None, "fd00:244::1"), (None, "fd00:244::2")]},
    "unready": {"ports": GRPC, "endpoints": [(None, "10.244.205.1", False)]},
    "nobody": {"ports": GRPC},
    "forty": {"ports": GRPC, "endpoints": endpoints(40, 206)},
    "hundred": {"ports": GRPC, "endpoints": endpoints(110, 207)},
    "alias": {"external_name": f"web.{SVC}"},
    "outside": {"external_name": "www.example.invalid"},
    # Behind these two stands a pod that is never ready.
    "waiting": {"ports": GRPC, "endpoints": [(None, POD_IP, False)]},
    "waiting-published": {
        "ports": GRPC,
        "endpoints": [(None, POD_IP, False)],
        "publish_not_ready_addresses": True,
    },
}  # fmt: skip


@dataclass(frozen=True)
class Question:
    """how: "udp", which takes 512 bytes, "edns 1232", "tcp"."""

    name: str
    kind: str
    how: str = "udp"

    def __str__(self):
        return f"{self.name} {self.kind} {self.how}"


def _questions():
    alone = [name for name in SERVICES if name not in ("forty", "hundred")]
    for name in alone:
        for kind in ("A", "AAAA", "SRV", "ANY"):
            yield Question(f"{name}.{SVC}.", kind)
    for kind in ("CNAME", "TXT", "NS", "SOA", "MX", "PTR", "HTTPS"):
        for name in (f"web.{SVC}.", f"headless.{SVC}.", f"alias.{SVC}.", f"missing.{SVC}."):
            yield Question(name, kind)
    yield Question(f"_grpc_config.web.{SVC}.", "TXT")  # gRFC A2: a client asks it
    ports = ("_grpc._tcp", "_grpc._udp", "_http._tcp", "_dns._udp")
    names = [
        # Named ports, and what stands below a name.
        *(f"{port}.{name}" for name in ("web", "headless", "unnamed", "waiting-published")
          for port in ports),
        "grpc.tcp.headless", "_tcp.headless", "_grpc.headless", "_grpc._tcp.nobody",
        # Pods, by hostname and by address.
        "db-0.headless", "DB-0.headless", "db-2.headless", "10-244-202-1.headless",
        "10-244-202-2.headless", "10-244-202-3.headless", "10-244-200-100.web", "fd00-244--1.six",
        f"{POD_IP.replace('.', '-')}.waiting", f"{POD_IP.replace('.', '-')}.waiting-published",
        # No such thing, and a thing's name with something before it.
        "missing", "a.missing", "a.b.headless", "a.b.c.headless", "*", "*.headless",
        # As it is asked.
        "WEB", "hEadLess",
    ]  # fmt: skip
    for name in names:
        for kind in ("A", "SRV"):
            yield Question(f"{name}.{SVC}.", kind)
    # Where there is no service: the tree above, and other ends of the search list.
    for name in (
        "cluster.local.", "svc.cluster.local.", f"{SVC}.", "pod.cluster.local.",
        f"{NAMESPACE}.pod.cluster.local.", f"10-1-2-3.{NAMESPACE}.pod.cluster.local.",
        "10-1-2-3.nowhere.pod.cluster.local.", f"not-an-ip.{NAMESPACE}.pod.cluster.local.",
        "web.nowhere.svc.cluster.local.", "nowhere.svc.cluster.local.", "web.cluster.local.",
        "web.svc.cluster.local.", f"web.{NAMESPACE}.cluster.local.", "dns-version.cluster.local.",
        "ns.dns.cluster.local.", "web.", f"web.{NAMESPACE}.", f"web.{NAMESPACE}.svc.",
    ):  # fmt: skip
        for kind in ("A", "AAAA", "SOA", "TXT"):
            yield Question(name, kind)
    # Full names and short ones, before what a search list has.
    for given in (
        "web",
        f"web.{NAMESPACE}",
        f"web.{NAMESPACE}.svc",
        f"web.{SVC}",
        f"headless.{SVC}",
    ):
        for search in (f"{SVC}.", "svc.cluster.local.", "cluster.local."):
            yield Question(f"{given}.{search}", "A")
    # Reverse.
    for address in ("10.96.0.201", "10.244.200.100", "10.244.202.1", "10.244.202.2", "10.244.202.3",
                    "fd00:244::1", "10.244.250.9", POD_IP):  # fmt: skip
        yield Question(dns.reversename.from_address(address).to_text(), "PTR")
    # More than fits.
    for name in ("forty", "hundred", "_grpc._tcp.forty"):
        for kind in ("A", "AAAA", "SRV"):
            for how in ("udp", "edns 512", "edns 1232", "edns 4096", "tcp"):
                yield Question(f"{name}.{SVC}.", kind, how)


QUESTIONS = list(dict.fromkeys(_questions()))


def ask(server, port, question, rename=lambda text: text):
    """What a server says, as the table has it: the records in order, for an answer is shuffled.

    rename: of what is asked. Without ids, the serial of the SOA, and what EDNS says of the server.
    """
    how, _, size = question.how.partition(" ")
    query = dns.message.make_query(
        rename(question.name), question.kind, use_edns=0 if size else False, payload=int(size or 0)
    )
    send = dns.query.tcp if how == "tcp" else dns.query.udp
    reply = send(query, server, port=port, timeout=5)
    told = {
        "rcode": dns.rcode.to_text(reply.rcode()),
        "flags": dns.flags.to_text(reply.flags),
        "edns": reply.edns >= 0,
        **{
            name: _records(reply.section_from_number(n)) for n, name in enumerate(SECTIONS, start=1)
        },
    }
    if not question.name.lower().endswith("cluster.local."):
        for name in SECTIONS:  # it caches these, and they grow old
            told[name] = [re.sub(r"(?<= )\d+(?= IN)", "TTL", line) for line in told[name]]
        if told["rcode"] == "NXDOMAIN":  # how it is said, is its upstream's
            told |= {"flags": "", "authority": []}
    if "TC" in told["flags"]:  # which of them fit, chance decides
        told |= {name: len(told[name]) for name in SECTIONS}
    return told


SECTIONS = ("answer", "authority", "additional")


def _records(section):
    lines = []
    for rrset in section:
        for line in rrset.to_text().splitlines():
            words = line.split(" ")
            if words[3] == "SOA":
                words[6] = "SERIAL"
            lines.append(" ".join(words))
    return sorted(lines)


def load():
    """Question to what CoreDNS said."""
    return json.loads(TABLE.read_text())


def save(about, answers):
    """about: of which cluster. answers: Question to what it said."""
    rows = [f"    {json.dumps(str(q))}: {json.dumps(told)}" for q, told in answers.items()]
    body = ",\n".join(rows)
    TABLE.write_text(f'{{\n  "about": {json.dumps(about)},\n  "answers": {{\n{body}\n  }}\n}}\n')
