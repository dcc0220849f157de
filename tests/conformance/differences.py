"""Where engines are known to differ, each with its source, and pinned: the scenario expects the
other thing of these engines.

One is of another kind: what the *server* of real clusters does to calls is random, so it is allowed
there, not required.

One stands elsewhere, for it needs IPv6 addresses that not every machine lets a test have: gRPC 1.51
tries the addresses of a list as they come, newer ones IPv6 and IPv4 by turns (gRFC A61): see
`test_the_order_in_which_stock_grpc_dials` in tests/test_ip_families.py.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from conformance.model import Expect, all_fail
from conformance.pods_come_and_go import ONE_BY_ONE, ONE_DRAINED, SCALED_DOWN
from conformance.retries import (
    AT_ONCE,
    FAILS,
    ONE_ATTEMPT,
    ONE_ON_TOP,
    SENT_AGAIN,
    TWO_ATTEMPTS,
    WORKS,
)
from conformance.script_steps import Attempts
from conformance.service_configs import METHOD_S_HEADER, METHOD_S_TIME, OUT_OF_TIME, REFUSED
from conformance.steps import Calls, Clients, Step
from conformance.waiting import PAST_A_HANG
from conformance.who_gets_what import SHUFFLED


@dataclass(frozen=True)
class Difference:
    """One scenario in which some engines do something else.

    instead: pairs of a step as the scenario has it and the one that stands for it here.
    """

    scenario: str
    engines: tuple[str, ...]
    why: str
    source: str
    instead: tuple[tuple[Step, Step], ...]


REAL = ("lab", "grpc", "grpcio")

# At most as many as are in flight: after the first of them comes the news that the server stops.
_SOME_LOST = Expect(
    failed=None,
    at_most_failed=SCALED_DOWN.concurrency,
    status=("CANCELLED", "DEADLINE_EXCEEDED"),
)

_SHUTDOWN = (
    "A C++ server that is shut down goes on reading new calls until the client has its GOAWAY, but "
    "cancels those that it has not begun with: they end with CANCELLED. One that comes at that "
    "very moment it forgets (2 calls in 60 drains of 4,000 calls each): its client waits until its "
    "deadline. By HTTP/2 and A9 none need fail, and none does in the sim."
)

DIFFERENCES: tuple[Difference, ...] = (
    Difference(
        "scaling down in order",
        REAL,
        _SHUTDOWN,
        "grpc/grpc issue 41785 (open)",
        ((SCALED_DOWN, replace(SCALED_DOWN, expect=_SOME_LOST)),),
    ),
    Difference(
        "a new list while the old one works",
        REAL,
        _SHUTDOWN,
        "grpc/grpc issue 41785 (open)",
        ((ONE_DRAINED, replace(ONE_DRAINED, expect=_SOME_LOST)),),
    ),
    Difference(
        "MAX_CONNECTION_AGE takes one connection after the other",
        ("grpc",),
        "gRPC 1.51's round_robin dials up to twice as often (in 2 s at 0.3 s each: 10 to 13 times, "
        "the lab 7, grpcio 1.85 8), and uses one of them at a time.",
        "measured; newer C-cores do not",
        ((ONE_BY_ONE, replace(ONE_BY_ONE, at_once=3)),),
    ),
    Difference(
        "pick_first goes past a connect that hangs",
        ("grpc",),
        "gRPC 1.51 has no Happy Eyeballs: it stays with the first until that attempt times out, "
        "after 20 s.",
        "gRFC A61; grpc/grpc pull request 34615",
        (
            (
                PAST_A_HANG,
                Calls(1, all_fail(1, within=1.5, status="DEADLINE_EXCEEDED"), timeout=1.0),
            ),
        ),
    ),
    Difference(
        "pick_first shuffles when told to",
        ("grpc",),
        "gRPC 1.51 does not know shuffleAddressList, and takes the first.",
        "gRFC A62; grpc/grpc pull request 33254",
        ((SHUFFLED, Clients(16, firsts=("pod-1",))),),
    ),
    *(
        Difference(
            name,
            ("grpc", "grpcio"),
            "C-core takes a status code by its name, in capitals, or refuses the config.",
            "grpc/grpc retry_service_config.cc; measured with 1.51.1 and 1.85.3",
            ((WORKS, REFUSED), (TWO_ATTEMPTS, Attempts(0))),
        )
        for name in ("a code by its number", "a code in lower case")
    ),
    Difference(
        "a server says at once",
        ("grpcio",),
        "C-core takes pushback of 0 for none at all, and waits for its backoff.",
        "measured with 1.85.3",
        (
            (
                AT_ONCE,
                replace(AT_ONCE, expect=all_fail(1, within=2.0, status="DEADLINE_EXCEEDED")),
            ),
            (TWO_ATTEMPTS, Attempts(1)),
        ),
    ),
    Difference(
        "a server says something else",
        ("grpcio",),
        "C-core reads it with the headers, and fails the call for it.",
        "grpc/grpc src/core/ext/transport/chttp2/transport/hpack_parser.cc; measured with 1.85.3",
        ((FAILS, Calls(1, all_fail(1, status="INTERNAL"))),),
    ),
    Difference(
        "tokens come back by a whole number",
        ("grpc", "grpcio"),
        "C-core reads a tokenRatio without a point as so many thousandths.",
        "grpc/grpc src/core/client_channel/retry_service_config.cc, ParseRetryThrottling",
        ((WORKS, FAILS), (TWO_ATTEMPTS, Attempts(1))),
    ),
    Difference(
        "a stream that was refused",
        ("grpc", "grpcio"),
        "C-core sends again what a GOAWAY left out, and not what a RST_STREAM refused.",
        "measured with 1.51.1 and 1.85.3",
        ((WORKS, FAILS), (SENT_AGAIN, Attempts(1))),
    ),
    Difference(
        "a stream that is refused again",
        ("grpc", "grpcio"),
        "As above.",
        "measured with 1.51.1 and 1.85.3",
        ((SENT_AGAIN, Attempts(1)),),
    ),
    Difference(
        "a stream that is refused again, with a policy",
        ("grpc", "grpcio"),
        "As above: it is UNAVAILABLE, like any other.",
        "measured with 1.51.1 and 1.85.3",
        ((ONE_ON_TOP, Attempts(3, (None, "1", "2"))),),
    ),
    Difference(
        "a hedgingPolicy",
        ("lab",),
        "The lab hedges, as Java, .NET and Node do.",
        "gRFC A6",
        ((ONE_ATTEMPT, Attempts(3, None)),),
    ),
    Difference(
        "a method's timeout",
        ("grpc", "grpcio"),
        "C-core's timeouts of a service config are up to two seconds too short.",
        "grpc/grpc issue 34547 (open)",
        (
            (METHOD_S_TIME, replace(METHOD_S_TIME, expect=replace(OUT_OF_TIME, at_least=None))),
            (METHOD_S_HEADER, Attempts(None)),
        ),
    ),
)

_VIRTUAL = "two hours of real time"
_NO_OUTAGE = "the virtual DNS has no outages; tests/test_policies.py holds the rule on the bench"

_NOT_IN_1_51 = "gRPC 1.51 has no such policy by a service config"
_NOT_OUT = "gRPC 1.51's outlier_detection puts nobody out here (measured with 1.51.1)"

ABSENT = {
    **{
        (name, "grpc"): _NOT_IN_1_51
        for name in (
            "calls by weight",
            "weights that are too young",
            "weights that nobody reports",
            "one pod that reports",
            "a key is a pod's",
            "a key's pod dies",
        )
    },
    ("a pod that fails its calls is left out", "grpc"): _NOT_OUT,
    ("a pod that was left out comes back", "grpc"): _NOT_OUT,
    ("a hedgingPolicy", "grpc"): "the engine refuses what gRPC would ignore",
    ("MAX_CONNECTION_AGE takes one connection after the other", "sim"): "nobody counts them there",
    ("backoff for hours", "lab"): _VIRTUAL,
    ("backoff for hours", "grpc"): _VIRTUAL,
    ("backoff for hours", "grpcio"): _VIRTUAL,
    ("a failed lookup keeps the list", "sim"): _NO_OUTAGE,
    ("a name that is gone keeps the list", "sim"): _NO_OUTAGE,
    ("a failed first lookup", "sim"): _NO_OUTAGE,
    ("an http_proxy in the environment is not asked", "sim"): "the sim has no environment",
}
"""(scenario, engine): why it cannot be played there."""
