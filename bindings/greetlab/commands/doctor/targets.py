"""What a client's target means: its scheme, and what each language makes of it.

Tried with grpc-go 1.85, grpcio 1.85, grpc-java 1.68 and grpc-js 1.14; grpc-dotnet from its
documentation. The schemes: grpc/grpc doc/naming.md.
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

_SPOKEN = ("dns", "srv", "static", "ipv4", "ipv6")
"""Those that the lab's own channel has."""
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Target:
    """A target, read.

    given: as the client has it. examined: what the lab's channel is given for it. scheme: "" where
    there is none. unresolved: the client's gRPC does not look the name up itself, so it has one
    address and one connection, with any policy. tls: the target itself asks for it. meanings:
    language to what it makes of the target, where that is another thing than looking the name up.
    beyond: what decides for such a client, and cannot be seen by another one; "" mostly.
    """

    given: str
    examined: str
    scheme: str = ""
    unresolved: bool = False
    tls: bool = False
    meanings: dict[str, str] = field(default_factory=dict)
    beyond: str = ""

    @property
    def host(self) -> str:
        """The name, or the address, without its port; "" for a list of addresses."""
        if self.examined.startswith(("static:", "ipv4:", "ipv6:")):
            return ""
        return self._endpoint().rpartition(":")[0] or self._endpoint()

    @property
    def port(self) -> int | None:
        """The port that is dialled; None where DNS says it, or each address its own."""
        port = self._endpoint().rpartition(":")[2]
        return int(port) if self.host and port.isdecimal() else None

    @property
    def dns_server(self) -> str:
        """The DNS server that the target itself names: "10.96.0.10:53"; "" = this machine's."""
        found = re.match(r"(?:dns|srv)://([^/]+)/", self.examined)
        return found[1] if found else ""

    def _endpoint(self) -> str:
        return self.examined.rpartition("/")[2].removeprefix("dns:").removeprefix("srv:")


def read_target(given: str) -> Target:
    """Reads a target as any client may have it.

    Raises ValueError, with what to do instead, for one that no other client could follow. (What the
    lab's channel refuses by itself comes from there.)
    """
    scheme, colon, rest = given.partition(":")
    if not colon or not re.fullmatch(r"[a-z][a-z0-9+.-]*", scheme):
        return _bare(given)
    if scheme in _SPOKEN:
        return Target(given, given, scheme)
    if scheme in ("unix", "unix-abstract", "vsock"):
        raise ValueError(f"target {given!r} is one socket of one machine: nothing to balance there")
    authority, endpoint = _hierarchical(rest)
    if scheme == "passthrough":
        examined = f"dns://{authority}/{endpoint}"
        return Target(given, examined, scheme, unresolved=True, meanings=_PASSTHROUGH)
    if scheme in _DEFAULT_PORTS and rest.startswith("//"):
        place = authority.rpartition("@")[2]
        if not re.search(r":\d+$", place):
            place = f"{place}:{_DEFAULT_PORTS[scheme]}"
        return Target(given, f"dns:///{place}", scheme, True, scheme == "https", _http(scheme))
    if scheme in ("kubernetes", "k8s") and rest.startswith("/"):
        return _kubernetes(given, scheme, authority, endpoint)
    if scheme == "xds":
        if not re.search(r":\d+$", endpoint):
            raise ValueError(
                f"target {given!r}: where it leads, an xDS control plane alone says; without a "
                "port there is no name to look at: give its Service as dns:///name:port"
            )
        return Target(given, f"dns:///{endpoint}", scheme, meanings=_XDS, beyond=_XDS_BEYOND)
    if "//" in rest:
        raise ValueError(
            f"target {given!r}: {scheme!r} is no scheme of gRPC's own; a library of yours "
            "registers a resolver for it. Give what that looks up, as dns:///name:port"
        )
    return _bare(given)


def _hierarchical(rest: str) -> tuple[str, str]:
    """What follows "scheme:": authority and endpoint (RFC 3986 3)."""
    if not rest.startswith("//"):
        return "", rest.removeprefix("/")
    authority, _, endpoint = rest[2:].partition("/")
    return authority, endpoint


def _bare(given: str) -> Target:
    read = Target(given, given, meanings=_BARE)
    try:
        ipaddress.ip_address(read.host.strip("[]"))
    except ValueError:
        return read
    # There is nothing to look up, in Go neither.
    return Target(given, given, meanings={"C#": _BARE["C#"]})


def _kubernetes(given: str, scheme: str, authority: str, endpoint: str) -> Target:
    """kubernetes:///service.namespace:port, kubernetes://namespace/service:port (kuberesolver)."""
    endpoint = endpoint.strip("/")
    name, _, port = endpoint.rpartition(":")
    if authority and "." not in name:
        name = f"{name}.{authority}"
    if not port.isdecimal() or not name:
        raise ValueError(
            f"target {given!r}: such a resolver takes a port by its name, DNS does not: give it as "
            f"a number, {scheme}:///service.namespace:50051"
        )
    return Target(
        given, f"dns:///{name}:{port}", scheme, meanings=_KUBERNETES, beyond=_KUBERNETES_BEYOND
    )


_BARE = {
    "Go": "grpc.NewClient looks it up (dns). grpc.Dial and DialContext, deprecated, take it as "
    "passthrough: one address, so one connection, with any policy: write dns:///",
    "C#": "GrpcChannel.ForAddress takes no bare name: write dns:///, and give Credentials",
}

_PASSTHROUGH = {
    "Go": "the name is handed to the dialer as it is: one address, so one connection, with any "
    "policy: write dns:///",
    "Java": "no such scheme: forTarget throws IllegalArgumentException",
    "Python": "no such scheme: each call is UNAVAILABLE (the whole is looked up as a name)",
    "Node": "no such scheme: each call is UNAVAILABLE (the whole is looked up as a name)",
    "C++": "no such scheme: each call is UNAVAILABLE (the whole is looked up as a name)",
    "C#": "no such scheme: GrpcChannel.ForAddress throws",
}


def _http(scheme: str) -> dict[str, str]:
    return {
        "C#": "one address for HttpClient, which is not balanced: one connection, whatever "
        "LoadBalancingConfigs say: write dns:///, and give Credentials",
        "Go": f"no scheme of gRPC's: each call is UNAVAILABLE: write dns:///, without {scheme}",
        "Java": "no scheme of gRPC's: forTarget throws IllegalArgumentException",
        "Python": f"no scheme of gRPC's: each call is UNAVAILABLE: write dns:///, without {scheme}",
        "Node": f"no scheme of gRPC's: each call is UNAVAILABLE: write dns:///, without {scheme}",
        "C++": f"no scheme of gRPC's: each call is UNAVAILABLE: write dns:///, without {scheme}",
    }


_NO_RESOLVER = "no such scheme, unless a library of yours registers one"
_KUBERNETES = {
    "Go": "only with a library that registers it (kuberesolver): it watches the Service's "
    "EndpointSlices, for which its Pod needs a Role; round_robin must be asked for all the same",
    **dict.fromkeys(("Java", "Python", "Node", "C++", "C#"), _NO_RESOLVER),
}
_KUBERNETES_BEYOND = (
    "What your client's resolver sees: it watches Kubernetes' EndpointSlices, so it has the pods "
    "of a Service with a ClusterIP, too, and hears of new ones. The doctor asked DNS for that name."
)
_XDS = {
    **dict.fromkeys(
        ("Go", "Java", "Python", "C++"),
        "an xDS control plane (GRPC_XDS_BOOTSTRAP) says where to, and by which policy",
    ),
    "Node": "only with @grpc/grpc-js-xds, registered; then an xDS control plane says where to",
    "C#": "no such scheme: grpc-dotnet has no xDS",
}
_XDS_BEYOND = (
    "Where an xDS client's calls go: its control plane says so, not DNS. The doctor's client asked "
    "DNS for the same name, and has DNS's answer."
)
