"""What can be made to go wrong in a world that lets you."""

from __future__ import annotations

from abc import ABC, abstractmethod

from greetlab.arguments import Time


class Faults(ABC):
    """Ways to hurt the pods of a cluster.

    A world has them where its pods are its own to hurt: the sim and LOCAL do. What every cluster
    can be asked, a Kubernetes too, is `Cluster`'s; which of these a Kubernetes has besides, its
    `capabilities` say.
    """

    @abstractmethod
    def kill(self, pod: str) -> None:
        """Ends a pod at once, in the middle of what it does (SIGKILL)."""

    @abstractmethod
    def restart(self, pod: str) -> None:
        """Makes a pod serve again at the same address, killing it first if it still runs."""

    @abstractmethod
    def slow(self, pod: str, latency: Time) -> None:
        """Makes a pod serve each call this much longer than its `service_time`; 0: no longer.

        A call takes up a place for as long, where the pod has a `capacity`: so it serves fewer of
        them, and its queue grows.

        latency: seconds; two numbers: a uniform draw; or a text: "exponential 20ms".
        """

    @abstractmethod
    def fail(
        self,
        pod: str,
        rate: float,
        code: str = "UNAVAILABLE",
        *,
        pushback: float | None = None,
    ) -> None:
        """Makes a pod fail this share of its calls (0 to 1).

        code: with which code, by gRPC's name.
        pushback: seconds after which the pod would be asked again, less than 0: never; it says so
            beside the code (gRFC A6, `grpc-retry-pushback-ms`), to clients that try again. None: it
            says nothing.
        """

    @abstractmethod
    def set_serving(self, pod: str, serving: bool) -> None:
        """Sets what a pod's health service says.

        The readiness probe finds out after `readiness_delay`, and has it taken off the endpoints
        (`endpoint_lag` later) or put back. Connections to it stay, and the calls over them go on:
        clients do not care, unless their service config asks for health checks (gRFC A17).
        """
