"""What follows from what was seen of a service: the verdict, the findings, the fix."""

from __future__ import annotations

import socket
import ssl

from greetlab.commands.doctor.finding import Finding
from greetlab.commands.doctor.fixes import (
    client_lines,
    headless_name,
    headless_service,
    is_service_name,
)
from greetlab.commands.doctor.report import CONNECTIONS_TRIED, Fix, Run, ServiceReport
from greetlab.trace.trace import Trace


def judge(report: ServiceReport) -> None:
    """Fills in whether it is sticky, the verdict, and the fix."""
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


def find(report: ServiceReport, seen: Trace, timeout: float) -> None:
    """Fills in what is wrong, and what cannot be known.

    seen: the trace of the client. timeout: seconds to ask a server in whether it speaks TLS.
    """
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
