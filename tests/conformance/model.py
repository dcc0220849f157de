"""What a scenario is made of, as data: a cluster, a client, and what is expected of its calls."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

CLUSTER_IP = "greetserver"
HEADLESS = "greetserver-headless"
LAST = "the pod that answered last"
"""May stand for a pod's name in a step."""


@dataclass(frozen=True)
class ClusterSpec:
    """The cluster. Durations are seconds.

    listed_when_dead: a killed pod stays in DNS, so the client's list keeps its address.
    """

    pods: int = 3
    listed_when_dead: bool = False
    max_connection_age: float | None = None
    max_concurrent_streams: int | None = None


@dataclass(frozen=True)
class ScriptedSpec:
    """Pods that answer by a script, at a fixed list of addresses (`scripted_pods.py`)."""

    pods: int = 1


@dataclass(frozen=True)
class Reply:
    """What a scripted pod answers a call.

    code, message: the status. headers, trailers: metadata beside it. headers_first: a failure
    comes after headers, not as trailers alone. pushback: "grpc-retry-pushback-ms" (gRFC A6).
    after: seconds that it takes. never: it does not. reset: RST_STREAM with this code instead.
    too_many_pings: GOAWAY ENHANCE_YOUR_CALM comes before the answer (gRFC A8).
    load: (application_utilization, rps) of a load report in the trailers (gRFC A51).
    """

    code: str = "OK"
    message: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    trailers: tuple[tuple[str, str], ...] = ()
    headers_first: bool = False
    pushback: str | None = None
    after: float = 0.0
    never: bool = False
    reset: int | None = None
    too_many_pings: bool = False
    load: tuple[float, float] | None = None


@dataclass(frozen=True)
class Client:
    """A channel and its options; None: the engine's default, nothing is said.

    addresses: a fixed list of pods, by name, in place of a service.
    cooldown: seconds between the starts of two lookups; gRPC's default is 30.
    keepalive_time, keepalive_timeout, idle_timeout: seconds; an idle_timeout of 0: never.
    watched_proxy: `http_proxy` names a listener, which counts who asks it.
    service_config: JSON; it stands in the policy's place.
    environment: variables that gRPC is told things by.
    """

    service: str = HEADLESS
    policy: str | None = None
    addresses: tuple[str, ...] = ()
    shuffle: bool = False
    cooldown: float | None = None
    keepalive_time: float | None = None
    keepalive_timeout: float | None = None
    idle_timeout: float | None = None
    watched_proxy: bool = False
    service_config: str | None = None
    environment: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class Outcome:
    """What became of some calls. `slowest` and `quickest` are seconds."""

    by_status: Mapping[str, int]
    by_pod: Mapping[str, int]
    slowest: float
    quickest: float
    last_pod: str | None = None
    messages: tuple[str, ...] = ()

    @property
    def failed(self) -> int:
        """How many calls did not end with OK."""
        return sum(self.by_status.values()) - self.by_status.get("OK", 0)


@dataclass(frozen=True)
class Expect:
    """What is expected of calls. Each field that is None says nothing.

    failed: exactly so many failures; at_most_failed: so many at most.
    status: of each failure, or those that a failure may have.
    pods: exactly these answered; among: nobody else did.
    share: how many calls the pods answered, the smallest count first; who is who is left open.
    by_pod: how many calls each pod answered, as pairs.
    within, at_least: seconds that no call exceeded, that every call took.
    slowest: seconds that the slowest one took at least.
    """

    failed: int | None = 0
    at_most_failed: int | None = None
    status: str | tuple[str, ...] = "UNAVAILABLE"
    pods: tuple[str, ...] | None = None
    among: tuple[str, ...] | None = None
    share: tuple[int, ...] | None = None
    by_pod: tuple[tuple[str, int], ...] | None = None
    within: float | None = None
    at_least: float | None = None
    slowest: float | None = None

    def problem(self, seen: Outcome) -> str | None:
        """What is wrong with it, in a sentence; None: nothing."""
        allowed = (self.status,) if isinstance(self.status, str) else self.status
        odd = set(seen.by_status) - {"OK", *allowed}
        checks = (
            (not odd, f"no other failure than {' or '.join(allowed)}"),
            (
                self.at_most_failed is not None or seen.failed == self.failed,
                f"{self.failed} failed calls",
            ),
            (
                self.at_most_failed is None or seen.failed <= self.at_most_failed,
                f"at most {self.at_most_failed} failed calls",
            ),
            (self.pods is None or set(self.pods) == set(seen.by_pod), f"from {self.pods}"),
            (self.among is None or set(self.among) >= set(seen.by_pod), f"among {self.among}"),
            (
                self.share is None or list(self.share) == sorted(seen.by_pod.values()),
                f"shared as {self.share}",
            ),
            (self.by_pod is None or dict(self.by_pod) == dict(seen.by_pod), f"{self.by_pod}"),
            (self.within is None or seen.slowest <= self.within, f"each within {self.within} s"),
            (
                self.at_least is None or seen.quickest >= self.at_least,
                f"each after {self.at_least} s at least",
            ),
            (
                self.slowest is None or seen.slowest >= self.slowest,
                f"the slowest after {self.slowest} s at least",
            ),
        )
        missed = [expected for holds, expected in checks if not holds]
        return f"expected {', '.join(missed)}; saw {seen}" if missed else None


ALL_OK = Expect()


def share(*counts: int) -> Expect:
    """All calls OK, and each pod's count as given, the smallest first."""
    return Expect(share=counts)


def all_fail(calls: int, within: float = 1.0, status: str = "UNAVAILABLE") -> Expect:
    """Every call fails, and at once: it does not wait."""
    return Expect(failed=calls, status=status, share=(), within=within)
