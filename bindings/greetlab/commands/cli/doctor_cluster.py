"""`greetlab doctor deployment/NAME`: a cluster's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import typer
from rich.table import Table

from greetlab.commands.cli.shared import Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from collections.abc import Callable

    from greetlab.commands.doctor.cluster import ServiceLook
    from greetlab.commands.doctor.finding import Finding

INTERRUPTED = 130
"""As a shell tells of Ctrl-C."""


def examine(
    target: str,
    context: str | None,
    namespace: str | None,
    timeout: float,
    as_json: bool,
    line: Callable[[Finding], Table],
) -> None:
    """Examines, shows, and exits.

    line: how a finding is shown.
    """
    from greetlab.commands.doctor.cluster import examine_cluster

    try:
        with failing_in_words("doctor"):
            report = examine_cluster(target, context, namespace, timeout=timeout)
    except KeyboardInterrupt:  # our pod is gone by now
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(report.to_dict())
    else:
        console = Terminal()
        console.print()
        as_what = "as the client of" if report.role == "client" else "as the server behind"
        names = ", ".join(look.service for look in report.services)
        console.print(Text(f"{report.target} in {report.context}, {as_what} {names}", "bold"))
        for look in report.services:
            _show(console, look, line)
        console.print()
    raise typer.Exit(0 if report.healthy else 1)


def _show(console: Terminal, look: ServiceLook, line: Callable[[Finding], Table]) -> None:
    color = {True: "red", False: "green", None: "yellow"}[look.sticky]
    console.print()
    console.print(Text(look.verdict, f"bold {color}"))
    console.print()
    for pod, ends in look.connections.items():
        told = ", ".join(f"{count} to {end}" for end, count in ends.items()) or "none"
        console.print(Text(f"  {pod} has connections: {told}"))
    for finding in look.findings:
        console.print(line(finding))
    for sentence in dict.fromkeys(look.unknown):
        mark = Table.grid(padding=(0, 2))
        mark.add_column(width=4)
        mark.add_column(overflow="fold")
        mark.add_row(Text("?", "yellow"), Text(sentence, "italic"))
        console.print(mark)
    for cure in look.cures:
        console.print()
        console.print(Text(f"{cure.title}:", "bold"), soft_wrap=True)
        for each in cure.command.splitlines():
            console.print(Text(each), soft_wrap=True)  # whole, from its edge: to be copied
        said = f"the server refuses it: {cure.refused}" if cure.refused else ""
        said = said or "the server would take it (--dry-run=server); it is not applied"
        console.print(Text(f"({said})", "yellow" if cure.refused else "dim"), soft_wrap=True)
