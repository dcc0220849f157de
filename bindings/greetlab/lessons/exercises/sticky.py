"""The exercises of notebook 02: one connection, one pod."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from greetlab.channels.calls import Calls
from greetlab.channels.greet_channel import GreetChannel
from greetlab.channels.policies import POLICIES
from greetlab.clusters.cluster import HEADLESS_SERVICE, Cluster
from greetlab.lessons.exercises.exercise import CannotLook, Exercise, of_type
from greetlab.trace.trace import Event

_LIST = "a list of Calls, one for each client"


def _headless_and_sticky(value: object) -> str | None:
    what = "the client, which cluster.channel(...) returns"
    trace = of_type(value, GreetChannel, what).trace  # type: ignore[type-abstract]
    ended = trace.of("CallEnded", code="OK")
    if len(ended) < 60:
        return f"it has had {len(ended)} answers, and the question is about 60."
    names = {event.name.split(".")[0] for event in trace.of("LookupStarted")}
    if names != {HEADLESS_SERVICE}:
        return f"it looked up {', '.join(sorted(names))}, where DNS has one address to choose from."
    pods = {event.pod for event in ended}
    if len(trace.of("Connected")) >= len(ended):
        return "it opened a connection for each request, and kept none."
    if len(pods) > 1:
        return f"its requests went to {len(pods)} pods: {', '.join(sorted(pods))}."
    return None


def _luck_of_many(value: object) -> str | None:
    clients = [of_type(calls, Calls, _LIST) for calls in of_type(value, list, _LIST)]
    if not clients:
        raise CannotLook(f"this check looks at {_LIST}, and the list is empty.")
    for calls in clients:
        if HEADLESS_SERVICE in calls.title:
            return f"a client went past the ClusterIP: its calls are of {calls.title}."
        if not calls.title.endswith(f", {POLICIES[0]}"):
            return f"a client is not on pick_first: its calls are of {calls.title}."
        if len(calls.connections) > 1:
            return f"a client opened {len(calls.connections)} connections instead of keeping one."
    pods = {pod for calls in clients for pod, count in calls.by_pod.items() if count}
    known = {pod for calls in clients for pod in calls.known}
    if len(known) < 3:
        return f"{_pods_in_words(len(known))} in this cluster, and the exercise is about three."
    idle = sorted({pod for calls in clients for pod in calls.known} - pods)
    if idle:
        many = f"{len(clients)} client{'s' * (len(clients) != 1)}"
        return f"with {many}, {', '.join(idle)} had no request at all."
    return None


def _pods_in_words(count: int) -> str:
    return f"there is {count} pod" if count == 1 else f"there are {count} pods"


def _who_chose(value: object) -> str | None:
    event = of_type(value, Event, "an Event of a trace")
    reasons = {
        "LookupEnded": "the lookup brought one address, the Service's, so no pod is chosen here.",
        "ConnectStarted": "the client dials the Service's address here and knows of no pod.",
        "Connected": "the connection is up here, and it was decided before to whom.",
        "Picked": "a connection is picked here, and it is the only one: its pod is settled.",
        "CallEnded": "the pod answers here, so it was chosen before.",
    }
    if event.kind == "ProxyRouted":
        return None
    return reasons.get(event.kind, f"a {event.kind} does not settle which pod gets the requests.")


def _client(service: str, *, times: int = 60, **options: Any) -> Callable[[], GreetChannel]:
    """Makes a client of a cluster of its own that has greeted."""

    def make() -> GreetChannel:
        client = Cluster.sim(pods=3, seed=2).channel(service, **options)
        client.greet("Ada", times=times)
        return client

    return make


def _clients(
    count: int, service: str = "greetserver", *, pods: int = 3, **options: Any
) -> Callable[[], list[Calls]]:
    """Makes the calls of so many clients of one cluster."""

    def make() -> list[Calls]:
        cluster = Cluster.sim(pods=pods, seed=2)
        channels = [cluster.channel(service, **options) for _ in range(count)]
        return [channel.greet("Ada", times=6) for channel in channels]

    return make


def _event(kind: str) -> Callable[[], Event]:
    return lambda: _client("greetserver", times=1)().trace.first(kind)


EXERCISES = (
    Exercise(
        name="02.headless-and-sticky",
        question="Send 60 requests through the headless service, and all of them to one pod.",
        check=_headless_and_sticky,
        unsolved=_client("greetserver"),
        solution=_client("greetserver-headless"),
        wrong=(
            (_client("greetserver-headless", policy="round_robin"), "went to 3 pods"),
            (_client("greetserver-headless", times=6), "6 answers"),
            (_client("greetserver-headless", connection_per_call=True), "a connection for each"),
        ),
        forbidden=(
            _client("greetserver", policy="round_robin"),
            _client("greetserver-headless", times=59),
        ),
    ),
    Exercise(
        name="02.luck-of-many",
        question="Keep the ClusterIP and pick_first, and make all three pods work.",
        check=_luck_of_many,
        unsolved=_clients(1),
        solution=_clients(10),
        wrong=(
            (_clients(2), "with 2 clients"),
            (_clients(1, connection_per_call=True), "not on pick_first"),
            (_clients(4, pods=1), "there is 1 pod"),
            (_clients(3, "greetserver-headless", policy="round_robin"), "past the ClusterIP"),
        ),
        forbidden=(
            _clients(10, policy="round_robin"),
            _clients(10, policy="random"),
            _clients(10, "greetserver-headless"),
            _clients(10, pods=2),
        ),
    ),
    Exercise(
        name="02.who-chose",
        question="Find the event that settled which pod gets the requests.",
        check=_who_chose,
        unsolved=_event("Picked"),
        solution=_event("ProxyRouted"),
        wrong=(
            (_event("LookupEnded"), "no pod is chosen here"),
            (_event("Connected"), "decided before"),
            (_event("CallEnded"), "chosen before"),
        ),
        forbidden=tuple(map(_event, ("CallStarted", "ConnectStarted", "PickerPublished"))),
    ),
)
