"""A DNS answer taken apart, field by field, as it came over the wire."""

from __future__ import annotations

from dataclasses import dataclass

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdataclass
import dns.rdatatype
import dns.wire


@dataclass(frozen=True)
class PacketField:
    """One field: where it stands ("header", "question", "answer 1"), its bytes, what they mean."""

    section: str
    name: str
    octets: bytes
    meaning: str


def packet_fields(reply: bytes) -> list[PacketField]:
    """All fields of a DNS message (RFC 1035, section 4), in the order of its bytes.

    Raises ValueError for what is no DNS message.
    """
    try:
        message = dns.message.from_wire(reply, ignore_trailing=True)
        return _header(reply, message) + _body(reply)
    except dns.exception.DNSException as error:
        raise ValueError(f"these {len(reply)} bytes are no DNS message: {error}") from error


def _header(reply: bytes, message: dns.message.Message) -> list[PacketField]:
    flags = dns.flags.to_text(message.flags) or "none"
    rcode = dns.rcode.to_text(message.rcode())
    fields = [
        PacketField("header", "id", reply[0:2], str(message.id)),
        PacketField("header", "flags", reply[2:4], f"{flags}, rcode {rcode}"),
    ]
    for number, name in enumerate(("questions", "answers", "authority", "additional")):
        octets = reply[4 + 2 * number : 6 + 2 * number]
        fields.append(PacketField("header", name, octets, str(int.from_bytes(octets, "big"))))
    return fields


def _body(reply: bytes) -> list[PacketField]:
    fields: list[PacketField] = []
    parser = dns.wire.Parser(reply, 12)
    section = ""

    def take(name: str, meaning: str, begin: int) -> None:
        fields.append(PacketField(section, name, reply[begin : parser.current], meaning))

    def name() -> None:
        begin = parser.current
        written, length = dns.name.from_wire(reply, begin)
        parser.seek(begin + length)
        octets = reply[begin : parser.current]
        pointer = octets[:1] >= b"\xc0"
        at = f" (see byte {int.from_bytes(octets, 'big') & 0x3FFF})" if pointer else ""
        take("name", written.to_text() + at, begin)

    def kind() -> tuple[dns.rdatatype.RdataType, int]:
        begin = parser.current
        type_ = dns.rdatatype.RdataType.make(parser.get_uint16())
        take("type", dns.rdatatype.to_text(type_), begin)
        begin = parser.current
        class_ = parser.get_uint16()
        # In EDNS's record (RFC 6891) the class is something else.
        is_edns = type_ == dns.rdatatype.OPT
        told = (
            f"takes {class_} bytes over UDP"
            if is_edns
            else dns.rdataclass.to_text(dns.rdataclass.RdataClass.make(class_))
        )
        take("class", told, begin)
        return type_, class_

    questions, *others = (int.from_bytes(reply[at : at + 2], "big") for at in (4, 6, 8, 10))
    for _ in range(questions):
        section = "question"
        name()
        kind()
    for what, count in zip(("answer", "authority", "additional"), others, strict=True):
        for number in range(1, count + 1):
            section = f"{what} {number}" if count > 1 else what
            name()
            type_, class_ = kind()
            begin = parser.current
            take_ttl = parser.get_uint32()
            take("ttl", "flags of EDNS" if type_ == dns.rdatatype.OPT else f"{take_ttl} s", begin)
            begin = parser.current
            length = parser.get_uint16()
            take("length", f"{length} bytes", begin)
            begin = parser.current
            if length:
                told = (
                    dns.rdata.from_wire(
                        dns.rdataclass.RdataClass.make(class_), type_, reply, begin, length
                    ).to_text()
                    if type_ != dns.rdatatype.OPT
                    else "options of EDNS"
                )
                parser.seek(begin + length)
                take("data", told, begin)
    return fields
