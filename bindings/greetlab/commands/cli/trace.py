"""`greetlab trace`."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.columns import Columns
from rich.padding import Padding
from rich.table import Table

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

_OF_A_LOG = (
    "Read from a log: all of it is inferred, and what the log does not tell is not here. grpc-go's "
    "has no calls, no picks, and whole seconds; C-core's knows who answered by the address alone."
)

if TYPE_CHECKING:
    from greetlab.trace.consistency import Problem
    from greetlab.trace.summary import ClientSummary, Summary
    from greetlab.trace.trace import Trace


def trace(
    file: Annotated[
        Path,
        typer.Argument(
            metavar="FILE",
            help="What `call --trace` or Trace.save wrote; or a log of your own client: grpc-go's, "
            "or C-core's (C++, Python, Ruby, PHP).",
        ),
    ],
    story: Annotated[bool, typer.Option("--story", help="A sentence for every event.")] = False,
    check: Annotated[
        bool, typer.Option("--check", help="Look for what cannot be true of any run.")
    ] = False,
    as_json: Json = False,
) -> None:
    """Read a trace: in figures, as a story, or with a suspicious eye.

    A log is read as far as it tells of resolver, balancer, subchannels and picks; all of it is then
    marked as inferred. Exit status 0, 1 if --check found something, 2 if the file is no trace.
    """
    from greetlab.trace.consistency import problems
    from greetlab.trace.logs import load
    from greetlab.trace.summary import summarize

    with failing_in_words("trace"):
        if story and check:
            raise ValueError("--story or --check: one of them at a time")
        read = load(file)
    if check:
        found = problems(read)
        if as_json:
            print_json([asdict(problem) for problem in found])
        else:
            _show_check(read, found)
        raise typer.Exit(1 if found else 0)
    if story:
        if as_json:
            print_json(_events(read))
        else:
            Terminal().lines(read.story())
    elif as_json:
        print_json(asdict(summarize(read)))
    else:
        _show(summarize(read), file)


def _events(read: Trace) -> list[dict[str, object]]:
    return [
        {
            "id": event.id,
            "cause": event.cause.id if event.cause else None,
            "ms": (event.seconds - read.origin) * 1e3,
            "who": event.who,
            "kind": event.kind,
            "certainty": event.certainty,
            "sentence": event.sentence + event.mark,
        }
        for event in read
    ]


def _show_check(read: Trace, found: list[Problem]) -> None:
    from greetlab.trace.consistency import RULES

    console = Terminal()
    console.print()
    for rule, claim in RULES.items():
        broken = [problem for problem in found if problem.rule == rule]
        mark = Text("NO ", "bold red") if broken else Text("yes", "green")
        console.print(Text.assemble("  ", mark, "  ", claim))
        for problem in broken:
            console.print(Padding(Text(str(problem), "red"), (0, 0, 0, 7)))
    console.print()
    said = "can be true" if not found else "cannot be the whole truth"
    console.print(Text(f"  {len(read):,} events: this trace {said}", "bold"))
    console.print()


def _show(summary: Summary, file: Path) -> None:
    console = Terminal()
    console.print()
    dropped = f", {summary.dropped:,} dropped" if summary.dropped else ""
    title = f"{summary.events:,} events in {summary.seconds:.3f} s{dropped}"
    console.print(Text.assemble((f" {summary.world} ", "reverse"), " ", (title, "bold")))
    if summary.world == "LOG":
        console.print(Text(f"  {_OF_A_LOG}", "yellow"))
    for change in summary.cluster:
        console.print(Text(f"  {change}", "yellow"))
    for client in summary.clients:
        console.print()
        console.print(_client(client))
    console.print()
    console.print(Text(f"greetlab trace {file} --story tells it, --check doubts it", "dim"))
    console.print()


def _client(client: ClientSummary) -> Table:
    from greetlab.views.palette import FAILED, pod_styles

    styles = pod_styles(client.by_pod)
    pods = Columns(
        [
            Text.assemble((f"{styles[pod].sign} {pod}", styles[pod].color), f" {count:,}")
            for pod, count in client.by_pod.items()
        ],
        padding=(0, 3),
    )
    statuses = Text()
    for status, count in client.by_status.items():
        statuses.append(f"{status} {count:,}  ", "" if status == "OK" else FAILED.color)
    table = Table.grid(padding=(0, 2))
    table.add_row(Text(client.name, "bold"), "")
    if client.lookups:
        table.add_row("  lookups", f"{client.lookups:,}, of {client.queries:,} questions")
    if client.addresses:
        table.add_row("  addresses", ", ".join(client.addresses))
    if client.dials:
        table.add_row(
            "  connections",
            f"{client.dials:,} dialled, {client.connected:,} came up, "
            f"{client.failed_dials:,} failed, {client.lost:,} lost",
        )
    table.add_row("  calls", Text.assemble(f"{client.calls:,}   ", statuses))
    table.add_row("  answered by", pods if client.by_pod else "nobody who said a name")
    return table
