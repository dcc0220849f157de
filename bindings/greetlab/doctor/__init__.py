"""Looks at this machine, and at somebody's gRPC service, and says what is wrong with them."""

from greetlab.doctor.finding import Finding
from greetlab.doctor.machine import examine_machine
from greetlab.doctor.report import ServiceReport
from greetlab.doctor.service import examine_service

__all__ = ["Finding", "ServiceReport", "examine_machine", "examine_service"]
