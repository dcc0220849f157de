"""Calls that wait, connections that hang or are lost, and the time between attempts."""

from conformance.model import ALL_OK, Client, ClusterSpec, Expect, all_fail, share
from conformance.scenario import (
    BACKOFF,
    FIRST_TWO,
    IDLE,
    LAGGING,
    PICK_FIRST,
    ROUND_ROBIN,
    SPEC,
    STATES,
    WAIT_FOR_READY,
    Scenario,
)
from conformance.steps import (
    Action,
    AwaitState,
    Backoff,
    Calls,
    Hours,
    Lookups,
    Queued,
    Scale,
    Set,
    StateIs,
    Until,
    WaitReady,
)

# Named, for `differences.py` has another end for it.
PAST_A_HANG = Calls(1, Expect(by_pod=(("pod-2", 1),), at_least=0.2, within=1.0), timeout=1.0)

WAITING = (
    Scenario(
        "wait_for_ready outlasts a dead pod",
        "the call queues in TRANSIENT_FAILURE, and goes when there is a connection",
        WAIT_FOR_READY,
        (
            Action("kill", "pod-1"),
            Calls(1, all_fail(1)),
            Queued((AwaitState(("TRANSIENT_FAILURE",)), Action("restart", "pod-1")), share(1)),
        ),
        cluster=ClusterSpec(pods=1, listed_when_dead=True),
    ),
    Scenario(
        "wait_for_ready outlasts a name that is not there",
        "the resolver's backoff is 1 s at first: when it has the pods, the call goes",
        WAIT_FOR_READY,
        (Queued((AwaitState(("TRANSIENT_FAILURE",)), Scale(1)), share(1)),),
        cluster=ClusterSpec(pods=0),
    ),
    Scenario(
        "a deadline while queued",
        "wait_for_ready waits no longer than the call may take",
        WAIT_FOR_READY,
        (
            Calls(1, all_fail(1)),
            Calls(
                1,
                Expect(failed=1, status="DEADLINE_EXCEEDED", at_least=0.29, within=0.8),
                timeout=0.3,
                wait_for_ready=True,
            ),
        ),
        cluster=ClusterSpec(pods=0),
    ),
    Scenario(
        "a deadline at a slow pod",
        "the call ends when its time is over, and the connection stays",
        "grpc.io: Deadlines",
        (
            WaitReady(),
            Set("slow", "pod-1", 3.0),
            Calls(
                2,
                Expect(failed=2, status="DEADLINE_EXCEEDED", at_least=0.19, within=0.7),
                timeout=0.2,
            ),
            Set("slow", "pod-1", 0.0),
            Calls(5, share(5)),
            AwaitState(("READY",)),
        ),
        cluster=ClusterSpec(pods=1),
    ),
    Scenario(
        "a connect that hangs",
        "connected is only who has sent SETTINGS: calls wait, and end with their deadline",
        STATES,
        (
            Action("hang", "pod-1"),
            Calls(
                2,
                Expect(failed=2, status="DEADLINE_EXCEEDED", at_least=0.29, within=0.8),
                timeout=0.3,
            ),
            AwaitState(("CONNECTING",)),
        ),
        cluster=ClusterSpec(pods=1, listed_when_dead=True),
    ),
    Scenario(
        "a connect that hangs beside two that do not",
        "round_robin connects to all at once, so it keeps nobody waiting",
        ROUND_ROBIN,
        (Action("hang", "pod-2"), Until(40, Expect(by_pod=(("pod-1", 20), ("pod-3", 20))))),
        cluster=LAGGING,
    ),
    Scenario(
        "pick_first goes past a connect that hangs",
        "Happy Eyeballs: the next address is tried after 250 ms",
        "gRFC A61",
        (
            Action("hang", "pod-1"),
            PAST_A_HANG,
        ),
        cluster=LAGGING,
        client=Client(policy="pick_first", addresses=FIRST_TWO),
    ),
    Scenario(
        "pick_first loses its connection",
        "IDLE, and no connection is made until there is a call",
        SPEC,
        (
            Calls(3, share(3)),
            Action("kill", "pod-1"),
            AwaitState(("IDLE",)),
            Action("restart", "pod-1"),
            Hours(),
            StateIs("IDLE"),
            Calls(3, share(3)),
            AwaitState(("READY",)),
        ),
        cluster=ClusterSpec(pods=1, listed_when_dead=True),
        client=PICK_FIRST,
    ),
    Scenario(
        "round_robin makes a lost connection again by itself",
        "it keeps a connection to each address, calls or no calls",
        ROUND_ROBIN,
        (
            WaitReady(all=True),
            Action("kill", "pod-1"),
            AwaitState(("CONNECTING", "TRANSIENT_FAILURE")),
            Action("restart", "pod-1"),
            AwaitState(("READY",)),
        ),
        cluster=ClusterSpec(pods=1, listed_when_dead=True),
    ),
    Scenario(
        "backoff",
        "the starts of attempts are 1.6 times as far apart each time, with 20 % of jitter",
        BACKOFF,
        (
            Action("hang_up", "pod-1"),
            Calls(1, all_fail(1)),
            Backoff("pod-1", seconds=2.7),
        ),
        cluster=ClusterSpec(pods=1, listed_when_dead=True),
    ),
    Scenario(
        "a pod that falls silent",
        "a PING that is not answered in time ends the connection, and the calls on it",
        "gRFC A8",
        (
            Calls(3, share(3)),
            Action("silence", "pod-1"),
            Calls(1, all_fail(1, within=3.0), timeout=8.0),
        ),
        cluster=ClusterSpec(pods=1),
        client=Client(policy="pick_first", keepalive_time=0.3, keepalive_timeout=0.3),
    ),
    Scenario(
        "a channel that nobody calls",
        "it is IDLE after a while, and the next call looks the name up anew, cooldown or not",
        IDLE,
        (
            WaitReady(all=True),
            Calls(6, ALL_OK),
            Lookups(1),
            AwaitState(("IDLE",)),
            Calls(6, ALL_OK),
            Lookups(2),
        ),
        client=Client(policy="round_robin", idle_timeout=1.0),
    ),
    Scenario(
        "more calls than a connection takes",
        "MAX_CONCURRENT_STREAMS: those that are too many wait on the connection, and none fails",
        "RFC 9113 5.1.2; gRFC A105",
        (
            WaitReady(),
            Set("slow", "pod-1", 0.1),
            Calls(6, Expect(share=(6,), at_least=0.09, slowest=0.29), concurrency=6),
        ),
        cluster=ClusterSpec(pods=1, max_concurrent_streams=2),
    ),
    Scenario(
        "backoff for hours",
        "and 120 s at most",
        BACKOFF,
        (
            Action("hang_up", "pod-1"),
            Calls(1, all_fail(1)),
            Backoff("pod-1", seconds=7200.0),
        ),
        cluster=ClusterSpec(pods=1, listed_when_dead=True),
        client=Client(policy="round_robin", idle_timeout=0),
    ),
)
