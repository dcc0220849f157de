# %% [markdown]
# # 6 · Goodbye
#
# Each release replaces every pod. In [5 · Being told](05_being_told.ipynb) new pods had to be
# found; now the old ones go, and somebody may still be calling them. How many calls does a rollout
# cost? Can it be none?
#
# Next: [7 · Again](07_again.ipynb)
#
# **LOCAL** is real processes and real sockets on this machine, **SIM** the same load-balancing code
# in a virtual world.

# %%
from IPython.display import display

import greetlab as gl


def rollout(service, pre_stop=0.0, news_late=0.2):
    """A second of calls, while three real pods are replaced by three others, all at once."""
    with gl.Cluster.local(
        pods=3,
        seed=7,
        service_time=0.005,
        readiness_delay=0.1,
        watch_lag=news_late,
        pre_stop=pre_stop,
    ) as cluster:
        cluster.wait_ready()
        with cluster.channel(service, policy="round_robin", seed=7) as client:
            client.wait_ready(all=True)
            cluster.rollout(max_surge=3)  # as `maxSurge: 100%`; by default it is 25%, of three: one
            calls = client.load(500, every=0.002, timeout=2.0)
            cluster.wait_rollout()
            return calls, client.trace, cluster


# %% [markdown]
# ## A release
#
# `kubectl rollout restart deployment/greetserver-deploy`: three new pods become ready, and the
# three old ones are deleted. The client is the good one: headless, `round_robin`. Five hundred
# calls in that second. **How many fail?** (LOCAL)

# %% gallery="guess = gl.predict(failed=0)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=25)
guess

# %%
asked, trace, cluster = rollout("greetserver-headless")
display(guess.compare({"failed": len(asked) - asked.ok}, cluster=cluster))
gl.plot.states(trace, title="Three old pods say goodbye; nobody has heard of the new ones")

# %% [markdown]
# Nearly all of them fail. A pod that ends says so: it sends a GOAWAY, "no new calls on this
# connection", and still answers those in flight. The client asks DNS at once, but its last lookup
# was less than 30 s ago, and the *cooldown*, the least time between two lookups, makes it wait. In
# its list there are only the dead (TRANSIENT_FAILURE, red above: the last attempt to connect
# failed, and the next one comes after a backoff), and three new pods stand beside it with nothing
# to do.
#
# ## One of three
#
# That was every pod at once. Now **one** pod of three is deleted (`kubectl delete pod POD`, a node
# that is drained). The same client, which asked DNS 5 s before; no preStop; a hundred calls a
# second. **How many fail?** (SIM)

# %% gallery="guess = gl.predict(failed=20)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=2000)
guess


# %%
def fails(asked, go, ready_after=1.0):
    """How many calls fail of a client that asked DNS so many seconds before the pods go."""
    world = gl.Cluster.sim(3, seed=7, service_time="exponential 20ms", readiness_delay=ready_after)
    client = world.wait_ready().channel("greetserver-headless", policy="round_robin")
    load = client.wait_ready(all=True).start(100 * (asked + 60), every="exponential 10ms")
    world.run(seconds=asked)
    go(world)
    world.run(seconds=90)
    calls = client.calls(load)
    return len(calls) - calls.ok


print(f"{'failed calls, if DNS was asked':45} 5 s ago   45 s ago")
for name, go, ready_after in (
    ("one of three is deleted", lambda world: world.drain("pod-2"), 1.0),
    ("one by one, each new one ready after 1 s", lambda world: world.rollout(), 1.0),
    ("one by one, each new one ready after 10 s", lambda world: world.rollout(), 10.0),
    ("all at once, ready after 1 s", lambda world: world.rollout(max_surge=3), 1.0),
    ("all at once, ready after 10 s", lambda world: world.rollout(max_surge=3), 10.0),
):
    counted = [fails(asked, go, ready_after) for asked in (5, 45)]
    print(f"{name:45} {counted[0]:7} {counted[1]:10}")
    if name.startswith("one of"):
        lost = counted[0]
guess.compare({"failed": lost}, cluster=gl.Cluster.sim())

# %% [markdown]
# Calls fail where **no pod that the client knows is left before it may ask again**: from the moment
# when the last of them has gone until 30 s after the last lookup, and then it hears of those that
# are ready.
#
# One of three: none. Two that it knows are left. The calls in flight are answered, one that crosses
# the GOAWAY is answered, too, or sent again elsewhere (notebook 4), and the turns go on over the
# other two.
#
# One by one, as a rollout of three pods goes by default, is no cure by itself. With pods that are
# ready after 1 s it is over in three, and from then on calls fail, until the lookup of 30 s is
# allowed. With 10 s each it takes thirty: the lookup comes after 25 of them, when one old pod is
# left, and brings two new ones. All at once with 1 s, everybody known is gone after one second;
# with 10 s, after ten, when 15 of the 30 s have passed: 15 s of calls fail, and not 24.
#
# Who last asked more than 30 s ago asks at the first GOAWAY, and none fails. All at once, that
# answer has the new pods that are ready by then, here all three. (Of real ones often not all are,
# and one that refuses before DNS has answered can cost a call.) One by one it has *one*, and that
# is the price there: the second and third GOAWAY ask, too, and are held back until 30 s are over.
# After a fast rollout the one new pod has all of the client's calls until then.
#
# (All that is the sim, and what GOAWAY promises. gRPC's own servers in C++ and Python do not keep
# all of it: calls that no handler has begun with when the SIGTERM comes, and those that arrive from
# then on until the client has the GOAWAY, a round trip, they give up, CANCELLED
# ([grpc#41785](https://github.com/grpc/grpc/issues/41785)). At a thousand calls a second, and over
# loopback, where a round trip is nothing, four of twenty such goodbyes of real pods cost one call
# each here; none of twenty, where the client had been told before.)
#
# ## A client that is told
#
# `watch:///`, and the news takes 0.2 s. The same release. **How many of the 500 fail now?**

# %% gallery="guess = gl.predict(failed=0)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=400)
guess

# %%
told, _, cluster = rollout("watch:///greetserver-headless")
guess.compare({"failed": len(told) - told.ok}, cluster=cluster)

# %% [markdown]
# Two things begin when a pod is deleted, and nobody waits for either: it is taken off the
# endpoints, news that has a way to go, and it is told to end (SIGTERM). It ended 0.2 s before the
# client heard who else there is.
#
# ## Wait before you go
#
# `lifecycle.preStop` holds the SIGTERM back: a pod that is deleted goes on serving, new calls, too,
# for that long. Now 0.5 s of it, and nothing else changes. **How many of the 500 fail?**

# %% gallery="guess = gl.predict(failed=20)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=50)
guess

# %%
waited, _, cluster = rollout("watch:///greetserver-headless", pre_stop=0.5)
display(guess.compare({"failed": len(waited) - waited.ok}, cluster=cluster))
gl.plot.requests(told, waited, title="A client that is told: preStop 0 (above), 0.5 s (below)")

# %% [markdown]
# None, on real processes. (Twenty such rollouts in a row lost none of 10,000 calls.) In a pod's
# manifest:
#
# ```yaml
# lifecycle: {preStop: {sleep: {seconds: 5}}}   # before 1.30: exec: {command: [sleep, "5"]}
# ```
#
# ## Where is zero?
#
# It depends on how a client hears. Six ways to hear, seven waits, each with three rollouts at
# different moments, all three pods at once (SIM). A client that asks DNS, with gRPC's own cooldown
# of 30 s: **from how many seconds of preStop on does no call fail?** (0, 1, 2, 5, 10, 20 or 30)

# %% gallery="guess = gl.predict(seconds=5)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(seconds=1)
guess


# %%
def failed(service, pre_stop, seed, news_late=0.0, **channel):
    """How many of 4,000 calls fail; the rollout comes at 3 s, 7 s or 11 s."""
    # Who is gone stays listed for a second (endpoint_lag); who is new is listed at once.
    world = gl.Cluster.sim(
        3, seed=seed, pre_stop=pre_stop, watch_lag=news_late, endpoint_lag=1.0,
        readiness_delay=1.0, service_time="exponential 20ms",
    )  # fmt: skip
    client = world.channel(service, policy="round_robin", **channel).wait_ready(all=True)
    load = client.start(4000, every="exponential 20ms", timeout=2.0)
    world.run(seconds=3 + 4 * seed)
    world.rollout(max_surge=3)
    world.run(seconds=100)
    calls = client.calls(load)
    return len(calls) - calls.ok


hears = {
    "DNS, cooldown 30 s": {"service": "greetserver-headless"},
    "DNS, cooldown 10 s": {"service": "greetserver-headless", "cooldown": 10.0},
    "DNS, cooldown 1 s": {"service": "greetserver-headless", "cooldown": 1.0},
    "watch, 3 s late": {"service": "watch:///greetserver-headless", "news_late": 3.0},
    "watch, no delay": {"service": "watch:///greetserver-headless"},
    "ClusterIP": {"service": "greetserver"},
}
waits = (0, 1, 2, 5, 10, 20, 30)
counts = {
    name: {str(wait): sum(failed(**how, pre_stop=wait, seed=n) for n in range(3)) for wait in waits}
    for name, how in hears.items()
}
zero = min(wait for wait in waits if not counts["DNS, cooldown 30 s"][str(wait)])
display(guess.compare({"seconds": zero}, cluster=gl.Cluster.sim()))
gl.plot.surface(
    counts,
    world="SIM",
    of="failed calls of 12,000",
    across="preStop, s",
    title="A rollout: how the client hears, and how long the pods wait",
)

# %% [markdown]
# Zero is where the pods wait longer than the news takes. For a client that watches it is the
# news of the *new* pods that counts: with no delay none fails even without preStop. (That the old
# ones are still listed for a second does not matter to it: their GOAWAY says that they go. A
# removal is told after both, `endpoint_lag` and `watch_lag`.) A client that asks DNS hears nothing
# while its pods wait. It is their GOAWAY, after the preStop, that has it ask; by then its cooldown
# has to be over, so it needs up to 30 s of preStop, and less with a shorter cooldown
# (`GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS`). Behind a ClusterIP the client knows of no pods,
# and connects anew to the one address that it has. There the news go to kube-proxy: as long as its
# rules still have the pods that are gone (a second, here), the new connection may be led to one of
# them, and fails then; with preStop of a second none does.
#
# ## The last words
#
# A pod that has its SIGTERM finishes the calls that it has, for as long as it is given. These calls
# take 5 to 20 s, ten a second begin, the client is told at once, preStop is 5 s, and after the
# SIGTERM there are **5 s** more. 600 calls. **How many fail?**

# %% gallery="guess = gl.predict(failed=0)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=300)
guess

# %%
for grace in (30, 5):
    world = gl.Cluster.sim(
        3, seed=7, pre_stop=5.0, grace=grace, readiness_delay=1.0, service_time="5s..20s"
    )
    client = world.channel("watch:///greetserver-headless", policy="round_robin")
    load = client.wait_ready(all=True).start(600, every="exponential 100ms", timeout=60.0)
    world.run(seconds=20)
    world.rollout(max_surge=3)
    world.run(seconds=120)
    calls = client.calls(load)
    print(f"{grace:3} s after the SIGTERM: {calls.by_status}")
display(guess.compare({"failed": len(calls) - calls.ok}, cluster=world))
print(client.trace.first(gl.CallEnded, code="UNAVAILABLE").why())

# %% [markdown]
# A call that has begun stays where it is: GOAWAY does not end it, only its own end does, its
# connection's, or the pod's. On a cluster both waits come out of one purse:
# `terminationGracePeriodSeconds` (30 by default) begins with the deletion, and **preStop is part of
# it**. A server has to use it: on SIGTERM, `GracefulStop()` in Go, `Shutdown(deadline)` in C++,
# `server.stop(grace)` in Python.
#
# ## Your turn
#
# 1. `06.zero`: a client that asks DNS, calls all the time, and loses none in a rollout of all three
# pods. Hand in its trace.
# 2. `06.pre-stop`: a client that watches hears of everything 3 s late; all pods are replaced at
# once. How many seconds of preStop are enough, at least?
# 3. `06.purse`: preStop is 20 s, and calls take up to 30 s. How many seconds is
# `terminationGracePeriodSeconds`, at least?

# %%
world = gl.Cluster.sim(3, seed=7, readiness_delay=1.0)
my_client = world.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
my_client.start(3000, every=0.02)
world.run(seconds=10)
world.rollout()
world.run(seconds=60)

gl.check("06.zero", my_client.trace)
gl.check("06.pre-stop", 0)
gl.check("06.purse", 30)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again. `gl.Flow(mine.trace)` plays it.

# %%
target, pre_stop, watch_lag, max_surge = "watch:///greetserver-headless", 1.0, 2.0, 1

sandbox = gl.Cluster.sim(3, seed=7, pre_stop=pre_stop, watch_lag=watch_lag, readiness_delay=1.0)
mine = sandbox.channel(target, policy="round_robin").wait_ready(all=True)
mine.start(300, every=0.1)
sandbox.run(seconds=10)
sandbox.rollout(max_surge=max_surge)
sandbox.run(seconds=30)
gl.plot.lanes(mine.trace, cluster=sandbox)
