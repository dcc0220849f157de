"""A client that runs already, judged by its connections as /proc has them: how many, and to whom.

Nothing is called, and the client does not notice. /proc tells which connections there are, not what
goes over them.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict, dataclass, field
from typing import Any

from greetlab.commands.doctor import sockets
from greetlab.commands.doctor.environment import proxy_for, without_password
from greetlab.commands.doctor.finding import Finding
from greetlab.commands.doctor.names import Names, ServiceName, is_service_name
from greetlab.commands.doctor.targets import read_target


@dataclass
class ClientReport:
    """What there is to say about a running client.

    pid: its id; 0 = all the processes here. command: how it was started. target: the service, as it
    was given; "" = whatever it is connected to at `port`. addresses: the service's, by DNS.
    connections: "ip:port" to how many. unlisted: those to the same port elsewhere, of addresses
    that DNS does not have (any more). sticky, verdict, findings, unknown: as of a service.
    """

    pid: int
    command: str
    target: str = ""
    port: int | None = None
    addresses: list[str] = field(default_factory=list)
    connections: dict[str, int] = field(default_factory=dict)
    unlisted: dict[str, int] = field(default_factory=dict)
    sticky: bool | None = None
    verdict: str = ""
    findings: list[Finding] = field(default_factory=list)
    unknown: list[str] = field(default_factory=list)

    @property
    def healthy(self) -> bool:
        """Whether its calls can be shared and nothing else is wrong."""
        return self.sticky is False and not any(f.level == "bad" for f in self.findings)

    def to_dict(self) -> dict[str, Any]:
        """All of it, for JSON."""
        return {**asdict(self), "healthy": self.healthy}


def examine_client(pid: int | None, target: str | None, port: int | None = None) -> ClientReport:
    """Looks at the established connections of a running client.

    pid: the client's; None = of all processes here that can be seen, one of which is it.
    target: the service that it calls, as it has it; None = all that it is connected to.
    port: the service's; None = the target's, or any.

    Raises ValueError if neither pid nor port says which client, for a target that there is not, and
    where there is no such process or it is another user's.
    """
    if pid is None and port is None:
        raise ValueError("which client: --pid PID, or --port PORT of the service that it calls")
    report = ClientReport(pid or 0, " ".join(sockets.command_of(pid)) if pid else "", target or "")
    mine = _connections(pid)
    service = _look_up(report) if target else None
    report.port = port if port is not None else read_target(target).port if target else None
    listed = set(report.addresses)
    for remote, count in sorted(Counter(each.remote for each in mine).items()):
        if remote in listed:
            report.connections[remote] = count
        elif report.port is None or remote.endswith(f":{report.port}"):
            (report.unlisted if target else report.connections)[remote] = count
    _judge(report, service)
    return report


def _connections(pid: int | None) -> list[sockets.Socket]:
    """Those that were dialled. One that was accepted has a listener's port at its own end."""
    try:
        known = sockets.tcp_sockets(pid or "self")
        inodes = sockets.inodes_of(pid) if pid else None
    except PermissionError as error:
        raise ValueError(f"--pid {pid}: it is another user's: sudo, or as that user") from error
    except OSError as error:
        raise ValueError(f"--pid {pid}: there is no such process, or no /proc") from error
    listened = {each.local.rpartition(":")[2] for each in known if each.state == sockets.LISTENING}
    return [
        each
        for each in known
        if each.state == sockets.ESTABLISHED
        and (inodes is None or each.inode in inodes)
        and each.local.rpartition(":")[2] not in listened
    ]


def _look_up(report: ClientReport) -> ServiceName | None:
    read = read_target(report.target)
    names = Names(read.dns_server)
    if is_service_name(read.host):
        ips = [ip for found in names.silence(read.host).values() for ip in found.addresses]
    else:
        ips = [read.host.strip("[]")] if read.host else []
        if not ips:  # a list of addresses
            report.addresses = read.examined.partition(":")[2].split(",")
    report.addresses += [f"[{ip}]:{read.port}" if ":" in ip else f"{ip}:{read.port}" for ip in ips]
    return names.service(read.host) if is_service_name(read.host) else None


def _judge(report: ClientReport, service: ServiceName | None) -> None:
    made = {**report.connections, **report.unlisted}
    count, ends = sum(made.values()), len(made)
    who = f"process {report.pid}" if report.pid else "processes here"
    to = ", ".join(made)
    if not count:
        report.verdict = f"Nothing to judge: {who} has no connection to it now."
        if report.addresses:
            report.verdict += f" The name has {', '.join(report.addresses)}."
        _proxy(report)
        return
    if ends == 1 and count == 1:
        report.sticky = True
        report.verdict = f"Sticky: {who} has one connection, to {to}: all calls go there."
    elif ends == 1:
        report.sticky = None
        report.verdict = (
            f"{who.capitalize()} has {count} connections, all to {to}: each call goes over one of "
            "them."
        )
        report.unknown.append(
            f"Whether they lead to several pods: if {to} is a ClusterIP, each connection has a pod "
            "of its own, by chance; and whether the calls are shared among the connections."
        )
    elif not (report.target or report.port) and len({e.rpartition(":")[2] for e in made}) > 1:
        report.verdict = f"{who.capitalize()} has {count} connections: {_counts(made)}."
        report.unknown.append("Which of them are to one service: name it, or its --port.")
        return
    else:
        report.sticky = False
        report.verdict = (
            f"Not sticky: {who} has {count} connections, to {ends} addresses: {_counts(made)}."
        )
    _compare(report, service)
    _proxy(report)
    report.unknown.append(
        "What goes over them: /proc has the connections, not the calls. A policy that keeps one "
        "connection to each address (round_robin) shares them; one that waits for an address to "
        "fail (pick_first) has one."
    )


def _counts(made: dict[str, int]) -> str:
    return ", ".join(f"{count} to {end}" for end, count in made.items())


def _proxy(report: ClientReport) -> None:
    """With its own environment, as it was started."""
    host = read_target(report.target).host if report.target else ""
    asked = proxy_for(host, sockets.environment_of(report.pid)) if host and report.pid else None
    if asked:
        saw = f"it was started with {asked.variable}={without_password(asked.url)}"
        spared = ",".join([*asked.spared, host.strip("[]")])
        report.findings.append(Finding("proxy", "bad", saw, f"start it with no_proxy={spared}"))


def _compare(report: ClientReport, service: ServiceName | None) -> None:
    """With what DNS has now."""
    if report.sticky:
        many = len(report.addresses) > 1
        if not report.addresses:
            remedy = "greetlab doctor TARGET: how many addresses has its name, and what to write"
        elif many:
            remedy = f"round_robin: the name has {len(report.addresses)} addresses"
        else:
            kind = "a ClusterIP" if service and service.kind == "cluster_ip" else "one address"
            remedy = f"a headless Service, and round_robin: the name has {kind}"
        report.findings.append(Finding("sticky", "bad", report.verdict, remedy))
    missing = [a for a in report.addresses if a not in report.connections]
    if missing and report.connections and not report.sticky:
        saw = (
            f"DNS has {len(report.addresses)} addresses, and there is no connection to "
            f"{', '.join(missing)}: pods that came later are not heard of until a connection ends"
        )
        remedy = "MAX_CONNECTION_AGE on the servers (gRFC A9), or start the client anew"
        report.findings.append(Finding("new pods", "bad", saw, remedy))
    if report.unlisted and report.addresses:
        saw = f"connected to what DNS does not have (any more): {', '.join(report.unlisted)}"
        remedy = "a port-forward, another Service, or pods that are going away"
        report.findings.append(Finding("unlisted", "note", saw, remedy))
