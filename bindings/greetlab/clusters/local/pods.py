"""The pods of a local cluster: what a Deployment, a kubelet and the endpoints make of processes.

A pod that starts is ready when its readiness probe has found out; one that is deleted is taken off
the endpoints and told to end, both counted from the same moment; a rollout replaces them in turn.
"""

from __future__ import annotations

import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from greetlab import _core, arguments
from greetlab.clusters.cluster import Pod
from greetlab.clusters.processes import GreetServer

if TYPE_CHECKING:
    from greetlab.clusters.authority import Certificate


@dataclass
class LocalPod:
    """A pod, and the process that it runs. server: None = it was never started."""

    name: str
    ips: list[str]
    seed: int
    control: str
    revision: int
    server: GreetServer | None = None
    client: _core.ControlClient | None = field(default=None, repr=False)
    certificate: Certificate | None = field(default=None, repr=False)
    listed: bool = False
    draining: bool = False
    healthy: bool = True
    ready: bool = False
    starting: bool = True
    starts: int = 0
    """How often it was started: what was to be done in an earlier life is not done in this one."""

    @property
    def alive(self) -> bool:
        """Whether its process runs."""
        return self.server is not None and self.server.alive

    @property
    def meant_to_serve(self) -> bool:
        """Whether it is neither dead nor on its way out."""
        return self.alive and not self.draining

    def view(self) -> Pod:
        """As it is shown."""
        if not self.alive:
            state = "dead"
        elif self.draining:
            state = "draining"
        else:
            state = "starting" if self.starting else "serving"
        return Pod(self.name, self.ips[0], state, self.listed, self.ips)


@dataclass(frozen=True)
class Delays:
    """What takes time in a cluster, in seconds; see `LocalCluster`."""

    start_interval: float
    readiness_delay: float
    endpoint_lag: float
    pre_stop: float

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            arguments.number(name, value, 0, 1e6)


class Cluster(Protocol):
    """What the pods need of their cluster. All of it is called with the lock held."""

    def start_pods(self, pods: list[LocalPod]) -> None:
        """Runs their processes, side by side. Raises StartError: all of them, or none."""

    def make_pods(self, count: int, revision: int) -> list[LocalPod]:
        """New ones, not started yet."""

    def tell(self, pod: LocalPod, change: str, *, ends: bool = False) -> None:
        """Puts it into the traces of the clients. ends: its connections end because of it."""

    def publish(self) -> None:
        """Tells the DNS and the ClusterIP who is listed."""


class LocalPods:
    """The pods, by name, in the order in which they were made.

    What is to happen later is done by timers, each on a thread of its own, one at a time: with the
    lock held, and only while the cluster is open.
    """

    def __init__(self, cluster: Cluster, delays: Delays, lock: threading.RLock) -> None:
        self.by_name: dict[str, LocalPod] = {}
        # Weak: a cluster that nobody holds any more ends, and takes these along.
        self._cluster: Cluster = weakref.proxy(cluster)
        self._delays = delays
        self._lock = lock
        self._changed = threading.Condition(lock)
        self._timers: set[threading.Timer] = set()
        self._closed = False
        self._revision = 0
        self._rolling: tuple[int, int, int] | None = None  # replicas, surge, unavailable
        self._failure: Exception | None = None  # of a pod that a rollout could not start

    @property
    def meant_to_serve(self) -> list[LocalPod]:
        """Those that are neither dead nor on their way out."""
        return [pod for pod in self.by_name.values() if pod.meant_to_serve]

    def scale(self, count: int) -> None:
        """Adds pods, or deletes the newest ones, until this many are meant to serve."""
        if self._rolling is not None:
            self._rolling = (count, *self._rolling[1:])
        there = self.meant_to_serve
        if count > len(there):
            self.add(count - len(there))
        for pod in there[count:]:
            self.delete(pod)
        self._roll()

    def add(self, count: int) -> None:
        """Starts that many new ones."""
        self.start(self._cluster.make_pods(count, self._revision))

    def start(self, pods: list[LocalPod]) -> None:
        """Starts them, or starts them again; they become ready one after the other."""
        self._cluster.start_pods(pods)
        for number, pod in enumerate(pods):
            until = self._delays.readiness_delay + number * self._delays.start_interval
            pod.starts += 1
            pod.draining, pod.healthy = False, True
            pod.ready = pod.listed = until == 0
            pod.starting = not pod.ready
            self.by_name[pod.name] = pod
            self._cluster.tell(pod, "started")
            if pod.starting:
                self._later(until, pod, self._probe)
        self._publish()

    def kill(self, pod: LocalPod) -> None:
        """SIGKILL."""
        assert pod.server is not None
        self._cluster.tell(pod, "killed", ends=True)
        pod.server.kill()
        self._later(self._delays.endpoint_lag, pod, self.delist)
        self._roll()

    def delete(self, pod: LocalPod) -> None:
        """As the API server does: two things begin at once, and neither waits for the other."""
        pod.draining = True
        self._cluster.tell(pod, "draining", ends=self._delays.pre_stop == 0)
        self._later(self._delays.endpoint_lag, pod, self.delist)
        self._later(self._delays.pre_stop, pod, self._end)
        self._roll()

    def set_healthy(self, pod: LocalPod, healthy: bool) -> None:
        """Its health service says so from now on; the readiness probe finds out."""
        pod.healthy = healthy
        self._cluster.tell(pod, "SERVING" if healthy else "NOT_SERVING")
        self._later(self._delays.readiness_delay, pod, self._probe)

    def delist(self, pod: LocalPod) -> None:
        """Off the endpoints, unless it is well again."""
        if pod.listed and not (pod.meant_to_serve and pod.ready):
            pod.listed = False
            self._publish()

    def rollout(self, max_surge: int, max_unavailable: int) -> None:
        """See `Cluster.rollout`."""
        arguments.whole("max_surge", max_surge, 0)
        arguments.whole("max_unavailable", max_unavailable, 0)
        if max_surge == max_unavailable == 0:
            raise ValueError(
                "max_surge and max_unavailable are both 0: no pod could ever be replaced"
            )
        self._revision += 1
        self._failure = None
        replicas = len(self.meant_to_serve) if self._rolling is None else self._rolling[0]
        self._rolling = (replicas, max_surge, max_unavailable)
        self._roll()

    @property
    def rolling(self) -> bool:
        """Whether a rollout is under way.

        Raises StartError if one had to be given up because a new pod did not start.
        """
        if self._failure is not None:
            raise self._failure
        return self._rolling is not None

    def wait(self, enough: Callable[[], bool], timeout: float) -> bool:
        """Waits until it is so; False: not within `timeout` seconds.

        Raises ValueError if the cluster is closed meanwhile.
        """
        end = time.monotonic() + timeout
        with self._lock:
            while True:
                if self._closed:
                    raise ValueError("this cluster was closed while it was waited for")
                if enough():
                    return True
                if (left := end - time.monotonic()) <= 0:
                    return False
                self._changed.wait(left)

    def close(self) -> None:
        """Nothing more happens."""
        with self._lock:
            self._closed = True
            for timer in self._timers:
                timer.cancel()
            self._changed.notify_all()

    # Inside, all with the lock held.

    def _later(self, seconds: float, pod: LocalPod, what: Callable[[LocalPod], None]) -> None:
        """Does it then, unless the pod was started again by then."""
        if seconds == 0:
            what(pod)
            return
        life = pod.starts

        def due() -> None:
            with self._lock:
                self._timers.discard(timer)
                if not self._closed and pod.starts == life:
                    what(pod)
                    self._changed.notify_all()

        timer = threading.Timer(seconds, due)
        timer.daemon = True
        self._timers.add(timer)
        timer.start()

    def _probe(self, pod: LocalPod) -> None:
        """What the readiness probe finds, and what follows from it."""
        if not pod.meant_to_serve or pod.ready == pod.healthy:
            return
        pod.ready = pod.healthy
        if self._delays.readiness_delay > 0 or pod.starting:
            self._cluster.tell(pod, "ready" if pod.ready else "unready")
        if pod.ready:
            pod.starting = False
            if not pod.listed:
                pod.listed = True
                self._publish()
        else:
            self._later(self._delays.endpoint_lag, pod, self.delist)
        self._changed.notify_all()
        self._roll()

    def _end(self, pod: LocalPod) -> None:
        """SIGTERM, when its preStop is over."""
        if pod.draining and pod.server is not None and pod.server.alive:
            if self._delays.pre_stop > 0:
                self._cluster.tell(pod, "told to end", ends=True)
            pod.server.terminate()

    def _roll(self) -> None:
        """Goes on with the rollout, as far as it may."""
        while self._rolling is not None:
            there = self.meant_to_serve
            seen = [(pod.revision == self._revision, pod.ready) for pod in there]
            add, gone = _core.rolling_step(*self._rolling, seen)
            if not add and not gone:
                if all(new and ready for new, ready in seen):
                    self._rolling = None
                    self._changed.notify_all()
                return
            try:
                if add:
                    self.add(add)
            except Exception as error:  # on a timer's thread: `rolling` tells it
                self._rolling, self._failure = None, error
                self._changed.notify_all()
                return
            rolling, self._rolling = self._rolling, None  # what is deleted here is our own doing
            for number in gone:
                self.delete(there[number])
            self._rolling = rolling

    def _publish(self) -> None:
        self._cluster.publish()
        self._changed.notify_all()
