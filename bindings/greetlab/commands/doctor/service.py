"""Whether the calls of a client of some gRPC service are shared, or all go one way.

The service need not be ours. The lab's own channel calls it and its trace is read: which questions
DNS was asked, which connections were made, which of them carried the calls. A service that is not
greet answers UNIMPLEMENTED, and that is an answer: it came over a connection, from an address. So
nobody's proto file is needed. It is that client that is judged, from where it runs: for another one
there is `own_client`.
"""

from __future__ import annotations

import contextlib
import ipaddress
import re
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor

from greetlab import arguments
from greetlab.channels.calls import Calls
from greetlab.channels.channel import Channel
from greetlab.commands.doctor import findings, sockets, verdict
from greetlab.commands.doctor.names import Names, is_service_name
from greetlab.commands.doctor.peer import Peer, ask
from greetlab.commands.doctor.report import (
    CONNECTIONS_TRIED,
    Behind,
    Question,
    Run,
    ServiceReport,
)
from greetlab.commands.doctor.targets import Target, read_target
from greetlab.commands.doctor.tls_front import Fronts, tls_fronts
from greetlab.trace.summary import summarize
from greetlab.trace.trace import Trace

# What a channel says by itself; anything else was said by a server.
_NO_ANSWER = {"UNAVAILABLE", "DEADLINE_EXCEEDED", "CANCELLED"}
_MOST_PEERS = 8
"""How many addresses are asked who they are."""
_ELSEWHERE = 3
"""From how many other addresses of this machine it is tried, where one pod was met from here."""


def examine_service(
    target: str,
    *,
    policy: str = "pick_first",
    times: int = 30,
    timeout: float = 3.0,
    tls: bool = False,
) -> ServiceReport:
    """Calls a service as a client would, and says whether its calls are shared.

    target: as the client has it: "dns:///name:port", "name:port", "passthrough:///name:port", ...
    policy: the client's. gRPC's default is pick_first.
    times: how many calls are made with each policy.
    timeout: seconds that connecting may take, and each call.
    tls: whether its clients speak TLS to it; with whatever certificate it has.

    Raises ValueError for a target or a policy that there is not.
    """
    arguments.timeout(timeout)
    read = read_target(target)
    examined = _Examination(read, policy, times, timeout, tls or read.tls)
    examined.look()
    verdict.judge(examined.report, read, tls=examined.tls)
    findings.find(examined.report, read, examined.seen, timeout=timeout, tls=examined.tls)
    return examined.report


class _Examination:
    """One of them, while it is made: it fills in what is seen; what follows is others' to say."""

    def __init__(self, read: Target, policy: str, times: int, timeout: float, tls: bool) -> None:
        self.read, self.times, self.timeout, self.tls = read, times, timeout, tls
        self.names = Names(read.dns_server)
        self.dialled = read.examined
        self.report = ServiceReport(read.given, policy, meanings=read.meanings)
        self.seen: Trace
        self._fronts = Fronts()

    def look(self) -> None:
        """Makes all of it."""
        with contextlib.ExitStack() as stack:
            if self.tls:
                self._put_fronts(stack)
            self._look()

    def _put_fronts(self, stack: contextlib.ExitStack) -> None:
        """The channel dials them instead of the addresses, which are looked up for it."""
        if not self.read.host:
            addresses = self.read.examined.partition(":")[2].split(",")
        elif is_service_name(self.read.host):
            addresses = self._addresses()
        else:
            addresses = [f"{self.read.host}:{self.read.port}"]
        if addresses:
            host = self.read.host or addresses[0].rpartition(":")[0]
            self._fronts = stack.enter_context(tls_fronts(addresses, host, self.timeout))
            self.dialled = f"static:{','.join(self._fronts.places)}"

    def _look(self) -> None:
        report = self.report
        # Where the name is not looked up, the dialer takes the first address that answers; no
        # policy has a say.
        calls = self._call("pick_first" if self.read.unresolved else report.policy)
        if not report.addresses and not self.seen.of("LookupEnded"):
            calls = self._call_without_the_silent(calls)
        if report.policy != "round_robin" and report.runs[0].connections:
            self._call("round_robin")
        if calls.ok:
            report.speaks = "greet"
            report.pod_ips = _pod_ips(calls)
        elif set(calls.by_status) - _NO_ANSWER:
            report.speaks = "grpc"
        host = self.read.host
        if report.runs[0].by_address and host.rstrip(".") == "localhost":
            # 127.0.0.1 and ::1 are one place (RFC 6761 6.3): what did not answer is not missed.
            report.addresses = list(report.runs[0].by_address)
            report.unreachable.clear()
        if len(report.addresses) == 1:
            if report.speaks == "greet":
                report.behind = self._behind(report.addresses[0])
            self._look_at_listener(report.addresses[0])
        if report.addresses and is_service_name(host):
            report.service = self.names.service(_full_name(report, host))
            if report.service.kind != "headless" and len(report.addresses) == 1:
                report.headless, report.free_name = self.names.beside(report.service.name)
        report.pods_port = self._pods_port()
        report.peers = self._peers()

    def _call(self, policy: str) -> Calls:
        report = self.report
        with Channel(self.dialled, policy=policy, name="client") as channel:
            with contextlib.suppress(TimeoutError):  # the trace says what was reached
                channel.wait_ready(all=policy != "pick_first", timeout=self.timeout)
            # Where nobody answers, one call tells as much as thirty.
            times = self.times if channel.state == "READY" else 1
            calls = channel.greet(times=times, timeout=self.timeout)
            seen = channel.trace
        client = summarize(seen).clients[0]
        first = not report.runs
        by_address = {self._behind_front(a): n for a, n in client.by_address.items()}
        said = report.policy if first else policy
        report.runs.append(_run(said, calls, seen, by_address, client.by_pod))
        if first:
            report.questions = report.questions or _questions(seen)
            report.addresses = [self._behind_front(address) for address in client.addresses]
        report.unreachable = {
            self._behind_front(front): self._fronts.failures.get(self._behind_front(front), reason)
            for front, reason in unreachable(seen).items()
        }
        self.seen = seen
        return calls

    def _behind_front(self, address: str) -> str:
        return self._fronts.places.get(address, address)

    def _call_without_the_silent(self, calls: Calls) -> Calls:
        """The lookup goes on and on: what was answered is used."""
        if not self.read.host or self.read.port is None:
            return calls
        if not (addresses := self._addresses()):
            return calls
        self.dialled = f"static:{','.join(addresses)}"
        self.report.runs.clear()
        return self._call(self.report.policy)

    def _addresses(self) -> list[str]:
        """What DNS has, where each question is asked alone."""
        asked = self.names.silence(self.read.host)
        self.report.questions = [
            Question(query.type, query.name, query.status, query.round_trip_ns / 1e6)
            for found in asked.values()
            for query in found.queries
        ]
        ips = [ip for found in asked.values() for ip in found.addresses]
        return [f"[{ip}]:{self.read.port}" if ":" in ip else f"{ip}:{self.read.port}" for ip in ips]

    def _behind(self, address: str) -> Behind | None:
        pods = self._met_from("")
        if not pods:
            return None
        elsewhere = {}
        if len(pods) == 1 and not self.tls:  # a front calls from one address
            for source in _other_sources(address)[:_ELSEWHERE]:
                if met := self._met_from(source):
                    elsewhere[source] = met
        return Behind(pods, elsewhere)

    def _met_from(self, source: str) -> list[str]:
        """The pods that new connections meet, one call each. source: the IP to call from."""
        with Channel(
            self.dialled, connection_per_call=True, source_ip=source, trace_capacity=0
        ) as channel:
            return sorted(channel.greet(times=CONNECTIONS_TRIED, timeout=self.timeout).pods)

    def _look_at_listener(self, address: str) -> None:
        """Of an address of this machine."""
        if not ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).is_loopback:
            return
        command = sockets.listener(address)
        if "port-forward" in command:
            self.report.forwarded = " ".join(command)
        elif not command:
            self.report.unknown.append(
                f"Who listens on {address}: another user's process, it seems. If it is a "
                "port-forward or a tunnel, it leads to one pod, whatever the Service has."
            )

    def _pods_port(self) -> int | None:
        """From DNS, which has it of headless names; else from the pods, if they say where they are
        and take connections there."""
        report, port = self.report, self.read.port
        for known in (report.service, report.headless):
            if known and known.kind == "headless":
                return known.port_for(port)
        ips = report.pod_ips.values()
        ends = [f"[{ip}]:{port}" if ":" in ip else f"{ip}:{port}" for ip in ips]
        patience = min(self.timeout, 1.0)  # a pod's address may be out of reach from here
        return port if ends and any(sockets.can_connect(end, patience) for end in ends) else None

    def _peers(self) -> dict[str, Peer]:
        report = self.report
        reached = [a for a in report.addresses if self.tls or a not in report.unreachable]
        if not reached:
            return {}
        host = self.read.host or reached[0].rpartition(":")[0]
        with ThreadPoolExecutor(_MOST_PEERS) as threads:
            asked = {
                address: threads.submit(ask, address, host, tls=self.tls, timeout=self.timeout)
                for address in reached[:_MOST_PEERS]
            }
            return {address: each.result() for address, each in asked.items()}


def _run(
    policy: str, calls: Calls, seen: Trace, by_address: dict[str, int], by_pod: dict[str, int]
) -> Run:
    pods: dict[int, set[str]] = defaultdict(set)
    for event in seen.of("CallEnded"):
        if event.connection:
            pods[event.connection].add(event.pod)
    return Run(
        policy=policy,
        calls=len(calls),
        connections=len(pods),
        by_address=by_address,
        by_pod=by_pod,
        most_pods=max((len(names - {""}) for names in pods.values()), default=0),
        by_status=calls.by_status,
        goaways=len({event.connection for event in seen.of("GoAwayReceived")}),
    )


def _questions(seen: Trace) -> list[Question]:
    """Of the first lookup that found something; if none did, of the first."""
    ends = [event for event in seen.of("LookupEnded") if event.count] or seen.of("LookupEnded")
    last = ends[0].id if len(ends) else 0
    asked = [event for event in seen.of("QueryAnswered") if event.id < last]
    return [Question(e.type, e.name, e.status, e.round_trip / 1e6) for e in asked]


def _full_name(report: ServiceReport, host: str) -> str:
    """The name that was answered, in full, so that it is not searched for again."""
    answered = [question.name for question in report.questions if question.status == "ok"]
    return f"{answered[0].rstrip('.')}." if answered else host


def unreachable(seen: Trace) -> dict[str, str]:
    """The addresses that were dialled and never came up, and why."""
    up = {seen.of_subchannel(e.subchannel) for e in seen.of("Connected")}
    why: dict[str, str] = {}
    for event in seen.of("ConnectStarted", "ConnectFailed"):
        address = seen.of_subchannel(event.subchannel)
        if address and address not in up:
            reason = event.fields.get("reason", "it has not answered yet")
            why[address] = reason.removeprefix(f"{address}: ")
    return why


def _pod_ips(calls: Calls) -> dict[str, str]:
    """Where the pods say that they are: "... from pod: name(pod-1), ip(10.244.0.2)."."""
    found = {}
    for call in calls:
        if call.pod and (said := re.search(r"\bip\(([0-9a-fA-F.:]+)\)", call.result)):
            with contextlib.suppress(ValueError):
                found[call.pod] = str(ipaddress.ip_address(said[1]))
    return found


def _other_sources(address: str) -> list[str]:
    """Other addresses of this machine that "ip:port" may be called from."""
    ip = ipaddress.ip_address(address.rpartition(":")[0].strip("[]"))
    if ip.version == 6:
        return []
    if ip.is_loopback:  # all of 127/8 is ours
        return [f"127.0.0.{number}" for number in range(2, 2 + _ELSEWHERE)]
    return sockets.own_addresses()
