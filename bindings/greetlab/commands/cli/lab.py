"""`greetlab lab`."""

from __future__ import annotations

import pydoc
from pathlib import Path
from typing import Annotated

import typer

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json


def lab(
    number: Annotated[int, typer.Argument(metavar="N", help="The lab's number.")],
    as_json: Json = False,
) -> None:
    """Show the guide of a lab: labs/NN_name/README.md of the repository that you stand in.

    In a pager, if this is a terminal. Exit status 2 if there is no such lab, or no repository.
    """
    from greetlab.lessons.labs import find

    with failing_in_words("lab"):
        name = f"labs/{number:02}_{find(number).name}/README.md"
        here = Path.cwd()
        guides = [folder / name for folder in (here, *here.parents)]
        guide = next((each for each in guides if each.is_file()), None)
        if guide is None:
            raise ValueError(
                f"there is no {name} in {here} or above: stand in the repository, whose manifests "
                "the lab needs, too"
            )
        text = guide.read_text(encoding="utf-8")
    if as_json:
        print_json({"lab": number, "guide": str(guide), "text": text})
    elif Terminal().is_terminal:
        pydoc.pager(text)
    else:
        typer.echo(text, nl=False)
