"""The command line: `greetlab`."""

from __future__ import annotations

import json
import signal
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

app = typer.Typer(
    help="See, and break, how gRPC load balancing on Kubernetes really works.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


class _Console(Console):
    """Tells the end of the pipe (`| head`) from a story that did not hold: 141, as a shell does."""

    def on_broken_pipe(self) -> None:
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(128 + signal.SIGPIPE) from None


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(version("greetlab"))
        raise typer.Exit


@app.callback()
def _greetlab(
    _version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print it.")
    ] = False,
) -> None:
    pass


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
    screen = Screen(_Console(quiet=as_json, highlight=False))
    try:
        folder.mkdir(parents=True, exist_ok=True)  # before the work, not after it
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


@app.command()
def notebooks(
    folder: Annotated[Path, typer.Argument(help="Where your copies are, or will be.")] = Path(
        "greetlab-notebooks"
    ),
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser; else print the link.")
    ] = True,
) -> None:
    """Copy the notebooks into a folder of yours and open them in JupyterLab.

    What is in the folder already is never overwritten. JupyterLab listens on the loopback address
    only, and the link that it prints has its token. Ctrl-C ends it. Exit status 2 if it could not
    be started.
    """
    from greetlab.notebooks import become, copy_notebooks, jupyter_command

    console = _Console(highlight=False)
    words = {"new": "new", "same": "there already", "kept": "kept: it has your own work"}
    try:
        for copy in copy_notebooks(folder):
            console.print(f"  {copy.name:24} {words[copy.result]}")
        command = jupyter_command(folder, browser=browser)
        console.print(f"JupyterLab in {folder}; Ctrl-C ends it")
        become(command)
    except (OSError, RuntimeError) as error:
        Console(stderr=True, highlight=False).print(f"greetlab notebooks: {error}", style="red")
        raise typer.Exit(2) from error


def main() -> None:
    """The console script."""
    app()
