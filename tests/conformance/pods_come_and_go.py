"""Pods that die, come back, come anew and leave in order."""

from dataclasses import replace

from conformance.model import CLUSTER_IP, LAST, Client, ClusterSpec, Expect, all_fail, share
from conformance.scenario import (
    ALL,
    BACKOFF,
    EVEN,
    KUBE_PROXY,
    LAGGING,
    PICK_FIRST,
    QUICK,
    ROUND_ROBIN,
    SPEC,
    STATES,
    Scenario,
)
from conformance.steps import (
    Action,
    AwaitLookups,
    AwaitState,
    Calls,
    Connections,
    During,
    Hours,
    Lookups,
    Scale,
    Until,
    WaitReady,
)

# Named, for `differences.py` has another end for it.
SCALED_DOWN = During((Scale(2), AwaitLookups(2)), Expect(among=ALL))
ONE_DRAINED = During((Action("drain", "pod-1"), AwaitLookups(2)), Expect())
ONE_BY_ONE = Connections(age=0.2)

PODS_COME_AND_GO = (
    Scenario(
        "a pod dies",
        "its calls in flight fail, and all others go to the pods that are left",
        SPEC,
        (
            WaitReady(all=True),
            During((Action("kill", "pod-2"),), Expect(at_most_failed=8, failed=None, among=ALL)),
            Until(40, Expect(by_pod=(("pod-1", 20), ("pod-3", 20)))),
        ),
        cluster=LAGGING,
    ),
    Scenario(
        "a pod comes back",
        "its address is tried again after the backoff, and then it has its turns again",
        BACKOFF,
        (
            WaitReady(all=True),
            Action("kill", "pod-2"),
            Until(20, share(10, 10)),
            Action("restart", "pod-2"),
            Until(60, EVEN),
        ),
        cluster=LAGGING,
    ),
    Scenario(
        "all pods die",
        "TRANSIENT_FAILURE: calls that do not wait_for_ready fail at once",
        STATES,
        (
            WaitReady(all=True),
            *(Action("kill", pod) for pod in ALL),
            AwaitState(("TRANSIENT_FAILURE",)),
            Calls(20, all_fail(20)),
        ),
        cluster=LAGGING,
    ),
    Scenario(
        "all pods come back",
        "each address is tried for ever, with its own backoff",
        BACKOFF,
        (
            WaitReady(all=True),
            *(Action("kill", pod) for pod in ALL),
            AwaitState(("TRANSIENT_FAILURE",)),
            *(Action("restart", pod) for pod in ALL),
            AwaitState(("READY",)),
            Until(60, EVEN),
        ),
        cluster=LAGGING,
    ),
    Scenario(
        "new pods are not seen",
        "nobody looks a name up while all connections are well, whatever the TTL",
        "grpc/grpc issue 12295",
        (
            WaitReady(all=True),
            Scale(5),
            Hours(),
            Calls(60, EVEN),
            Lookups(1),
        ),
        client=replace(QUICK, idle_timeout=0),  # who is idle looks it up anew
    ),
    Scenario(
        "MAX_CONNECTION_AGE shows new pods",
        "the GOAWAY of an old connection makes the client look up again, and fails no call",
        "gRFC A9",
        (
            WaitReady(all=True),
            Scale(5),
            During(
                (Until(40, Expect(pods=("pod-1", "pod-2", "pod-3", "pod-4", "pod-5"))),),
                Expect(),
                concurrency=4,
            ),
        ),
        cluster=ClusterSpec(max_connection_age=0.4),
        client=QUICK,
    ),
    Scenario(
        "MAX_CONNECTION_AGE takes one connection after the other",
        "the next is made when the last has its GOAWAY, and no more than that",
        "gRFC A9",
        (WaitReady(), ONE_BY_ONE),
        cluster=ClusterSpec(max_connection_age=0.2),
        client=Client(CLUSTER_IP, "round_robin"),
    ),
    Scenario(
        "scaling down in order",
        "a draining pod finishes its calls and refuses none that it was sent: no call fails",
        "gRFC A9; grpc/grpc Server::Shutdown",
        (
            WaitReady(all=True),
            SCALED_DOWN,
            Until(40, Expect(by_pod=(("pod-1", 20), ("pod-2", 20)))),
        ),
        client=QUICK,
    ),
    Scenario(
        "a new list while the old one works",
        "it is pending until it is READY, so no call waits for it or fails",
        ROUND_ROBIN,
        (
            WaitReady(all=True),
            Scale(5),
            ONE_DRAINED,
            Until(40, Expect(by_pod=tuple((f"pod-{number}", 10) for number in range(2, 6)))),
        ),
        client=QUICK,
    ),
    Scenario(
        "the pod behind a ClusterIP dies",
        "the connection is made again, and the ClusterIP sends it to a pod that lives",
        KUBE_PROXY,
        (
            Calls(6, share(6)),
            Action("kill", LAST),
            Until(20, share(20)),
            AwaitState(("READY",)),
        ),
        client=Client(CLUSTER_IP, "pick_first"),
    ),
    Scenario(
        "one bad address of three",
        "it keeps nobody waiting: the others share the calls",
        ROUND_ROBIN,
        (
            Action("kill", "pod-2"),
            Until(40, Expect(by_pod=(("pod-1", 20), ("pod-3", 20)))),
            AwaitState(("READY",)),
        ),
        cluster=LAGGING,
    ),
    Scenario(
        "pick_first goes past a bad address",
        "the first that refuses is left for the next, and no call fails",
        SPEC,
        (Action("kill", "pod-1"), Calls(20, Expect(by_pod=(("pod-2", 20),)))),
        cluster=LAGGING,
        client=Client(policy="pick_first", addresses=ALL),
    ),
    Scenario(
        "all addresses are bad",
        "pick_first too is in TRANSIENT_FAILURE once all have failed, and says so at once",
        SPEC,
        (
            *(Action("kill", pod) for pod in ALL),
            Calls(1, all_fail(1, within=2.0)),
            AwaitState(("TRANSIENT_FAILURE",)),
            Calls(20, all_fail(20)),
        ),
        cluster=LAGGING,
        client=PICK_FIRST,
    ),
)
