"""What the commands share: how they speak, and how they fail."""

from __future__ import annotations

import json
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.text import Text as RichText
from typer.core import TyperGroup

from greetlab.text import lines, plain

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document and nothing else.")]
"""Every command has it."""

ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        envvar="GREETLAB_CONTEXT",
        help="Of the kubeconfig: your cluster's. The current one is never taken by itself.",
    ),
]


class Commands(TyperGroup):
    """Says what is wrong with an argument in one sentence, and exits with 2."""

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Runs a command. typer itself would print the usage in front of the sentence."""
        try:
            status = super().main(
                args, prog_name, complete_var, False, windows_expand_args, **extra
            )
        except typer.TyperException as error:
            if not standalone_mode:
                raise
            context = getattr(error, "ctx", None)
            where = context.command_path if context else "greetlab"
            message = error.format_message().replace("Value error, ", "")  # pydantic's
            if "\n" in message:  # `greetlab` alone: the help is the answer
                typer.echo(message, err=True)
            else:
                complain(where, f"{message.removesuffix('.')}; see {where} --help")
            sys.exit(2)
        if not standalone_mode:
            return status
        sys.exit(status if isinstance(status, int) else 0)


class Terminal(Console):
    """Whoever prints, prints here: what is said is only text (`greetlab.text`).

    It tells the end of the pipe (`| head`) from a command that failed: 141, as a shell does.
    """

    def __init__(self, **options: Any) -> None:
        # No markup, and no emoji: "[::1]:50051" has something of both.
        super().__init__(markup=False, emoji=False, highlight=False, **options)

    def render_str(self, text: str, **more: Any) -> RichText:
        """Every string comes through here, a table's cells, too."""
        return super().render_str(plain(text), **more)

    def lines(self, text: str) -> None:
        """Prints a text of several lines."""
        self.print(RichText(lines(text.split("\n"))), soft_wrap=True)

    def on_broken_pipe(self) -> None:
        """The reader has gone."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(128 + signal.SIGPIPE) from None


def complain(command: str, sentence: str) -> None:
    """One line on standard error.

    command: how it was called, "greetlab demo".
    """
    Terminal(stderr=True).print(f"{command}: {sentence}", style="red", soft_wrap=True)


@contextmanager
def failing_in_words(command: str) -> Iterator[None]:
    """What could not be done is one sentence on standard error, and exit status 2.

    command: how it was called, "demo".
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        sentence = str(error)
        if isinstance(error, OSError) and error.filename:  # "[Errno 2] No such file ..."
            sentence = f"{error.filename}: {error.strerror}"
        complain(f"greetlab {command}", sentence.removeprefix(f"{command}: "))
        raise typer.Exit(2) from error


def print_json(document: Any) -> None:
    """One JSON document on standard output, at once."""
    Terminal().lines(json.dumps(document, indent=2))  # which is ASCII, and has no controls left
