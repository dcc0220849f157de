# %% [markdown]
# # 7 · Again
#
# A call has failed: make it again? Most of the time that is the cure, and when it matters most it
# is the disease. This notebook tries again, tries too often, and tries twice at once; and asks how
# one knows that a pod is unwell before it fails a call.
#
# Next: [8 · A slow pod](08_slow_pod.ipynb)
#
# **LOCAL** is real processes and real sockets on this machine, **SIM** the same load-balancing code
# in a virtual world.
#
# ## Once more
#
# pod-2 is broken: it fails each call with UNAVAILABLE. 300 calls of `round_robin`, and 100 of them
# fail. A `retryPolicy` ([gRFC
# A6](https://github.com/grpc/proposal/blob/master/A6-client-retries.md)) in the service config, the
# JSON that tells a client its policy and more, allows four attempts a call. **How many attempts are
# made for the 300 calls?** (LOCAL)

# %%
import textwrap

from IPython.display import display

import greetlab as gl


def config(**more):
    """A service config: round_robin, and what is said of every method."""
    throttling = {"retryThrottling": more.pop("budget")} if "budget" in more else {}
    methods = [{"name": [{}], **more}]  # an empty name in the list: every method
    return {
        "loadBalancingConfig": [{"round_robin": {}}],
        "methodConfig": methods,
        **throttling,
    }


cluster = gl.Cluster.local(pods=3, seed=7)
cluster

# %% gallery="guess = gl.predict(attempts=400)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(attempts=1200)
guess

# %%
retry = {
    "maxAttempts": 4,
    "initialBackoff": "0.002s",
    "maxBackoff": "1s",
    "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}
cluster.fail("pod-2", 1.0)
for name, methods in {"once": {}, "again": {"retryPolicy": retry}}.items():
    told_it = config(**methods)
    with cluster.channel("greetserver-headless", service_config=told_it, seed=7) as client:
        calls = client.wait_ready(all=True).load(300, 1)
        attempts = len(client.trace.of(gl.Picked))
    print(f"{name:6} {attempts} attempts for 300 calls, {calls.by_status}")
cluster.fail("pod-2", 0)
guess.compare({"attempts": attempts}, cluster=cluster)

# %% [markdown]
# No call fails. Every attempt takes the next turn: pod-1 answers, pod-2 fails, pod-3 answers the
# second attempt. So of two calls one meets pod-2, 300 calls make 450 attempts, and a third of these
# fail. (Where many calls are under way at a time, second attempts meet it, too.)
#
# In the languages: `methodConfig` stands beside `loadBalancingConfig` in the same JSON, and goes
# where notebook 3's table has it. Two traps: an entry whose
# `name` list is empty applies to nothing, and is silently ignored; and only what may be done twice
# may be tried twice.
#
# A retry is for a call that has failed. `wait_for_ready` is for one that has nowhere to go: where
# no pod can be reached, the channel is in TRANSIENT_FAILURE, and a call fails at once with
# UNAVAILABLE; one that is `wait_for_ready` waits for a connection instead, until its deadline.
# Three pods die, and are back after three seconds; a hundred calls begin in five (SIM).

# %%
for waits in (False, True):
    world = gl.Cluster.sim(3, seed=7)
    client = world.channel("greetserver-headless", service_config=config()).wait_ready(all=True)
    for pod in world.pods:
        world.kill(pod.name)
    world.run(seconds=0.1)
    load = client.start(100, every=0.05, timeout=10.0, wait_for_ready=waits)
    world.run(seconds=3)
    for pod in world.pods:
        world.restart(pod.name)
    world.run(seconds=12)
    calls = client.calls(load)
    longest = calls.latency_ns.max() / 1e9
    print(f"wait_for_ready={waits}: {calls.by_status}, the longest took {longest:.1f} s")

# %% [markdown]
# They wait for longer than the pods are away: the client dials again when its *backoff* is over, a
# wait of about 1 s at first, and longer each time. A call without a deadline would wait for ever.
# It is the option for a client that may start before its server, and for jobs; where a person
# waits, an error at once may be the better answer. It does not help a call that is on its way when
# its pod dies: that one has failed, and needs a retry.
#
# ## The storm
#
# Three pods, at 83 % of what they can do together. Each serves four calls at a time (`capacity`),
# ten more wait (`queue`), and what is beyond that is refused (RESOURCE_EXHAUSTED). For three
# seconds, something that they all need makes them four times as slow. The clients try each call up
# to five times: the most that gRPC makes, whatever `maxAttempts` says, unless the client itself has
# raised that bound (A6). There are 6,000 calls. **How many attempts arrive?** (SIM)

# %% gallery="guess = gl.predict(attempts=7500)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(attempts=30000)
guess


# %%
def three_bad_seconds(**methods):
    """6,000 calls, 500 a second; from 4 s to 7 s all three pods are four times as slow."""
    world = gl.Cluster.sim(3, seed=7, capacity=4, queue=10, service_time="exponential 20ms")
    client = world.channel("greetserver-headless", service_config=config(**methods))
    load = client.wait_ready(all=True).start(6000, every="exponential 2ms", timeout=3.0)
    world.run(seconds=4)
    for pod in world.pods:
        world.slow(pod.name, "exponential 60ms")
    world.run(seconds=3)
    for pod in world.pods:
        world.slow(pod.name, 0)
    world.run(seconds=20)
    return client.calls(load), client.trace


def told(name, calls, trace):
    attempts = len(trace.of(gl.Picked))
    worst = max(len(trace.of(gl.Picked).between(s, s + 1)) for s in range(12))
    print(f"{name:10} {attempts:6} attempts, {worst:5} in the worst second, {calls.by_status}")
    return attempts


eager = {
    **retry,
    "maxAttempts": 5,
    "initialBackoff": "0.1s",
    "retryableStatusCodes": ["UNAVAILABLE", "RESOURCE_EXHAUSTED"],
}
told("once", *three_bad_seconds())
storm, trace = three_bad_seconds(retryPolicy=eager)
display(guess.compare({"attempts": told("again", storm, trace)}, cluster=gl.Cluster.sim()))
gl.plot.queues(trace, title="Everybody tries again: what arrives, and is refused")

# %% [markdown]
# When one pod is broken the others have room for its calls; when all are, there is no such room,
# and each failure comes back as up to four more attempts, at the worst moment. Some three hundred
# calls more are answered, for twice the attempts in all, and four times as many in the worst
# second. The cause is over at 7 s: look when the red is.
#
# ## What stops it
#
# `retryThrottling` is a budget: ten tokens (`maxTokens`, and never more); each *attempt* that fails
# with a retryable code costs one, each that succeeds brings a tenth (`tokenRatio`); at half of them
# or fewer nobody tries again. It is shared by all calls to a server's name (A6; in the lab, of a
# channel). Nothing else changes. **How many attempts arrive now?**

# %% gallery="guess = gl.predict(attempts=8000)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(attempts=15000)
guess

# %%
budget = {"maxTokens": 10, "tokenRatio": 0.1}
calm, trace = three_bad_seconds(retryPolicy=eager, budget=budget)
attempts = told("a budget", calm, trace)
print(textwrap.fill(str(trace.first(gl.RetryRefused)), 98))
guess.compare({"attempts": attempts}, cluster=gl.Cluster.sim())

# %% [markdown]
# The budget is spent in the first moments of trouble, and the storm never begins: of 6,021 attempts
# 21 are second ones. Five failures bring ten tokens down to half. The count falls on, to 0 and no
# lower, and from there 51 successes bring it above 5 again: at 500 calls a second that is a tenth
# of a second after the trouble, and at one call a minute the better part of an hour. A single
# broken pod's calls are tried again as long as 1 ÷ `tokenRatio` attempts succeed for each that
# fails, ten here: one of eleven pods or more, and not one of three (pods - 1, times `tokenRatio`,
# has to be 1 at least). A server can say it, too, in the metadata of a failed answer:
# `grpc-retry-pushback-ms` is how long to wait; below zero: do not try again. Without a budget,
# retries are safe only where overload is impossible.
#
# ## Twice at once
#
# Five pods take 10 ms, one of them 300 ms more. A `hedgingPolicy` does not wait for a failure: no
# answer after 50 ms, and the call is sent a second time, wherever the policy picks; the first
# answer wins (A6; in Java, .NET and Node, not in C++ or Go). A thousand calls.
# **For how many is a second one sent?**

# %% gallery="guess = gl.predict(hedges=200)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(hedges=1000)
guess

# %%
hedging = {"maxAttempts": 2, "hedgingDelay": "0.05s", "nonFatalStatusCodes": ["UNAVAILABLE"]}
loads = {}
for name, methods in {"once": {}, "hedged": {"hedgingPolicy": hedging}}.items():
    world = gl.Cluster.sim(5, seed=7, service_time="exponential 10ms")
    world.slow("pod-2", "exponential 300ms")
    client = world.channel("greetserver-headless", service_config=config(**methods))
    loads[name] = client.wait_ready(all=True).load(1000, every="exponential 10ms")
    hedges = len(client.trace.of(gl.HedgeStarted))
display(guess.compare({"hedges": hedges}, cluster=world))
gl.plot.latency(loads, title="One slow pod of five: once, or hedged after 50 ms")

# %% [markdown]
# Some 18 % more calls bring p99, what 99 of 100 calls need at most, down to a quarter, and no
# lower: a hedge is picked like any other call, so every fifth of them meets the slow pod, too.
# Hedges are load as well; the same budget holds for them.
#
# ## How do you feel?
#
# A pod can say NOT_SERVING long before it fails. pod-2's health does so now. Its readiness probe
# finds out, and DNS drops it. The client has its connections. Sixty calls. **How many does each pod
# answer?** (LOCAL)

# %% gallery="guess = gl.predict(pod_1=30, pod_2=0, pod_3=30)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=50, pod_2=5, pod_3=5)
guess

# %%
plain = cluster.channel("greetserver-headless", service_config=config(), seed=7)
checking = cluster.channel(
    "greetserver-headless",
    service_config={**config(), "healthCheckConfig": {"serviceName": ""}},
    seed=7,
)
for client in (plain, checking):
    client.wait_ready(all=True)
cluster.set_serving("pod-2", False)
deaf, hearing = plain.greet(times=60), checking.greet(times=60)
print(checking.trace.last(gl.HealthReported))
display(guess.compare(deaf))
gl.plot.requests(deaf, hearing, title="Told nothing (above); with healthCheckConfig (below)")

# %% [markdown]
# Readiness changes the list of endpoints: who watches that (notebook 5) calls the pod no more. But
# a client that is connected asks DNS nothing: the pod goes on running, and no connection ends.
# (*Liveness* is the other probe: where it fails, the container is killed and started anew, at the
# same address, and all connections end with it.) With `healthCheckConfig` ([gRFC
# A17](https://github.com/grpc/proposal/blob/master/A17-client-side-health-checking.md)) it keeps a
# call open to each pod's health service (`grpc.health.v1.Health/Watch`), and hears within a
# message's time; `pick_first` ignores it, a server without that service counts as healthy, and
# nothing happens in Go unless the program imports `google.golang.org/grpc/health`, nor in Java
# unless `grpc-services` is on its class path. By hand: `grpcurl -plaintext POD:50051
# grpc.health.v1.Health/Check`.
#
# ## Silence
#
# A pod's machine is lost: no reset, no packet, nothing. Ten calls a second, with a deadline of 1 s
# each; without keepalive this lasts until TCP gives up after a quarter of an hour. With
# `keepalive_time=10` the client asks after 10 s of silence (a PING), and 20 s (`keepalive_timeout`)
# without an answer, or without a receipt for what it sent, are the end. **How many calls fail?**
# (SIM)

# %% gallery="guess = gl.predict(failed=100)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=1)
guess


# %%
def silent(keepalive_time):
    """20 minutes of calls; after 20 s pod-2's machine is lost."""
    world = gl.Cluster.sim(3, seed=7)
    client = world.channel(
        "greetserver-headless", policy="round_robin", keepalive_time=keepalive_time
    )
    load = client.wait_ready(all=True).start(12_000, every=0.1, timeout=1.0)
    world.run(seconds=20)
    world.lose("pod-2")
    world.run(seconds=1300)
    calls = client.calls(load)
    print(f"keepalive_time={keepalive_time:g}: {len(calls) - calls.ok} of {len(calls)} failed")
    return len(calls) - calls.ok, client.trace


silent(0.0)
failed, trace = silent(10.0)
print(trace.first(gl.ConnectionLost))
world = gl.Cluster.sim(3, seed=7)  # and a client that overdoes it
eager_one = world.channel(
    "greetserver-headless", keepalive_time=10.0, keepalive_without_calls=True
).wait_ready()
world.run(seconds=60)
print(textwrap.fill(str(eager_one.trace.first(gl.GoAwayReceived)), 98))
guess.compare({"failed": failed}, cluster=world)

# %% [markdown]
# Every third call fails for twenty seconds: `keepalive_timeout` is also TCP's limit for what nobody
# acknowledges ([gRFC A18](https://github.com/grpc/proposal/blob/master/A18-tcp-user-timeout.md); on
# Linux, and in Java with Netty's epoll), and here it is faster than the PING, which is for
# connections that are quiet, such as one with a stream on which nobody speaks: it is found dead
# after `keepalive_time` and `keepalive_timeout`, 30 s. (That is Go's and Java's way, and this
# lab's. C++ and Python, when they have sent two PINGs and no data, send one a minute, and 1.51
# none, unless `grpc.http2.max_pings_without_data` is 0; and 1.85 waits 60 s, not 20, where a
# machine still acknowledges and only the process is silent.) Without keepalive it never is, or by
# TCP's own, after two hours and more (notebook 4). Where no call is in flight a client sends no
# PING, unless it is told to (`keepalive_without_calls`, as the second one above is). Ten seconds is
# the least that A8, Go and Java let a client ask for (C++ and Python take less), and a server has
# to agree: one that is pinged too often (by default it allows one in 5 minutes while calls are open
# and no data goes between, and one in two hours where none is) hangs up with `too_many_pings`, and
# the client doubles its interval.
#
# ## Your turn
#
# 1. `07.config`: write a service config (JSON) that tries UNAVAILABLE again, every method, at most
# three attempts, with a budget.
# 2. `07.attempts`: `maxAttempts` is 10. How many attempts does gRPC make of a call, at most?
# 3. `07.silence`: a pod's machine is lost while calls are made, and twenty minutes later no more
# than 100 have failed. Hand in the client's trace.

# %%
my_config = '{"methodConfig": [{"name": [], "retryPolicy": {"maxAttempts": 3}}]}'
_, my_trace = silent(0.0)

gl.check("07.config", my_config)
gl.check("07.attempts", 10)
gl.check("07.silence", my_trace)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again. `gl.Flow(mine.trace)` plays it.

# %%
fails, code, attempts, tokens = 0.3, "UNAVAILABLE", 3, 10

sandbox = gl.Cluster.sim(3, seed=7, capacity=4, queue=10, service_time="exponential 20ms")
sandbox.fail("pod-2", fails, code)
mine = sandbox.channel(
    "greetserver-headless",
    service_config=config(
        retryPolicy={**retry, "maxAttempts": attempts, "retryableStatusCodes": [code]},
        budget={"maxTokens": tokens, "tokenRatio": 0.1},
    ),
)
mine.load(500, every="exponential 4ms")
gl.plot.queues(mine.trace)
