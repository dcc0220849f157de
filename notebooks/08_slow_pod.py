# %% [markdown]
# # 8 · A slow pod
#
# In [3 · round_robin](03_round_robin.ipynb) three equal pods had equal turns. Pods are not equal:
# one has a noisy neighbour, a cold cache, an older machine. Who notices? And what becomes of the
# callers?
#
# Next: [9 · A fleet](09_fleet.ipynb)
#
# **SIM** is the load-balancing code in a virtual world, **LOCAL** real processes and real sockets
# on this machine.
#
# ## Fair, and wrong
#
# Two thousand calls come at random, 297 a second: 70 % of what the five pods can do together. The
# client says `round_robin`. Each pod serves two calls at a time; up to twenty wait, and what is
# beyond that is refused. pod-5 is four times as slow as the others. **How many does each pod
# answer, and how many fail?** (SIM)

# %%
import textwrap

import numpy as np
from IPython.display import display

import greetlab as gl


def five_pods(where, milliseconds=20, **options):
    """Five pods, two calls at a time each, at most 20 waiting; pod-5 takes four times as long."""
    time = f"exponential {milliseconds}ms"
    cluster = where(5, seed=7, capacity=2, queue=20, service_time=time, **options)
    cluster.slow("pod-5", f"exponential {3 * milliseconds}ms")
    return cluster


# %% gallery="guess = gl.predict(pod_1=400, pod_2=400, pod_3=400, pod_4=400, pod_5=400)\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=1900, pod_5=50, failed=50)
guess


# %%
def served(policy, where=gl.Cluster.sim, calls=2000, milliseconds=20, load=0.7):
    """The calls of one client of the five pods, and its trace. load: of what they can do."""
    every = f"exponential {milliseconds / (8.5 * load):.3f}ms"
    with (
        five_pods(where, milliseconds, load_reports=True) as cluster,
        cluster.channel("greetserver-headless", policy=policy) as client,
    ):
        client.wait_ready(all=True)
        return client.load(calls, every=every, timeout=2.0), client.trace


in_turn, trace = served("round_robin")
display(guess.compare(in_turn))
gl.plot.queues(trace, title="round_robin: what each pod has to do")

# %% [markdown]
# `round_robin` *sends* each pod the same 400 calls, and never looks at how they fare. pod-5 answers
# not half of its own: its queue fills, its callers wait for about a second, and the rest are
# refused, while four pods have time to spare.
#
# On a cluster: `kubectl top pods` beside the share of requests in your metrics. Equal requests and
# unequal CPU, or one pod with a long queue, is this.
#
# ## Ask who is busy
#
# `least_request` ([gRFC
# A48](https://github.com/grpc/proposal/blob/master/A48-xds-least-request-lb-policy.md)) draws
# twice among the pods for each call, perhaps the same pod, and takes the one with fewer calls in
# flight. The same pods, the same rate. **How many does each pod answer, and how many fail?**

# %% gallery="guess = gl.predict(pod_1=470, pod_2=470, pod_3=470, pod_4=470, pod_5=120)\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=500, pod_2=500, pod_3=500, pod_4=500)
guess

# %%
idler, _ = served("least_request")
guess.compare(idler)

# %% [markdown]
# Calls in flight are what a client sees for itself: a slow pod has more of them, and so it gets
# fewer new ones. No pod has to say anything, and nothing is refused. But it has something to go by
# only under load, where calls overlap and queues build: see "at 2 % load" below.
#
# Others know less, or more: `random` knows nothing; `weighted_round_robin` ([gRFC
# A58](https://github.com/grpc/proposal/blob/master/A58-client-side-weighted-round-robin-lb-policy.md))
# is told by each pod, with its answers, how busy it is (load reports, which the server has to send:
# gRFC A51), and gives turns by that. `blackoutPeriod` (10 s) is how long it does not yet trust a
# new connection's reports, `weightUpdatePeriod` (1 s) how often it makes new weights: both shorter
# here. `choiceCount: 5` draws five times, where two are the default. Below them the same with real
# pods, ten milliseconds a call (**LOCAL**).

# %%
ways = {
    "round_robin": "round_robin",
    "random": "random",
    "weighted_round_robin": {
        "weighted_round_robin": {"blackoutPeriod": "0.5s", "weightUpdatePeriod": "0.1s"}
    },
    "least_request, of 2": "least_request",
    "least_request, of 5": {"least_request": {"choiceCount": 5}},
}
loads = {name: served(policy)[0] for name, policy in ways.items()}
print("                      answered by pod-5   at 2 % load   failed     p50       p99")
for name, calls in loads.items():
    quiet, _ = served(ways[name], load=0.02)
    share, alone = (some.by_pod["pod-5"] / len(some) for some in (calls, quiet))
    p50, p99 = (1e3 * calls.percentile(percent) for percent in (50, 99))
    failed = len(calls) - calls.ok
    print(f"{name:21} {share:17.1%} {alone:13.1%} {failed:8} {p50:6.0f} ms {p99:6.0f} ms")
display(gl.plot.latency(loads, title="70 % load, one pod of five four times as slow"))

real = {
    name: served(ways[name], gl.Cluster.local, calls=400, milliseconds=10)[0]
    for name in ("round_robin", "least_request, of 5")
}
gl.plot.latency(real, title="Real processes: one pod of five four times as slow")

# %% [markdown]
# The medians (p50) differ little, and the tails (p99, what 99 of 100 calls need at most) by a
# factor of six: a slow pod is seen there, and not in the median. By its speed pod-5 would get one
# call in seventeen, 5.9 %. The first column counts what it *answered*, of all calls; what it
# refused stands under failed, so that `round_robin`, which sends it 20 %, shows 9 %. At 2 % load,
# where calls hardly ever overlap, no pod has any in flight, and `least_request` draws one by
# chance; `weighted_round_robin` is told, and knows without load, too.
#
# ## Slower still
#
# Three pods, two calls at a time each as before, and pod-3 takes *ten* times as long: two calls in
# 0.2 s are ten a second. 147 calls a second, 70 % of what the three can do. By its speed pod-3
# would get 4.8 %, 95 of 2,000. Three runs: with turns, with five draws, with two. **In the last,
# how many does each pod answer, and how many fail?** (SIM)

# %% gallery="guess = gl.predict(pod_1=950, pod_2=950, pod_3=100)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=667, pod_2=667, pod_3=666)
guess

# %%
for name in ("round_robin", "least_request, of 5", "least_request, of 2"):
    world = gl.Cluster.sim(3, seed=7, capacity=2, queue=20, service_time="exponential 20ms")
    world.slow("pod-3", "exponential 180ms")
    client = world.channel("greetserver-headless", policy=ways[name]).wait_ready(all=True)
    calls = client.load(2000, every="exponential 6.8ms", timeout=2.0)
    p99 = 1e3 * calls.percentile(99)
    print(f"{name:19} {calls.by_pod}, {len(calls) - calls.ok} failed, p99 {p99:.0f} ms")
guess.compare(calls)

# %% [markdown]
# Two draws have a floor. Of *n* pods both hit the slow one once in n²: of three once in nine, 11 %,
# and then nothing is left to choose. So pod-3 is sent 16 calls a second where it can do ten: its
# queue fills, as it does with turns, though more slowly (those send it a third: 49). Two draws
# cannot be enough where the whole rate ÷ n² is more than the slow pod can do, and want some room
# below that. (Of the five pods above it is 4 %, 12 calls a second, where pod-5 can do 25.) Five
# draws all hit it once in 3⁵ = 243. (A pod that refuses what does not fit does not look idle: it
# has 22 calls.)
#
# Stock gRPC knows these policies by other names, and not everywhere (the lab takes either name; in
# these versions none needs an environment variable):
#
# | in a service config | C++, Python (1.85) | Go (1.85) | Java |
# |---|---|---|---|
# | `least_request_experimental` | no | import `balancer/leastrequest` | `grpc-xds` |
# | `weighted_round_robin` | yes (1.51: no) | import `balancer/weightedroundrobin` | `grpc-xds` |
# | `outlier_detection_experimental` | yes | import `xds` | `grpc-util` |
#
# `random` is the lab's own, to compare with.
#
# ## A broken pod is a fast pod
#
# Now four pods take 20 ms, and pod-5 fails each call at once. Twenty calls at a time, two thousand
# in all, with `least_request`. With turns, 400 would fail. **How many fail?**

# %% gallery="guess = gl.predict(failed=400)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=100)
guess


# %%
def broken(policy):
    """Two thousand calls, twenty at a time, to four pods that work and one that fails at once."""
    cluster = gl.Cluster.sim(5, seed=7)
    for pod in cluster.pods[:4]:
        cluster.slow(pod.name, "exponential 20ms")
    cluster.fail("pod-5", 1.0)
    client = cluster.channel("greetserver-headless", policy=policy).wait_ready(all=True)
    return client.load(2000, 20), client.trace


hole, _ = broken("least_request")
display(guess.compare({"failed": len(hole) - hole.ok}, cluster=gl.Cluster.sim()))
watched = {
    "outlier_detection_experimental": {
        "interval": "0.2s",
        "failurePercentageEjection": {"requestVolume": 10},
        "childPolicy": [{"least_request": {}}],
    }
}
cured, trace = broken(watched)
print(textwrap.fill(str(trace.first(gl.EndpointEjected)), 98))
print("with outlier detection:", len(cured) - cured.ok, "of 2000 failed")

# %% [markdown]
# A pod that fails at once has no calls in flight, so it looks idle, and whoever looks for the idle
# sends it each call for which it is drawn, a black hole: with two draws of five pods 36 %, and
# nearly 90 % where all pods are looked at. Outlier detection ([gRFC
# A50](https://github.com/grpc/proposal/blob/master/A50-xds-outlier-detection.md)) looks every
# `interval` (10 s; here 0.2 s, for all of this is over in two seconds) at how calls ended. With
# `failurePercentageEjection` an endpoint of which more than 85 % failed, of `requestVolume` calls
# or more (50; here 10), is put out for a while: for 30 s, and longer each time. One is begun while
# fewer than 10 % are out, so one always can be; but only where five endpoints or more have had that
# many calls (`minimumHosts`): with three or four pods nobody is ever put out, unless it is told a
# smaller number.
#
# ## Streams never move
#
# A client has 30 streams open, ten on each of three pods, and is told of the endpoints: new pods
# are known within milliseconds. Three pods become five. An hour later, **how many of the 30 streams
# does each of the five pods have?**

# %% gallery="guess = gl.predict(pod_1=6, pod_2=6, pod_3=6, pod_4=6, pod_5=6)\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=15, pod_2=15)
guess

# %%
world = gl.Cluster.sim(3, seed=7)
client = world.channel("watch:///greetserver-headless", policy="round_robin")
client.wait_ready(all=True)
for pod in world.pods:
    world.slow(pod.name, 2 * 3600.0)  # a call that lasts for two hours is as good as a stream
streams = client.start(30, 30, timeout=1e5)
world.run(seconds=1)
for pod in world.pods:
    world.slow(pod.name, 0)
world.scale(5)
unary = client.load(3600, every=1.0)
print("3,600 short calls meanwhile:", unary.by_pod)
world.run(seconds=2 * 3600)
guess.compare(client.calls(streams))

# %% [markdown]
# A call is picked once, when it begins, and stays on its connection until it ends; only new calls
# can go to new pods. So long streams need an end of their own: the server closes them now and then
# and the client opens them again, or `MAX_CONNECTION_AGE` **with** a `MAX_CONNECTION_AGE_GRACE`,
# for without the grace an aged connection waits for its streams for ever (gRFC A9).
#
# ## The 101st call
#
# One connection to one real pod, 150 calls **at once**, each of which takes 0.2 s. The pod
# serves any number at a time, but allows 100 streams on a connection (`MAX_CONCURRENT_STREAMS`), as
# HAProxy and ASP.NET do; gRPC's C++ and Python servers set none unless told. **How many calls take
# 0.4 s instead?** (LOCAL)

# %% gallery="guess = gl.predict(slower=0)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(slower=150)
guess

# %%
with gl.Cluster.local(3, seed=7) as cluster:
    for pod in cluster.pods:
        cluster.slow(pod.name, 0.2)
    cliff = {}
    for name, service, policy in (
        ("one connection", "greetserver", "pick_first"),
        ("three, round_robin", "greetserver-headless", "round_robin"),
    ):
        with cluster.channel(service, policy=policy, seed=7) as client:
            cliff[name] = client.wait_ready(all=True).load(150, 150)
    slower = int(np.count_nonzero(cliff["one connection"].latency_ns > 0.39e9))
    display(guess.compare({"slower": slower}, cluster=cluster))
gl.plot.latency(cliff, title="150 calls at once, 100 streams on a connection")

# %% [markdown]
# The 101st call has been picked for its connection, and waits in the client until one of the
# hundred there has ended, and the pod never hears of it: its own metrics are flat, and only callers
# see the step (in the trace, `StreamAwaited`). (In SIM a pod takes any number, unless
# `max_concurrent_streams` is given.) More connections are the cure: more pods to choose from, or
# more channels (in C++ and Python each with a channel argument of its own, or they share one
# connection) ([performance guide](https://grpc.io/docs/guides/performance/)).
#
# ## Your turn
#
# 1. `08.tail`: the first cell's five pods, 2,000 calls at that rate. Hand in calls of which none
# failed, and whose p99 is at most 200 ms.
# 2. `08.black-hole`: 2,000 calls, and pod-5 fails each that it gets. Hand in calls of which at most
# 5 % failed.
# 3. `08.streams`: 12 streams are open on three pods, `round_robin`, endpoints watched, and then
# there are six pods. How many of the twelve move?

# %%
my_calls, _ = served("round_robin")
my_broken, _ = broken("least_request")

gl.check("08.tail", my_calls)
gl.check("08.black-hole", my_broken)
gl.check("08.streams", 6)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again.

# %%
pods, capacity, slower_by, policy, rate = 5, 2, "exponential 60ms", "least_request", 297

sandbox = gl.Cluster.sim(pods, seed=7, capacity=capacity, queue=20, service_time="exponential 20ms")
sandbox.slow("pod-2", slower_by)
mine = sandbox.channel("greetserver-headless", policy=policy).wait_ready(all=True)
mine.load(2000, every=f"exponential {1e3 / rate}ms")
gl.plot.queues(mine.trace)
