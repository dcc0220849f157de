"""`greetlab demo`."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json


def demo(
    out: Annotated[
        Path | None,
        typer.Option(help="The run folder. Default: greetlab-runs/<date and time> here."),
    ] = None,
    as_json: Json = False,
) -> None:
    """One pod takes every request, then three share them: the problem, the cure, the cost.

    On a cluster of real processes on this machine's loopback addresses. Exit status 0 if the story
    held, 1 if it did not, 2 if it could not be run.
    """
    from greetlab.clusters.cluster import Cluster
    from greetlab.commands import demo
    from greetlab.commands.demo.story import PODS

    folder = out or Path("greetlab-runs") / datetime.now().strftime("%Y-%m-%dT%H-%M-%S")
    story = demo.Story()
    screen = demo.Screen(Terminal(quiet=as_json))
    with failing_in_words("demo"):
        folder.mkdir(parents=True, exist_ok=True)  # before the work, not after it
        with Cluster.local(pods=PODS) as cluster:
            screen.title(f"{PODS} pods, real processes and sockets on 127.{cluster.network}.0.0/16")
            for act in demo.tell(cluster, story):
                screen.act(act, story)
        demo.write_folder(story, folder)
    if as_json:
        print_json({**story.summary(), "folder": str(folder)})
    screen.ending(story, str(folder))
    raise typer.Exit(0 if story.held else 1)
