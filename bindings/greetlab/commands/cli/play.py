"""`greetlab play`."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Annotated

import typer

from greetlab.commands.cli.shared import Json, failing_in_words, print_json


def play(
    link: Annotated[
        str, typer.Argument(metavar="LINK", help="A world: what cluster.link() gave; or #scene-3.")
    ] = "",
    out: Annotated[Path, typer.Option(metavar="FILE", help="Where the page is written.")] = Path(
        "greetlab-play.html"
    ),
    folder: Annotated[
        Path | None,
        typer.Option(metavar="DIR", help="Write it as a folder for a web server; open nothing."),
    ] = None,
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser; else print the link.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Play with a virtual world in the browser: pods, policies, and every request on its way.

    Writes one page that needs nothing else, neither a network nor a server. With --folder, the same
    as files that any host of static files can serve. Exit status 2 if it could not be written, or
    the link is none.
    """
    from greetlab.views.play import document, fragment_of, worlds_of, write_site

    with failing_in_words("play"):
        fragment = fragment_of(link)
        if fragment:
            worlds_of(fragment)  # says what is wrong with it
        hash = f"#{fragment}" if fragment else ""
        address = out.resolve().as_uri() + hash
        if folder is not None:
            written = write_site(folder)
            told = {"folder": str(folder), "files": len(written), "link": f"index.html{hash}"}
            said = f"{folder}: {len(written)} files to be served, from index.html{hash} on"
        else:
            out.write_text(document(), encoding="utf-8")
            told = {"page": str(out), "link": address}
            said = address
        if as_json:
            print_json(told)
        else:
            typer.echo(said)
    if browser and folder is None:
        webbrowser.open(address)
