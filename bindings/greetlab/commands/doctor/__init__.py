"""Looks at this machine, and at somebody's gRPC service, and says what is wrong with them."""

from greetlab.commands.doctor.finding import Finding
from greetlab.commands.doctor.machine import examine_machine
from greetlab.commands.doctor.report import ServiceReport
from greetlab.commands.doctor.service import examine_service

__all__ = ["Finding", "ServiceReport", "examine_machine", "examine_service"]
