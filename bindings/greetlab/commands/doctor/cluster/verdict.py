"""Whether the client's calls are shared."""

from __future__ import annotations

from greetlab.commands.doctor.cluster.findings import Subject, client_pods, policy_told, sidecar


def judge(subject: Subject) -> None:
    """Fills in the verdict. It says at first what is seen, and only then what is likely."""
    look = subject.look
    ready = len(look.ready)
    what = f"{look.service} is {'headless' if look.kind == 'headless' else 'a ' + look.kind}"
    if not ready:
        look.verdict = f"{look.service} has no ready pod: there is nobody to share calls among."
        return
    proxies = {sidecar(pod) for pod in client_pods(subject)} - {""}
    if proxies:
        look.sticky = False
        look.verdict = (
            f"Not sticky: {', '.join(sorted(proxies))} sidecar in the client's pods shares the "
            f"requests among {ready} pods, whatever the client's policy is."
        )
        return
    if look.kind != "headless":
        if ready == 1:
            look.verdict = f"{what} with one ready pod: there is nothing to share."
            return
        look.sticky = True
        look.verdict = (
            f"Sticky: {what}, one address, so a client has one connection, with any policy, and "
            f"all its calls go to one of {ready} ready pods."
        )
        return
    _headless(subject, what, ready)


def _headless(subject: Subject, what: str, ready: int) -> None:
    look = subject.look
    counted = {pod: len(ends) for pod, ends in look.connections.items() if ends}
    few = {pod: count for pod, count in counted.items() if count < ready}
    if few:
        look.sticky = True
        pod, count = min(few.items(), key=lambda pair: pair[1])
        look.verdict = (
            f"Sticky: {what}, but {pod} is connected to {count} of {ready} ready pods: its policy "
            "is pick_first, or it looked the name up before the others were ready."
        )
    elif counted:
        look.sticky = False
        look.verdict = f"Not sticky: {what}, and its client is connected to all {ready} ready pods."
    else:
        told = policy_told(subject.client["spec"]["template"]) if subject.client else ""
        if told == "pick_first":
            look.sticky = True
            look.verdict = f"Sticky: {what}, but the client's policy is pick_first: one of {ready}."
        elif told == "round_robin":
            look.sticky = False
            look.verdict = (
                f"Not sticky: {what}, and the client is told round_robin: each of {ready} ready "
                "pods gets its turns, if all were ready when it looked the name up."
            )
        else:
            look.verdict = (
                f"{what}, with {ready} ready pods: a client with round_robin shares its calls, one "
                "with pick_first, gRPC's default, does not."
            )
            look.unknown.append("Which policy its clients have: nothing here says it.")
