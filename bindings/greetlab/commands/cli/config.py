"""`greetlab config`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding

from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab import _core


def config(
    config: Annotated[
        str,
        typer.Argument(metavar="FILE", help='A file, "-" for standard input, or the JSON itself.'),
    ],
    as_json: Json = False,
) -> None:
    """Say what a gRPC service config means, and what each language makes of it.

    Exit status 0 if there is nothing to say against it, 1 if it is refused, or taken and hardly as
    it was meant, 2 if it could not be read.
    """
    from greetlab import _core

    with failing_in_words("config"):
        read = _core.read_service_config(_text(config))
    if as_json:
        print_json(_document(read))
    else:
        _show(read)
    raise typer.Exit(1 if read.errors or read.warnings else 0)


def _text(given: str) -> bytes:
    if given == "-":
        return sys.stdin.buffer.read()
    if given.lstrip().startswith(("{", "[")):
        return os.fsencode(given)
    return Path(given).read_bytes()


def _document(read: _core.ReadServiceConfig) -> dict[str, Any]:
    from greetlab.commands.config import meaning

    def remarks(some: list[_core.Remark]) -> list[dict[str, str]]:
        return [{"sentence": one.sentence, "stock": one.stock} for one in some]

    return {
        "taken": read.config is not None,
        "errors": remarks(read.errors),
        "warnings": remarks(read.warnings),
        "elsewhere": remarks(read.elsewhere),
        "meaning": meaning.sentences(read.config) if read.config else [],
        "languages": {row.part: row.languages for row in meaning.rows(read.config)}
        if read.config
        else {},
    }


def _show(read: _core.ReadServiceConfig) -> None:
    from greetlab.commands.config import meaning

    console = Terminal()
    console.print()
    if read.config is None:
        console.print(Text("It is refused.", "bold red"))
    for remarks, style in ((read.errors, "red"), (read.warnings, "yellow")):
        for remark in remarks:
            _item(console, remark.sentence, style)
            if remark.stock:
                console.print(Padding(Text(f"stock gRPC: {remark.stock}", "dim"), (0, 0, 0, 4)))
    if read.config is None:
        console.print()
        return
    if read.warnings:
        console.print()
    console.print(Text("What it means", "bold"))
    for sentence in meaning.sentences(read.config):
        _item(console, sentence, "")
    console.print()
    console.print(Text("What each language makes of it", "bold"))
    for row in meaning.rows(read.config):
        console.print(Padding(Text(row.part, "cyan"), (0, 0, 0, 2)))
        for what, languages in row.languages.items():
            said = Text.assemble((f"{', '.join(languages)}: ", "dim"), what)
            console.print(Padding(said, (0, 0, 0, 4)))
    for remark in read.elsewhere:
        _item(console, f"{remark.sentence} · {remark.stock}", "dim")
    versions = meaning.languages()["languages"]
    known = ", ".join(f"{name} {about['version']}" for name, about in versions.items())
    console.print()
    console.print(Text(f"as of {known}", "dim"))
    console.print()


def _item(console: Terminal, sentence: str, style: str) -> None:
    console.print(Padding(Text(sentence, style), (0, 0, 0, 2)))
