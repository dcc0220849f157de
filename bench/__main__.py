"""The command line: `./run bench [ROW...] [--quick]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from bench import measure, processes, report, rows

RESULTS = processes.ROOT / "bench" / "results"


def main(
    names: Annotated[
        list[str] | None, typer.Argument(metavar="[ROW]...", help="Rows or groups. Default: all.")
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="Fewer rounds, fewer calls.")] = False,
    out: Annotated[
        Path | None,
        typer.Option(help="The folder of the results. Default: latest for a full run, or partial."),
    ] = None,
) -> None:
    """Measures us against the peers, round by round in turns, and holds the ratios to the bars.

    Exits with 0 whether the bars are met or not; with 1 if a row broke and so has no figure.
    """
    try:
        chosen = rows.choose(names or [])
    except ValueError as error:
        raise typer.BadParameter(str(error)) from error
    effort = measure.QUICK if quick else measure.FULL
    folder = out or RESULTS / ("partial" if names or quick else "latest")
    processes.raise_file_limit()

    console = Console()
    told = report.header(effort)
    console.print(report.table_of_header(told))
    outcomes = []
    for row in chosen:
        with console.status(f"{row.name}: {effort.rounds} rounds"):
            outcome = measure.measure(row, effort)
        console.print(report.shown(outcome))
        outcomes.append(outcome)
    report.save(folder, told, outcomes, rows.CURVES)
    console.print(report.table_of_figures(outcomes, named=True))
    console.print(f"\n{report.summary(outcomes)}; in {folder}", soft_wrap=True)
    if any(outcome.broken for outcome in outcomes):
        raise typer.Exit(1)


if __name__ == "__main__":
    typer.run(main)
