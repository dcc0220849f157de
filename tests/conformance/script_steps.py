"""What a scenario can do with scripted pods, and see in what they were sent."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

from conformance.model import Reply
from conformance.steps import PATIENCE, Stage, Step

GREET = "/greet.GreetService/Greet"


@dataclass(frozen=True)
class Replies(Step):
    """What pods answer next; the last of them for ever, with `always`. No `pods`: all of them."""

    replies: tuple[Reply, ...]
    pods: tuple[str, ...] = ()
    always: bool = False

    def run(self, stage: Stage) -> None:
        for name, pod in stage.engine.cluster.pods.items():
            if self.pods and name not in self.pods:
                continue
            pod.replies.clear()
            pod.replies.extend(self.replies)
            pod.always = self.replies[-1] if self.always else Reply()


@dataclass(frozen=True)
class Attempts(Step):
    """What the pods were sent since somebody looked last.

    count: how many requests; None: it does not matter.
    previous: "grpc-previous-rpc-attempts" of each (gRFC A6).
    gaps: least and most seconds from each to the next one. pods: who had them, in order.
    timeouts: (least, most) seconds that each request's "grpc-timeout" says.
    """

    count: int | None
    previous: tuple[str | None, ...] | None = None
    gaps: tuple[tuple[float, float], ...] = ()
    pods: tuple[str, ...] | None = None
    timeouts: tuple[float, float] | None = None

    def run(self, stage: Stage) -> None:
        seen = [*stage.engine.cluster.seen]
        stage.engine.cluster.seen.clear()
        told = [each.headers.get(b"grpc-previous-rpc-attempts") for each in seen]
        previous = tuple(each and each.decode() for each in told)
        assert self.count in (None, len(seen)), f"{len(seen)} attempts, {previous}"
        assert self.previous is None or previous == self.previous, previous
        assert self.pods is None or tuple(each.pod for each in seen) == self.pods, seen
        gaps = [after.seconds - before.seconds for before, after in pairwise(seen)]
        for gap, (least, most) in zip(gaps, self.gaps, strict=bool(self.gaps)):
            assert least <= gap <= most, f"{gaps}, not {self.gaps}"
        for each in seen if self.timeouts else ():
            least, most = self.timeouts  # type: ignore[misc]
            seconds = _seconds(each.headers[b"grpc-timeout"])
            assert least <= seconds <= most, f"{seconds} s"


@dataclass(frozen=True)
class Healthy(Step):
    """What a pod's health service says from now on; None: that it has none."""

    healthy: bool | None
    pods: tuple[str, ...] = ()

    def run(self, stage: Stage) -> None:
        for name, pod in stage.engine.cluster.pods.items():
            if not self.pods or name in self.pods:
                pod.set_healthy(self.healthy)


@dataclass(frozen=True)
class Dead(Step):
    """A pod is there no more, though its address stays listed."""

    pod: str

    def run(self, stage: Stage) -> None:
        stage.engine.cluster.kill(self.pod)


@dataclass(frozen=True)
class Ask(Step):
    """One call with metadata, and what came back beside its message.

    sent: what the pod must have seen, beside. Each of these is a part of all that there was.
    """

    metadata: tuple[tuple[str, bytes], ...] = ()
    status: str = "OK"
    headers: tuple[tuple[str, bytes], ...] = ()
    trailers: tuple[tuple[str, bytes], ...] = ()
    sent: tuple[tuple[bytes, bytes], ...] = ()
    path: str = GREET
    timeout: float = 5.0

    def run(self, stage: Stage) -> None:
        answer = stage.caller.ask(self.path, self.metadata, self.timeout)
        assert answer.status == self.status, f"{answer.status} {answer.error}"
        assert set(self.headers) <= set(answer.headers), answer.headers
        assert set(self.trailers) <= set(answer.trailers), answer.trailers
        seen = stage.engine.cluster.seen
        assert set(self.sent) <= set(seen[-1].headers.items() if seen else ()), seen


@dataclass(frozen=True)
class Keys(Step):
    """Calls with keys, `each` of them with each key, in the metadata `header`.

    at_least_pods: how many pods have some of the keys. A key's calls all go to one pod; and with
    `as_before`, of keys whose pod is not one of `gone`, to that of the last time.
    """

    header: str
    keys: int = 20
    each: int = 3
    at_least_pods: int = 1
    as_before: bool = False
    gone: tuple[str, ...] = ()

    def run(self, stage: Stage) -> None:
        cluster = stage.engine.cluster
        placed: dict[str, str] = {}
        for number in range(self.keys):
            cluster.seen.clear()
            key = f"user-{number}"
            for _ in range(self.each):
                answer = stage.caller.ask(GREET, ((self.header, key.encode()),), PATIENCE)
                assert answer.status == "OK", answer.error
            pods = {each.pod for each in cluster.seen}
            assert len(pods) == 1, f"{key} went to {pods}"
            placed[key] = pods.pop()
        before, stage.placed = stage.placed, placed
        assert len(set(placed.values())) >= self.at_least_pods, placed
        assert not set(placed.values()) & set(self.gone)
        if self.as_before:
            moved = [key for key, pod in before.items() if placed[key] != pod]
            assert all(before[key] in self.gone for key in moved), (before, placed)


@dataclass(frozen=True)
class Pings(Step):
    """Waits until a pod has had so many PINGs: how far apart each of them is, at least."""

    count: int
    gaps: tuple[float, ...]
    pod: str = "pod-1"

    def run(self, stage: Stage) -> None:
        pod = stage.engine.cluster.pods[self.pod]
        stage.engine.until(lambda: len(pod.pings) >= self.count, PATIENCE)
        pings = pod.pings[: self.count]
        gaps = [after - before for before, after in pairwise(pings)]
        assert len(gaps) == len(self.gaps), gaps
        for gap, least in zip(gaps, self.gaps, strict=True):
            assert gap >= least, f"{gaps}, not {self.gaps}"


@dataclass(frozen=True)
class Dialled(Step):
    """How many connections the pods have had, altogether."""

    count: int

    def run(self, stage: Stage) -> None:
        made = sum(pod.connections for pod in stage.engine.cluster.pods.values())
        assert made == self.count, f"{made} connections"


def _seconds(timeout: bytes) -> float:
    units = {"H": 3600, "M": 60, "S": 1, "m": 1e-3, "u": 1e-6, "n": 1e-9}
    text = timeout.decode()
    return int(text[:-1]) * units[text[-1]]
