"""Looking names up in DNS, and how a lookup looks.

resolver = DnsResolver(["127.7.0.10:53"], search=["default.svc.cluster.local"], ndots=5)
print(nslookup(resolver.lookup("greetserver")))
"""

from __future__ import annotations

import ipaddress
import re
from typing import Any

from greetlab import text
from greetlab._core import DnsResolver, Lookup, Query, Record, SrvRecord, system_resolver_config

__all__ = [
    "DnsResolver",
    "Lookup",
    "Query",
    "Record",
    "SrvRecord",
    "nslookup",
    "pod_resolver",
    "system_resolver",
]

NDOTS = 5
"""Of a pod's resolv.conf: a name with fewer dots is tried with the search list first."""

RECORD_TYPES = ("A", "AAAA", "SRV", "TXT")
"""What can be asked for."""


def pod_search(namespace: str = "default", domain: str = "cluster.local") -> list[str]:
    """The search list of a pod's resolv.conf (kubernetes.io, "DNS for Services and Pods")."""
    return [f"{namespace}.svc.{domain}", f"svc.{domain}", domain]


def pod_resolver(
    server: str, *, namespace: str = "default", domain: str = "cluster.local"
) -> DnsResolver:
    """A resolver that asks as a pod of a cluster does: its search list, and ndots:5.

    Args:
        server: the cluster's DNS: "10.96.0.10", "127.7.0.10:10053", "[fd00::a]:53".
        namespace: the pod's.
        domain: the cluster's.

    Raises:
        ValueError: the server is no IP address, or the namespace could not be one.
    """
    if not re.fullmatch(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?", namespace):  # RFC 1123
        raise ValueError(f"namespace {namespace!r}: small letters, digits and dashes")
    return DnsResolver([with_usual_port(server)], search=pod_search(namespace, domain), ndots=NDOTS)


def with_port(ip: str, port: int) -> str:
    """As an address is written: "10.244.0.3:50051", "[fd00::3]:50051"."""
    return f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}"


def with_usual_port(server: str) -> str:
    """A DNS server with its port: 53, where none is named."""
    try:
        ip = ipaddress.ip_address(server.strip("[]"))
    except ValueError:
        return server  # it has one, or is refused in words
    return with_port(str(ip), 53)


def system_resolver(path: str = "/etc/resolv.conf") -> DnsResolver:
    """A resolver that asks as this machine does.

    Args:
        path: a resolv.conf(5).

    Raises:
        RuntimeError: the file cannot be read.
        ValueError: it names a server that is no IP address.
    """
    config = system_resolver_config(path)
    return DnsResolver(
        config.servers,
        search=config.search,
        ndots=config.ndots,
        timeout=config.timeout,
        attempts=config.attempts,
    )


def nslookup(lookup: Lookup) -> str:
    """The lookup as nslookup(1) prints it: the server that had the last word, then the answers."""
    answered = [query for query in lookup.queries if query.rcode is not None]
    if not answered:
        return ";; connection timed out; no servers could be reached"
    name = text.plain(lookup.name)
    ip, port = answered[-1].server.rsplit(":", 1)
    ip = ip.strip("[]")
    lines = [f"Server:\t\t{ip}", f"Address:\t{ip}#{port}", ""]
    if not lookup.ok:
        if lookup.status == "no_data":
            return "\n".join([*lines, f"*** Can't find {name}: No answer"])
        return "\n".join([*lines, f"** server can't find {name}: {lookup.status.upper()}"])

    good = [query for query in lookup.queries if query.status == "ok"]
    if not all(query.authoritative for query in good):
        lines.append("Non-authoritative answer:")
    seen = set()
    for record in [record for query in good for record in query.records]:
        owner, data = text.plain(record.name), text.plain(record.text)
        line = {
            "CNAME": f"{owner}\tcanonical name = {data}.",
            "SRV": f"{owner}\tservice = {data}.",
        }.get(record.type, f"Name:\t{owner}\nAddress: {data}")
        if line not in seen:  # the CNAME comes with A and with AAAA
            lines.append(line)
        seen.add(line)
    return "\n".join(lines)


def lookup_text(lookup: Lookup) -> str:
    """A lookup in a terminal: what came of it, then one line for each query."""
    rows = [_COLUMNS, *(tuple(map(text.plain, _cells(query))) for query in lookup.queries)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    told = [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]
    return text.lines([_headline(lookup), *(f"  {line}" for line in told)])


def lookup_html(lookup: Lookup) -> str:
    """A lookup in a notebook: what came of it, then a table of the queries."""

    def row(tag: str, cells: tuple[str, ...]) -> str:
        return "<tr>" + "".join(f"<{tag}>{text.markup(cell)}</{tag}>" for cell in cells) + "</tr>"

    body = "".join(row("td", _cells(query)) for query in lookup.queries)
    return (
        f"<p><b>{text.markup(_headline(lookup))}</b></p>"
        f"<table><thead>{row('th', _COLUMNS)}</thead><tbody>{body}</tbody></table>"
    )


def lookup_dict(lookup: Lookup) -> dict[str, Any]:
    """A lookup as JSON has it. Times are in milliseconds, TTLs in seconds."""
    return {
        "name": lookup.name,
        "status": lookup.status,
        "reason": lookup.reason,
        "answer_name": lookup.answer_name,
        "addresses": lookup.addresses,
        "srv": [
            {"target": s.target, "port": s.port, "priority": s.priority, "weight": s.weight}
            for s in lookup.srv
        ],
        "txt": lookup.txt,
        "ttl": lookup.ttl,
        "queries": [
            {
                "type": query.type,
                "name": query.name,
                "server": query.server,
                "transport": query.transport,
                "status": query.status,
                "rcode": query.rcode,
                "ttl": query.ttl,
                "round_trip_ms": query.round_trip_ns / 1e6,
                "records": [f"{record.type} {record.text}" for record in query.records],
            }
            for query in lookup.queries
        ],
    }


def query_text(query: Query) -> str:
    """A query in a terminal."""
    return text.plain(f"Query({' '.join(cell for cell in _cells(query) if cell)})")


_COLUMNS = ("type", "name", "server", "over", "answer", "ttl", "time")


def _cells(query: Query) -> tuple[str, ...]:
    answer = query.rcode or query.status
    if query.status in ("no_data", "truncated"):
        answer += ", no data" if query.status == "no_data" else ", truncated"
    return (
        query.type,
        query.name,
        query.server,
        query.transport,
        answer,
        "" if query.ttl is None else f"{query.ttl} s",
        f"{query.round_trip_ns / 1e6:.2f} ms",
    )


def _headline(lookup: Lookup) -> str:
    if not lookup.ok:
        return f"{lookup.name}: {lookup.reason}"
    answers = lookup.addresses + [f"{srv.target}:{srv.port}" for srv in lookup.srv]
    shown = answers if len(answers) <= 4 else [*answers[:3], f"... {len(answers)} in all"]
    return f"{lookup.name} is {lookup.answer_name}: {', '.join(shown)} (ttl {lookup.ttl} s)"
