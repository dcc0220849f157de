"""The exercises of notebook 01: what a name is answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence

from greetlab.clusters.cluster import CLUSTER_IP_SERVICE, HEADLESS_SERVICE, Cluster
from greetlab.clusters.local import LocalCluster
from greetlab.dns.lookup import Lookup
from greetlab.lessons.exercises.exercise import Exercise, of_type

_FULL = "default.svc.cluster.local"
_ANY_FULL = re.compile(r"([^.]+)\.[^.]+\.svc\.cluster\.local")
"""A service's full name, in whichever namespace: on a Kubernetes it is another one."""


def _three_addresses(value: object) -> str | None:
    answer = _lookup(value)
    types = {query.type for query in answer.queries}
    if types == {"AAAA"}:
        return "only AAAA records were asked for, and these pods have IPv4 addresses."
    if not answer.ok:
        return f"{answer.name} came back without an address: {answer.reason}."
    if answer.srv:
        return f"these are SRV records, names with ports: {answer.srv[0].target}, ..."
    if not _is(HEADLESS_SERVICE, answer):
        return f"one address came back, {answer.addresses[0]}, and no pod has it: it is virtual."
    if len(answer.addresses) < 3:
        return f"only {len(answer.addresses)} of 3 pods came back: the others are not ready."
    return None


def _first_try(value: object) -> str | None:
    answer = _lookup(value)
    asked = answer.queries[0].name if answer.queries else answer.name
    if not answer.ok:
        return f"the first question was for {asked}, and there is no such name."
    if not _is(HEADLESS_SERVICE, answer):
        return f"the answer is about {answer.answer_name}, which is not the headless service."
    if not _ANY_FULL.fullmatch(answer.name.rstrip(".")):
        return f"{answer.name} is not the full name: it was found by the search list."
    if len(answer.queries) > 2:
        return f"{len(answer.queries)} questions went out, the first for {asked}."
    return None


def _nobody(value: object) -> str | None:
    answer = _lookup(value)
    if _short(answer.name) != HEADLESS_SERVICE:
        return f"the name that was looked up is {answer.name}, which tells nothing about pods."
    if answer.srv:
        return f"the name is there, and SRV records with it: {answer.srv[0].target}, ..."
    if answer.ok:
        return f"{len(answer.addresses)} addresses came back: so many pods are still listed."
    if answer.status != "nxdomain":
        return f"the name has not disappeared; what came back is: {answer.reason}."
    asked = [query.name for query in answer.queries if _ANY_FULL.fullmatch(query.name)]
    if HEADLESS_SERVICE not in map(_short, asked):
        return f"{answer.name} is another name, which never was: the full one was not asked for."
    return None


def _pod_port(value: object) -> str | None:
    answer = _lookup(value)
    if answer.status == "no_data":
        return f"{answer.name} has no SRV record: services have them, and their named ports."
    if not answer.ok:
        return f"{answer.name} came back empty: {answer.reason}."
    if not answer.srv:
        return "addresses came back, and no port: an A record has no room for one."
    if answer.srv[0].target.split(".")[0] == CLUSTER_IP_SERVICE:
        return f"the port that came back, {answer.srv[0].port}, is the Service's and not the pods'."
    return None


def _lookup(value: object) -> Lookup:
    return of_type(value, Lookup, "a Lookup, which cluster.lookup(...) returns")


def _short(name: str) -> str:
    full = _ANY_FULL.fullmatch(name.rstrip("."))
    return full[1] if full else name.rstrip(".")


def _is(service: str, answer: Lookup) -> bool:
    return answer.answer_name.split(".")[0] == service


def _ask(
    name: str,
    types: Sequence[str] = ("A", "AAAA"),
    before: Callable[[LocalCluster], object] | None = None,
) -> Callable[[], Lookup]:
    """Makes a lookup on a cluster of its own, after something was done to it."""

    def make() -> Lookup:
        with Cluster.local(pods=3, seed=1, service_port=8080) as cluster:
            if before is not None:
                before(cluster)
            return cluster.lookup(name, types)

    return make


EXERCISES = (
    Exercise(
        name="01.three-addresses",
        question="Look up a name that brings an address for each of the three pods.",
        check=_three_addresses,
        unsolved=_ask("greetserver"),
        solution=_ask("greetserver-headless"),
        wrong=(
            (_ask("greetserver-headles"), "without an address"),
            (_ask("greetserver-headless", ["AAAA"]), "only AAAA"),
            (_ask("_grpc._tcp.greetserver-headless", ["SRV"]), "SRV records"),
            (_ask("greetserver-headless", before=lambda c: c.kill("pod-2")), "only 2 of 3"),
        ),
        forbidden=(_ask("_grpc._tcp.greetserver-headless", ["SRV"]),),
    ),
    Exercise(
        name="01.first-try",
        question="Look up the headless service by its full name, so that the first question is "
        "the right one.",
        check=_first_try,
        unsolved=_ask(f"greetserver-headless.{_FULL}"),
        solution=_ask(f"greetserver-headless.{_FULL}."),
        wrong=(
            (_ask("greetserver-headless"), "not the full name"),
            (_ask("greetserver-headless."), "no such name"),
            (_ask(f"greetserver.{_FULL}."), "not the headless service"),
        ),
        forbidden=(_ask("greetserver-headless"), _ask("greetserver-headless.default.svc")),
    ),
    Exercise(
        name="01.pod-port",
        question="Ask DNS for the port that a client of the headless service has to dial.",
        check=_pod_port,
        unsolved=_ask("greetserver-headless"),
        solution=_ask("_grpc._tcp.greetserver-headless", ["SRV"]),
        wrong=(
            (_ask("_grpc._tcp.greetserver", ["SRV"]), "is the Service's"),
            (_ask("_grpc._udp.greetserver-headless", ["SRV"]), "came back empty"),
            (_ask(f"{_FULL}.", ["SRV"]), "has no SRV record"),
        ),
        forbidden=(_ask(f"_grpc._tcp.greetserver.{_FULL}.", ["SRV"]),),
    ),
    Exercise(
        name="01.nobody",
        question="Make the headless service's name disappear, without touching the service.",
        check=_nobody,
        unsolved=_ask("greetserver-headless"),
        solution=_ask("greetserver-headless", before=lambda c: c.scale(0)),
        wrong=(
            (_ask("greetserver-headless", before=lambda c: c.kill("pod-1")), "2 addresses"),
            (_ask("greetserver", before=lambda c: c.scale(0)), "looked up is greetserver,"),
            (_ask("headless"), "looked up is headless"),
            (_ask("greetserver-headless", ["AAAA"]), "has not disappeared"),
        ),
        forbidden=(
            _ask("greetserver-headless", ["SRV"]),
            _ask("greetserver-headless."),  # a name at the top, which never was
        ),
    ),
)
