"""What the commands share: how they speak, and how they fail."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Annotated

import typer
from rich.console import Console

ContextOption = Annotated[
    str | None,
    typer.Option(
        "--context",
        envvar="GREETLAB_CONTEXT",
        help="Of the kubeconfig: your cluster's. The current one is never taken by itself.",
    ),
]


class Terminal(Console):
    """Tells the end of the pipe (`| head`) from a command that failed: 141, as a shell does."""

    def on_broken_pipe(self) -> None:
        """The reader has gone."""
        try:
            super().on_broken_pipe()
        except SystemExit:
            raise SystemExit(128 + signal.SIGPIPE) from None


@contextmanager
def failing_in_words(command: str) -> Iterator[None]:
    """What could not be done is one sentence on standard error, and exit status 2.

    command: how it was called, "demo".
    """
    try:
        yield
    except (OSError, RuntimeError, ValueError) as error:
        Console(stderr=True, highlight=False).print(
            f"greetlab {command}: {error}", style="red", markup=False, soft_wrap=True
        )
        raise typer.Exit(2) from error
