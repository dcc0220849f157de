"""`greetlab lookup`."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.table import Table

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab.dns.lookup import Lookup, Query


_NOBODY = ("unreachable", "timeout")
"""How a lookup ends that no server had a word in."""


def lookup(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="greetserver, greetserver-headless, or any name.")
    ],
    types: Annotated[
        str, typer.Option("--type", help="What to ask for: A, AAAA, SRV, TXT, with commas between.")
    ] = "A,AAAA",
    server: Annotated[
        str | None,
        typer.Option(help="Ask this DNS server (IP or IP:PORT), with a pod's search list."),
    ] = None,
    resolv_conf: Annotated[
        Path | None, typer.Option(help="Ask as this resolv.conf says, such as /etc/resolv.conf.")
    ] = None,
    namespace: Annotated[
        str, typer.Option(help="The pod's: where its search list begins.")
    ] = "default",
    as_json: Json = False,
) -> None:
    """Look a name up as a pod of a cluster would, and show every question that it takes.

    A pod's resolv.conf has a search list and ndots:5. Without --server and --resolv-conf a local
    cluster of three pods is made for it. Exit status 0 if there is an answer, 1 if there is none, 2
    if nobody could be asked, or nobody said anything.
    """
    from greetlab.clusters.cluster import Cluster
    from greetlab.dns.lookup import lookup_dict, pod_resolver, system_resolver

    with failing_in_words("lookup"):
        wanted = _types(types)
        if server and resolv_conf:
            raise ValueError("--server or --resolv-conf: either of them says whom to ask")
        if resolv_conf:
            found = system_resolver(str(resolv_conf)).lookup(name, wanted)
        elif server:
            found = pod_resolver(server, namespace=namespace).lookup(name, wanted)
        else:
            with Cluster.local() as cluster:
                resolver = pod_resolver(cluster.dns_address, namespace=namespace)
                found = resolver.lookup(name, wanted)
    if as_json:
        print_json(lookup_dict(found))
    else:
        _show(found)
    raise typer.Exit(0 if found.ok else 2 if found.status in _NOBODY else 1)


def _types(text: str) -> list[str]:
    from greetlab.dns.lookup import RECORD_TYPES

    types = [word.strip().upper() for word in text.split(",")]
    for word in types:
        if word not in RECORD_TYPES:
            raise ValueError(f"--type {text!r}: there is {', '.join(RECORD_TYPES)}")
    return types


def _show(found: Lookup) -> None:
    console = Terminal()
    console.print()
    if found.ok:
        asked = found.name.removesuffix(".")
        full = f" is {found.answer_name}" if found.answer_name != asked else ""
        console.print(Text(f"{found.name}{full}", "bold"))
        for address in found.addresses:
            console.print(Text(f"  {address}", "green"))
        for srv in found.srv:
            console.print(Text(f"  {srv.target}:{srv.port}", "green"))
        for text in found.txt:
            console.print(Text(f"  {text}", "green"))
        console.print(Text(f"  good for {found.ttl} s (TTL)", "dim"))
    else:
        console.print(Text.assemble((found.name, "bold"), (f": {found.reason}", "red")))
    console.print()
    count = len(found.queries)
    console.print(Text(f"{count} question{'s' * (count != 1)}, in the order of asking", "dim"))
    table = Table.grid(padding=(0, 2))
    for overflow in ("ellipsis", "ellipsis", "fold"):
        table.add_column(overflow=overflow)
    for number, query in enumerate(found.queries, 1):
        table.add_row(Text(str(number), "dim"), query.type, query.name)
        took = (f"   {query.round_trip_ns / 1e6:.2f} ms", "dim")
        table.add_row("", "", Text.assemble(_answer(query), took))
    console.print(table)
    servers = sorted({f"{query.server} ({query.transport})" for query in found.queries})
    if servers:
        console.print(Text(f"asked of {', '.join(servers)}", "dim"))
    misses = sum(query.status == "nxdomain" for query in found.queries)
    if found.ok and misses and not found.name.endswith("."):
        console.print()
        console.print(
            Text(
                f"{misses} of the {count} went to names that do not exist: with fewer than ndots "
                f"dots in a name, the search list is tried first. With a final dot, "
                f"{found.answer_name}. is asked for at once.",
                "italic",
            )
        )
    console.print()


def _answer(query: Query) -> Text:
    if query.status == "ok":
        return Text(", ".join(record.text for record in query.records), "green")
    if query.status == "no_data":
        return Text("exists, but has no such record", "yellow")
    return Text(query.rcode or query.status.upper(), "red")
