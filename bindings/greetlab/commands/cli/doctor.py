"""`greetlab doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Literal

import typer
from rich.console import Group
from rich.padding import Padding
from rich.rule import Rule
from rich.table import Table

from greetlab.commands.cli import doctor_cluster
from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab.commands.doctor import ClientReport, Finding, ServiceReport

_MARKS = {"good": ("good", "green"), "note": ("note", "yellow"), "bad": ("BAD", "bold red")}


def doctor(
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="TARGET",
            help="A gRPC service of yours, as its clients have it: dns:///name:port, name:port, "
            "passthrough:///..., http://..., kubernetes:///... (greetserver and "
            "greetserver-headless are those of a cluster made for it.) Without it: this machine.",
            show_default=False,
        ),
    ] = None,
    context: Annotated[
        str | None,
        typer.Option(
            help="Of the kubeconfig: the cluster of deployment/NAME or service/NAME. "
            "GREETLAB_CONTEXT names it, too; the current one is never taken by itself."
        ),
    ] = None,
    namespace: Annotated[
        str | None, typer.Option(help="Theirs in that cluster.  [default: the context's own]")
    ] = None,
    policy: Annotated[
        Literal["pick_first", "round_robin"] | None,
        typer.Option(help="Your clients' policy.  [default: pick_first, as gRPC's]"),
    ] = None,
    times: Annotated[
        int | None, typer.Option("--times", "-n", min=2, help="How many calls.  [default: 30]")
    ] = None,
    timeout: Annotated[
        float | None, typer.Option(help="Seconds to connect in, and for a call.  [default: 3]")
    ] = None,
    language: Annotated[
        Literal["Go", "Java", "Python", "Node", "C++", "C#"] | None,
        typer.Option(case_sensitive=False, help="Show the fix in this language only."),
    ] = None,
    tls: Annotated[
        bool, typer.Option("--tls", help="Your clients speak TLS to it: so will the doctor's.")
    ] = False,
    pid: Annotated[
        int | None,
        typer.Option(min=1, help="Look at this running client of yours, and call nobody."),
    ] = None,
    port: Annotated[
        int | None,
        typer.Option(min=1, max=65535, help="The same for whoever here is connected to this port."),
    ] = None,
    as_json: Json = False,
) -> None:
    """Examine this machine, or a gRPC service of yours: are its calls shared, or sticky?

    A service is looked at from where this runs, with calls that it need not know; a client that
    runs already (--pid) by the connections that it has; in a cluster from inside, by a pod of ours
    that comes and goes, and nothing else is changed. Exit status 0 if all is good, 1 if there is
    something to be done, 2 if it could not be looked at.
    """
    from greetlab.commands.doctor import examine_client, examine_service

    calls = {"policy": policy, "times": times, "timeout": timeout, "language": language,
             "tls": tls or None}  # fmt: skip
    from greetlab.commands.doctor.cluster import is_cluster_target

    in_cluster = target is not None and is_cluster_target(target)
    with failing_in_words("doctor"):
        if not in_cluster and (context is not None or namespace is not None):
            raise ValueError("--context and --namespace are about service/NAME or deployment/NAME")
    if target is not None and in_cluster:
        with failing_in_words("doctor"):
            others = {**calls, "pid": pid, "port": port, "timeout": None}
            if given := [f"--{name}" for name, value in others.items() if value is not None]:
                raise ValueError(f"{given[0]} is not about a cluster's: nobody is called there")
        wait = 3.0 if timeout is None else timeout
        doctor_cluster.examine(target, context, namespace, wait, as_json, _line)
    if pid is not None or port is not None:
        with failing_in_words("doctor"):
            if given := [f"--{name}" for name, value in calls.items() if value is not None]:
                raise ValueError(f"{given[0]} is about calls: a running client is only looked at")
            client = examine_client(pid, target, port)
        if as_json:
            print_json(client.to_dict())
        else:
            _show_client(client)
        raise typer.Exit(0 if client.healthy else 1)
    if target is None:
        with failing_in_words("doctor"):
            if given := [f"--{name}" for name, value in calls.items() if value is not None]:
                raise ValueError(f"{given[0]} is about a service: it needs a TARGET")
        _examine_machine(as_json)
    else:
        with ExitStack() as stack, failing_in_words("doctor"):
            report = examine_service(
                stack.enter_context(_target(target)),
                policy=policy or "pick_first",
                times=30 if times is None else times,
                timeout=3.0 if timeout is None else timeout,
                tls=tls,
            )
        if as_json:
            print_json(report.to_dict())
        else:
            _show(report, language)
        raise typer.Exit(0 if report.healthy else 1)


@contextmanager
def _target(target: str) -> Iterator[str]:
    """The lab's own services are looked at in a cluster made for it, as `greetlab call` does."""
    from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE, Cluster

    if target in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE):
        with Cluster.local() as cluster:
            yield cluster.target(target)
    else:
        yield target


def _examine_machine(as_json: bool) -> None:
    from greetlab.commands.doctor import examine_machine

    console = Terminal(quiet=as_json)
    console.print()
    findings = []
    for finding in examine_machine():
        findings.append(finding)
        console.print(_line(finding))
    bad = sum(finding.level == "bad" for finding in findings)
    said = f"{bad} thing{'s' * (bad != 1)} to be done" if bad else "This machine can run the lab."
    console.print(Padding(Text(said, "bold"), (1, 0)))
    if as_json:
        print_json({"healthy": not bad, "findings": [asdict(finding) for finding in findings]})
    raise typer.Exit(1 if bad else 0)


def _line(finding: Finding) -> Table:
    """What was looked at, and under it what to do about it."""
    mark, style = _MARKS[finding.level]
    table = Table.grid(padding=(0, 2))
    table.add_column(width=4)
    table.add_column(min_width=12, no_wrap=True)
    table.add_column(overflow="fold")
    table.add_row(Text(mark, style), finding.subject, Text(finding.saw))
    if finding.remedy:
        table.add_row("", "", Text(f"-> {finding.remedy}", "bold"))
    return table


def _show(report: ServiceReport, language: str | None) -> None:
    console = Terminal()
    console.print()
    console.print(Text(report.target, "bold"), soft_wrap=True)
    console.print()
    for heading, body in (
        ("What DNS says", _names(report)),
        ("Where calls go", _runs(report)),
        ("What your language makes of that target", _meanings(report, language)),
    ):
        if body is not None:
            console.print(Rule(Text(heading, "bold"), align="left", style="dim"))
            console.print(Padding(body, (1, 2)))
    _judged(console, report)
    if report.fix:
        console.print()
        console.print(Rule(Text("The fix", "bold"), align="left", style="dim"))
        if report.fix.service:
            _code(console, "A headless Service (kubectl apply -f -)", report.fix.service)
        elif report.headless:
            there = f"{report.headless.name} is there, and headless: dial it"
            console.print(Padding(Text(there), (1, 0, 0, 0)))
        for each, lines in report.fix.clients.items():
            if language in (None, each):
                _code(console, each, lines)
    console.print()


def _show_client(report: ClientReport) -> None:
    console = Terminal()
    console.print()
    who = f"process {report.pid}: {report.command}" if report.pid else f"to port {report.port}"
    console.print(Text(who, "bold"), soft_wrap=True)
    console.print()
    if report.target:
        console.print(Text(f"{report.target} has {', '.join(report.addresses) or 'no address'}"))
    for end, count in report.connections.items():
        console.print(Text(f"  {count} to {end}"))
    for end, count in report.unlisted.items():
        console.print(Text(f"  {count} to {end}, which DNS does not have", "yellow"))
    console.print()
    _judged(console, report)
    console.print()


def _judged(console: Terminal, report: ServiceReport | ClientReport) -> None:
    """The verdict, the findings, and what cannot be known."""
    color = {True: "red", False: "green", None: "yellow"}[report.sticky]
    console.print(Text(report.verdict, f"bold {color}"))
    console.print()
    for finding in report.findings:
        if finding.subject != "sticky":  # the verdict
            console.print(_line(finding))
    for sentence in report.unknown:
        mark = Table.grid(padding=(0, 2))
        mark.add_column(width=4)
        mark.add_column(overflow="fold")
        mark.add_row(Text("?", "yellow"), Text(sentence, "italic"))
        console.print(mark)


def _meanings(report: ServiceReport, language: str | None) -> Table | None:
    told = {each: said for each, said in report.meanings.items() if language in (None, each)}
    if not told:
        return None
    table = Table.grid(padding=(0, 3))
    for each, said in told.items():
        table.add_row(Text(each, "bold"), Text(said))
    return table


def _names(report: ServiceReport) -> Group:
    lines = []
    for question in report.questions:
        color = {"ok": "green", "no_data": "dim", "nxdomain": "yellow"}.get(question.status, "red")
        said = {"ok": "has records", "no_data": "has no such record"}.get(
            question.status, question.status.upper()
        )
        took = f"{question.milliseconds:.1f} ms"
        lines.append(
            Text.assemble(
                f"{question.type:5} {question.name}  ", (said, color), (f"  {took}", "dim")
            )
        )
    if not report.questions and report.addresses:
        lines.append(Text("nothing was asked: the target is an address", "dim"))
    for address in report.addresses:
        reason = report.unreachable.get(address)
        lines.append(
            Text(f"-> {address}" + (f"   {reason}" if reason else ""), "red" if reason else "bold")
        )
    return Group(*lines)


def _runs(report: ServiceReport) -> Table:
    from greetlab.views.palette import pod_styles

    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("policy", "calls", "connections", "reached"):
        table.add_column(column, justify="right" if column in ("calls", "connections") else "left")
    for run in report.runs:
        shares = run.by_pod or run.by_address
        styles = pod_styles(shares)
        reached = Group(
            *(
                Text.assemble((f"{styles[who].sign} {who}", styles[who].color), f"  {count}")
                for who, count in shares.items()
            )
        )
        yours = " (yours)" if run is report.runs[0] else ""
        table.add_row(f"{run.policy}{yours}", str(run.calls), str(run.connections), reached)
    return table


def _code(console: Terminal, title: str, lines: str) -> None:
    console.print()
    console.print(Text(title, "bold"))
    for line in lines.splitlines():
        console.print(Text(f"    {line}"), soft_wrap=True)  # whole, to be copied
