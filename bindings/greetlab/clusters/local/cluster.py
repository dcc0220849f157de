"""The local cluster: a Kubernetes Service in miniature, of real processes on loopback addresses.

No Docker, no Kubernetes, no root. Each cluster takes a /16 of 127.0.0.0/8 for itself:

    127.N.0.10:10053    the cluster's DNS (a thread of this process)
    127.N.96.1:50051    the ClusterIP of `greetserver` (the process `clusterip`)
    127.N.1.1:50051...  the pods (a process `greet-server` each)

With IPv6 (`ip`) it has fd00:7f:N::/48 as well, or instead, which does need root: see `loopback`.
"""

from __future__ import annotations

import os
import secrets
import sys
import threading
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any, Self, TypedDict, Unpack

from greetlab import _core, arguments
from greetlab.channels.channel import Channel
from greetlab.channels.options import DEFAULTS, ChannelOptions, channel_title, takes
from greetlab.channels.service_config import AnyServiceConfig
from greetlab.clusters.cluster import (
    CLUSTER_IP_SERVICE,
    ENVOY_SERVICE,
    HAPROXY_SERVICE,
    HEADLESS_SERVICE,
    KUBE,
    WATCH,
    XDS,
    Cluster,
    Pod,
)
from greetlab.clusters.faults import Faults
from greetlab.clusters.local.between import Between
from greetlab.clusters.local.discovery import DOMAIN, NAMESPACE, SEARCH, Discovery
from greetlab.clusters.local.loopback import families
from greetlab.clusters.local.pods import Delays, LocalPod, LocalPods
from greetlab.clusters.lookaside.balancer import Balancer
from greetlab.clusters.processes import (
    ClusterIpProxy,
    GreetServer,
    Lifeline,
    Process,
    await_first_line,
)
from greetlab.clusters.proxies.l7 import L7Proxy
from greetlab.clusters.proxies.report import ProxyReport
from greetlab.clusters.xds.control_plane import ControlPlane, XdsEvent
from greetlab.dns.lookup import Lookup, with_port
from greetlab.real import need

if TYPE_CHECKING:
    from greetlab.clusters.authority import Authority


class PodOptions(TypedDict, total=False):
    """How a pod serves; those that are not given have their defaults."""

    capacity: int | None
    queue: int | None
    service_time: arguments.Time
    load_reports: bool


_RECORDS = {"v4": "A", "v6": "AAAA"}
MOST_PODS = 250
_TAILS = (f".{NAMESPACE}.svc.{DOMAIN}", f".{NAMESPACE}.svc", f".{NAMESPACE}", "")
_SERVICE_NAMES = [name + tail for name in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE) for tail in _TAILS]
"""All that a pod may call the services by: what a certificate says that is to serve them."""


class LocalCluster(Cluster, Faults):
    """Pods as processes on this machine's loopback addresses.

    pods: how many to start with.
    ip: the families of its addresses: "v4", "v6" or "dual": each pod, and the ClusterIP, has an
        address of both, IPv4 first (podIPs, clusterIPs; ipFamilyPolicy: RequireDualStack). IPv6
        needs the right to add addresses to the loopback interface.
    port: the pods' port, and the services'.
    service_port: the services' own port, where it is another one than the pods' (targetPort).
    session_affinity: sessionAffinity: ClientIP of `greetserver`: a client that connects again
        within so many seconds comes to the same pod (Kubernetes' default is 10,800); None = it does
        not matter who connects. A client is its address: see `Channel`'s source_ip.
    start_interval: seconds from one pod's being ready to the next one's, of those that are made at
        once: the first ones, and those that `scale` adds.
    readiness_delay: seconds from a pod's start, or a change of its health, until the readiness
        probe has found out.
    endpoint_lag: seconds for which a pod that died, is drained or is found unready stays listed; a
        real cluster takes some to notice.
    watch_lag: seconds from a change of the endpoints until a client that watches them
        ("watch:///greetserver") hears of it.
    pre_stop: seconds from a pod's deletion to its SIGTERM (`lifecycle.preStop`).
    max_connection_age, max_connection_age_grace: seconds after which the pods send GOAWAY on a
        connection, and for which its calls may go on (gRFC A9); None = never, for ever.
    max_concurrent_streams: how many calls at once the pods take on a connection; more of them wait;
        None = 100, as greet-server has it where nobody says (in the sim: any number).
    grace: seconds that a draining pod's calls may go on after its SIGTERM.
    tls: the pods speak TLS, with certificates of the cluster's own `authority`, for its services'
        names; channels are told so, too (`channel(..., tls=True)`).
    tls_names: what the pods' certificates say in place of that: DNS names and addresses, where
        "{ip}" stands for the pod's own.
    mtls: the pods take only clients that show a certificate of the authority's:
        `cluster.authority.issue("client-1")` makes one.
    proxy: "envoy": a real Envoy (`pip install 'greetlab[envoy]'`) stands before the pods as a third
        service, "greetserver-envoy", and balances requests; `sidecar` makes one for one client.
        "haproxy": a real HAProxy (`apt install haproxy`), as "greetserver-haproxy".
    xds: an xDS control plane (`pip install 'greetlab[xds]'`) tells gRPC's own clients who the
        endpoints are: `channel("xds:///greetserver", engine="grpcio")`; and the Envoys, too.
    lookaside: a balancer (`pip install 'greetlab[grpcio]'`) answers clients that ask it before each
        call whom to call: `cluster.balancer.channel()` makes one.
    dns_ttl: of every DNS answer, in seconds. CoreDNS's default is 5, its usual Corefile says 30.
    seed: of every random choice in it (the ClusterIP's, the order of DNS answers, the pods' draws);
        None = another one each time.
    serving: how the pods serve: see `PodOptions`.

    On loopback a dead pod refuses connections at once, where a deleted pod's address on a real
    cluster often swallows packets, and connects hang until they time out.

    Raises StartError if a process does not start, OSError if there is no free loopback network, or
    if it cannot have IPv6 addresses.
    """

    world = "LOCAL"

    @takes(_core.pod_options())
    def __init__(
        self,
        pods: int = 3,
        *,
        ip: str = "v4",
        port: int = 50051,
        service_port: int | None = None,
        session_affinity: float | None = None,
        start_interval: float = 0.0,
        readiness_delay: float = 0.0,
        endpoint_lag: float = 0.0,
        watch_lag: float = 0.0,
        pre_stop: float = 0.0,
        max_connection_age: float | None = None,
        max_connection_age_grace: float | None = None,
        max_concurrent_streams: int | None = None,
        grace: float = 5.0,
        tls: bool = False,
        tls_names: Sequence[str] | None = None,
        mtls: bool = False,
        proxy: str | None = None,
        xds: bool = False,
        lookaside: bool = False,
        dns_ttl: int = 5,
        seed: int | None = None,
        **serving: Unpack[PodOptions],
    ) -> None:
        need("Cluster.local")
        if not sys.platform.startswith("linux"):
            raise OSError("a local cluster needs Linux, where all of 127.0.0.0/8 is loopback")
        _check_pods(pods)
        self._families = families(ip)
        arguments.number("port", port, 1, 65535)
        service_port = port if service_port is None else service_port
        arguments.number("service_port", service_port, 1, 65535)
        arguments.number("session_affinity", session_affinity or 0, 0, 9e9)
        arguments.number("watch_lag", watch_lag, 0, 1e6)
        arguments.number("dns_ttl", dns_ttl, 0, 2**31 - 1)
        arguments.number("seed", seed or 0, 0, 2**64 - 1)
        self.port = port
        self.service_port = service_port
        self.seed = secrets.randbits(63) if seed is None else seed
        self._watch_lag = watch_lag
        self._affinity = None if session_affinity is None else _seconds(session_affinity)
        self._flags = ["--grace", _seconds(grace)]
        for flag, value in (
            ("--max-connection-age", max_connection_age),
            ("--max-connection-age-grace", max_connection_age_grace),
        ):
            if value is not None:
                self._flags += [flag, _seconds(value)]
        if max_concurrent_streams is not None:
            arguments.number("max_concurrent_streams", max_concurrent_streams, 1, 2**31 - 1)
            self._flags += ["--max-concurrent-streams", str(max_concurrent_streams)]
        arguments.time("service_time", serving.get("service_time", 0))
        self._flags += _core.pod_flags(**serving)
        if (tls_names is not None or mtls) and not tls:
            raise ValueError("tls_names and mtls: of pods that speak TLS; give tls=True, too")
        if proxy not in (None, "envoy", "haproxy"):
            raise ValueError(f"proxy {proxy!r}: it is 'envoy', 'haproxy', or None")
        if proxy and tls:
            raise ValueError("proxy: it reads the calls, and these pods speak TLS: leave tls out")
        if lookaside and tls:
            raise ValueError("lookaside: its clients speak no TLS: leave tls out")
        self._tls_names = _SERVICE_NAMES if tls_names is None else list(tls_names)
        self._mtls = mtls
        self._authority: Authority | None = None
        self._lock = threading.RLock()
        delays = Delays(start_interval, readiness_delay, endpoint_lag, pre_stop)
        self._pods = LocalPods(self, delays, self._lock)
        self._made = 0
        self._clients = 0
        self._closed = False
        self._channels: weakref.WeakSet[Channel] = weakref.WeakSet()
        # Children that outlive us would be a bug of ours: this also runs when the interpreter ends.
        self._processes: list[Process] = []
        self._cleanup: list[Callable[[], None]] = []
        self._owner = os.getpid()
        weakref.finalize(self, _clean_up, self._owner, self._cleanup)
        try:
            if tls:
                from greetlab.clusters.authority import Authority  # which takes its time

                self._authority = Authority()
                self._cleanup.append(self._authority.close)
            self._start(pods, dns_ttl, xds, lookaside)
            if proxy == "envoy":
                self._add_envoy(ENVOY_SERVICE)
            elif proxy == "haproxy":
                self._between.add_haproxy(HAPROXY_SERVICE)
                self.publish()
        except BaseException:
            self.close()
            raise

    def _start(self, pods: int, dns_ttl: int, xds: bool, lookaside: bool) -> None:
        ports = {"service_port": self.service_port, "port": self.port}
        self._discovery = Discovery(
            self._families,
            **ports,
            watch_lag=self._watch_lag,
            dns_ttl=dns_ttl,
            seed=self.seed,
            cleanup=self._cleanup,
        )
        self._network = self._discovery.network
        self.network = self._network.number
        self.dns_address = self._discovery.dns_address
        self._lifeline = Lifeline()
        self._cleanup.append(self._lifeline.close)
        self._cleanup.append(partial(_end, self._processes))  # the last to come is the first to go
        self._cleanup.append(self._pods.close)
        self.cluster_ips = self._network.cluster_ips
        """Of `greetserver`: one of each family, as `spec.clusterIPs` has them."""
        self.cluster_ip = self.cluster_ips[0]
        self._between = Between(
            self._network,
            **ports,
            seed=self.seed,
            affinity=self._affinity,
            lifeline=self._lifeline,
            processes=self._processes,
        )
        self._starting: list[Process] = [*self._between.kube_proxies]
        if xds:
            self._discovery.start_control_plane()
        if lookaside:
            self._discovery.start_balancer()
        with self._lock:
            self._pods.add(pods)

    # What it shows.

    @property
    def pods(self) -> list[Pod]:
        """The pods, in the order in which they were made.

        Dead ones stay, for they can be restarted; one that was drained is gone once it has ended.
        """
        with self._lock:
            self._reap()
            return [pod.view() for pod in self._pods.by_name.values()]

    @property
    def proxy_facts(self) -> list[dict[str, Any]]:
        """What the ClusterIP did, oldest first: a dict for each connection opened, closed, failed.

        "upstream" of an opened one is the peer that its pod reports: it joins the two.
        """
        with self._lock:
            if not self._closed:
                self.publish()  # what it reported before it acknowledges this is here then
            facts = [fact for proxy in self._between.kube_proxies for fact in proxy.facts]
            return sorted(facts, key=lambda fact: fact["time_ns"])

    @property
    def proxies(self) -> list[ClusterIpProxy]:
        """What stands in for kube-proxy, one of each family."""
        return list(self._between.kube_proxies)

    @property
    def authority(self) -> Authority:
        """Who has signed the pods' certificates, and signs more.

        Raises ValueError where the pods speak no TLS.
        """
        if self._authority is None:
            raise ValueError("the pods of this cluster speak no TLS: Cluster.local(tls=True)")
        return self._authority

    @property
    def l7_proxies(self) -> Mapping[str, L7Proxy]:
        """The proxies that read calls, by the service that each stands behind. What a client sees
        ends at them; their `hosts()` is what they say of the other side.
        """
        return dict(self._between.l7_proxies)

    def sidecar(self) -> str:
        """A mesh's sidecar: an Envoy for one client. Returns the name that the client calls.

        In a mesh the client says "greetserver", and the sidecar gets it (iptables, or an address
        that it knows); here the sidecar has a name of its own, "sidecar-1".

        Raises StartError if there is no Envoy, or it does not start.
        """
        with self._lock:
            self._check_open()
            if self._authority is not None:
                raise ValueError("a sidecar reads the calls, and these pods speak TLS")
            sidecars = sum(name.startswith("sidecar-") for name in self._between.l7_proxies)
            return self._add_envoy(f"sidecar-{sidecars + 1}")

    @property
    def control_plane(self) -> ControlPlane:
        """What was asked of it, pushed, and acknowledged: its `events`.

        Raises ValueError where there is none.
        """
        if self._discovery.control_plane is None:
            raise ValueError("this cluster has no xDS control plane: Cluster.local(xds=True)")
        return self._discovery.control_plane

    @property
    def balancer(self) -> Balancer:
        """Of lookaside load balancing; its `channel()` is a client that asks it before each call.

        Raises ValueError where there is none.
        """
        if self._discovery.balancer is None:
            raise ValueError("this cluster has no balancer: Cluster.local(lookaside=True)")
        return self._discovery.balancer

    def _add_envoy(self, name: str) -> str:
        plane = self._discovery.control_plane
        self._between.add_envoy(name, None if plane is None else plane.place)
        with self._lock:
            self.publish()
        return name

    @property
    def kubeconfig(self) -> str:
        """The file that says where this cluster's Kubernetes API is, and who may ask it: LIST and
        WATCH of EndpointSlices, and nothing else. It serves from when this is first asked for.

            greet-client --kubeconfig FILE k8s:///greetserver-headless.default:50051
        """
        with self._lock:
            self._check_open()
            return self._discovery.api.kubeconfig

    def lookup(self, name: str, types: Sequence[str] = ("A", "AAAA")) -> Lookup:
        """Looks a name up as a pod of this cluster would: search list, ndots:5 and all."""
        self._check_open()
        return self._discovery.lookup(name, types)

    @takes(DEFAULTS)
    def channel(
        self, service: str, *, port: int | None = None, **options: Unpack[ChannelOptions]
    ) -> Channel:
        """A new client of a service of this cluster; see `Channel`.

        service: "greetserver", "greetserver-headless", or any DNS name. A name that does not exist
            is no error here: the calls fail, as a real client's would. "watch:///greetserver" looks
            nothing up: see `Cluster.channel`. "k8s:///greetserver-headless.default:50051" asks the
            Kubernetes API whose `kubeconfig` it is given, or else this cluster's own.
        port: to dial; None = the right one, which for a headless service is the pods'.

        With `tls` it trusts the cluster's authority, where no other is given. What is random comes
        from the cluster's seed, where no seed is given.
        """
        target = self.target(service, port)
        with self._lock:
            self._clients += 1
            number = self._clients
        if service.startswith(KUBE):
            options.setdefault("kubeconfig", self.kubeconfig)
        if options.get("seed") is None:
            options["seed"] = (self.seed + 2**32 + number) % 2**64
        if options.get("tls") and self._authority is not None:
            options.setdefault("ca", self._authority.ca)
        asks_xds = service.startswith(XDS)
        if asks_xds and options.get("engine", "lab") == "lab":
            raise ValueError(
                f"{service}: the lab's own channel speaks no xDS; engine='grpcio' and 'grpc' do"
            )
        name = f"client-{number}"
        channel = Channel(
            target,
            name=name,
            title=f"{service}, {channel_title(options)}",
            world=self.world,
            pods=self._names,
            xds_bootstrap=self.control_plane.bootstrap(name) if asks_xds else "",
            **options,
        )
        self._tell_of_those_between(channel, name if asks_xds else service)
        with self._lock:
            if self._closed:  # meanwhile
                channel.close()
            self._check_open()
            self._channels.add(channel)
            for pod in self._pods.by_name.values():
                channel.tell_pod_changed(pod.name, self._endpoints(pod), "started")
            self._tell_endpoints([channel])
        return channel

    def _tell_of_those_between(self, channel: Channel, name: str) -> None:
        """What is told by whom the client cannot see: name is its own of the control plane, or the
        proxy's that it calls.
        """
        proxy = self._between.l7_proxies.get(name)
        if proxy is not None:
            channel.before_trace.append(ProxyReport(proxy, weakref.proxy(channel)))
        plane = self._discovery.control_plane
        if plane is not None and (proxy is not None or name == channel.name):
            told = weakref.WeakMethod(channel.tell_xds)

            def tell(event: XdsEvent) -> None:
                if (tell_xds := told()) is not None:
                    tell_xds(event.client, event.what, event.kind, event.version, event.detail)

            plane.listen(name, tell)
            weakref.finalize(channel, plane.unlisten, name, tell).atexit = False

    def target(self, service: str, port: int | None = None) -> str:
        """The gRPC target of a service, with this cluster's DNS server in it.

        port: None = the service's own, or the pods' where nothing is between: if it is headless.

        gRPC would walk this machine's search list, not a pod's, so the name is looked up here and
        handed over in full, with its final dot. A name that does not exist stays as it would first
        be tried. What is watched ("watch:///...", "k8s:///...") is no name of DNS, and stays as it
        is.
        """
        self._check_open()
        if service.startswith((WATCH, KUBE, XDS)):
            if port is not None:
                raise ValueError(f"port {port}: who watches {service} is told the pods' own")
            return service
        if ":" in service:
            raise ValueError(f"service {service!r}: a name without a port; it is {self.port} here")
        found = self.lookup(service, [_RECORDS[family] for family in self._families])
        name = found.answer_name or f"{service}.{SEARCH[0]}"
        if port is None:
            proxies = [*self.cluster_ips, *self._between.virtual.values()]
            virtual = any(address in proxies for address in found.addresses)
            port = self.service_port if virtual else self.port
        arguments.number("port", port, 1, 65535)
        return f"dns://{self.dns_address}/{name.rstrip('.')}.:{port}"

    # What can be done to it.

    def scale(self, pods: int) -> None:
        """Adds pods, or drains the newest ones, until this many serve."""
        self._check_open()
        _check_pods(pods)
        with self._lock:
            self._pods.scale(pods)

    def kill(self, pod: str) -> None:
        """Ends a pod at once (SIGKILL). It stays listed for `endpoint_lag` seconds."""
        with self._lock:
            self._pods.kill(self._find(pod))

    def restart(self, pod: str) -> None:
        """Makes a pod serve again at the same address, killing it first if it still runs."""
        with self._lock:
            again = self._find(pod)
            assert again.server is not None
            if again.server.alive:
                self.tell(again, "killed", ends=True)
                again.server.kill()
            try:
                self._pods.start([again])
            except BaseException:
                self._pods.delist(again)  # it is dead
                raise

    def drain(self, pod: str) -> None:
        """Deletes a pod: off the endpoints after `endpoint_lag`, SIGTERM after `pre_stop`, both
        counted from now, as Kubernetes does.

        Returns at once; the pod is "draining" until its last call is done, at most `grace` seconds
        after its SIGTERM.
        """
        with self._lock:
            leaving = self._find(pod)
            assert leaving.server is not None
            self._pods.delete(leaving)

    def rollout(self, *, max_surge: int = 1, max_unavailable: int = 0) -> None:
        """Replaces the pods by new ones, and returns at once; see `Cluster.rollout`."""
        with self._lock:
            self._check_open()
            self._pods.rollout(max_surge, max_unavailable)

    def wait_rollout(self, timeout: float = 60.0) -> Self:
        """Waits until all pods are new, and ready.

        Raises TimeoutError, with the state of each pod, after `timeout` seconds; StartError if a
        new pod did not start, and the rollout was given up.
        """
        self._check_open()
        if not self._pods.wait(lambda: not self._pods.rolling, timeout):
            raise self._too_slow("the rollout is not over", timeout)
        return self

    def wait_ready(self, pods: int | None = None, timeout: float = 60.0) -> Self:
        """Waits until so many pods are ready, and listed; None: all that are meant to serve.

        Raises TimeoutError, with the state of each pod, after `timeout` seconds.
        """
        self._check_open()
        if not self._pods.wait(lambda: self._ready_enough(pods), timeout):
            many = "all pods" if pods is None else f"{pods} pods"
            raise self._too_slow(f"{many} are not ready", timeout)
        return self

    def slow(self, pod: str, latency: arguments.Time) -> None:
        """Makes a pod serve each call this much longer; see `Faults.slow`."""
        arguments.time("latency", latency)
        self._control(pod).set_latency(latency)
        self.tell(self._find(pod), "fast again" if latency in (0, (0, 0), "0") else "slowed")

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
        self._control(pod).set_failing(rate, code, pushback)
        self.tell(self._find(pod), "failing" if rate > 0 else "well again")

    def publish_config(self, config: AnyServiceConfig | Sequence[Mapping[str, Any]] | None) -> None:
        """Has the DNS tell clients with `dns_service_config` what to do, from their next lookup on:
        as the TXT record of "_grpc_config." and each service's name (gRFC A2).

        config: a service config; a list of choices, [{"percentage": 10, "serviceConfig": {...}},
            ...]; or None: no longer. It is published as it is, sense or none.

        Kubernetes' DNS has no such records: there it takes a CoreDNS with the `template` plugin.
        """
        with self._lock:
            self._check_open()
            self._discovery.set_config(config)
            self.publish()

    def api_outage(self, away: bool) -> None:
        """Takes the Kubernetes API away, which hangs up on everybody, or brings it back. Clients
        that it tells of endpoints go on with those that they know.
        """
        with self._lock:
            self._check_open()
            self._discovery.api.set_away(away)

    def set_serving(self, pod: str, serving: bool) -> None:
        """Sets what a pod's health service says: the readiness probe has it off the endpoints, or
        back on them. Connections to it stay, and so do their calls.
        """
        self._control(pod).set_serving(serving)
        with self._lock:
            self._pods.set_healthy(self._find(pod), serving)

    def close(self) -> None:
        """Ends every process and closes every socket. Closing twice is fine."""
        with self._lock:
            self._closed = True
            for channel in list(self._channels):
                channel.close()
            _clean_up(self._owner, self._cleanup)

    # Inside.

    def _names(self) -> list[str]:
        return [pod.name for pod in self.pods]

    def make_pods(self, count: int, revision: int) -> list[LocalPod]:
        """New ones, not started yet."""
        new = []
        for _ in range(count):
            self._made += 1
            arguments.number("number of pods ever made", self._made, 1, 90 * 254)
            new.append(
                LocalPod(
                    f"pod-{self._made}",
                    ips=self._network.pod(self._made),
                    seed=(self.seed + self._made) % 2**64,
                    control=f"@greetlab-{secrets.token_hex(8)}",
                    revision=revision,
                )
            )
        return new

    def _endpoints(self, *pods: LocalPod) -> list[str]:
        """Of each family by itself, as EndpointSlices have them (addressType)."""
        ips = zip(*(pod.ips for pod in pods), strict=True)
        return [with_port(ip, self.port) for of_family in ips for ip in of_family]

    def start_pods(self, pods: list[LocalPod]) -> None:
        """Starts the processes side by side, and waits until all of them serve."""
        self._network.add([ip for pod in pods for ip in pod.ips])
        servers: list[GreetServer] = []
        try:
            for pod in pods:
                servers.append(self._server_of(pod))
            await_first_line([*servers, *self._starting])
        except BaseException:
            _end(servers)  # all or none
            raise
        self._starting = []
        for pod, server in zip(pods, servers, strict=True):
            if pod.server is not None:
                self._processes.remove(pod.server)
            self._processes.append(server)
            pod.server, pod.client = server, _core.ControlClient(pod.control)

    def _server_of(self, pod: LocalPod) -> GreetServer:
        return GreetServer(
            pod.name,
            pod.ips,
            self.port,
            lifeline=self._lifeline,
            control=pod.control,
            flags=[*self._flags, *self._tls_flags(pod), "--seed", str(pod.seed)],
        )

    def _tls_flags(self, pod: LocalPod) -> list[str]:
        if self._authority is None:
            return []
        if pod.certificate is None:
            names = dict.fromkeys(
                name.replace("{ip}", ip) for name in self._tls_names for ip in pod.ips
            )
            pod.certificate = self._authority.issue(*names)
        flags = ["--tls-cert", pod.certificate.cert, "--tls-key", pod.certificate.key]
        return [*flags, "--tls-client-ca", self._authority.ca] if self._mtls else flags

    def _reap(self) -> None:
        """Forgets the drained pods that have ended, as a cluster deletes them."""
        for pod in list(self._pods.by_name.values()):
            if pod.draining and pod.server is not None and not pod.server.alive:
                pod.server.wait()
                self.tell(pod, "stopped")
                self._processes.remove(pod.server)
                del self._pods.by_name[pod.name]

    def publish(self) -> None:
        """Tells all that ask or stand between, and the traces, who the endpoints are."""
        listed = [pod for pod in self._pods.by_name.values() if pod.listed]
        self._between.set_endpoints(listed)
        self._tell_endpoints(self._channels)
        self._discovery.publish(listed, self._slice_endpoints(), self._between.virtual)

    # What the cluster does stands in the traces of its clients, too.

    def _slice_endpoints(self) -> list[_core.SliceEndpoint]:
        # As EndpointSlices have them: also those that are not ready yet, or no more. While a pod is
        # listed nobody has noticed yet.
        pods = [pod for pod in self._pods.by_name.values() if pod.listed or pod.alive]
        return [
            _core.SliceEndpoint(
                pod.name,
                with_port(ip, self.port),
                ready=pod.listed,
                serving=pod.listed or pod.ready,
                terminating=pod.draining and not pod.listed,
            )
            for family in range(len(self._families))
            for pod, ip in ((pod, pod.ips[family]) for pod in pods)
        ]

    def _tell_endpoints(self, channels: Iterable[Channel]) -> None:
        endpoints = self._slice_endpoints()
        for channel in channels:
            for service in (CLUSTER_IP_SERVICE, HEADLESS_SERVICE):
                channel.tell_endpoints_changed(service, endpoints, lag=self._watch_lag)

    def tell(self, pod: LocalPod, change: str, *, ends: bool = False) -> None:
        """Puts what happens to a pod into the traces of the clients."""
        for channel in list(self._channels):
            channel.tell_pod_changed(pod.name, self._endpoints(pod), change, ends=ends)

    def _find(self, name: str) -> LocalPod:
        self._check_open()
        if name not in self._pods.by_name:
            raise ValueError(f"no pod {name!r}: there is {', '.join(self._pods.by_name) or 'none'}")
        return self._pods.by_name[name]

    def _control(self, name: str) -> _core.ControlClient:
        with self._lock:
            pod = self._find(name)
            if (state := pod.view().state) not in ("serving", "starting"):
                raise ValueError(f"pod {name!r} is {state}; restart it first")
            assert pod.client is not None
            return pod.client

    def _check_open(self) -> None:
        if self._closed:
            raise ValueError("this cluster is closed; make another one")


def _end(processes: Sequence[Process]) -> None:
    for process in processes:
        process.popen.kill()  # all at once, then wait for each
    for process in processes:
        process.wait()


def _clean_up(owner: int, steps: list[Callable[[], None]]) -> None:
    """Takes the steps, the last one first. One that was interrupted is taken again next time."""
    if os.getpid() != owner:
        return  # a child of os.fork that ends: the cluster is its parent's
    errors = []
    while steps:
        try:
            steps[-1]()
        except Exception as error:
            errors.append(error)
        steps.pop()
    if errors:
        raise errors[0]


def _check_pods(pods: int) -> None:
    if isinstance(pods, bool) or not isinstance(pods, int):
        raise TypeError(f"pods {pods!r}: a whole number")
    if not 0 <= pods <= MOST_PODS:
        raise ValueError(f"{pods} pods: a local cluster has 0 to {MOST_PODS}")


def _seconds(value: float) -> str:
    arguments.number("seconds", value, 0.001, 1e9)
    return f"{value:f}s"
