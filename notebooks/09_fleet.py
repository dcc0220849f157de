# %% [markdown]
# # 9 · A fleet
#
# Until now there was one client. A company has hundreds, and each chooses for itself, without a
# word to the others. What do they do together? And at the end: write a policy of your own, and have
# it judged.
#
# **SIM** is the load-balancing code in a virtual world, where a hundred clients cost a second.
# **LOCAL** is real processes and real sockets on this machine.

# %%
import math
import random
import time
from collections import Counter

import numpy as np
from IPython.display import display

import greetlab as gl

# %% [markdown]
# ## The luck of a ClusterIP
#
# 300 clients, 100 pods, a ClusterIP, and gRPC's defaults: each client has one connection, and
# kube-proxy draws a pod for it. Three to a pod, on average. **How many of the pods have no client
# at all, and how many clients has the busiest one?**

# %% gallery="guess = gl.predict(idle=0, busiest=5)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(idle=50, busiest=3)
guess

# %%
world = gl.Cluster.sim(100, seed=7)
clients = [world.channel("greetserver") for _ in range(300)]
loads = [client.start(1) for client in clients]
world.run(seconds=1)
pods = Counter(event.pod for event in world.trace.of(gl.CallEnded))
has = Counter(pods.values()) + Counter({0: 100 - len(pods)})
print("clients   pods that have so many")
for n in range(max(has) + 1):
    chance = 100 * math.comb(300, n) * 0.01**n * 0.99 ** (300 - n)  # binomial
    print(f"{n:7} {has[n]:6}   {chance:4.1f} by chance   {'█' * has[n]}")
guess.compare({"idle": has[0], "busiest": max(has)}, cluster=world)

# %% [markdown]
# Chance is not even: of 100 pods some 5 stay empty on average, a hundred times 0.99³⁰⁰. How many
# clients a pod has is binomial: clients ÷ pods on average, 3, and a standard deviation of about the
# square root of that, 1.7; the busiest of a hundred pods is two or three of these above. So the
# unevenness is √(pods ÷ clients) of a pod's share: 58 % here, and 6 % with 30,000 clients. These
# clients keep their connections, and with more *requests* nothing evens out, for they go where the
# connection goes.
#
# ## All to all
#
# So let each of 100 clients be connected to each of 100 pods: headless, `round_robin`. **How many
# connections are open?**

# %% gallery="guess = gl.predict(connections=200)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(connections=100)
guess


# %%
def fleet(policy):
    """100 clients, 100 pods, 20 calls of each client: connections, and calls by pod."""
    world = gl.Cluster.sim(100, seed=7)
    clients = [world.channel("greetserver-headless", policy=policy) for _ in range(100)]
    for client in clients:
        client.start(20, every=0.05)
    world.run(seconds=5)
    pods = Counter(event.pod for event in world.trace.of(gl.CallEnded))
    return len(world.trace.of(gl.Connected)), pods


subset = {"random_subsetting": {"subsetSize": 10, "childPolicy": [{"round_robin": {}}]}}
for name, policy in {"a subset of ten": subset, "all to all": "round_robin"}.items():
    opened, pods = fleet(policy)
    print(f"{name:16} {opened:6} connections; 20 calls a pod on average, ", end="")
    print(f"{min(pods.values())} to {max(pods.values())}")
guess.compare({"connections": opened}, cluster=gl.Cluster.sim())

# %% [markdown]
# Clients times pods: each pod holds a hundred connections, and most of them are idle.
# `random_subsetting` ([gRFC
# A68](https://github.com/grpc/proposal/blob/master/A68-random-subsetting.md)) gives each client
# ten pods, chosen by a hash (so where one pod goes, only those that had it take another in its
# place), a tenth of the connections, and shares less evenly: how many clients chose a pod is luck
# again, 10 ± 3 here. (All to all it is where each client's twenty calls begin that is luck.) In a
# service config of stock gRPC it is called `random_subsetting_experimental`; Go (in 1.85, with an
# import of `balancer/randomsubsetting`) and Java (since 1.78) have it, C++ and Python do not.
#
# ## All start at once
#
# A release restarts 200 clients; each is connected to ten pods and makes its first call in the same
# moment. Pods serve 4 calls at a time, 20 more wait. Here is a policy that takes
# turns, in the order of the addresses, from the first. **How many of the 200 first calls are
# answered?**

# %% gallery="guess = gl.predict(answered=200)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(answered=100)
guess


# %%
class FromTheFirst(gl.Policy):
    """Turns, and all begin with the same pod."""

    def __init__(self):
        self.at = -1

    def pick(self, ready, call):
        self.at += 1
        return sorted(ready, key=lambda one: one.address)[self.at % len(ready)]


def first_calls(policy):
    world = gl.Cluster.sim(10, seed=7, capacity=4, queue=20, service_time=0.01)
    clients = [world.channel("greetserver-headless", policy=policy) for _ in range(200)]
    for client in clients:
        client.wait_ready(all=True)
    loads = [client.start(1) for client in clients]
    world.run(seconds=5)
    calls = [client.calls(load) for client, load in zip(clients, loads, strict=True)]
    pods = Counter(one[0].pod for one in calls if one.ok)
    name, counts = getattr(policy, "__name__", policy), pods.values()
    each = f"{min(counts)} to {max(counts)} each"
    print(f"{name:12} {sum(counts):3} answered, by {len(pods)} pods, {each}")
    return sum(counts)


answered = first_calls(FromTheFirst)
first_calls("round_robin")
guess.compare({"answered": answered}, cluster=gl.Cluster.sim())

# %% [markdown]
# What is fair for one client can be a flood from all: 24 fit, and 176 are refused, while nine pods
# are idle. gRPC's `round_robin` begins at a random place (Go, and C++ since 1.54, with each new
# picker, Java once a channel): or the first pods of a list that all have in the same order (a
# watch's, say) would be favoured, by all clients at once and at every change. (C++ and Python
# before 1.54 draw with a `rand()` that nobody seeds: processes that have just started all draw the
# same.)
#
# ## All end at once
#
# 100 clients of 20 pods, started together, 2,000 connections, and `MAX_CONNECTION_AGE` is 60 s. On
# average 33 connections end in a second. gRPC varies each age by ± 10 %. **How many are opened
# again in the busiest second of the second minute?**

# %% gallery="guess = gl.predict(reconnects=33)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(reconnects=2000)
guess

# %%
world = gl.Cluster.sim(20, seed=7, max_connection_age=60.0)
for _ in range(100):
    world.channel("greetserver-headless", policy="round_robin").start(620, every=1.0)
world.run(seconds=620)
opened = world.trace.of(gl.Connected).seconds
seconds = np.histogram(opened, np.arange(601))[0].reshape(10, 60)
print("minute   opened   in its busiest second")
for minute, each in enumerate(seconds[1:], start=2):
    print(f"{minute:6} {each.sum():8} {each.max():12} {'█' * (int(each.max()) // 8)}")
failed = len(world.trace.of(gl.CallEnded)) - len(world.trace.of(gl.CallEnded, code="OK"))
print(failed, "calls failed")
guess.compare({"reconnects": int(seconds[1].max())}, cluster=world)

# %% [markdown]
# They were born together, and end nearly together: the ± 10 % (gRFC A9; evenly, 54 to 66 s) spread
# them a little more each minute. Each reconnect is a TLS handshake, too, where there is TLS. A
# longer age, and clients that do not all start in one moment, are what helps.
#
# ## How much is a fleet?
#
# An honest figure of this machine, now: one client, a hundred pods, 64 calls at a time, each
# through the very code that the real channel runs, and without a trace.

# %%
world = gl.Cluster.sim(100, seed=7, trace_capacity=0)
client = world.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
begun = time.perf_counter()
many = client.load(300_000, 64)
took = time.perf_counter() - begun
print(f"{many.ok:,} calls in {took:.2f} s: ten million would take {1e7 * took / len(many):.0f} s")

# %% [markdown]
# ## Your own policy
#
# `pick` is given the READY connections: each has an `address`, a `number`, and how many calls are
# `in_flight`. Whatever it returns gets the call. This one works in both worlds; here are real
# processes that take 2 ms a call, and one of them 20 ms more. 300 calls, six at a time. **How many
# does each pod answer?** (LOCAL)

# %% gallery="guess = gl.predict(pod_1=130, pod_2=40, pod_3=130)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=100, pod_2=100, pod_3=100)
guess


# %%
class Fewest(gl.Policy):
    """The fewest calls in flight; of those, any."""

    def pick(self, ready, call):
        return min(ready, key=lambda one: (one.in_flight, random.random()))


with gl.Cluster.local(3, seed=7, service_time=0.002) as cluster:
    cluster.slow("pod-2", 0.02)
    with cluster.channel("greetserver-headless", policy=Fewest, seed=7) as client:
        mine = client.wait_ready(all=True).load(300, 6)
display(guess.compare(mine))
gl.plot.requests(mine, title="A policy in four lines, on real sockets")

# %% [markdown]
# It never was told who is slow: a slow pod is one whose calls are still out.
#
# ## Your turn
#
# Five challenges; hand in the class. Each is judged in ten worlds, of ten seeds, and the sentence
# says in which one it went wrong.
#
# 1. `09.chance`: each call goes to any of the pods, by chance.
# 2. `09.turns`: each pod in its turn; and not all clients begin alike.
# 3. `09.fewest`: always one with the fewest calls in flight.
# 4. `09.speed`: the pod at 10.244.0.4:50051 is half as fast as the two others, and gets half as
# many calls as each of them. (DNS shuffles its answers.)
# 5. `09.silent`: a pod's machine is lost and its connection stays READY. At most 2 % of the calls
# fail, and both others work.


# %%
class Mine(gl.Policy):
    def pick(self, ready, call):
        return ready[0]


gl.check("09.chance", Mine)
gl.check("09.turns", Mine)
gl.check("09.fewest", Mine)
gl.check("09.speed", Mine)
gl.check("09.silent", Mine)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again. `gl.Flow(mine.trace)` plays it.

# %%
clients, pods, policy, calls, seed = 20, 5, Mine, 30, 7

sandbox = gl.Cluster.sim(pods, seed=seed, capacity=4, queue=20, service_time="exponential 20ms")
sandbox.slow("pod-2", 0.04)
for _ in range(clients):
    mine = sandbox.channel("greetserver-headless", policy=policy)
    mine.start(calls, every="exponential 50ms")
sandbox.run(seconds=10)
gl.plot.queues(sandbox.trace)
