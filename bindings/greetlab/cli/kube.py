"""`greetlab kube`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from greetlab.cli.shared import ContextOption, Terminal, failing_in_words

PICTURES = (".png", ".svg", ".pdf")

kube = typer.Typer(help="On a real Kubernetes, through kubectl.", no_args_is_help=True)


@kube.callback()
def _kube() -> None:
    pass


@kube.command()
def run(
    arguments: Annotated[
        list[str] | None,
        typer.Argument(metavar="-- GREET_CLIENT_ARGUMENTS", show_default=False),
    ] = None,
    context: ContextOption = None,
    out: Annotated[Path | None, typer.Option(help="Write the trace there: JSON lines.")] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw which pod handled each request there.")
    ] = None,
    image: Annotated[
        str | None, typer.Option(help="Where greet-client is. Default: greetlab:<this version>.")
    ] = None,
    timeout: Annotated[float, typer.Option(help="Seconds until it must have ended.")] = 300.0,
) -> None:
    """Run greet-client in the cluster, and bring its trace back.

    What comes after -- is greet-client's: a target first, then its flags. It runs as a Job in the
    namespace greetlab, which is deleted afterwards. Exit status 0 if all calls were OK, 1 if some
    were not, 2 if it could not be run.
    """
    from greetlab.kube import Kubectl, run_client
    from greetlab.kube.job import own_image

    console = Terminal(highlight=False, soft_wrap=True)
    with failing_in_words("kube run"):
        for file in (out, plot):  # before the work, not after it
            if file is not None and not file.absolute().parent.is_dir():
                raise ValueError(f"write {file}: there is no folder {file.parent}")
        if plot is not None and plot.suffix not in PICTURES:
            raise ValueError(f"draw {plot}: a picture's name ends in {', '.join(PICTURES)}")
        kubectl = Kubectl(context)
        done = run_client(kubectl, arguments or [], image=image or own_image(), timeout=timeout)
        console.print(done.words, markup=False)
        if out is not None:
            done.trace.save(out)
            console.print(f"the trace, {len(done.trace):,} events: {out}", markup=False)
        if plot is not None:
            import greetlab as gl

            gl.plot.requests(done.trace).savefig(plot)
            console.print(f"the picture: {plot}", markup=False)
    raise typer.Exit(0 if done.all_ok else 1)
