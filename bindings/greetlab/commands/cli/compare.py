"""`greetlab compare`."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer
from rich.table import Table

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.measures import FLEET, MEASURES, Measure, Row, shown
from greetlab.views.words import Text


def compare(
    worlds: Annotated[
        str, typer.Option("--in", help="sim, local, or both with a comma between.")
    ] = "sim,local",
    seed: Annotated[int, typer.Option(min=0, help="Of all that is random.")] = 1,
    clients: Annotated[
        int, typer.Option(min=0, max=2000, help="Of a fleet in the simulator, too; 0: none.")
    ] = 0,
    as_json: Json = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write it as a page, too, to this file.")
    ] = None,
) -> None:
    """Every way to balance gRPC's calls, side by side on the same bad day.

    Four clients call three pods; two more come, one is killed and replaced, one is slow for a
    while, and all are rolled out anew. In the simulator it takes two seconds; on real processes,
    with a real Envoy and a real HAProxy where they are installed, a quarter of a minute a design.
    Exit status 0, or 2 if it could not be run.
    """
    from greetlab.commands.compare import DESIGNS, fleet, run, score

    with failing_in_words("compare"):
        wanted = [word.strip() for word in worlds.split(",")]
        for world in wanted:
            if world not in score.WORLDS:
                raise ValueError(f"--in {worlds!r}: there is {' and '.join(score.WORLDS)}")
        missing = {design.name.strip(): design.lacks() for design in DESIGNS if design.lacks()}
        designs = [design for design in DESIGNS if design.name.strip() not in missing]
        scores = list(run(wanted, seed, designs))
        fleets = [one.as_dict() for one in fleet.fleet(clients, seed)] if clients else []
        if html is not None:
            from greetlab.commands.compare.page import page

            rows = [one.as_dict() for one in scores]
            text = page(rows, _note(), fleet=fleets, fleet_note=_fleet_note())
            html.write_text(text, encoding="utf-8")
    if as_json:
        print_json([*(one.as_dict() for one in scores), *fleets])
        return
    console = Terminal()
    for world in wanted:
        console.print()
        rows = [one.as_dict() for one in scores if one.world == world]
        console.print(_table(world.upper(), MEASURES, rows))
    if fleets:
        console.print()
        console.print(_table(f"SIM, {clients} clients", FLEET, fleets))
        console.print(Text(_fleet_note(), "dim"))
    console.print()
    for one in {one.design: one for one in scores}.values():
        console.print(Text(f"{one.design}: operates {' and '.join(one.parts)}", "dim"))
    console.print()
    console.print(Text(_note(), "dim"))
    for name, why in missing.items() if "local" in wanted else ():
        console.print(Text(f"Not run: {name}: {why}", "dim"))


def _table(title: str, measures: Sequence[Measure], rows: Sequence[Row]) -> Table:
    measures = shown(measures, rows)
    table = Table(box=None, header_style="bold", pad_edge=False, padding=(0, 1, 0, 0))
    table.add_column(title, no_wrap=True)
    for one in measures:
        table.add_column(one.head, justify="right", no_wrap=True)
    for row in rows:
        cells = [Text(one.text(row), "red" if one.bad(row) else "") for one in measures]
        table.add_row(Text(row["design"]), *cells)
    return table


def _fleet_note() -> str:
    from greetlab.commands.compare import fleet

    return (
        f"{fleet.CALLS} calls of each client on {fleet.PODS} pods, and as many after these have "
        f"become {fleet.MORE}. unfair, idle: before that. new pods: called, of "
        f"{fleet.MORE - fleet.PODS}."
    )


def _note() -> str:
    from greetlab.commands.compare import designs, score

    return (
        f"{score.CLIENTS} clients, {score.RATE:g} calls a second each, a call served in 2 ms. "
        f"Second {score.SCALED}: {score.PODS} pods become {score.MORE}; {score.KILLED}: one is "
        f"killed, and replaced a second later; {score.SLOWED} to {score.WELL}: one is "
        f"{score.SLOWER * 1e3:g} ms slower; {score.ROLLED}: a rollout "
        f"(preStop {score.PRE_STOP:g} s); {score.END}: the end. failed: calls. "
        "p50, p99: milliseconds. unfair: the busiest pod's "
        "calls as a multiple of its fair share, before the kill. dialled: connections made. "
        "new pod: milliseconds from the scale-up until both new ones were called. asked: DNS, by "
        "the clients. CPU: microseconds a call, without the pods (lookaside's is mostly Python's, "
        "in which both its ends are written). parts: to operate, apart from clients and pods. "
        "A second here stands for half a minute: between lookups there is "
        f"{score.COOLDOWN:g} s (gRPC: 30 s), and the age is {designs.AGE:g} s. "
        "preStop is shorter than the first of them: a client that has just looked the name up, as "
        "one whose connections have an age has, hears of a rollout too late, and calls fail."
    )
