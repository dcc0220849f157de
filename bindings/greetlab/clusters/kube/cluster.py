"""The third world: pods of a real Kubernetes.

    kubectl get --raw ...?watch    what the cluster does to pods and endpoints
    kubectl exec -i greetclient-…  the client: greet-client --serve (`served`)
    kubectl scale, delete, patch   what is done to the pods

Nothing listens, no rights are asked for but the learner's own, and no image but the lab's is used.
"""

from __future__ import annotations

import json
import os
import secrets
import threading
import time
import weakref
from collections.abc import Callable, Iterable, Sequence
from contextlib import ExitStack, suppress
from datetime import UTC, datetime
from typing import Any, Self, Unpack

from greetlab import _core, arguments
from greetlab.channels.greet_channel import Load
from greetlab.channels.options import DEFAULTS, ChannelOptions, channel_title, takes
from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE, WATCH, XDS, Cluster, Pod
from greetlab.clusters.kube import clock, manifests, namespace
from greetlab.clusters.kube.channel import KubeChannel
from greetlab.clusters.kube.clock import ClockSkew
from greetlab.clusters.kube.fleet import (
    MOST_CLIENTS,
    NOT_TAKEN,
    Fleet,
    Recorded,
    command_line,
    gather,
)
from greetlab.clusters.kube.job import own_image
from greetlab.clusters.kube.kubectl import Kubectl, KubectlError, Object
from greetlab.clusters.kube.namespace import NAMESPACE
from greetlab.clusters.kube.pods import hopeless, is_ready, started_at, trouble
from greetlab.clusters.kube.runs import TIMEOUT, run_job
from greetlab.clusters.kube.served import PATIENCE, Served
from greetlab.clusters.kube.watch import Watch
from greetlab.dns.lookup import Lookup, with_port

DEPLOYMENT = "greetserver"
"""Whose pods these are; it is the name of its container, too."""
_CLIENT = "greetclient"
_SERVERS = f"app.kubernetes.io/name={DEPLOYMENT}"
_SLICES = f"kubernetes.io/service-name in ({CLUSTER_IP_SERVICE},{HEADLESS_SERVICE})"
_SERVICE = "kubernetes.io/service-name"
_ENDED = ("Failed", "Succeeded")

NOT_HERE = {
    "restart": "in Kubernetes no pod comes back: its Deployment makes another one, of another name "
    "and address; kill it",
    "lose": "a node would have to be taken away, which is not ours to do; the sim has it",
    "proxy_facts": "kube-proxy is the kernel's rules, and tells nobody what it chose; the local "
    "cluster has a proxy that does",
    "publish_config": "Kubernetes' DNS has no TXT records of one's own (it takes CoreDNS's plugin "
    "`template`); the local cluster has them",
    "authority": "the pods' certificates are the cluster's affair (cert-manager, a mesh); the "
    "local cluster has an authority of its own",
    "kubeconfig": "the API is the cluster's, and your own kubeconfig says where it is",
    "api_outage": "the API is the cluster's, and serves others too; the local cluster has its own",
    "proxies": "kube-proxy is no process of ours; the local cluster has one",
    "l7_proxies": "a proxy here is one that you deployed; the local cluster has its own",
    "sidecar": "a mesh injects it, by your own hand; the local cluster has one",
    "control_plane": "proxyless gRPC takes a mesh's control plane; the local cluster has one",
    "balancer": "lookaside is history, and takes one of your own; the local cluster has one",
    "seed": "what is random here nobody can repeat; the sim has a seed",
    "trace": "each channel has a trace of its own, and `fleet` merges those of its clients; the "
    "sim has one for all",
    "channels": "nobody counts other people's clients; the sim does, and `fleet` has its own",
    "seconds": "time passes here by itself: `time.time()`",
    "change": "how fast a real cluster is, its parts decide; the sim can be told",
    "fork": "a real world has no other one beside it; the sim has",
    "run": "time passes here by itself",
    "step": "a real world cannot be stopped; the sim can",
    "link": "a real world cannot be made again from a link; the sim's can",
}
"""What other worlds have, and why this one has not."""


class KubeError(RuntimeError):
    """The cluster is not as it would have to be; the words say what it lacks, and what to do."""


class KubeCluster(Cluster):
    """Pods of a real Kubernetes, and a client in one of its pods.

    pods: how many there shall be; None: as many as there are.
    context: of the kubeconfig; None: the environment's GREETLAB_CONTEXT. The current context is
        never taken by itself.
    namespace: the only one that is touched, and only if it is the lab's (its label
        app.kubernetes.io/part-of=greetlab).
    apply: makes the namespace, which must not be there yet, and in it what k8s/overlays/world has:
        three pods, both Services, and the control socket that `slow` and `fail` take. False: uses
        what is there, such as what a lab made.
    image: with greet-server and greet-client in it; None: this version's, "greetlab:0.1.0".
    timeout: seconds until the pods and the client must run.

    What it made is gone when it is closed: the client's pod, and with `apply` the whole namespace.
    A Python that is killed leaves them; `greetlab clean` deletes the namespace greetlab, and the
    client's pod ends by itself after half a day.

    Things take their time here: a pod that is ready is listed some time later, and so on. `scale`
    waits for it. What the cluster does stands in the traces of its clients from when this machine
    heard of it and told them: see `clock`.

    Raises ContextNotNamedError without a context, ForeignNamespaceError for a namespace that is not
    the lab's, KubeError for one that lacks what is needed, KubectlError for what kubectl cannot do,
    ServedError if the client does not start.
    """

    world = "KUBE"

    def __init__(
        self,
        pods: int | None = None,
        *,
        context: str | None = None,
        namespace: str = NAMESPACE,
        apply: bool = False,
        image: str | None = None,
        timeout: float = 120.0,
    ) -> None:
        if pods is not None:
            arguments.whole("pods", pods, 0, 1000)
        arguments.number("timeout", timeout, 1, 1e6)
        self.namespace = namespace
        self._kubectl = Kubectl(context)
        self._changed = threading.Condition(threading.RLock())
        self._pods: dict[str, Object] = {}
        self._slices: dict[str, Object] = {}
        self._said: dict[str, str] = {}  # of each pod, what the clients were told of it last
        self._channels: weakref.WeakSet[KubeChannel] = weakref.WeakSet()
        self._clients = 0
        self._closed = False
        self._cleanup = ExitStack()
        weakref.finalize(self, _clean_up, os.getpid(), self._cleanup)
        self._image = image or own_image()
        try:
            self._start(pods, apply, timeout)
        except BaseException:
            self.close()
            raise

    @property
    def context(self) -> str:
        """Of the kubeconfig: which cluster this is."""
        return self._kubectl.context

    def _start(self, pods: int | None, apply: bool, timeout: float) -> None:
        deadline = time.monotonic() + timeout
        there = namespace.is_there(self._kubectl, self.namespace)
        where = f"the namespace {self.namespace} in context {self.context}"
        if apply:
            if there:
                raise KubeError(
                    f"{where} is there already, and apply=True makes one: use what is in it "
                    "(without apply), name another (namespace=...), or delete it (greetlab clean)"
                )
            self._cleanup.callback(self._delete_all)
            replicas = [{"name": DEPLOYMENT, "count": 3 if pods is None else pods}]
            manifests.create(
                self._kubectl,
                manifests.WORLD,
                namespace=self.namespace,
                image=self._image,
                replicas=replicas,
            )
        elif not there:
            raise KubeError(
                f"there is no {where.removeprefix('the ')}: apply=True makes it, with pods and "
                "Services (k8s/overlays/world)"
            )
        self._deployment()  # or says that there is none
        self._services = self._read_services(where)
        self._follow()
        if not apply and pods is not None:
            self.scale(pods, wait=0)
        self._served, self._node = self._start_client(deadline, self._cleanup)
        self._clock = clock.measure(lambda: self._served.ask("clock"))
        self.wait_ready(timeout=max(deadline - time.monotonic(), 1.0))

    def _read_services(self, where: str) -> dict[str, Object]:
        found = self._kubectl.get("services", namespace=self.namespace)
        services = {thing["metadata"]["name"]: thing for thing in found}
        if not {CLUSTER_IP_SERVICE, HEADLESS_SERVICE} & services.keys():
            raise KubeError(
                f"{where} has no Service {CLUSTER_IP_SERVICE} and no {HEADLESS_SERVICE}: how would "
                "a client find the pods? k8s/overlays/world has both"
            )
        return services

    def _follow(self) -> None:
        """Hears of pods and endpoints from now on."""
        base = f"namespaces/{self.namespace}"
        for path, selector, changed in (
            (f"/api/v1/{base}/pods", _SERVERS, self._pod_changed),
            (
                f"/apis/discovery.k8s.io/v1/{base}/endpointslices",
                _SLICES,
                self._slice_changed,
            ),
        ):
            watch = Watch(self._kubectl, path, selector, _weakly(changed))
            self._cleanup.callback(watch.close)

    def _start_client(
        self, deadline: float, cleanup: ExitStack, node: str = ""
    ) -> tuple[Served, str]:
        """A client in a pod, and which node that came to.

        cleanup: ends both. node: the one that it has to come to.
        """
        name = f"{_CLIENT}-{secrets.token_hex(3)}"
        cleanup.callback(self._delete_client, name)
        there = {"op": "add", "path": "/spec/nodeName", "value": node}
        manifests.create(
            self._kubectl,
            manifests.CLIENT,
            namespace=self.namespace,
            image=self._image,
            nameSuffix=name.removeprefix(_CLIENT),
            patches=[{"target": {"kind": "Pod"}, "patch": json.dumps([there])}] if node else [],
        )
        while True:
            (pod,) = self._kubectl.get("pods", name=name, namespace=self.namespace)
            if started_at(pod) is not None:
                break
            if (reason := hopeless(pod)) is not None or time.monotonic() > deadline:
                raise KubeError(f"the client's pod {name} does not start: {reason or trouble(pod)}")
            time.sleep(0.2)
        command = self._kubectl.exec_command(name, self.namespace, "greet-client", "--serve")
        served = Served(command, f"pod {name}")
        cleanup.callback(served.close)
        return served, pod["spec"].get("nodeName", "")

    def _delete_all(self) -> None:
        # Its pods first, which would have their preStop and their grace for nobody.
        if namespace.is_there(self._kubectl, self.namespace):
            flags = ["--all", f"--namespace={self.namespace}", "--grace-period=1"]
            self._kubectl.delete("pods", flags)
            namespace.delete(self._kubectl, self.namespace)

    def _delete_client(self, name: str) -> None:
        flags = [f"--namespace={self.namespace}", "--grace-period=1"]
        self._kubectl.delete("pods", [name, *flags], wait=30)

    # What it shows.

    @property
    def pods(self) -> list[Pod]:
        """The pods, those included that are on their way out, in the order in which they were
        made.
        """
        with self._changed:
            listed = {
                one.pod
                for service in self._services
                for one in self._endpoints(service)
                if one.ready
            }
            by_age = sorted(
                self._pods.values(),
                key=lambda pod: (pod["metadata"]["creationTimestamp"], pod["metadata"]["name"]),
            )
            return [_view(pod, pod["metadata"]["name"] in listed) for pod in by_age]

    @property
    def clock(self) -> ClockSkew:
        """How far the clock of the client's node is ahead of this machine's: measured anew."""
        self._check_open()
        self._clock = clock.measure(lambda: self._served.ask("clock"))
        return self._clock

    @property
    def cluster_ips(self) -> list[str]:
        """Of `greetserver`: `spec.clusterIPs`."""
        service = self._services.get(CLUSTER_IP_SERVICE, {})
        return list(service.get("spec", {}).get("clusterIPs", ()))

    @property
    def cluster_ip(self) -> str:
        """The virtual address of `greetserver`."""
        return self.cluster_ips[0]

    @property
    def port(self) -> int:
        """The pods' port."""
        return self._pod_port()

    @property
    def dns_address(self) -> str:
        """The DNS server that the client's resolv.conf names: "10.96.0.10:53"."""
        return self.lookup(HEADLESS_SERVICE).queries[0].server

    @property
    def capabilities(self) -> dict[str, str]:
        """What can be done to this cluster: "" if it can, or else why not."""
        can = ("scale", "kill", "drain", "rollout", "fleet")
        hurt = "" if self._control_of(self._deployment()["spec"]["template"]) else _NO_CONTROL
        return {
            **dict.fromkeys(can, ""),
            **dict.fromkeys(("slow", "fail", "set_serving"), hurt),
            **NOT_HERE,
        }

    def __getattr__(self, name: str) -> Any:
        if name in NOT_HERE:
            raise AttributeError(f"{name}: {NOT_HERE[name]}")
        raise AttributeError(f"{type(self).__name__} has no {name!r}")

    def lookup(self, name: str, types: Sequence[str] = ("A", "AAAA")) -> Lookup:
        """Looks a name up in the client's pod: with its resolv.conf, in the cluster's DNS."""
        self._check_open()
        return _core.answered_lookup(
            self._served.line("lookup", patience=None, name=name, types=list(types))
        )

    @takes(DEFAULTS)
    def channel(
        self, service: str, *, port: int | None = None, **options: Unpack[ChannelOptions]
    ) -> KubeChannel:
        """A new channel of the client's to a service of this cluster; see `KubeChannel`.

        service: "greetserver", "greetserver-headless", or any DNS name, looked up in the client's
            pod. A name that does not exist is no error here: the calls fail, as a real client's
            would. "watch:///greetserver" looks nothing up: it is told of the endpoints by way of
            this machine, which watches them.
        port: to dial; None = the right one, which for a headless service is the pods'.
        """
        target = self.target(service, port)
        with self._changed:
            self._clients += 1
            channel = KubeChannel(
                self._served,
                target,
                name=f"client-{self._clients}",
                title=f"{service}, {channel_title(options)}",
                pods=_weakly(self._names),
                **options,
            )
            for name, pod in self._pods.items():
                if name in self._said:
                    channel.tell_pod_changed(name, self._addresses(pod), "started")
                    if self._said[name] not in ("started", "ready"):
                        channel.tell_pod_changed(name, self._addresses(pod), self._said[name])
            for each in self._services:
                channel.tell_endpoints_changed(each, self._endpoints(each))
            self._channels.add(channel)
        return channel

    @takes([one for one in DEFAULTS if one[0] not in NOT_TAKEN])
    def fleet(
        self,
        service: str,
        *,
        clients: int = 8,
        requests: int = 60,
        concurrency: int = 1,
        every: arguments.Time = 0.0,
        timeout: float = 5.0,
        wait_ready: bool = False,
        port: int | None = None,
        patience: float = TIMEOUT,
        **options: Unpack[ChannelOptions],
    ) -> Fleet:
        """Several clients at once, each in a pod of its own: what one client alone cannot show,
        such as how even many of them are together. A Job runs them, on all nodes that there are,
        and is gone afterwards. (In the other worlds several clients are several channels.)

        service, port: as `channel` has them; not "watch:///...", for nobody tells a Job.
        requests, concurrency, every, timeout: of each client, as `load` has them.
        wait_ready: each begins when all its subchannels are READY.
        patience: seconds until all must have ended, the pods' start included.

        They begin when their pods do, so not at the same moment. What the cluster does meanwhile is
        not in the trace: a `channel` that is open at the same time has it.

        Raises ValueError for what there is not, RunError if the clients could not be run.
        """
        self._check_open()
        arguments.whole("clients", clients, 1, MOST_CLIENTS)
        arguments.whole("requests", requests, 1)
        if service.startswith(WATCH):
            raise ValueError(
                f"service {service!r}: the clients of a Job are told nothing; `channel` can watch"
            )
        load = Load("Ada", "Lovelace", requests, concurrency, every, timeout, False)
        ended = run_job(
            self._kubectl,
            command_line(self.target(service, port), load, wait_ready, options),
            image=self._image,
            timeout=patience,
            where=self.namespace,
            clients=clients,
        )
        recorded = [
            Recorded(one.pod["metadata"]["name"], one.pod["spec"].get("nodeName", ""), one.trace)
            for one in ended
        ]
        nodes = sorted({one.node for one in recorded})
        return gather(recorded, {node: self._clock_of(node) for node in nodes})

    def _clock_of(self, node: str) -> ClockSkew:
        """All pods of a node have its clock. One that has no client of ours is asked by another."""
        if node == self._node:
            return self._clock
        with ExitStack() as cleanup:
            deadline = time.monotonic() + PATIENCE
            served, _ = self._start_client(deadline, cleanup, node)
            return clock.measure(lambda: served.ask("clock"))

    def target(self, service: str, port: int | None = None) -> str:
        """The gRPC target of a service, as a client in a pod of this namespace dials it.

        port: None = the service's own, or the pods' where nothing is between: if it is headless.
        """
        self._check_open()
        if service.startswith(WATCH):
            if port is not None:
                raise ValueError(f"port {port}: who watches {service} is told the pods' own")
            return service
        if service.startswith(XDS):
            raise ValueError(f"service {service!r}: {NOT_HERE['control_plane']}")
        if ":" in service:
            raise ValueError(f"service {service!r}: a name without a port")
        port = self._port_of(service.split(".")[0]) if port is None else port
        arguments.number("port", port, 1, 65535)
        return f"dns:///{service}:{port}"

    # What can be done to it.

    def scale(self, pods: int, *, wait: float = 60.0) -> None:
        """Says how many pods there shall be (`kubectl scale`), and waits until the Services list
        as many, and no more; and until DNS, which hears of it by itself, says so, too.

        wait: seconds for that, at most; 0: does not wait.

        Raises TimeoutError, with the state of each pod.
        """
        self._check_open()
        arguments.whole("pods", pods, 0, 1000)
        self._kubectl.scale(DEPLOYMENT, pods, self.namespace)
        if wait == 0:
            return
        end = time.monotonic() + wait
        if not self._wait(lambda: self._listed() == pods, wait):
            raise self._too_slow(f"{pods} pods are not listed", wait)
        while HEADLESS_SERVICE in self._services and self._named() != pods:
            if time.monotonic() > end:
                raise self._too_slow(f"DNS does not name {pods} pods", wait)
            time.sleep(0.1)  # nobody tells of DNS: it has to be asked

    def _named(self) -> int:
        family = "AAAA" if ":" in next((pod.ip for pod in self.pods), "") else "A"
        return len(self.lookup(HEADLESS_SERVICE, [family]).addresses)

    def kill(self, pod: str) -> None:
        """Deletes a pod without grace (`--grace-period=0 --force`): the API forgets it at once, and
        it is off the endpoints. Its Deployment makes another one.

        The kubelet is gentler than the name: it sends SIGTERM, and SIGKILL a second or two later.
        """
        self._delete(pod, "killed", "--grace-period=0", "--force")

    def drain(self, pod: str) -> None:
        """Deletes a pod: off the endpoints, and SIGTERM when its preStop is over, both counted from
        now. Its Deployment makes another one. Returns at once.
        """
        self._delete(pod, "draining")

    def _delete(self, name: str, change: str, *flags: str) -> None:
        with self._changed:
            pod = self._find(name)
            if self._said.get(name) != change:
                self._tell(pod, change, ends=True)  # before it is done
        self._kubectl.delete("pods", [name, f"--namespace={self.namespace}", *flags])

    def rollout(self, *, max_surge: int = 1, max_unavailable: int = 0) -> None:
        """Replaces the pods by new ones, and returns at once (`kubectl rollout restart`); see
        `Cluster.rollout`. The two numbers become the Deployment's own.
        """
        self._check_open()
        arguments.whole("max_surge", max_surge, 0)
        arguments.whole("max_unavailable", max_unavailable, 0)
        if max_surge == max_unavailable == 0:
            raise ValueError(
                "max_surge and max_unavailable are both 0: no pod could ever be replaced"
            )
        how = {"maxSurge": max_surge, "maxUnavailable": max_unavailable}
        now = datetime.now(UTC).isoformat()
        template = {"metadata": {"annotations": {"kubectl.kubernetes.io/restartedAt": now}}}
        spec = {"strategy": {"rollingUpdate": how}, "template": template}
        self._kubectl.patch(f"deployment/{DEPLOYMENT}", {"spec": spec}, self.namespace)

    def wait_rollout(self, timeout: float = 60.0) -> Self:
        """Waits until the rollout is over: all pods are new, and ready. The old ones may still be
        draining.

        Raises TimeoutError, with the state of each pod, after `timeout` seconds.
        """
        self._check_open()
        end = time.monotonic() + timeout
        if not self._kubectl.wait_rollout(DEPLOYMENT, self.namespace, timeout):
            raise self._too_slow("the rollout is not over", timeout)
        return self.wait_ready(timeout=max(end - time.monotonic(), 1.0))

    def wait_ready(self, pods: int | None = None, timeout: float = 60.0) -> Self:
        """Waits until so many pods are ready, and listed; None: as many as the Deployment shall
        have.

        kube-proxy hears of it a moment later, and until then the ClusterIP of a new Service
        refuses connections: `channel(...).wait_ready()` waits for that, too.

        Raises TimeoutError, with the state of each pod, after `timeout` seconds; KubeError at once
        for one that will never be ready as it is.
        """
        self._check_open()
        many = "all pods" if pods is None else f"{pods} pods"
        wanted = int(self._deployment()["spec"]["replicas"]) if pods is None else pods
        if not self._wait(lambda: self._listed() >= wanted, timeout):
            raise self._too_slow(f"{many} are not ready", timeout)
        return self

    def slow(self, pod: str, latency: arguments.Time) -> None:
        """Makes a pod serve each call this much longer; see `Faults.slow`."""
        arguments.time("latency", latency)
        self._control(pod, f"--latency={_core.time_word(latency)}")
        self._tell_state(pod, "fast again" if latency in (0, (0, 0), "0") else "slowed")

    def fail(
        self,
        pod: str,
        rate: float,
        code: str = "UNAVAILABLE",
        *,
        pushback: float | None = None,
    ) -> None:
        """Makes a pod fail this share of its calls; see `Faults.fail`."""
        arguments.number("rate", rate, 0, 1)
        flags = [f"--error-rate={rate!r}", f"--error-code={code}"]
        if pushback is not None:
            when = "never" if pushback < 0 else _core.time_word(float(pushback))
            flags.append(f"--pushback={when}")
        self._control(pod, *flags)
        self._tell_state(pod, "failing" if rate > 0 else "well again")

    def set_serving(self, pod: str, serving: bool) -> None:
        """Sets what a pod's health service says: the readiness probe has it off the endpoints, or
        back on them. Connections to it stay, and so do their calls.
        """
        self._control(pod, f"--serving={'true' if serving else 'false'}")
        self._tell_state(pod, "SERVING" if serving else "NOT_SERVING")

    def close(self) -> None:
        """Closes the channels, and deletes what this made: with `apply`, the namespace, and waits
        until it is gone. Closing twice is fine.
        """
        with self._changed:
            self._closed = True
            self._changed.notify_all()
            channels = list(self._channels)
        for channel in channels:
            channel.close()
        self._cleanup.close()

    # What the cluster does.

    def _pod_changed(self, before: Object | None, now: Object | None) -> None:
        with self._changed:
            thing = now or before
            assert thing is not None
            name = thing["metadata"]["name"]
            if now is not None:
                self._pods[name] = now
            change = _change(now)
            if change is None or change == self._said.get(name):
                pass
            elif self._said.get(name) == "killed":
                pass  # its end was told
            elif change == "unready" and self._said.get(name) in (None, "started", "NOT_SERVING"):
                if name not in self._said:
                    self._tell(thing, "started")  # it runs, and is not ready yet
            else:
                if name not in self._said and change == "ready":
                    self._tell(thing, "started")
                self._tell(thing, change, ends=change in ("draining", "killed", "stopped"))
            if now is None:
                self._pods.pop(name, None)
                self._said.pop(name, None)
            self._changed.notify_all()

    def _slice_changed(self, before: Object | None, now: Object | None) -> None:
        with self._changed:
            thing = now or before
            assert thing is not None
            name, service = thing["metadata"]["name"], thing["metadata"]["labels"][_SERVICE]
            was = self._endpoints(service)
            if now is None:
                self._slices.pop(name, None)
            else:
                self._slices[name] = now
            endpoints = self._endpoints(service)
            news = _ready_addresses(was) != _ready_addresses(endpoints)
            for channel in list(self._channels):
                # Who watches has to know of those that serve while they end, too.
                if news or channel.target.startswith(WATCH):
                    channel.tell_endpoints_changed(service, endpoints)
            self._changed.notify_all()

    def _endpoints(self, service: str) -> list[_core.SliceEndpoint]:
        """Of all slices of a service: there may be several, of a hundred endpoints each."""
        slices = sorted(
            (
                one
                for one in self._slices.values()
                if one["metadata"]["labels"][_SERVICE] == service
            ),
            key=lambda one: (one.get("addressType", ""), one["metadata"]["name"]),
        )
        return [
            endpoint
            for one in slices
            for port in (one.get("ports") or ())[:1]
            for entry in one.get("endpoints") or ()
            for endpoint in _slice_endpoints(entry, int(port["port"]))
        ]

    def _listed(self) -> int:
        """How many pods both Services list, and which serve."""
        return sum(pod.listed and pod.state == "serving" for pod in self.pods)

    def _tell(self, pod: Object, change: str, *, ends: bool = False) -> None:
        name = pod["metadata"]["name"]
        self._said[name] = change
        for channel in list(self._channels):
            channel.tell_pod_changed(name, self._addresses(pod), change, ends=ends)

    def _tell_state(self, name: str, change: str) -> None:
        with self._changed:
            if name in self._pods:
                for channel in list(self._channels):
                    channel.tell_pod_changed(name, self._addresses(self._pods[name]), change)

    def _addresses(self, pod: Object) -> list[str]:
        return [with_port(ip, self._pod_port()) for ip in _ips(pod)]

    def _pod_port(self) -> int:
        for one in self._slices.values():
            for port in one.get("ports") or ():
                return int(port["port"])
        return 50051

    def _port_of(self, service: str) -> int:
        found = self._services.get(service)
        if found is None or found["spec"].get("clusterIP") == "None":
            return self._pod_port()
        return int(found["spec"]["ports"][0]["port"])

    # Inside.

    def _deployment(self) -> Object:
        found = self._kubectl.get("deployments.apps", name=DEPLOYMENT, namespace=self.namespace)
        if not found:
            raise KubeError(
                f"the namespace {self.namespace} in context {self.context} has no Deployment "
                f"{DEPLOYMENT}: nothing of the lab is deployed there (apply=True makes a namespace "
                "with all that is needed)"
            )
        return found[0]

    def _control(self, pod: str, *flags: str) -> None:
        with self._changed:
            socket = self._control_of(self._find(pod))
        if not socket:
            raise KubeError(f"pod {pod}: {_NO_CONTROL}")
        self._kubectl.execute(pod, self.namespace, "greet-server", "tell", socket, *flags)

    @staticmethod
    def _control_of(pod: Object) -> str:
        told = [arg for one in pod["spec"]["containers"] for arg in one.get("args") or ()]
        found = [arg.partition("=")[2] for arg in told if arg.startswith("--control=")]
        return found[0] if found else ""

    def _wait(self, enough: Callable[[], bool], timeout: float) -> bool:
        end = time.monotonic() + timeout
        with self._changed:
            while not enough():
                if self._closed:
                    raise ValueError("this cluster was closed while it was waited for")
                for pod in self._pods.values():
                    if (reason := hopeless(pod)) is not None:
                        raise KubeError(f"pod {pod['metadata']['name']}: {reason}")
                if (left := end - time.monotonic()) <= 0:
                    return False
                self._changed.wait(min(left, 1.0))
        return True

    def _names(self) -> list[str]:
        return [pod.name for pod in self.pods]

    def _find(self, name: str) -> Object:
        self._check_open()
        if name not in self._pods:
            raise ValueError(f"no pod {name!r}: there is {', '.join(self._pods) or 'none'}")
        return self._pods[name]

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("this cluster is closed; make another one")


_NO_CONTROL = (
    "greet-server was deployed without --control, by which it could be told; k8s/overlays/world "
    "has it (Cluster.kube(apply=True))"
)


def _ips(pod: Object) -> list[str]:
    status = pod["status"]
    return [one["ip"] for one in status.get("podIPs") or ()] or [
        ip for ip in [status.get("podIP")] if ip
    ]


def _change(pod: Object | None) -> str | None:
    """What there is to say of a pod as it is now; None: nothing yet."""
    if pod is None or pod["status"].get("phase") in _ENDED:
        return "stopped"
    if "deletionTimestamp" in pod["metadata"]:
        at_once = pod["metadata"].get("deletionGracePeriodSeconds") == 0
        return "killed" if at_once else "draining"
    if started_at(pod) is None or not _ips(pod):
        return None
    return "ready" if is_ready(pod) else "unready"


def _view(pod: Object, listed: bool) -> Pod:
    ips = _ips(pod)
    if pod["status"].get("phase") in _ENDED:
        state = "dead"
    elif "deletionTimestamp" in pod["metadata"]:
        state = "draining"
    else:
        state = "serving" if is_ready(pod) else "starting"
    return Pod(pod["metadata"]["name"], ips[0] if ips else "", state, listed, ips)


def _slice_endpoints(entry: Object, port: int) -> Iterable[_core.SliceEndpoint]:
    conditions = entry.get("conditions") or {}
    ready = conditions.get("ready")
    serving = conditions.get("serving")
    for address in entry["addresses"]:
        yield _core.SliceEndpoint(
            (entry.get("targetRef") or {}).get("name", ""),
            with_port(address, port),
            ready=ready is not False,  # "nil should be interpreted as true" (discovery.k8s.io/v1)
            serving=ready is not False if serving is None else serving,
            terminating=bool(conditions.get("terminating")),
        )


def _ready_addresses(endpoints: Iterable[_core.SliceEndpoint]) -> list[str]:
    return sorted(one.address for one in endpoints if one.ready)


def _weakly(method: Callable[..., Any]) -> Callable[..., Any]:
    """The same, without holding whose it is: a cluster that nobody holds any more ends."""
    reference = weakref.WeakMethod(method)

    def call(*given: Any) -> Any:
        if (still := reference()) is None:
            return ()
        return still(*given)

    return call


def _clean_up(owner: int, steps: ExitStack) -> None:
    if os.getpid() == owner:  # and not a child of os.fork that ends
        with suppress(KubectlError):  # the interpreter ends, and nobody reads it
            steps.close()
