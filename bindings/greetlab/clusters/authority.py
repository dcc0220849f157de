"""A certificate authority of our own: who vouches, in a lab, for who a server or a client is."""

from __future__ import annotations

import datetime
import ipaddress
import secrets
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

_DAY = datetime.timedelta(days=1)


@dataclass(frozen=True)
class Certificate:
    """A certificate and its private key, by the names of their files (PEM)."""

    cert: str
    key: str

    @property
    def names(self) -> list[str]:
        """For whom it is."""
        return certificate_names(Path(self.cert).read_bytes())


class Authority:
    """Signs certificates, and keeps them in a folder of its own until it is closed.

    name: what its own certificate says; another one each time, for two authorities of one name
        cannot be told apart.
    """

    def __init__(self, name: str | None = None) -> None:
        self.name = name or f"greetlab {secrets.token_hex(4)}"
        self._folder = Path(tempfile.mkdtemp(prefix="greetlab-tls-"))  # for its owner's eyes only
        self._made = 0
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, self.name)])
        usage = x509.KeyUsage(
            digital_signature=False,
            content_commitment=False,
            key_encipherment=False,
            data_encipherment=False,
            key_agreement=False,
            key_cert_sign=True,
            crl_sign=True,
            encipher_only=False,
            decipher_only=False,
        )
        own = (
            self._builder(self._subject, self._key, -1, 3650)
            .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
            .add_extension(usage, critical=True)
            .sign(self._key, hashes.SHA256())
        )
        self.ca = self._write("ca.pem", own.public_bytes(serialization.Encoding.PEM))
        """The file of its own certificate: what those who trust it are given (PEM)."""

    def issue(self, *names: str, begins: float = -1, ends: float = 365) -> Certificate:
        """A certificate for these names: of DNS, or IP addresses.

        begins, ends: the days from now between which it is good; before 0: in the past.
        """
        if not names:
            raise ValueError("a certificate for nobody: name somebody")
        key = ec.generate_private_key(ec.SECP256R1())
        self._made += 1
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
        authority = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        signed = (
            self._builder(subject, key, begins, ends)
            .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName(list(map(_general_name, names))), False)
            .add_extension(authority, critical=False)
            .sign(self._key, hashes.SHA256())
        )
        pem = signed.public_bytes(serialization.Encoding.PEM)
        private = key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        return Certificate(
            self._write(f"{self._made}.pem", pem), self._write(f"{self._made}.key", private)
        )

    def close(self) -> None:
        """Removes its files. Closing twice is fine."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _builder(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, begins: float, ends: float
    ) -> x509.CertificateBuilder:
        now = datetime.datetime.now(datetime.UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._subject)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now + begins * _DAY)
            .not_valid_after(now + ends * _DAY)
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )

    def _write(self, name: str, content: bytes) -> str:
        path = self._folder / name
        path.write_bytes(content)
        return str(path)


def certificate_names(pem: bytes) -> list[str]:
    """For whom a certificate (PEM) is: the DNS names and IP addresses that it says (RFC 9525).

    Raises ValueError for what is no certificate.
    """
    try:
        certificate = x509.load_pem_x509_certificate(pem)
        names = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return []
    return [str(name.value) for name in names if isinstance(name, (x509.DNSName, x509.IPAddress))]


def _general_name(name: str) -> x509.GeneralName:
    try:
        return x509.IPAddress(ipaddress.ip_address(name))
    except ValueError:
        return x509.DNSName(name)
