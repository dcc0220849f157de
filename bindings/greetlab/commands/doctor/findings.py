"""What is wrong with a service beside its calls' ways, with remedies; what cannot be known."""

from __future__ import annotations

import ipaddress
import os

from greetlab.commands.doctor.certificate import Certificate, look_at
from greetlab.commands.doctor.environment import proxy_for, without_password
from greetlab.commands.doctor.finding import Finding
from greetlab.commands.doctor.names import Names, ServiceName
from greetlab.commands.doctor.peer import HUNG_UP
from greetlab.commands.doctor.report import ServiceReport
from greetlab.commands.doctor.targets import Target
from greetlab.trace.trace import Trace

_CERTIFICATE_REQUIRED = "alert certificate required"  # RFC 8446 6.2, as OpenSSL names it
_SLOW_LOOKUP = 1000.0
"""Milliseconds from which a question to DNS is a finding."""


def find(report: ServiceReport, read: Target, seen: Trace, *, timeout: float, tls: bool) -> None:
    """Fills in what is wrong, and what cannot be known.

    read: the target. seen: the trace of the last client. timeout: seconds to ask a server in
    whether it speaks TLS. tls: whether the clients do.
    """
    _verdict(report)
    _port_forward(report)
    _dns(report, read, seen)
    _service(report, read)
    _proxy_of_the_environment(report, read)
    _unreached(report, read, timeout, tls)
    _peers(report, read)
    _goaways(report)
    _unknown(report, read)


def _verdict(report: ServiceReport) -> None:
    if not report.sticky:
        return
    remedy = "make the other addresses reachable"
    if report.fix:
        remedy = "a headless Service, and " if report.fix.service else ""
        remedy += "a dns:/// target and round_robin in the client"
    report.findings.append(Finding("sticky", "bad", report.verdict, remedy))


def _port_forward(report: ServiceReport) -> None:
    if report.forwarded:
        remedy = "look from within the cluster (greetlab kube run), or at a client there (--pid)"
        saw = f"{report.forwarded}: what is called is not the Service"
        report.findings.append(Finding("port-forward", "bad", saw, remedy))


def _dns(report: ServiceReport, read: Target, seen: Trace) -> None:
    lookups = seen.of("LookupEnded")
    if not report.addresses and len(lookups):
        last = lookups[-1]
        remedy = {
            "nxdomain": "kubectl get services -A: is it spelt so, in that namespace, or headless "
            "without a ready pod?",
            "no_data": "the name exists without addresses: are its pods ready?",
        }.get(last.status, "is the DNS server of /etc/resolv.conf, or of the target, reachable?")
        report.findings.append(Finding("DNS", "bad", f"{last.name}: {last.status.upper()}", remedy))
    _silence(report, read)
    misses = [question for question in report.questions if question.status == "nxdomain"]
    if report.addresses and misses:
        cost = sum(question.milliseconds for question in misses)
        saw = (
            f"{len(misses)} of {len(report.questions)} questions were for names that do not exist "
            f"(the search list): {cost:.1f} ms in each lookup of each client"
        )
        remedy = "a full name with a final dot is asked for at once"
        report.findings.append(Finding("ndots", "note", saw, remedy))


def _silence(report: ServiceReport, read: Target) -> None:
    """A question that is never answered holds up every lookup, whatever the other one found."""
    silent = [question for question in report.questions if question.status == "timeout"]
    slow = [question for question in report.questions if question.milliseconds > _SLOW_LOOKUP]
    types = sorted({question.type for question in silent})
    answered = {question.type for question in report.questions if question.status == "ok"}
    if types and answered:
        saw = (
            f"{' and '.join(types)} of the name is never answered, though {'and '.join(answered)} "
            f"is: each lookup waits {Names(read.dns_server).patience:.0f} s for it (attempts and "
            "timeout of resolv.conf)"
        )
        remedy = "a DNS server, or what is before it, drops these questions: it must answer all"
        report.findings.append(Finding("DNS", "bad", saw, remedy))
    elif types:
        saw = f"no answer to {' and '.join(types)} questions"
        remedy = "is the DNS server of /etc/resolv.conf, or of the target, reachable?"
        report.findings.append(Finding("DNS", "bad", saw, remedy))
    elif slow:
        saw = f"a lookup waits {max(q.milliseconds for q in slow) / 1e3:.1f} s for an answer"
        remedy = "look at the DNS server, and at those that it asks"
        report.findings.append(Finding("DNS", "bad", saw, remedy))


def _service(report: ServiceReport, read: Target) -> None:
    service, port = report.service, read.port
    if service is None:
        return
    first = service.name.partition(".")[0]
    if "headless" in first and (why := _no_headless(report, service)):
        saw = f"{first} is called headless, but is not: {why}"
        remedy = "a Service's clusterIP cannot be changed: make another one, with clusterIP: None"
        report.findings.append(Finding("headless", "bad", saw, remedy))
    if port is None or not service.ports or port in service.ports:
        return
    has = " or ".join(map(str, service.ports))
    if service.kind == "headless":
        saw = f"port {port} is dialled, the pods listen on {has}: a headless name maps no ports"
        report.findings.append(Finding("targetPort", "bad", saw, f"dial port {has}"))
    else:
        saw = f"port {port} is dialled, the Service has {has}"
        report.findings.append(Finding("port", "bad", saw, f"dial port {has}"))


def _no_headless(report: ServiceReport, service: ServiceName) -> str:
    """What tells that a name leads to a ClusterIP, or another balancer; "" if nothing does."""
    if service.kind == "cluster_ip":
        return "its SRV record names the Service, and no pods: it has a ClusterIP"
    if not service.kind and len(report.addresses) == 1 and report.behind:
        pods = report.behind.all
        if len(pods) > 1:
            return f"its one address leads to {', '.join(pods)}"
    return ""


def _proxy_of_the_environment(report: ServiceReport, read: Target) -> None:
    host = read.host or (report.addresses[0].rpartition(":")[0] if report.addresses else "")
    asked = proxy_for(host, os.environ)
    if asked is None:
        return
    saw = (
        f"{asked.variable} is {without_password(asked.url)}: started with it, clients in C++, "
        f"Python and Node ask it for {host}, and their names are not looked up; Go's do by "
        "https_proxy alone. The doctor's client does not"
    )
    spared = ",".join([*asked.spared, host.strip("[]")])
    report.findings.append(Finding("proxy", "bad", saw, f"export no_proxy={spared}"))


def _unreached(report: ServiceReport, read: Target, timeout: float, tls: bool) -> None:
    unreached = dict(report.unreachable)
    families = {address: _version(address) for address in report.addresses}
    dead = [address for address, version in families.items() if version == 6]
    if dead and set(dead) <= set(unreached) and len(unreached) < len(families):
        reasons = ", ".join(sorted({unreached[address] for address in dead}))
        saw = (
            f"the name is dual-stack, and none of its {len(dead)} IPv6 addresses (AAAA) answers: "
            f"{reasons}: every client tries them again and again"
        )
        remedy = "listen on [::] in the servers, or make the Service ipFamilyPolicy: SingleStack"
        report.findings.append(Finding("IPv6", "bad", saw, remedy))
        for address in dead:
            del unreached[address]
    for address, reason in unreached.items():
        report.findings.append(_one_unreached(address, reason, read, timeout, tls))


def _version(address: str) -> int:
    return ipaddress.ip_address(address.rpartition(":")[0].strip("[]")).version


def _one_unreached(address: str, reason: str, read: Target, timeout: float, tls: bool) -> Finding:
    if "refused" in reason:
        remedy = (
            "look at the port (on a headless name it is the pods', targetPort), and whether pods "
            "are ready"
        )
        return Finding(address, "bad", f"cannot be reached: {reason}", remedy)
    shown = None if tls else look_at(address, read.host or address.rpartition(":")[0], timeout)
    if shown and shown.version:
        saw = f"wants {shown.version}, and plaintext was spoken; its certificate {_names(shown)}"
        return Finding(address, "bad", saw, "greetlab doctor TARGET --tls")
    remedy = "does it speak HTTP/2 without TLS, and does no NetworkPolicy or firewall drop it?"
    return Finding(address, "bad", f"no gRPC server: {reason}", remedy)


def _names(shown: Certificate) -> str:
    return f"is for {', '.join(shown.names)}" if shown.names else "has no names"


def _peers(report: ServiceReport, read: Target) -> None:
    peers = report.peers
    for shown in dict.fromkeys(peer.certificate for peer in peers.values() if peer.certificate):
        report.findings.append(_certificate(shown, read.host))
    mute = [peer for peer in peers.values() if peer.certificate and not peer.speaks]
    if any(_CERTIFICATE_REQUIRED in peer.failure or peer.failure == HUNG_UP for peer in mute):
        saw = "a handshake, and not a word after it: it wants a certificate of its clients (mTLS)"
        if not any(_CERTIFICATE_REQUIRED in peer.failure for peer in mute):
            saw += ", most likely, for it does not say why"
        remedy = "look from behind what has one (a mesh's sidecar), or at a client (--pid)"
        report.findings.append(Finding("mTLS", "bad", saw, remedy))
    spoke = [peer for peer in peers.values() if peer.speaks]
    if spoke and all(peer.health is False for peer in spoke):
        report.findings.append(
            Finding(
                "health", "note",
                "no grpc.health.v1.Health: Kubernetes' grpc probes fail, and clients with a "
                "healthCheckConfig take every server for healthy (gRFC A17)",
                "register your library's health service, if you want either",
            )
        )  # fmt: skip
    if spoke and all(peer.reflection is False for peer in spoke):
        report.findings.append(
            Finding(
                "reflection", "note",
                "no server reflection: grpcurl and its like need your proto files (the doctor "
                "does without)",
                "register your library's reflection service, if you want it",
            )
        )  # fmt: skip


def _certificate(shown: Certificate, host: str) -> Finding:
    if not shown.version:
        remedy = "does it speak TLS at all on that port? Without --tls plaintext is spoken"
        return Finding("TLS", "bad", f"no handshake: {shown.failure}", remedy)
    saw = f"{shown.version}; the certificate {_names(shown)}, until {shown.until or 'unknown'}"
    if shown.alpn != "h2":
        saw += f"; it agrees on {shown.alpn or 'no protocol'} (ALPN), where gRPC wants h2"
        return Finding("TLS", "bad", saw, "turn HTTP/2 on in what ends the TLS")
    if host and not shown.is_for(host):
        saw += f"; clients call it {host.rstrip('.')}, and refuse it"
        remedy = "a certificate with that name (subjectAltName); or dial a name that it has"
        return Finding("TLS", "bad", saw, remedy)
    if not shown.trusted:
        saw += f"; this machine does not trust it: {shown.failure}"
        return Finding(
            "TLS", "note", saw, "clients need its authority among their root certificates"
        )
    return Finding("TLS", "good", f"{saw}; this machine trusts it")


def _goaways(report: ServiceReport) -> None:
    ended = sum(run.goaways for run in report.runs)
    if ended:
        saw = (
            f"{ended} connection{'s were' if ended > 1 else ' was'} ended in order (GOAWAY): "
            "clients look the name up anew then, and hear of new pods"
        )
        report.findings.append(Finding("GOAWAY", "good", saw))


def _unknown(report: ServiceReport, read: Target) -> None:
    if not report.speaks:
        return
    report.unknown.append(
        f"Whether your own client does the same: it was the lab's client that called, from here, "
        f"with {report.policy}. `greetlab doctor {report.target} --pid PID` looks at one that runs."
    )
    if read.beyond:
        report.unknown.append(read.beyond)
    if report.speaks == "grpc" and len(report.addresses) > 1 and report.balanced != "proxy":
        report.unknown.append(
            "Whether an address is one pod: this service is not greet, so only the addresses of "
            "servers are seen. Behind a balancer one can be many."
        )
    if report.balanced != "proxy" and not any(run.goaways for run in report.runs):
        report.unknown.append(
            "Whether clients will hear of new pods: gRPC asks DNS again only when a connection "
            "ends. A MAX_CONNECTION_AGE on the servers (gRFC A9) makes it so; none showed while "
            "this was looked at."
        )
