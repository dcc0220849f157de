"""The command line: `greetlab`. A module a command; what they share is in `shared`."""

from __future__ import annotations

from importlib.metadata import version
from typing import Annotated

import typer

from greetlab.commands.cli.call import call
from greetlab.commands.cli.check import check
from greetlab.commands.cli.clean import clean
from greetlab.commands.cli.compare import compare
from greetlab.commands.cli.config import config
from greetlab.commands.cli.demo import demo
from greetlab.commands.cli.doctor import doctor
from greetlab.commands.cli.kube import kube
from greetlab.commands.cli.lab import lab
from greetlab.commands.cli.lookup import lookup
from greetlab.commands.cli.notebooks import notebooks
from greetlab.commands.cli.play import play
from greetlab.commands.cli.policies import policies
from greetlab.commands.cli.shared import Commands
from greetlab.commands.cli.trace import trace
from greetlab.commands.cli.up import up

app = typer.Typer(
    cls=Commands,
    help="See, and break, how gRPC load balancing on Kubernetes really works.",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
)


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


for command in (
    demo,
    play,
    lookup,
    call,
    up,
    trace,
    doctor,
    compare,
    policies,
    config,
    notebooks,
    lab,
    check,
    clean,
):
    app.command()(command)
app.add_typer(kube, name="kube")


def main() -> None:
    """The console script."""
    app(prog_name="greetlab")
