"""What was done to a virtual world, in the words of a link, and how to do it again.

The page's engine reads the same words (cpp/wasm/verbs.cc); tests hold the two together.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from greetlab import _core

if TYPE_CHECKING:
    from greetlab.channels.greet_channel import Load
    from greetlab.clusters.sim import SimChannel, SimCluster

Named = list[tuple[str, str]]
"""Words that have a name: [("calls", "60")]."""


@dataclass(frozen=True)
class Command:
    """Something done to a world: "load client-1 calls=60"."""

    verb: str
    given: list[str] = field(default_factory=list)
    named: Named = field(default_factory=list)


_USUAL = [
    ("concurrency", "1"),
    ("interval", "0h"),
    ("timeout", "5s"),
    ("wait_for_ready", "false"),
    ("key_header", ""),
    ("keys", "0"),
]
"""Of a load; what is usual a link need not say."""

# Into words.

NO_DNS_CONFIG = "a service config that DNS has, has no words; give it to the channel instead"


def config(told: _core.ServiceConfig) -> Named:
    """How a link says a channel's service config.

    Raises ValueError, with what of it has no words.
    """
    words: Named = []
    # Numbers stay as they were written.
    for name, value in json.loads(told.text, parse_int=str, parse_float=str).items():
        if name == "loadBalancingConfig":
            raise ValueError(f"a service config's {name} has no words; give the channel the policy")
        if name != "methodConfig":
            words += _flat(name, value)
        elif len(value) == 1:
            for field, inner in value[0].items():
                words += [("name", _names(inner))] if field == "name" else _flat(field, inner)
        else:
            raise ValueError(
                f"a service config with {len(value)} methodConfigs has no words; with one it has"
            )
    again = _core.config_from_words(words)
    if again is None or again.text != told.text:
        it = (
            "a service config that says nothing"
            if again is None
            else f"the service config {told.text}"
        )
        instead = "leave it out" if again is None else f"{again.text} has, and means the same"
        raise ValueError(f"{it} has no words; {instead}")
    return words


def _names(names: list[dict[str, str]]) -> str:
    """Of [{"service": "greet.GreetService"}]; "" are all methods."""
    return ",".join("/".join(name.values()) for name in names)


def _flat(name: str, value: Any) -> Named:
    if isinstance(value, dict):
        return [word for inner in value for word in _flat(f"{name}.{inner}", value[inner])]
    if name not in _core.config_words():
        raise ValueError(f"a service config's {name} has no words")
    if isinstance(value, list):
        return [(name, ",".join(value))]
    return [(name, json.dumps(value) if isinstance(value, bool) else str(value))]


def load(client: str, load: Load) -> Command | str:
    """How a link says that these calls began; or why it cannot."""
    header, keys = load.keys
    told = {"calls": load.n, "concurrency": load.concurrency, "interval": load.every}
    told |= {"timeout": load.timeout, "wait_for_ready": load.wait_for_ready}
    told |= {"key_header": header, "keys": keys}
    words = [word for word in _core.option_words("load", told) if word not in _USUAL]
    try:
        metadata = [(f"metadata.{name}", value.decode()) for name, value in load.metadata]
    except UnicodeDecodeError:
        return "bytes in the metadata of a call have no words"
    return Command("load", [client], [*words, *metadata])


def failing(code: str, pushback: float | None) -> list[tuple[str, str]]:
    """How a pod fails, in words."""
    words = [] if code == "UNAVAILABLE" else [("code", code)]
    if pushback is not None:
        words.append(("pushback", "never" if pushback < 0 else _core.time_word(pushback)))
    return words


# Out of words.


def _seconds(word: str) -> float:
    """Of "20ms"."""
    seconds: float = _core.options_from_words("channel", [("cooldown", word)])["cooldown"]
    return seconds


def _truth(word: str) -> bool:
    if word not in ("true", "false"):
        raise ValueError(f"{word!r}: true or false")
    return word == "true"


def _none(named: Named) -> None:
    if named:
        raise ValueError(f"no option {named[0][0]!r}")


def _scale(cluster: SimCluster, named: Named, pods: str) -> None:
    _none(named)
    cluster.scale(int(pods))


def _rollout(cluster: SimCluster, named: Named) -> None:
    cluster.rollout(**{name: int(word) for name, word in named})


def _fail(cluster: SimCluster, named: Named, pod: str, rate: str) -> None:
    told: dict[str, Any] = dict(named)
    word = told.pop("pushback", "none")
    pushback = None if word == "none" else -1.0 if word == "never" else _seconds(word)
    cluster.fail(pod, float(rate), pushback=pushback, **told)


def _open(cluster: SimCluster, named: Named, service: str) -> None:
    others = [
        (name, word)
        for name, word in named
        if name.split(".")[0] != "policy" and name not in _core.config_words()
    ]
    policy = _core.policy_from_words(named)
    options = _core.options_from_words("channel", others)
    how = "connection per call" if options.get("connection_per_call") else policy.policy
    cluster._open(service, policy, _core.config_from_words(named), options, how)


def _load(cluster: SimCluster, named: Named, client: str) -> None:
    words = [(name, word) for name, word in named if not name.startswith("metadata.")]
    told = {"calls": 1, **_core.options_from_words("load", words)}
    metadata = [
        (name.removeprefix("metadata."), word)
        for name, word in named
        if name.startswith("metadata.")
    ]
    header, keys = told.pop("key_header", ""), told.pop("keys", 0)
    _client(cluster, client).start(
        told.pop("calls"),
        told.pop("concurrency", 1),
        every=told.pop("interval", 0.0),
        metadata=metadata,
        keys={header: keys} if keys else {},
        **told,
    )


def _client(cluster: SimCluster, name: str) -> SimChannel:
    for channel in cluster.channels:
        if channel.name == name:
            return channel
    raise ValueError(f"no client {name!r}: there are {len(cluster.channels)}, client-1 and so on")


def _cancel(cluster: SimCluster, named: Named, load: str) -> None:
    _none(named)
    cluster._loads[_number(cluster, load)].cancel()


def _number(cluster: SimCluster, load: str) -> int:
    names = [f"load-{number}" for number in range(1, len(cluster._loads) + 1)]
    if load not in names:
        raise ValueError(f"no load {load!r}: there are {len(names)}, load-1 and so on")
    return names.index(load)


def _stop(cluster: SimCluster, named: Named, load: str) -> None:
    _none(named)
    number = _number(cluster, load)
    cluster._do(lambda one: one._loads[number].stop(), Command("stop", [load]))


def _to(method: Callable[..., Any]) -> Callable[..., Any]:
    """A command whose words are the arguments."""
    return lambda cluster, named, *given: method(cluster, *given, **dict(named))


FOLLOWED: dict[str, Callable[..., Any]] = {
    "scale": _scale,
    "kill": _to(lambda cluster, pod: cluster.kill(pod)),
    "lose": _to(lambda cluster, pod: cluster.lose(pod)),
    "restart": _to(lambda cluster, pod: cluster.restart(pod)),
    "drain": _to(lambda cluster, pod: cluster.drain(pod)),
    "rollout": _rollout,
    "slow": _to(lambda cluster, pod, longer: cluster.slow(pod, longer)),
    "fail": _fail,
    "set_serving": _to(lambda cluster, pod, word: cluster.set_serving(pod, _truth(word))),
    "change": lambda cluster, named: cluster.change(**_core.options_from_words("world", named)),
    "open": _open,
    "close": _to(lambda cluster, name: _client(cluster, name).close()),
    "connect": _to(lambda cluster, name: _client(cluster, name)._connect()),
    "look_again": _to(lambda cluster, name: _client(cluster, name)._look_again()),
    "load": _load,
    "cancel": _cancel,
    "stop": _stop,
    "lookup": _to(lambda cluster, name: cluster.lookup(name)),
}
"""What a link can have done to a world, by its verb."""


def follow(cluster: SimCluster, verb: str, given: list[str], named: Named) -> None:
    """Does it.

    Raises ValueError, with the command and what is wrong with it.
    """
    if verb not in FOLLOWED:
        raise ValueError(f"no command {verb!r}: there is {', '.join(FOLLOWED)}")
    try:
        FOLLOWED[verb](cluster, named, *given)
    except (TypeError, ValueError) as error:
        text = " ".join([verb, *given])
        # A TypeError tells of our functions, which whoever wrote the link never saw.
        why = "it takes other words" if isinstance(error, TypeError) else error
        raise ValueError(f"at {cluster.seconds:g} s, {text!r}: {why}") from None
