"""`greetlab play`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from greetlab.commands.cli.shared import Json, failing_in_words, print_json


def play(
    link: Annotated[
        str, typer.Argument(metavar="LINK", help="A world: what cluster.link() gave.")
    ] = "",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the page is written.")] = Path(
        "greetlab-play.html"
    ),
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser; else print the link.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Play with a virtual world in the browser: pods, policies, and every request on its way.

    Writes one page that needs nothing else, neither a network nor a server. Exit status 2 if it
    could not be written, or the link is none.
    """
    from greetlab.clusters.sim import SimCluster
    from greetlab.views.play import document

    with failing_in_words("play"):
        _, _, fragment = link.rpartition("#")
        if fragment:
            for world in fragment.split("!"):  # two of them, side by side
                SimCluster.from_link(world)  # says what is wrong with it
        out.write_text(document(), encoding="utf-8")
        address = out.resolve().as_uri() + (f"#{fragment}" if fragment else "")
        if as_json:
            print_json({"page": str(out), "link": address})
        else:
            typer.echo(address)
    if browser:
        webbrowser.open(address)
