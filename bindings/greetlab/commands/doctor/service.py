"""Whether the calls of a client of some gRPC service are shared, or all go one way.

The service need not be ours. The lab's own channel calls it and its trace is read: which questions
DNS was asked, which connections were made, which of them carried the calls. A service that is not
greet answers UNIMPLEMENTED, and that is an answer: it came over a connection, from an address. (A
connection counts as up once it has answered grpc.health.v1.Health/Check, with whatever it thinks of
that; nobody's proto file is needed.)
"""

from __future__ import annotations

import contextlib

from greetlab import arguments
from greetlab.channels.calls import Calls
from greetlab.channels.channel import Channel
from greetlab.commands.doctor.report import CONNECTIONS_TRIED, Question, Run, ServiceReport
from greetlab.commands.doctor.verdict import find, judge
from greetlab.trace.summary import ClientSummary, summarize
from greetlab.trace.trace import Trace

# What a channel says by itself; anything else was said by a server.
_NO_ANSWER = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}


def examine_service(
    target: str, *, policy: str = "pick_first", times: int = 30, timeout: float = 3.0
) -> ServiceReport:
    """Calls a service as a client would, and says whether its calls are shared.

    target: as the client has it: "dns:///name:port", "name:port", ...; see `Channel`.
    policy: the client's. gRPC's default is pick_first.
    times: how many calls are made with each policy.
    timeout: seconds that connecting may take, and each call.

    Raises ValueError for a target or a policy that there is not.
    """
    arguments.timeout(timeout)
    report = ServiceReport(target, policy)
    calls, seen = _call(report, policy, times, timeout)
    report.questions = _questions(seen)
    report.addresses = summarize(seen).clients[0].addresses
    report.unreachable = _unreachable(seen)
    if policy != "round_robin" and report.runs[0].connections:
        _, seen = _call(report, "round_robin", times, timeout)
        report.unreachable = _unreachable(seen)
    if calls.ok:
        report.speaks = "greet"
    elif set(calls.by_status) - _NO_ANSWER:
        report.speaks = "grpc"
    if report.speaks == "greet" and len(report.addresses) == 1:
        with Channel(target, connection_per_call=True, trace_capacity=0) as channel:
            report.behind = channel.greet(times=CONNECTIONS_TRIED, timeout=timeout).pods or None
    judge(report)
    find(report, seen, timeout)
    return report


def _call(report: ServiceReport, policy: str, times: int, timeout: float) -> tuple[Calls, Trace]:
    with Channel(report.target, policy=policy, name="client") as channel:
        with contextlib.suppress(TimeoutError):  # the trace says what was reached
            channel.wait_ready(all=policy != "pick_first", timeout=timeout)
        # Where nobody answers, one call tells as much as thirty.
        calls = channel.greet(times=times if channel.state == "READY" else 1, timeout=timeout)
        seen = channel.trace
    report.runs.append(_run(policy, calls, seen, summarize(seen).clients[0]))
    return calls, seen


def _run(policy: str, calls: Calls, seen: Trace, client: ClientSummary) -> Run:
    carried = set(seen.column("CallEnded", "connection").tolist()) - {0}
    return Run(
        policy=policy,
        calls=len(calls),
        connections=len(carried),
        by_address=client.by_address,
        by_pod=client.by_pod,
        by_status=calls.by_status,
    )


def _questions(seen: Trace) -> list[Question]:
    """Of the first lookup that found something; if none did, of the first."""
    ends = [event for event in seen.of("LookupEnded") if event.count] or seen.of("LookupEnded")
    last = ends[0].id if len(ends) else 0
    asked = [event for event in seen.of("QueryAnswered") if event.id < last]
    return [Question(e.type, e.name, e.status, e.round_trip / 1e6) for e in asked]


def _unreachable(seen: Trace) -> dict[str, str]:
    """The addresses that were dialled and never came up, and why."""
    up = {seen.of_subchannel(e.subchannel) for e in seen.of("Connected")}
    why: dict[str, str] = {}
    for event in seen.of("ConnectStarted", "ConnectFailed"):
        address = seen.of_subchannel(event.subchannel)
        if address and address not in up:
            reason = event.fields.get("reason", "it has not answered yet")
            why[address] = reason.removeprefix(f"{address}: ")
    return why
