"""Which policy a channel has: by its name, by a service config's entry, or one of your own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from greetlab import _core
from greetlab.channels import service_config

POLICIES = tuple(_core.policies())
"""The names of all policies; the first is gRPC's default."""


class Policy:
    """A load-balancing policy of your own: derive from it, and give the class to a channel.

        class Mine(gl.Policy):
            def pick(self, ready, call):
                return min(ready, key=lambda one: one.in_flight)

        cluster.channel("greetserver-headless", policy=Mine)

    It connects to every address as round_robin does; you choose. Each channel makes its own.
    """

    def pick(
        self, ready: Sequence[_core.ReadySubchannel], call: int
    ) -> _core.ReadySubchannel | None:
        """Chooses for one call.

        ready: the READY connections, one at least, in the order of the address list: each has its
            `address`, its `number`, and how many calls are `in_flight` on it.
        call: its number in the trace.

        It must not use the channel or the cluster: they wait for it.

        Returns one of `ready`, or None: the call waits until a connection changes. If it raises, or
        returns anything else, that call fails (INTERNAL) with a sentence.
        """
        raise NotImplementedError(f"{type(self).__name__} has no pick(self, ready, call)")


AnyPolicy = str | Mapping[str, Mapping[str, Any]] | type[Policy]
"""A name; an entry of a service config's loadBalancingConfig; or a class of your own."""


def policy_config(policy: AnyPolicy, *, shuffle_address_list: bool = False) -> _core.PolicyConfig:
    """What a channel is told.

    policy: "round_robin"; {"least_request": {"choiceCount": 3}}, as a service config has it; or a
        class derived from `Policy`.

    Raises ValueError, with what there is, for a policy or a field that there is not; TypeError for
    what is none of these.
    """
    if isinstance(policy, type) and issubclass(policy, Policy):
        return _core.python_policy(policy, policy.__name__)
    if isinstance(policy, str):
        fields = (
            {"shuffleAddressList": 1} if shuffle_address_list and policy == "pick_first" else {}
        )
        return _core.PolicyConfig(policy, fields)
    if not isinstance(policy, Mapping) or len(policy) != 1:
        hint = ": the class, and not an instance" if isinstance(policy, Policy) else ""
        raise TypeError(
            f"policy {policy!r}{hint}; it is a name ({', '.join(POLICIES)}), one entry of a "
            'service config\'s loadBalancingConfig, such as {"least_request": {"choiceCount": '
            "3}}, or a class derived from greetlab.Policy"
        )
    ((name, told),) = policy.items()
    if not isinstance(told, Mapping):
        raise TypeError(f"policy {policy!r}: what {name} is told is a dict, {{}} for nothing")
    return service_config.read_policy(policy)


def policy_name(policy: AnyPolicy) -> str:
    """What it is called in a title."""
    if isinstance(policy, str):
        return policy
    return policy.__name__ if isinstance(policy, type) else next(iter(policy), "")
