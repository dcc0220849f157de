"""Looks at this machine, at somebody's gRPC service, or at a client of it that runs, and says what
is wrong with them."""

from greetlab.commands.doctor.finding import Finding
from greetlab.commands.doctor.machine import examine_machine
from greetlab.commands.doctor.own_client import ClientReport, examine_client
from greetlab.commands.doctor.report import ServiceReport
from greetlab.commands.doctor.service import examine_service

__all__ = [
    "ClientReport",
    "Finding",
    "ServiceReport",
    "examine_client",
    "examine_machine",
    "examine_service",
]
