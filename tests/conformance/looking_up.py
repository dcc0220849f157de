"""When a name is looked up, and what a failed lookup means."""

from conformance.model import CLUSTER_IP, Client, ClusterSpec, Expect, all_fail, share
from conformance.scenario import COOLDOWN, EVEN, K8S_DNS, KUBE_PROXY, QUICK, SPEC, Scenario
from conformance.steps import (
    Action,
    AwaitLookups,
    AwaitState,
    Calls,
    DnsOutage,
    Lookups,
    Scale,
    Until,
    WaitReady,
)

LOOKING_UP = (
    Scenario(
        "the cooldown",
        "two losses within it are one more lookup, and that one waits for its end",
        COOLDOWN,
        (
            WaitReady(all=True),
            Action("kill", "pod-1"),
            Action("kill", "pod-2"),
            Until(10, share(10)),
            Lookups(1),
            AwaitLookups(2, exactly=True, gap=(0.99, 1.5)),
            Calls(20, Expect(by_pod=(("pod-3", 20),))),
        ),
        client=Client(policy="round_robin", cooldown=1.0),
    ),
    Scenario(
        "a headless service without pods",
        "NXDOMAIN, which fails calls at once",
        K8S_DNS,
        (Calls(1, all_fail(1)), AwaitState(("TRANSIENT_FAILURE",))),
        cluster=ClusterSpec(pods=0),
    ),
    Scenario(
        "a ClusterIP without pods",
        "the name is there, the connection is refused: calls fail at once",
        KUBE_PROXY,
        (Calls(1, all_fail(1)), AwaitState(("TRANSIENT_FAILURE",))),
        cluster=ClusterSpec(pods=0),
        client=Client(CLUSTER_IP, "round_robin"),
    ),
    Scenario(
        "scaled to none and up again",
        "the list of a failed lookup is kept, and pods at new addresses are found later",
        SPEC,
        (
            WaitReady(all=True),
            Scale(0),
            AwaitState(("TRANSIENT_FAILURE",)),
            Calls(5, all_fail(5)),
            Scale(2),
            AwaitState(("READY",)),
            Until(20, Expect(by_pod=(("pod-4", 10), ("pod-5", 10)))),
        ),
        client=QUICK,
    ),
    Scenario(
        "a failed lookup keeps the list",
        "a resolver's error with a list in hand changes nothing",
        SPEC,
        (
            WaitReady(all=True),
            DnsOutage("SERVFAIL"),
            Action("kill", "pod-3"),
            AwaitLookups(2),
            Until(20, Expect(by_pod=(("pod-1", 10), ("pod-2", 10)))),
            DnsOutage(None),
        ),
        client=QUICK,
    ),
    Scenario(
        "a name that is gone keeps the list",
        "NXDOMAIN is a resolver's error like any other",
        SPEC,
        (
            WaitReady(all=True),
            DnsOutage("NXDOMAIN"),
            Action("kill", "pod-3"),
            AwaitLookups(2),
            Until(20, Expect(by_pod=(("pod-1", 10), ("pod-2", 10)))),
            DnsOutage(None),
        ),
        client=QUICK,
    ),
    Scenario(
        "a failed first lookup",
        "without a list calls fail with the resolver's error, and it is asked again",
        SPEC,
        (
            DnsOutage("SERVFAIL"),
            Calls(1, all_fail(1)),
            AwaitState(("TRANSIENT_FAILURE",)),
            DnsOutage(None),
            AwaitState(("READY",)),
            Until(60, EVEN),
        ),
    ),
)
