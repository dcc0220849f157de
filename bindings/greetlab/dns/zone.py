"""What a cluster's DNS knows: services, pods, and the answer to each question about them.

It keeps the kubernetes/dns specification 1.1.0 as the kubernetes plugin of CoreDNS does
(coredns/coredns plugin/kubernetes) with the Corefile that kubeadm and minikube install
(kubernetes/kubernetes cmd/kubeadm/app/phases/addons/dns/manifests.go):

    kubernetes cluster.local in-addr.arpa ip6.arpa {
       pods insecure
       fallthrough in-addr.arpa ip6.arpa
       ttl 30
    }

Where CoreDNS and the RFCs disagree it is CoreDNS that a pod meets: `_tcp.SERVICE...` is NXDOMAIN,
though `_grpc._tcp.SERVICE...` exists (RFC 8020).
"""

from __future__ import annotations

import functools
import ipaddress
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import dns.exception
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.reversename
import dns.rrset
from dns.rdtypes.ANY.TXT import TXT

SPECIFICATION = "1.1.0"
_SOA_TTL_AT_MOST = 300
_LONGEST_ALIAS_CHAIN = 8
_NAMESPACES = ("default", "kube-node-lease", "kube-public", "kube-system")  # every cluster's
_REVERSE = (dns.reversename.ipv4_reverse_domain, dns.reversename.ipv6_reverse_domain)
_TRANSFERS = (dns.rdatatype.AXFR, dns.rdatatype.IXFR)


class Port(NamedTuple):
    """A port of a service; its name is the key that it is kept under, "" if it has none."""

    port: int
    """The service's own: what an SRV record of a ClusterIP says."""
    target_port: int
    """The pods': what an SRV record of a headless service says."""
    protocol: str = "tcp"


class Endpoint(NamedTuple):
    """A pod behind a service."""

    hostname: str | None
    """Of the pod's specification, as a StatefulSet sets it; a Deployment's pods have none."""
    ip: str
    ready: bool = True

    @property
    def label(self) -> str:
        """What it is called below its service: its hostname, else its address ("10-244-0-3")."""
        return (self.hostname or self.ip.replace(".", "-").replace(":", "-")).lower()


@dataclass(frozen=True)
class Service:
    """A service and who stands behind it.

    Raises:
        ValueError: an IP address is none.
    """

    cluster_ips: Sequence[str] = ()
    """One, or one of each family; none makes it headless."""
    ports: Mapping[str, Port] = field(default_factory=dict)
    endpoints: Sequence[Endpoint] = ()
    publish_not_ready_addresses: bool = False
    external_name: str | None = None
    """Makes it an alias (type ExternalName), and nothing else."""
    config: str = ""
    """The text of its TXT record "_grpc_config.NAME" (gRFC A2), which CoreDNS has not by itself."""

    def __post_init__(self) -> None:
        for ip in [*self.cluster_ips, *(endpoint.ip for endpoint in self.endpoints)]:
            ipaddress.ip_address(ip)

    @property
    def published(self) -> list[Endpoint]:
        """The endpoints that DNS tells of."""
        return [e for e in self.endpoints if e.ready or self.publish_not_ready_addresses]


class Answer(NamedTuple):
    """The sections of a reply. Records are in the order of the data: to shuffle is the server's."""

    rcode: dns.rcode.Rcode
    authoritative: bool = True
    answer: Sequence[dns.rrset.RRset] = ()
    authority: Sequence[dns.rrset.RRset] = ()
    additional: Sequence[dns.rrset.RRset] = ()


class _Host(NamedTuple):
    """One who stands behind a name: an address, or (without one) another name."""

    name: dns.name.Name
    ip: str | None
    port: int | None = None


class Zone:
    """The names of one cluster at one moment. To change a service is to make another zone.

    Args:
        domain: the cluster's.
        ttl: seconds, of every record, and for how long a "no" may be remembered.
        services: by name and namespace.
        nameserver: the DNS server's own address, ns.dns.DOMAIN.
        serial: of the SOA, which goes up with each change (RFC 1035 3.3.13).
    """

    def __init__(
        self,
        domain: dns.name.Name,
        ttl: int,
        services: Mapping[tuple[str, str], Service],
        *,
        nameserver: str = "127.0.0.1",
        serial: int = 1,
    ) -> None:
        self._domain = domain
        self._ttl = ttl
        self._services = {(n.lower(), ns.lower()): s for (n, ns), s in services.items()}
        self._namespaces = {*_NAMESPACES, *(namespace for _, namespace in self._services)}
        self._nameserver = nameserver
        self._soa = self._rrset(
            domain,
            "SOA",
            [f"ns.dns.{domain} hostmaster.{domain} {serial} 7200 1800 86400 {ttl}"],
            min(ttl, _SOA_TTL_AT_MOST),
        )

    def answer(self, name: dns.name.Name, kind: dns.rdatatype.RdataType) -> Answer:
        """The answer to a question of class IN. The case of the name is kept in it."""
        if not name.is_subdomain(self._domain):
            aliases = self._reverse(name) if kind == dns.rdatatype.PTR else []
            if aliases:
                return Answer(dns.rcode.NOERROR, answer=[self._rrset(name, "PTR", aliases)])
            return Answer(self._upstream(name), authoritative=False)
        if kind in _TRANSFERS:
            return Answer(dns.rcode.REFUSED, authoritative=False)
        if kind == dns.rdatatype.TXT:
            return self._config(name) or self._version(name)
        if kind == dns.rdatatype.SOA and name != self._domain:
            return self._no(dns.rcode.NOERROR)  # nor here
        hosts = self._hosts(name)
        if hosts is None:
            return self._no(dns.rcode.NXDOMAIN)
        answer, additional = self._records(name, kind, hosts)
        if not answer:
            return self._no(dns.rcode.NOERROR)
        return Answer(dns.rcode.NOERROR, answer=answer, additional=additional)

    def _no(self, rcode: dns.rcode.Rcode) -> Answer:
        """The SOA says for how long that may be remembered (RFC 2308)."""
        return Answer(rcode, authority=[self._soa])

    # Whom a name stands for -------------------------------------------------------------------

    def _hosts(self, name: dns.name.Name) -> list[_Host] | None:
        """Who stands behind a name: nobody, if it only has names below it; None: no such name."""
        labels = name.relativize(self._domain).labels
        match [label.decode("latin-1").lower() for label in reversed(labels)]:
            case [] | ["svc" | "pod"]:
                return []
            case ["dns", "ns"]:
                return [_Host(self._below("ns", "dns"), self._nameserver)]
            case ["svc" | "pod", namespace, *_] if namespace not in self._namespaces:
                return None
            case ["svc" | "pod", _]:
                return []
            case ["pod", namespace, pod]:
                return self._pod(pod, namespace)
            case ["svc", namespace, service]:
                return self._service(service, namespace) or None
            case ["svc", namespace, service, endpoint]:
                return self._service(service, namespace, endpoint=endpoint) or None
            case ["svc", namespace, service, protocol, port]:
                wanted = (port.removeprefix("_"), protocol.removeprefix("_"))
                return self._service(service, namespace, wanted=wanted) or None
        return None

    def _pod(self, pod: str, namespace: str) -> list[_Host] | None:
        """`pods insecure`: any address in any namespace there is, whether a pod has it or not."""
        four = pod.count("-") == 3 and "--" not in pod
        ip = pod.replace("-", "." if four else ":")
        return [_Host(self._below(pod, namespace, "pod"), ip)] if _is_ip(ip) else None

    def _service(
        self,
        name: str,
        namespace: str,
        *,
        endpoint: str | None = None,
        wanted: tuple[str, str] | None = None,
    ) -> list[_Host]:
        """The hosts of a service: all, one endpoint's, or those of one (port, protocol)."""
        service = self._services.get((name, namespace))
        if service is None:
            return []
        if service.external_name is not None:
            alias = dns.name.from_text(service.external_name)
            return [] if endpoint else [_Host(alias, None)]
        # Its ports, or that it has none: it has addresses all the same.
        ports: Iterable[Port | None] = service.ports.values() or [None]
        if wanted is not None:
            port_name, protocol = wanted
            port = service.ports.get(port_name)
            ports = [port] if port is not None and port.protocol.lower() == protocol else []
        if service.cluster_ips and endpoint is None:
            at = self._below(name, namespace, "svc")
            return [_Host(at, ip, p and p.port) for p in ports for ip in service.cluster_ips]
        return [
            _Host(self._below(pod.label, name, namespace, "svc"), pod.ip, p and p.target_port)
            for pod in service.published
            if endpoint is None or pod.label == endpoint
            for p in ports
        ]

    def _reverse(self, name: dns.name.Name) -> list[str]:
        """The names of an address: of the service that has it, else of each endpoint."""
        try:
            ip = dns.reversename.to_address(name)
        except (dns.exception.DNSException, ValueError):
            return []
        found = []
        for (service, namespace), data in self._services.items():
            if ip in data.cluster_ips:
                return [self._below(service, namespace, "svc").to_text()]
            for pod in data.published:
                if pod.ip == ip:
                    found.append(self._below(pod.label, service, namespace, "svc").to_text())
        return found

    def _upstream(self, name: dns.name.Name) -> dns.rcode.Rcode:
        """What stands in for `forward . /etc/resolv.conf`: nothing is forwarded.

        What needs no internet to be answered is: a cluster's upstream says NXDOMAIN of the bare
        ends of a search list ("web", "web.default", "web.default.svc"), for there is no such TLD,
        and of the reverse names of private addresses (RFC 6303). The rest is REFUSED.
        """
        labels = [label.decode("latin-1").lower() for label in name.labels[:-1]]
        if len(labels) == 1 or (labels and labels[-1] in {"svc", "pod", *self._namespaces}):
            return dns.rcode.NXDOMAIN
        if any(name.is_subdomain(reverse) for reverse in _REVERSE):
            try:
                ip = ipaddress.ip_address(dns.reversename.to_address(name))
            except (dns.exception.DNSException, ValueError):
                return dns.rcode.NXDOMAIN
            if ip.is_private:
                return dns.rcode.NXDOMAIN
        return dns.rcode.REFUSED

    # Their records ----------------------------------------------------------------------------

    def _records(
        self,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
        hosts: Sequence[_Host],
        aliases: int = 0,
    ) -> tuple[list[dns.rrset.RRset], list[dns.rrset.RRset]]:
        """The answer and the additional section: both empty if there is no such record."""
        if kind == dns.rdatatype.SOA and name == self._domain:
            return [self._soa], []
        if kind == dns.rdatatype.NS and name == self._domain:
            server = self._below("ns", "dns")
            return [self._rrset(name, "NS", [server.to_text()])], self._addresses(
                server, [self._nameserver]
            )
        if hosts and hosts[0].ip is None:
            return self._alias(name, kind, hosts[0].name, aliases), []
        if kind in (dns.rdatatype.A, dns.rdatatype.AAAA):
            found = self._addresses(name, [host.ip for host in hosts if host.ip])
            return [rrset for rrset in found if rrset.rdtype == kind], []
        if kind == dns.rdatatype.SRV:
            return self._srv(name, hosts)
        return [], []

    def _srv(
        self, name: dns.name.Name, hosts: Sequence[_Host]
    ) -> tuple[list[dns.rrset.RRset], list[dns.rrset.RRset]]:
        weight = max(1, 100 // len(hosts)) if hosts else 0  # they share 100
        data = [f"0 {weight} {h.port} {h.name}" for h in hosts if h.port is not None]
        if not data:
            return [], []
        targets: dict[dns.name.Name, list[str]] = {}
        for host in hosts:
            targets.setdefault(host.name, []).append(host.ip or "")
        additional = [rrset for at, ips in targets.items() for rrset in self._addresses(at, ips)]
        # CoreDNS keeps the case of a name as it was asked in A and AAAA, and not here.
        return [self._rrset(name.canonicalize(), "SRV", data)], additional

    def _alias(
        self,
        name: dns.name.Name,
        kind: dns.rdatatype.RdataType,
        target: dns.name.Name,
        aliases: int,
    ) -> list[dns.rrset.RRset]:
        """The CNAME, with what it leads to if that is ours: CoreDNS asks upstream for others."""
        cname = self._rrset(name, "CNAME", [target.to_text()])
        if kind == dns.rdatatype.CNAME:
            return [cname]
        if kind not in (dns.rdatatype.A, dns.rdatatype.AAAA):
            return []
        if not target.is_subdomain(self._domain):
            return [cname]
        if aliases == _LONGEST_ALIAS_CHAIN:
            return []
        found, _ = self._records(target, kind, self._hosts(target) or [], aliases + 1)
        return [cname, *found] if found else []

    def _config(self, name: dns.name.Name) -> Answer | None:
        labels = name.relativize(self._domain).labels
        match [label.decode("latin-1").lower() for label in reversed(labels)]:
            case ["svc", namespace, service, "_grpc_config"]:
                found = self._services.get((service, namespace))
                if found is not None and found.config:
                    return Answer(dns.rcode.NOERROR, answer=[self._txt(name, found.config)])
        return None

    def _txt(self, name: dns.name.Name, text: str) -> dns.rrset.RRset:
        """In strings of 255 bytes, which is what they hold (RFC 1035 3.3.14)."""
        data = text.encode()
        parts = [data[at : at + 255] for at in range(0, len(data), 255)]
        record = TXT(dns.rdataclass.IN, dns.rdatatype.TXT, parts)
        return dns.rrset.from_rdata_list(name, self._ttl, [record])

    def _version(self, name: dns.name.Name) -> Answer:
        if name == self._below("dns-version"):
            version = self._rrset(name, "TXT", [f'"{SPECIFICATION}"'])
            return Answer(dns.rcode.NOERROR, answer=[version])
        # There is no other: NOERROR where an address or an alias stands behind the name, NXDOMAIN
        # also where names are below it, and of ns.dns (coredns/coredns plugin/kubernetes
        # kubernetes.go, `Services`).
        hosts = self._hosts(name)
        behind = hosts and name != self._below("ns", "dns")
        return self._no(dns.rcode.NOERROR if behind else dns.rcode.NXDOMAIN)

    def _addresses(self, name: dns.name.Name, ips: Sequence[str]) -> list[dns.rrset.RRset]:
        """Their A and their AAAA records, each address once."""
        four = [ip for ip in ips if ":" not in ip]
        six = [ip for ip in ips if ":" in ip]
        return [self._rrset(name, k, data) for k, data in (("A", four), ("AAAA", six)) if data]

    def _rrset(
        self, name: dns.name.Name, kind: str, data: Iterable[str], ttl: int | None = None
    ) -> dns.rrset.RRset:
        records = [_rdata(kind, each) for each in data]
        return dns.rrset.from_rdata_list(name, self._ttl if ttl is None else ttl, records)

    def _below(self, *labels: str) -> dns.name.Name:
        return _name(self._domain, labels)


def _is_ip(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True


# The same few records go into every answer, and to parse them is most of its cost.


@functools.lru_cache(maxsize=4096)
def _rdata(kind: str, data: str) -> dns.rdata.Rdata:
    return dns.rdata.from_text(dns.rdataclass.IN, kind, data)


@functools.lru_cache(maxsize=4096)
def _name(domain: dns.name.Name, labels: tuple[str, ...]) -> dns.name.Name:
    return dns.name.from_text(".".join(labels), origin=domain)
