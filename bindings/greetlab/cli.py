"""The command line: `greetlab`."""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="See, and break, how gRPC load balancing on Kubernetes really works.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)


@app.callback()
def _greetlab() -> None:
    """Keeps `demo` a word of its own while it is the only command."""


@app.command()
def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder. Default: greetlab-runs/<date and time> here."),
    ] = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON document and nothing else.")
    ] = False,
) -> None:
    """One pod takes every request, then three share them: the problem, the cure, the cost.

    On a cluster of real processes on this machine's loopback addresses. Exit status 0 if the story
    held, 1 if it did not, 2 if it could not be run.
    """
    from greetlab.cluster import Cluster
    from greetlab.demo import Screen, Story, tell, write_folder
    from greetlab.demo.story import PODS

    folder = out or Path("greetlab-runs") / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    story = Story()
    screen = Screen(Console(quiet=as_json, highlight=False))
    try:
        with Cluster.local(pods=PODS) as cluster:
            screen.title(f"{PODS} pods, real processes and sockets on 127.{cluster.network}.0.0/16")
            for act in tell(cluster, story):
                screen.act(act, story)
        write_folder(story, folder)
    except (OSError, RuntimeError) as error:
        Console(stderr=True, highlight=False).print(f"greetlab demo: {error}", style="red")
        raise typer.Exit(2) from error
    if as_json:
        typer.echo(json.dumps({**story.summary(), "folder": str(folder)}, indent=2))
    screen.ending(story, str(folder))
    raise typer.Exit(0 if story.held else 1)


def main() -> None:
    """The console script."""
    app()
