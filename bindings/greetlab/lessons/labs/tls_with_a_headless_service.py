"""Lab 6: TLS to the pods of a headless Service, and whose name is in their certificate."""

from __future__ import annotations

import re
from datetime import UTC, datetime

from cryptography import x509
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import Encoding

from greetlab.clusters.authority import certificate_names
from greetlab.clusters.kube.namespace import NAMESPACE
from greetlab.lessons.labs import gateway, sharing
from greetlab.lessons.labs.files import mounted
from greetlab.lessons.labs.flags import flag
from greetlab.lessons.labs.lab import Lab, Wrong
from greetlab.lessons.labs.seen import Seen

_ON = ("true", "1", "on", "yes")


# Who speaks TLS.


def _probes(seen: Seen) -> str:
    """The kubelet can ask the pods whether they are ready."""
    servers = sharing.deployment_of(seen, sharing.SERVER)
    if _certificate_file(seen) is None:
        raise Wrong(f"the pods of {sharing.SERVER} speak plaintext: they have no certificate.")
    container = servers["spec"]["template"]["spec"]["containers"][0]
    for probe in ("readinessProbe", "livenessProbe", "startupProbe"):
        if "grpc" in (container.get(probe) or {}):
            raise Wrong(f"the pods speak TLS, and their {probe} is gRPC's, which does not.")
    return f"the pods of {sharing.SERVER} speak TLS"


def _client(seen: Seen) -> str:
    """The gateway speaks it as well, and has been told whom to trust."""
    told = _told(seen)
    if told.get("GRPC_TLS", "").lower() not in _ON:
        raise Wrong("the pods speak TLS, and the gateway speaks plaintext to them.")
    if not told.get("GRPC_CA"):
        raise Wrong(
            "the gateway is told of no authority, so it trusts its system's; its image has none."
        )
    return f"the gateway speaks TLS, and expects {_expected(seen)}"


# The certificate.


def _authority(seen: Seen) -> str:
    """The authority that the gateway trusts has signed it."""
    where, certificate = _certificate(seen)
    trusted = _authorities(seen)
    for authority in trusted:
        try:
            certificate.verify_directly_issued_by(authority)
        except (ValueError, TypeError, InvalidSignature):
            continue
        _in_time("the authority's certificate", authority)
        return f"it trusts {_common(authority)}, who has signed the certificate of {where}"
    names = ", ".join(map(_common, trusted))
    raise Wrong(
        f"the certificate of {where} is signed by {_by(certificate, trusted)}, whom the gateway "
        f"does not trust: it trusts {names}."
    )


def _time(seen: Seen) -> str:
    """It is good today."""
    where, certificate = _certificate(seen)
    return _in_time(f"the certificate of {where}", certificate)


def _in_time(what: str, certificate: x509.Certificate) -> str:
    now = datetime.now(UTC)
    begins, ends = certificate.not_valid_before_utc, certificate.not_valid_after_utc
    if now >= ends:
        raise Wrong(f"{what} has expired: it was good until {ends:%Y-%m-%d %H:%M} UTC.")
    if now < begins:
        raise Wrong(f"{what} is not good yet: it will be from {begins:%Y-%m-%d %H:%M} UTC on.")
    return f"{what} is good until {ends:%Y-%m-%d}"


def _name(seen: Seen) -> str:
    """It says the name that the gateway expects."""
    where, certificate = _certificate(seen)
    expected, names = _expected(seen), _names(certificate)
    if not names:
        raise Wrong(
            f"the certificate of {where} has no subjectAltName: it says no name that counts."
        )
    if any(_matches(name, expected) for name in names):
        return f"it is for {expected}"
    says = f"the certificate of {where} is for {', '.join(names)}"
    if any(map(_is_pods, names)):
        raise Wrong(
            f"{says}: pods' own names and addresses. The gateway expects {expected}, whatever "
            "address that leads to."
        )
    services = [service for name in names if (service := _service(name)) is not None]
    if _service(expected) in services:
        raise Wrong(f"{says}, and the gateway expects the Service's name in full: {expected}.")
    if services:
        raise Wrong(f"{says}: that is another Service. The gateway expects {expected}.")
    raise Wrong(f"{says}, and the gateway expects {expected}.")


def _is_pods(name: str) -> bool:
    """Whether it is a name or an address such as pods have, those of today or of yesterday."""
    return (
        re.fullmatch(rf"{sharing.SERVER}(-[0-9a-z]+){{2}}|[0-9.]+|[0-9a-f:]+:.*", name) is not None
    )


def _service(name: str) -> str | None:
    """The Service of our namespace that a name leads to, in full or in short."""
    service, *rest = name.split(".")
    return service if rest == [NAMESPACE, "svc", "cluster", "local"][: len(rest)] else None


# What they look at.


def _told(seen: Seen) -> dict[str, str]:
    return gateway.variables(sharing.deployment_of(seen, sharing.GATEWAY))


def _expected(seen: Seen) -> str:
    """The name that the gateway verifies: that of its target, if it was told no other."""
    told = gateway.read(sharing.deployment_of(seen, sharing.GATEWAY))
    return (_told(seen).get("GRPC_SERVER_NAME") or told.host).rstrip(".").lower()


def _certificate_file(seen: Seen) -> str | None:
    return flag(sharing.deployment_of(seen, sharing.SERVER), "--tls-cert")


def _certificate(seen: Seen) -> tuple[str, x509.Certificate]:
    """Where the pods' certificate is from, and the certificate: the first of its chain."""
    servers = sharing.deployment_of(seen, sharing.SERVER)
    where, pem = mounted(seen, servers, _certificate_file(seen) or "")
    return where, _load(where, pem)[0]


def _authorities(seen: Seen) -> list[x509.Certificate]:
    where, pem = mounted(seen, sharing.deployment_of(seen, sharing.GATEWAY), _told(seen)["GRPC_CA"])
    return _load(where, pem)


def _load(where: str, pem: bytes) -> list[x509.Certificate]:
    try:
        return x509.load_pem_x509_certificates(pem)
    except ValueError as error:
        raise Wrong(f"what the {where} has there is no certificate.") from error


def _names(certificate: x509.Certificate) -> list[str]:
    return certificate_names(certificate.public_bytes(Encoding.PEM))


def _matches(name: str, expected: str) -> bool:
    """A "*" stands for the whole of the leftmost label (RFC 9525, 6.3)."""
    pattern = re.escape(name.lower()).replace(r"\*", "[^.]+", 1)
    return re.fullmatch(pattern, expected) is not None


def _common(certificate: x509.Certificate) -> str:
    return certificate.subject.rfc4514_string() or "somebody without a name"


def _by(certificate: x509.Certificate, trusted: list[x509.Certificate]) -> str:
    """Who signed it. Two authorities may have the same name, and are two all the same."""
    issuer = certificate.issuer.rfc4514_string()
    same = issuer in map(_common, trusted)
    return f"another {issuer}, with another key" if same else issuer


LAB = Lab(
    number=6,
    name="tls_with_a_headless_service",
    done="every pod answers, in turn, and each has proved that it is the Service.",
    steps=(
        _probes,
        sharing.at_least(3),
        sharing.dialled,
        sharing.endpoints,
        sharing.headless,
        sharing.port,
        sharing.policy,
        _client,
        _authority,
        _time,
        _name,
        sharing.gateway_ready,
        sharing.shared,
    ),
)
