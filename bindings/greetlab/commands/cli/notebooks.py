"""`greetlab notebooks`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json


def notebooks(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where your copies are, or will be.")
    ] = Path("greetlab-notebooks"),
    browser: Annotated[
        bool, typer.Option("--browser/--no-browser", help="Open a browser; else print the link.")
    ] = True,
    as_json: Json = False,
) -> None:
    """Copy the notebooks into a folder of yours and open them in JupyterLab.

    What is in the folder already is never overwritten. JupyterLab listens on the loopback address
    only, and the link that it prints has its token. Ctrl-C ends it. Exit status 2 if it could not
    be started.
    """
    from greetlab.commands.notebooks import become, copy_notebooks, jupyter_command

    console = Terminal(quiet=as_json)
    words = {"new": "new", "same": "there already", "kept": "kept: it has your own work"}
    with failing_in_words("notebooks"):
        copies = list(copy_notebooks(folder))
        for copy in copies:
            console.print(f"  {copy.name:24} {words[copy.result]}")
        command = jupyter_command(folder, browser=browser)
        if as_json:
            print_json({"folder": str(folder), "notebooks": {c.name: c.result for c in copies}})
        console.print(f"JupyterLab in {folder}; Ctrl-C ends it")
        become(command)
