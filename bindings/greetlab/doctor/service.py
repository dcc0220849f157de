"""Whether the calls of a client of some gRPC service are shared, or all go one way.

The service need not be ours. The lab's own channel calls it and its trace is read: which questions
DNS was asked, which connections were made, which of them carried the calls. A service that is not
greet answers UNIMPLEMENTED, and that is an answer: it came over a connection, from an address. (A
connection counts as up once it has answered grpc.health.v1.Health/Check, with whatever it thinks of
that; nobody's proto file is needed.)
"""

from __future__ import annotations

import contextlib
import socket
import ssl
from dataclasses import asdict, dataclass, field
from typing import Any

from greetlab import arguments
from greetlab.calls import Calls
from greetlab.channel import Channel
from greetlab.doctor.finding import Finding
from greetlab.doctor.fixes import client_lines, headless_name, headless_service, is_service_name
from greetlab.summary import ClientSummary, summarize
from greetlab.trace import Trace

CONNECTIONS_TRIED = 12
"""How many connections are opened to one address, to see how many pods are behind it: of three pods
all are met with a probability of 98 %."""

# What a channel says by itself; anything else was said by a server.
_NO_ANSWER = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}


@dataclass(frozen=True)
class Run:
    """A number of calls with one policy.

    connections: how many carried calls. by_address: how many calls each address was sent.
    by_pod: how many each pod answered; empty, unless the service is greet. by_status: how they
    ended.
    """

    policy: str
    calls: int
    connections: int
    by_address: dict[str, int]
    by_pod: dict[str, int]
    by_status: dict[str, int]


@dataclass(frozen=True)
class Question:
    """A DNS query that the client's lookup took."""

    type: str
    name: str
    status: str
    milliseconds: float


@dataclass(frozen=True)
class Fix:
    """What to change.

    service: a headless Service; "" where the name is one, or needs none. target: what clients dial.
    clients: their lines, by language.
    """

    service: str
    target: str
    clients: dict[str, str]


@dataclass
class ServiceReport:
    """What there is to say about a service.

    policy: the client's. questions: all that its lookup asked of DNS. addresses: the answer.
    unreachable: address to reason. runs: the calls with the client's policy, then with round_robin.
    speaks: "greet", "grpc" (another service, or none that says who it is) or "" (nobody answered).
    behind: the pods met by CONNECTIONS_TRIED connections to the one address; None: not to be known.
    sticky: whether all calls go one way; None: could not be seen. verdict: the same in a sentence.
    findings: what is wrong, each with its remedy. unknown: what cannot be known from here.
    """

    target: str
    policy: str
    questions: list[Question] = field(default_factory=list)
    addresses: list[str] = field(default_factory=list)
    unreachable: dict[str, str] = field(default_factory=dict)
    runs: list[Run] = field(default_factory=list)
    speaks: str = ""
    behind: list[str] | None = None
    sticky: bool | None = None
    verdict: str = ""
    findings: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)
    fix: Fix | None = None

    @property
    def healthy(self) -> bool:
        """Whether calls are shared and nothing else is wrong."""
        return self.sticky is False and not any(f.level == "bad" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "healthy": self.healthy}


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
    _judge(report)
    _find(report, seen, timeout)
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
    who = "client"
    up = {seen.of_subchannel(who, e.subchannel) for e in seen.of("Connected")}
    why: dict[str, str] = {}
    for event in seen.of("ConnectStarted", "ConnectFailed"):
        address = seen.of_subchannel(who, event.subchannel)
        if address and address not in up:
            reason = event.fields.get("reason", "it has not answered yet")
            why[address] = reason.removeprefix(f"{address}: ")
    return why


def _judge(report: ServiceReport) -> None:
    run = report.runs[0]
    if not report.addresses:
        report.verdict = "Nothing to judge: the name has no address."
    elif not run.connections:
        report.verdict = "Nothing to judge: nobody answered."
    elif len(report.addresses) == 1:
        _judge_one_address(report, run)
    elif run.connections == 1 and run.policy != "pick_first":
        report.sticky = True
        report.verdict = (
            f"Sticky for now: of {len(report.addresses)} addresses only one can be reached: all "
            f"{run.calls} calls went to {_whereto(run)}."
        )
    elif run.connections == 1:
        report.sticky = True
        report.verdict = (
            f"Sticky: the name has {len(report.addresses)} addresses, but {run.policy} uses one "
            f"connection: all {run.calls} calls went to {_whereto(run)}."
        )
    else:
        report.sticky = False
        shares = ", ".join(f"{count} to {who}" for who, count in _shares(run).items())
        report.verdict = f"Not sticky: {run.calls} calls were shared: {shares}."
    if report.sticky and (len(report.addresses) == 1 or run.policy == "pick_first"):
        report.fix = _fix(report)


def _judge_one_address(report: ServiceReport, run: Run) -> None:
    """One address is one connection, with any policy: a round of one."""
    report.sticky = True
    (address,) = report.addresses
    report.verdict = (
        f"Sticky: the name has one address, so there is one connection, with any policy: all "
        f"{run.calls} calls went to {_whereto(run)}."
    )
    if report.behind is None:
        report.unknown.append(
            f"How many pods are behind {address}: this service is not greet, so only the address "
            "of a server is seen, and a ClusterIP looks like one server. If it is one pod, there "
            "is nothing to share."
        )
    elif len(report.behind) > 1:
        report.verdict += (
            f" Behind the address are more: {CONNECTIONS_TRIED} new connections reached "
            f"{', '.join(sorted(report.behind))}."
        )
    else:
        report.unknown.append(
            f"Whether {address} leads to more pods: {CONNECTIONS_TRIED} new connections all "
            f"reached {report.behind[0]}."
        )


def _whereto(run: Run) -> str:
    return ", ".join(_shares(run))


def _shares(run: Run) -> dict[str, int]:
    return run.by_pod or run.by_address


def _fix(report: ServiceReport) -> Fix:
    """One address: a headless Service first. Several: the name is good, the policy is not."""
    host, port = _host_and_port(report)
    service = ""
    if len(report.addresses) == 1:
        host = headless_name(host)
        service = headless_service(host.partition(".")[0], port)
    target = f"dns:///{host}:{port}"
    return Fix(service, target, client_lines(target))


def _host_and_port(report: ServiceReport) -> tuple[str, int]:
    """The target's name, or one to be filled in; the port is that of its addresses."""
    port = int(report.addresses[0].rpartition(":")[2])
    name = report.target.rpartition("/")[2].removesuffix(f":{port}")
    return (name if is_service_name(name) else headless_name(name)), port


def _find(report: ServiceReport, seen: Trace, timeout: float) -> None:
    if report.sticky:
        remedy = "make the other addresses reachable"
        if report.fix:
            remedy = "a headless Service, and " if report.fix.service else ""
            remedy += "round_robin in the client"
        report.findings.append(Finding("sticky", "bad", report.verdict, remedy))
    _find_in_dns(report, seen)
    for address, reason in report.unreachable.items():
        report.findings.append(_unreached(address, reason, timeout))
    if report.speaks == "grpc" and len(report.addresses) > 1:
        report.unknown.append(
            "Whether an address is one pod: this service is not greet, so only the addresses of "
            "servers are seen. Behind a balancer one can be many."
        )
    if report.speaks:
        report.unknown.append(
            "Whether clients will hear of new pods: gRPC asks DNS again only when a connection "
            "ends. A MAX_CONNECTION_AGE on the servers (gRFC A9) makes it so."
        )


def _unreached(address: str, reason: str, timeout: float) -> Finding:
    if "refused" in reason:
        remedy = (
            "look at the port (on a headless name it is the pods', targetPort), and whether pods "
            "are ready"
        )
        return Finding(address, "bad", f"cannot be reached: {reason}", remedy)
    if version := _tls_version(address, timeout):
        return Finding(
            address, "bad", f"wants {version}, and plaintext only is spoken here",
            "look at it behind its TLS: in the pod, or through a plaintext port of it",
        )  # fmt: skip
    remedy = "does it speak HTTP/2 without TLS, and does no NetworkPolicy or firewall drop it?"
    return Finding(address, "bad", f"no gRPC server: {reason}", remedy)


def _tls_version(address: str, timeout: float) -> str | None:
    """What a server's TLS calls itself; None if it speaks none. Nothing is sent but a hello."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    host, _, port = address.rpartition(":")
    try:
        with (
            socket.create_connection((host.strip("[]"), int(port)), timeout) as plain,
            context.wrap_socket(plain) as wrapped,
        ):
            return wrapped.version()
    except OSError:  # ssl.SSLError is one
        return None


def _find_in_dns(report: ServiceReport, seen: Trace) -> None:
    lookups = seen.of("LookupEnded")
    if not report.addresses and len(lookups):
        last = lookups[-1]
        remedy = {
            "nxdomain": "kubectl get services -A: is it spelt so, in that namespace, or headless "
            "without a ready pod?",
            "no_data": "the name exists without addresses: are its pods ready?",
        }.get(last.status, "is the DNS server of /etc/resolv.conf, or of the target, reachable?")
        report.findings.append(Finding("DNS", "bad", f"{last.name}: {last.status.upper()}", remedy))
    misses = sum(question.status == "nxdomain" for question in report.questions)
    if report.addresses and misses:
        report.findings.append(
            Finding(
                "ndots", "note",
                f"{misses} of {len(report.questions)} questions were for names that do not exist "
                "(the search list)",
                "a full name with a final dot is asked for at once",
            )
        )  # fmt: skip
