"""A server's certificate: which names it has, and what a client would say to it."""

from __future__ import annotations

import socket
import ssl
from dataclasses import dataclass
from typing import Any

_NO_CHECK_TIME = 0x200000  # OpenSSL's X509_V_FLAG_NO_CHECK_TIME, for which ssl has no name


@dataclass(frozen=True)
class Certificate:
    """What a TLS server showed.

    version: "TLSv1.3". alpn: the protocol agreed on (RFC 7301); gRPC wants "h2". names: whom it is
    for (subjectAltName: RFC 9525). until: its end. trusted: whether this machine's own certificate
    authorities vouch for it, under that name; if not, `failure` has OpenSSL's words.
    """

    version: str = ""
    alpn: str = ""
    names: tuple[str, ...] = ()
    until: str = ""
    trusted: bool = False
    failure: str = ""

    def is_for(self, host: str) -> bool:
        """Whether a client that calls the server `host` finds that name in it."""
        host = host.strip("[]").rstrip(".").lower()
        for name in (name.lower() for name in self.names):
            if name == host:
                return True
            if name.startswith("*.") and "." in host and host.partition(".")[2] == name[2:]:
                return True  # a star is one label, the first (RFC 9525 6.3)
        return False


def look_at(address: str, host: str, timeout: float) -> Certificate:
    """Shakes hands with "ip:port", and with whatever certificate it has.

    host: the name that is asked for (SNI, RFC 6066 3) and checked.
    """
    try:
        shown, version, alpn = _shown(address, host, timeout)
    except OSError as error:  # ssl.SSLError is one
        return Certificate(failure=in_words(error))
    names, until = _read(address, host, timeout, shown)
    try:
        _shake(address, host, timeout, ssl.create_default_context())
    except OSError as error:
        return Certificate(version, alpn, names, until, False, in_words(error))
    return Certificate(version, alpn, names, until, True)


def client_context() -> ssl.SSLContext:
    """A client's that takes any certificate, for who wants to look at it."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    context.set_alpn_protocols(["h2"])
    return context


def _shown(address: str, host: str, timeout: float) -> tuple[bytes, str, str]:
    with _connected(address, host, timeout, client_context()) as wrapped:
        return (
            wrapped.getpeercert(binary_form=True) or b"",
            wrapped.version() or "",
            wrapped.selected_alpn_protocol() or "",
        )


def _read(address: str, host: str, timeout: float, shown: bytes) -> tuple[tuple[str, ...], str]:
    """ssl reads only certificates that it trusts: so it is shown this one as its authority."""
    try:
        context = ssl.create_default_context(cadata=ssl.DER_cert_to_PEM_cert(shown))
        context.check_hostname = False
        context.verify_flags |= ssl.VERIFY_X509_PARTIAL_CHAIN | ssl.VerifyFlags(_NO_CHECK_TIME)
        context.verify_flags &= ~ssl.VERIFY_X509_STRICT
        with _connected(address, host, timeout, context) as wrapped:
            told = wrapped.getpeercert() or {}
    except OSError:
        return (), ""
    pairs: Any = told.get("subjectAltName", ())
    return tuple(str(name) for _, name in pairs), str(told.get("notAfter", ""))


def _shake(address: str, host: str, timeout: float, context: ssl.SSLContext) -> None:
    context.set_alpn_protocols(["h2"])
    with _connected(address, host, timeout, context):
        pass


def _connected(address: str, host: str, timeout: float, context: ssl.SSLContext) -> ssl.SSLSocket:
    ip, _, port = address.rpartition(":")
    plain = socket.create_connection((ip.strip("[]"), int(port)), timeout)
    try:
        return context.wrap_socket(plain, server_hostname=host.strip("[]").rstrip("."))
    except BaseException:
        plain.close()
        raise


def in_words(error: OSError) -> str:
    """Why a connection, or its handshake, failed."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return error.verify_message
    if isinstance(error, ssl.SSLError):
        return (error.reason or str(error)).lower().replace("_", " ")
    return error.strerror or str(error) or "no answer in time"
