# %% [markdown]
# # 4 · More pods, fewer pods
#
# In [3 · round_robin](03_round_robin.ipynb) three pods share the work. Now there will be five, and
# then one dies. Who tells the client? When? What do its callers see?
#
# Next: [5 · Being told](05_being_told.ipynb)
#
# The first part runs on real processes (**LOCAL**). Where an hour has to pass it is the same
# load-balancing code in a virtual world (**SIM**), where an hour costs milliseconds.

# %%
import random
from statistics import mean

from IPython.display import display

import greetlab as gl

cluster = gl.Cluster.local(pods=3, seed=7)
client = cluster.channel("greetserver-headless", policy="round_robin", seed=7)
client.wait_ready(all=True).greet("Ada", times=60).by_pod

# %% [markdown]
# ## Three pods become five
#
# The Deployment is scaled up: `kubectl scale deployment greetserver-deploy --replicas=5`. Both new
# pods are ready. The same client makes sixty more requests. **How many does each pod answer?**

# %% gallery="guess = gl.predict(pod_1=12, pod_2=12, pod_3=12, pod_4=12, pod_5=12)\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=50, pod_2=4, pod_3=3, pod_4=2, pod_5=1)
guess

# %%
cluster.scale(5)
guess.compare(client.greet("Ada", times=60))

# %% [markdown]
# Nothing happens: the new pods get no request at all. Perhaps DNS does not know them yet? On a
# cluster:
#
# ```sh
# kubectl exec dnsutils -- dig +short greetserver-headless.default.svc.cluster.local
# ```

# %%
cluster.lookup("greetserver-headless")

# %% [markdown]
# ## Why?
#
# DNS has all five. So ask the client why its last request went where it went.

# %%
print(client.trace.last(gl.Picked).why())
print()
print(len(client.trace.of(gl.LookupStarted)), "lookup in this client's life")

# %% [markdown]
# Nobody asked. Read the chain from below: one lookup, three connections, one picker. gRPC looks a
# name up for a channel's first call, and again only when a connection has ended or could not be
# made, when a lookup has failed, or after half an hour without calls (C++: since 1.60)
# ([grpc#12295](https://github.com/grpc/grpc/issues/12295)). However many such reasons there are at
# a time, they make one lookup. All three are healthy, so nothing in the chain has a reason to
# change.
#
# ## "But it resolves again every 30 seconds"
#
# That is what many say. Let an **hour** pass after the scale-up, one request a second: 3600 of
# them. **How many does each of the five pods answer?**

# %% gallery="guess = gl.predict(pod_1=720, pod_2=720, pod_3=720, pod_4=720, pod_5=720)\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=3600)
guess


# %%
def an_hour(cooldown):
    """An hour of requests after the scale-up; cooldown: the minimum between two lookups, s."""
    world = gl.Cluster.sim(pods=3, seed=7)
    patient = world.channel("greetserver-headless", policy="round_robin", cooldown=cooldown)
    patient.wait_ready(all=True)
    world.scale(5)
    calls = patient.load(3600, every=1.0)
    lookups = len(patient.trace.of(gl.LookupStarted))
    print(f"at least {cooldown:g} s between lookups: {lookups} lookup, {calls.by_pod}")
    return calls


an_hour(cooldown=1.0)
guess.compare(an_hour(cooldown=30.0))

# %% [markdown]
# The 30 seconds are a minimum between two lookups, not a period
# (`GRPC_ARG_DNS_MIN_TIME_BETWEEN_RESOLUTIONS_MS`). A minimum of 1 s changes nothing either: nobody
# asks. Nor does the TTL: gRPC does not look at it. (Half an hour without calls: then the channel
# goes IDLE, closes its connections, and begins anew with the next call. And where DNS itself does
# not answer, a client goes on with the list that it has.)
#
# ## The cure is on the server
#
# `MAX_CONNECTION_AGE` makes the *server* end each connection in order after some time, ± 10 %,
# evenly spread: of 60 s anything from 54 to 66 ([gRFC
# A9](https://github.com/grpc/proposal/blob/master/A9-server-side-conn-mgt.md); gRFCs are gRPC's
# design documents). It sends a GOAWAY: no new calls on this connection, and those in flight are
# still answered. (One that crosses it on the wire is served, too: a first GOAWAY takes every
# stream, a PING tells when the client has seen it, and a second one says which call was the last. A
# call after that, which nobody looked at, gRPC sends again, elsewhere. One exception, where the
# server's process ends as well, is in notebook 6.) The client connects again, and looks up again.
# How long do new pods wait, at several ages and *cooldowns* (the least time between two lookups)?
# Each setting runs twenty times, with the scale-up at another moment each time.


# %%
def waited(age, cooldown, seed):
    """Seconds until a new pod's first request; connections, DNS queries and failed calls."""
    world = gl.Cluster.sim(pods=3, seed=seed, max_connection_age=age)
    client = world.channel("greetserver-headless", policy="round_robin", cooldown=cooldown)
    client.load(300 + random.Random(seed).randrange(300), every=1.0)
    world.scale(5)
    scaled = world.seconds
    calls = client.load(2000, every=0.2)
    found = client.trace.of(gl.CallEnded, pod="pod-4").seconds
    opened, queries = (len(client.trace.of(kind)) for kind in (gl.Connected, gl.QueryAnswered))
    return (found[0] - scaled if len(found) else None), opened, queries, len(calls) - calls.ok


settings = [(None, 30), (None, 1), (300, 30), (60, 30), (30, 30), (10, 30), (10, 1)]
runs = {}
print("a run (some 14 minutes), on average   connections   DNS queries   failed calls")
for age, cooldown in settings:
    name = f"{f'age {age} s' if age else 'no age'}, cooldown {cooldown} s"
    runs[name] = [waited(age, cooldown, seed) for seed in range(20)]
    _, opened, queries, failed = zip(*runs[name], strict=True)
    print(f"{name:34} {mean(opened):13.0f} {mean(queries):13.0f} {mean(failed):14.0f}")
gl.plot.waits(
    {name: [run[0] for run in several] for name, several in runs.items()},
    world="SIM",
    title="From the scale-up to the new pod's first request",
    never="never, in 400 s",
)

# %% [markdown]
# A new pod waits until a connection ends *and* the cooldown is over. Each of three connections ends
# once in an age. Spread evenly, ends come age ÷ 3 apart, and lookups as far apart as the larger of
# that and the cooldown. (At 300 s they are not: all three were opened at once, and still end nearly
# together: so the wait above is twice what that promises, and more.) With a cooldown of
# 30 s, ages of 60, 30 and 10 s come to nearly the same: all wait for some 15 s on average, half of
# the cooldown. There a shorter age only costs connections, and a shorter cooldown helps.
# (Notebook 5 measures that rule, and where it promises too much.) No call fails. For one
# client with `pick_first` on a ClusterIP the same age is no cure: each new connection draws a pod
# anew, and until it ends that pod has all of the client's calls. (Many such clients do reach the
# new pods by it, each by luck.)
#
# On a cluster: `GRPC_ARG_MAX_CONNECTION_AGE_MS` on the server, in Go
# `keepalive.ServerParameters{MaxConnectionAge: …}`.
#
# ## A pod is killed
#
# Twenty requests a second for a minute: 1200. Each takes a pod 0.3 s. After 20 s pod-2 is killed
# (SIGKILL), and its connection is reset. **How many does each pod answer, and how many fail?**

# %% gallery="guess = gl.predict(pod_1=400, pod_2=133, pod_3=400, failed=267)\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=1200, failed=0)
guess


# %%
def without(how, pod="pod-2"):
    """A minute of requests; after 20 s the pod goes. how: what happens to it, such as "kill"."""
    world = gl.Cluster.sim(pods=3, seed=7)
    for each in world.pods:
        world.slow(each.name, 0.3)
    client = world.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    load = client.start(1200, every=0.05, timeout=1.0)
    world.run(seconds=20)
    getattr(world, how)(pod)
    world.run(seconds=45)
    return client, client.calls(load)


killed, calls = without("kill")
print(calls.by_status)
display(guess.compare(calls))
gl.plot.states(killed.trace, title="pod-2 is killed after 20 s: who notices when")

# %% [markdown]
# The client notices at once, for the connection breaks: only the calls in flight on it fail
# (UNAVAILABLE), and the picker goes on with the other two. It asks for a lookup at once, too, and
# gets it when 30 s have passed since the last. (Java forgets who asks sooner: there the next end,
# or the next failed attempt, after the 30 s has it.) Until then `round_robin` dials the dead
# address again and again, with backoff: it waits a second, and longer each time. (`pick_first`
# would be IDLE, and dial for the next call.) Only the answer takes pod-2 off its list.
#
# (An address that refuses from the very start is treated alike: no call goes there, and it is
# dialled again and again.) On a cluster: a SIGKILL on the node (lab 4). `kubectl delete pod POD
# --grace-period=0 --force` is none: SIGTERM still comes first, and a server that hears it says
# GOAWAY. How much gentler that is, is an exercise below.
#
# ## A pod falls silent
#
# On a real cluster a machine that dies resets nothing: its packets vanish. One word
# changes. **How many calls fail now?**

# %% gallery="guess = gl.predict(failed=6)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(failed=1200)
guess

# %%
lost, silent = without("lose")
display(guess.compare({"failed": len(silent) - silent.ok}, cluster=gl.Cluster.sim()))
gl.plot.requests(calls, silent, title="pod-2 is killed (above); pod-2's machine is lost (below)")

# %% [markdown]
# Silence is worse than death: the connection stays READY, and every third call waits for its
# deadline. Nothing breaks, so nothing asks DNS. So it goes on until TCP gives up what nobody
# acknowledges: after about 948 s here (Linux: 924.6 s at least); where nothing is being sent,
# never, or after two hours and more by TCP's own keepalive (Go's and Java's gRPC have it on, C++'s
# has not). Keepalive notices sooner ([gRFC
# A8](https://github.com/grpc/proposal/blob/master/A8-client-side-keepalive.md)). While a call is
# open, and a server has been silent for `keepalive_time`, the client asks with a PING, and where no
# answer comes within `keepalive_timeout`, 20 s, it takes it for dead: with `keepalive_time=10.0`,
# 30 s after the last word (notebook 7 has C++'s exceptions). Where calls are being sent, as here,
# it is the timeout alone, 20 s, for it limits TCP's patience, too (on Linux; in Java with Netty's
# epoll; notebook 7 runs it). An attempt to connect to such an address takes 20 s to fail, later as
# long as its backoff (in Java, with Netty, always 30 s). Clients send no keepalive PING unless told
# to, and the server has to agree: one of gRPC's that is asked again within 5 minutes (two hours,
# where no call is open), and has sent nothing meanwhile, soon says `too_many_pings` and hangs up.
# On loopback a dead pod always refuses at once: this one needs the sim.
#
# ## Your turn
#
# 1. `04.new-pods`: three pods become five, and both new ones get a request within 60 s. Hand in
# the client's trace.
# 2. `04.the-hour`: how often does a healthy `round_robin` channel look its name up in an hour?
# 3. `04.goodbye`: a pod leaves while calls are in flight, and none fails. Hand in the client's
# trace.

# %%
world = gl.Cluster.sim(pods=3, seed=7)
my_client = world.channel("greetserver-headless", policy="round_robin")
my_client.load(60, every=1.0)
world.scale(5)
my_client.load(120, every=1.0)

gl.check("04.new-pods", my_client.trace)
gl.check("04.the-hour", 120)
gl.check("04.goodbye", without("kill")[0].trace)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again. `gl.Flow(mine.trace)` plays it. Below it is the
# same world in the playground: there its levers are buttons, and a pod dies by a click.

# %%
# endpoint_lag: for how many seconds a pod that is gone stays listed, and so in DNS
sandbox = gl.Cluster.sim(pods=3, seed=7, max_connection_age=60.0, endpoint_lag=5.0)
mine = sandbox.channel("greetserver-headless", policy="round_robin", cooldown=30.0)
mine.start(600, every=0.5)
sandbox.run(seconds=60)
sandbox.scale(5)
sandbox.run(seconds=120)
sandbox.kill("pod-1")
sandbox.run(seconds=120)
gl.plot.lanes(mine.trace, cluster=sandbox)

# %%
gl.Playground(sandbox)
