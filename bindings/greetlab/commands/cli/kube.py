"""`greetlab kube`."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from greetlab.commands.cli.shared import ContextOption, Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab.clusters.kube import Run

INTERRUPTED = 130
"""As a shell tells of Ctrl-C."""
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
    as_json: Json = False,
) -> None:
    """Run greet-client in the cluster, and bring its trace back.

    What comes after -- is greet-client's: a target first, then its flags. It runs as a Job in the
    namespace greetlab, which is deleted afterwards. Exit status 0 if all calls were OK, 1 if some
    were not, 2 if it could not be run.
    """
    from greetlab.clusters.kube import Kubectl, run_client
    from greetlab.clusters.kube.job import own_image

    try:
        with failing_in_words("kube run"):
            for file in (out, plot):  # before the work, not after it
                if file is not None and not file.absolute().parent.is_dir():
                    raise ValueError(f"write {file}: there is no folder {file.parent}")
            if plot is not None and plot.suffix not in PICTURES:
                raise ValueError(f"draw {plot}: a picture's name ends in {', '.join(PICTURES)}")
            kubectl = Kubectl(context)
            busy = Text(f"greet-client runs in context {kubectl.context}")
            with Terminal(stderr=True).status(busy):
                done = run_client(
                    kubectl, arguments or [], image=image or own_image(), timeout=timeout
                )
            _keep(done, out, plot)
    except KeyboardInterrupt:  # the Job is deleted by now
        raise typer.Exit(INTERRUPTED) from None
    if as_json:
        print_json(_summary(done))
    else:
        console = Terminal(soft_wrap=True)
        console.lines(done.words)
        for file in (out, plot):
            if file is not None:
                console.print(f"written: {file}")
    raise typer.Exit(0 if done.all_ok else 1)


def _keep(done: Run, out: Path | None, plot: Path | None) -> None:
    if out is not None:
        done.trace.save(out)
    if plot is not None:
        from greetlab.views.plot import requests

        requests(done.trace).savefig(plot)


def _summary(done: Run) -> dict[str, Any]:
    ended = done.trace.of("CallEnded")
    by_pod = Counter(event.fields["pod"] for event in ended.of("CallEnded", code="OK"))
    return {
        "world": done.trace.world,
        "calls": len(ended),
        "ok": by_pod.total(),
        "connections": len(done.trace.of("Connected")),
        "by_pod": dict(sorted(by_pod.items())),
    }
