"""`greetlab call`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.padding import Padding

from greetlab.channels.options import ENGINES, ENGINES_HELP
from greetlab.channels.policies import POLICIES
from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE, WATCH
from greetlab.commands.cli.shared import Json, Terminal, failing_in_words, print_json
from greetlab.views.words import Text

if TYPE_CHECKING:
    from greetlab.channels.calls import Calls
    from greetlab.channels.channel import Channel

DEFAULT_PODS = 3
# typer wants an Enum; mypy one whose members it can read.
PolicyName = StrEnum("PolicyName", {name: name for name in POLICIES})  # type: ignore[misc]
DEFAULT_POLICY = PolicyName(POLICIES[0])
EngineName = StrEnum("EngineName", {name: name for name in ENGINES})  # type: ignore[misc]
DEFAULT_ENGINE = EngineName(ENGINES[0])


def call(
    target: Annotated[
        str,
        typer.Argument(
            metavar="TARGET",
            help="A gRPC target, such as dns:///greetserver.default.svc.cluster.local:50051; "
            f"{CLUSTER_IP_SERVICE} and {HEADLESS_SERVICE} are those of a cluster made for it; "
            f"{WATCH}{HEADLESS_SERVICE} is told of its pods and looks nothing up.",
        ),
    ] = CLUSTER_IP_SERVICE,
    policy: Annotated[
        PolicyName,
        typer.Option(help="How the channel picks; --engine grpc has the first two."),
    ] = DEFAULT_POLICY,
    engine: Annotated[
        EngineName,
        typer.Option(
            help="; ".join(f"{name}: {text}" for name, text in ENGINES_HELP.items()) + "."
        ),
    ] = DEFAULT_ENGINE,
    times: Annotated[int, typer.Option("--times", "-n", min=1, help="How many calls.")] = 60,
    concurrency: Annotated[
        int, typer.Option("--concurrency", "-c", min=1, help="How many of them at a time.")
    ] = 1,
    timeout: Annotated[float, typer.Option(help="Seconds that each call may take.")] = 5.0,
    metadata: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME=VALUE",
            help="What each call says beside its message; may come again.",
        ),
    ] = None,
    keys: Annotated[
        str | None,
        typer.Option(
            metavar="NAME=COUNT",
            help="Calls of many users: user-id=1000 has call after call say the next of so many.",
        ),
    ] = None,
    wait_ready: Annotated[
        bool, typer.Option("--wait-ready", help="Begin when every subchannel is READY.")
    ] = False,
    connection_per_call: Annotated[
        bool, typer.Option("--connection-per-call", help="Dial anew for every call.")
    ] = False,
    pods: Annotated[
        int | None,
        typer.Option(help=f"Pods of the cluster made for it.  [default: {DEFAULT_PODS}]"),
    ] = None,
    trace: Annotated[
        Path | None, typer.Option(help="Write the trace there, as JSON lines.")
    ] = None,
    plot: Annotated[
        Path | None, typer.Option(help="Draw which pod handled each request: .png, .svg, .pdf.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Call a greet service and say who answered.

    A service of another kind is for `greetlab doctor TARGET`. Exit status 0 if every call was
    answered, 1 if one was not, 2 if it could not be done.
    """
    options = {"policy": policy, "engine": engine, "connection_per_call": connection_per_call}
    with failing_in_words("call"):
        _check_files(trace, plot)
        kept = {} if trace else {"trace_capacity": 0}
        with _channel(target, pods, **kept, **options) as channel:
            if wait_ready:
                channel.wait_ready(all=True, timeout=timeout)
            said = [_split("--metadata", one) for one in metadata or ()]
            if concurrency == 1 and keys is None:
                calls = channel.greet(
                    "Ada", "Lovelace", times=times, timeout=timeout, metadata=said
                )
            else:
                calls = channel.load(
                    times, concurrency, timeout=timeout, metadata=said, keys=_keys(keys)
                )
            channel.close()  # its end belongs to the trace
            if trace:
                channel.trace.save(trace)
        if plot:
            _draw(calls, plot)
    files = {name: str(path) for name, path in (("trace", trace), ("plot", plot)) if path}
    if as_json:
        print_json({"target": target, **options, **_document(calls), **files})
    else:
        _show(calls, files, cold=policy == "round_robin" and not wait_ready)
    raise typer.Exit(0 if calls.ok == len(calls) else 1)


def _split(flag: str, text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals:
        raise ValueError(f"{flag} {text}: NAME=VALUE is expected")
    return name, value


def _keys(text: str | None) -> dict[str, int]:
    if text is None:
        return {}
    name, count = _split("--keys", text)
    if not count.isascii() or not count.isdecimal():
        raise ValueError(f"--keys {text}: how many? user-id=1000")
    return {name: int(count)}


@contextmanager
def _channel(target: str, pods: int | None, **options: Any) -> Iterator[Channel]:
    from greetlab.channels.channel import Channel
    from greetlab.clusters.cluster import Cluster

    if target.removeprefix(WATCH) in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE):
        with Cluster.local(pods=DEFAULT_PODS if pods is None else pods) as cluster:
            yield cluster.channel(target, **options)
        return
    if pods is not None:
        raise ValueError(
            f"--pods is for a cluster made for the call, and {target!r} is somebody else's"
        )
    world = "KUBE" if "KUBERNETES_SERVICE_HOST" in os.environ else "LOCAL"
    how = "connection per call" if options["connection_per_call"] else options["policy"]
    with Channel(target, title=f"{target}, {how}", world=world, **options) as channel:
        yield channel


def _check_files(trace: Path | None, plot: Path | None) -> None:
    """Before the work, not after it."""
    if plot:
        from greetlab.views.plot import Picture

        kinds = sorted(Picture(1, 1).canvas.get_supported_filetypes())
        if plot.suffix[1:].lower() not in kinds:
            raise ValueError(f"--plot {plot}: a file that ends in .{', .'.join(kinds)}")
    for path in (trace, plot):
        if path:
            path.open("ab").close()


def _draw(calls: Calls, path: Path) -> None:
    from greetlab.views import plot

    plot.requests(calls).savefig(path)


def _document(calls: Calls) -> dict[str, Any]:
    ms = {f"p{p}": calls.percentile(p) * 1e3 for p in (50, 99)} if calls.ok else None
    return {
        "world": calls.world,
        "calls": len(calls),
        "ok": calls.ok,
        "by_pod": {**dict.fromkeys(calls.known, 0), **calls.by_pod},
        "by_status": calls.by_status,
        "connections": [{"pod": pod, "peer": peer} for pod, peer in calls.connections],
        "latency_ms": ms,
        "seconds": calls.seconds,
        "errors": calls.errors,
    }


def _show(calls: Calls, files: dict[str, str], *, cold: bool) -> None:
    from greetlab.views.strip import strip

    console = Terminal()
    console.print()
    console.print(strip(calls, calls.known))
    console.print(Text(calls.summary, "dim"))
    for hint in _hints(calls, cold):
        console.print(Padding(Text(hint, "italic"), (1, 0, 0, 0)))
    for name, path in files.items():
        console.print(Text.assemble((f"{name:6}", "dim"), path))
    if "trace" in files:
        console.print(Text(f"read it with: greetlab trace {files['trace']} --story", "dim"))
    console.print()


def _hints(calls: Calls, cold: bool) -> Iterator[str]:
    if "UNIMPLEMENTED" in calls.by_status:
        yield "It answers, but it is no greet service: `greetlab doctor TARGET` can look at it."
    counts = calls.by_pod.values()
    if cold and len(counts) > 1 and max(counts) - min(counts) > 1:
        yield (
            "A cold start: round_robin uses the connections that are READY, and one was before the "
            "others. --wait-ready begins when all are."
        )
