"""What follows from what was seen of a service: whether its calls are shared, and the cure."""

from __future__ import annotations

from greetlab.commands.doctor.cures import (
    PORT_TO_FILL_IN,
    UNNAMED,
    client_lines,
    headless_service,
)
from greetlab.commands.doctor.names import is_service_name
from greetlab.commands.doctor.report import CONNECTIONS_TRIED, Fix, Run, ServiceReport
from greetlab.commands.doctor.targets import Target


def judge(report: ServiceReport, read: Target, *, tls: bool) -> None:
    """Fills in whether it is sticky, who shares the calls, the verdict, and the fix.

    tls: whether clients speak TLS to it.
    """
    run = report.runs[0]
    if not report.addresses:
        report.verdict = "Nothing to judge: the name has no address."
    elif not run.connections:
        report.verdict = "Nothing to judge: nobody answered."
    elif report.forwarded:
        report.verdict = (
            f"Nothing to judge: {report.addresses[0]} is a port-forward, which leads to one pod, "
            f"chosen when it began, whatever the Service has."
        )
    elif run.most_pods > 1:
        _by_a_proxy(report, run)
    elif report.proxy:
        _by_a_proxy_it_seems(report, run)
    elif len(report.addresses) == 1:
        _one_address(report, run)
    elif run.connections == 1:
        _one_of_several(report, run, read)
    else:
        _shared(report, run)
    if report.sticky and read.beyond:
        report.sticky = None
        report.verdict = f"By DNS alone, which is not what your client asks: {report.verdict}"
    if report.sticky and (len(report.addresses) == 1 or run.policy == "pick_first" or
                          read.unresolved):  # fmt: skip
        service, endpoint = _service_and_endpoint(report, read)
        if tls:  # certificates have names without the final dot
            host, _, port = endpoint.rpartition(":")
            endpoint = f"{host.rstrip('.')}:{port}"
        target = f"dns:///{endpoint}"
        report.fix = Fix(service, target, client_lines(target, tls=tls))


def _shared(report: ServiceReport, run: Run) -> None:
    report.sticky, report.balanced = False, "client"
    if len(run.by_pod) == 1:  # IPv4 and IPv6 of one
        report.verdict = (
            f"Not sticky, but there is one pod: {run.calls} calls over {run.connections} "
            f"connections were answered by {_whereto(run)}."
        )
    else:
        report.verdict = f"Not sticky: {run.calls} calls were shared: {_shares(run)}."


def _by_a_proxy(report: ServiceReport, run: Run) -> None:
    """Several pods over one connection: only who looks into it can send its requests apart."""
    report.sticky, report.balanced = False, "proxy"
    who = f" ({report.proxy})" if report.proxy else ""
    over = "one connection" if run.connections == 1 else f"{run.connections} connections"
    report.verdict = (
        f"Not sticky: a proxy in between{who} balances each request: {run.calls} calls over {over} "
        f"were answered by {len(run.by_pod)} pods: {_shares(run)}. No cure is needed."
    )


def _by_a_proxy_it_seems(report: ServiceReport, run: Run) -> None:
    report.balanced = "proxy"
    report.verdict = (
        f"Balanced by a proxy in between, it seems: {report.proxy} answers, and such a proxy sends "
        f"each request where it likes, whatever connection it came on. All {run.calls} calls were "
        "answered; no cure is needed in the client."
    )
    seen = (
        f"all calls were answered by {_whereto(run)}"
        if report.speaks == "greet"
        else "this service is not greet, so nobody says who answered"
    )
    report.unknown.append(
        f"How many servers are behind {report.proxy}, and whether it shares requests among them: "
        f"{seen}. Its own figures tell."
    )


def _one_address(report: ServiceReport, run: Run) -> None:
    """One address is one connection, with any policy: a round of one."""
    (address,) = report.addresses
    if report.service and report.service.kind == "headless":
        return _one_pod(report, run)
    report.sticky = True
    what = " (a ClusterIP, says its SRV record)" if report.service and report.service.kind else ""
    at_once = "one connection" if run.connections == 1 else "one connection at a time"
    report.verdict = (
        f"Sticky: the name has one address{what}, so there is {at_once}, with any policy: all "
        f"{run.calls} calls went to {_whereto(run)}."
    )
    behind = report.behind
    if behind is None:
        report.unknown.append(
            f"How many pods are behind {address}: this service is not greet, so only the address "
            "of a server is seen, and a ClusterIP looks like one server; or whether a proxy that "
            "does not say so balances requests there. If it is one pod, there is nothing to share."
        )
    elif behind.affine:
        report.verdict += (
            f" {CONNECTIONS_TRIED} new connections all reached it again, and from "
            f"{', '.join(behind.elsewhere)} others: {', '.join(behind.all)}: session affinity."
        )
    elif len(behind.pods) > 1:
        report.verdict += (
            f" Behind the address are more: {CONNECTIONS_TRIED} new connections reached "
            f"{', '.join(behind.pods)}."
        )
    else:
        report.unknown.append(
            f"Whether {address} leads to more pods: {CONNECTIONS_TRIED} new connections all "
            f"reached {behind.pods[0]}. It is the only one, or the Service has "
            "sessionAffinity: ClientIP, and this machine's calls all go there: kubectl get service "
            "-o jsonpath='{.spec.sessionAffinity}' NAME"
        )


def _one_pod(report: ServiceReport, run: Run) -> None:
    said = f"the name is headless and has one ready pod: all {run.calls} calls went to "
    said += f"{_whereto(run)}"
    if run.policy == "pick_first":
        report.sticky = True
        report.verdict = f"Sticky: {said}. With more pods it would be so, too: pick_first uses one."
    else:
        report.sticky, report.balanced = False, "client"
        report.verdict = f"Not sticky: {said}. More pods would share them."


def _one_of_several(report: ServiceReport, run: Run, read: Target) -> None:
    report.sticky = True
    count = len(report.addresses)
    went = f"all {run.calls} calls went to {_whereto(run)}."
    if read.unresolved:
        report.verdict = (
            f"Sticky: DNS has {count} addresses, but {read.scheme}: does not look the name up, so "
            f"the client has one address and one connection, with any policy: {went}"
        )
    elif run.policy == "pick_first":
        report.verdict = (
            f"Sticky: the name has {count} addresses, but {run.policy} uses one connection: {went}"
        )
    else:
        report.verdict = f"Sticky for now: of {count} addresses only one can be reached: {went}"


def _whereto(run: Run) -> str:
    return ", ".join(run.by_pod or run.by_address)


def _shares(run: Run) -> str:
    shares = run.by_pod or run.by_address
    return ", ".join(f"{count} to {who}" for who, count in shares.items())


def _service_and_endpoint(report: ServiceReport, read: Target) -> tuple[str, str]:
    """One address: a headless Service first. Several: the name is good, the client is not."""
    if len(report.addresses) > 1 or (report.service and report.service.kind == "headless"):
        host = read.host if is_service_name(read.host) else UNNAMED
        port = read.port or int(report.addresses[0].rpartition(":")[2])
        return "", f"{host}:{port}"
    shown = PORT_TO_FILL_IN if report.pods_port is None else str(report.pods_port)
    if report.headless:
        return "", f"{report.headless.name}:{shown}"
    host = report.free_name.rstrip(".")
    if not host:  # an address, or this machine
        host = UNNAMED
    name, _, rest = host.partition(".")
    namespace = rest.partition(".")[0] if rest.partition(".")[2].startswith("svc") else ""
    service = headless_service(name, report.pods_port, namespace)
    return service, f"{host}:{shown}"
