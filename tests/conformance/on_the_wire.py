"""Metadata, PINGs and idleness."""

from __future__ import annotations

from conformance.model import Client, Expect, Reply, ScriptedSpec
from conformance.scenario import IDLE, Scenario
from conformance.script_steps import Ask, Attempts, Dialled, Pings, Replies
from conformance.steps import AwaitState, Calls, WaitReady

WIRE = "grpc/grpc doc/PROTOCOL-HTTP2.md"
ONE = ScriptedSpec()
BYTES = b"\x00\xff\x10"

ON_THE_WIRE = (
    Scenario(
        "metadata there and back",
        "what the caller says the pod sees; its headers and trailers the caller sees",
        WIRE,
        (
            Replies((Reply(headers=(("zone", "a"),), trailers=(("cost", "3"),)),)),
            Ask(
                (("user", b"ada"),),
                headers=(("zone", b"a"),),
                trailers=(("cost", b"3"),),
                sent=((b"user", b"ada"),),
            ),
        ),
        ONE,
        Client(),
    ),
    Scenario(
        "metadata in bytes",
        "a name that ends with -bin is in base64 on the wire, and in bytes at both ends",
        WIRE,
        (
            Replies((Reply(trailers=(("what-bin", "AP8Q"),)),)),
            Ask(
                (("what-bin", BYTES),),
                trailers=(("what-bin", BYTES),),
                sent=((b"what-bin", b"AP8Q"),),
            ),
        ),
        ONE,
        Client(),
    ),
    Scenario(
        "metadata of a failure",
        "trailers alone are trailers, too",
        WIRE,
        (
            Replies((Reply("NOT_FOUND", "no such", trailers=(("hint", "look there"),)),)),
            Ask(status="NOT_FOUND", trailers=(("hint", b"look there"),)),
        ),
        ONE,
        Client(),
    ),
    Scenario(
        "a deadline on the wire",
        "grpc-timeout says what is left of the call's time",
        WIRE,
        # C-core rounds up to 10 ms, and counts by another clock: 3010m, now and then 3020m.
        (Calls(1, timeout=3.0), Attempts(1, timeouts=(2.0, 3.02))),
        ONE,
        Client(),
    ),
    Scenario(
        "a silent server is pinged",
        "one that is slow and answers PINGs is not given up",
        "gRFC A8",
        (
            Replies((Reply(after=0.7),)),
            Calls(1, Expect(at_least=0.69)),
            Pings(2, (0.15,)),
            Dialled(1),
        ),
        ONE,
        Client(keepalive_time=0.2, keepalive_timeout=1.0),
    ),
    Scenario(
        "no PINGs without calls",
        "an idle connection is let be, where nobody asks for more",
        "gRFC A8",
        (
            WaitReady(),
            Calls(1),
            AwaitState(("IDLE",)),
            Pings(0, ()),
        ),
        ONE,
        Client(keepalive_time=0.2, keepalive_timeout=1.0, idle_timeout=1.0),
    ),
    Scenario(
        "too_many_pings",
        "the channel doubles its keepalive time, and connects anew",
        "gRFC A8",
        (
            Replies((Reply(after=0.3, too_many_pings=True), Reply(after=1.6))),
            Calls(1),
            Calls(1),
            Pings(3, (0.0, 0.38)),
            Dialled(2),
        ),
        ONE,
        Client(keepalive_time=0.2, keepalive_timeout=1.0),
    ),
    Scenario(
        "an idle channel has no connection",
        "so that the next call makes one",
        IDLE,
        (
            WaitReady(all=True),
            Calls(4),
            Dialled(2),
            AwaitState(("IDLE",)),
            Calls(1),
            WaitReady(all=True),
            Dialled(4),
        ),
        ScriptedSpec(2),
        Client(policy="round_robin", idle_timeout=1.0),
    ),
)
