# %% [markdown]
# # 5 · Being told
#
# In [4 · More pods, fewer pods](04_scale.ipynb) a healthy client never asked again, and so never
# met the new pods. Somebody has to tell it. There are four ways: the server ends connections now
# and then (age), the client asks now and then (poll), it is told by the Kubernetes API (watch), or
# by a control plane (xDS). What does each cost, and how long does a new pod wait? All four are run
# here.
#
# Next: [6 · Goodbye](06_goodbye.ipynb)
#
# **LOCAL** is real processes and real sockets on this machine, **SIM** the same load-balancing code
# in a virtual world.
#
# ## Told at once
#
# A client of `watch:///greetserver-headless` asks DNS nothing. It is told of each change of the
# service's endpoints, as the Kubernetes API tells whoever watches EndpointSlices. Three pods become
# five; 300 calls after it. **How many does each pod answer?** (LOCAL)

# %%
import os
import random
import textwrap
from statistics import mean

from IPython.display import display

import greetlab as gl

os.environ["GRPC_VERBOSITY"] = "NONE"  # what gRPC's own log would say is printed in the cells
cluster = gl.Cluster.local(pods=3, seed=7)
cluster

# %% gallery="guess = gl.predict(pod_1=100, pod_2=100, pod_3=100)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=300)
guess

# %%
watching = cluster.channel("watch:///greetserver-headless", policy="round_robin", seed=7)
asks_dns = cluster.channel("greetserver-headless", policy="round_robin", seed=7)
for client in (watching, asks_dns):
    client.wait_ready(all=True)
cluster.scale(5)
told, not_told = (client.load(300, every=0.001) for client in (watching, asks_dns))
for line in watching.trace.last(gl.Picked).why().splitlines():
    print(textwrap.fill(line, 98, subsequent_indent=21 * " ", break_on_hyphens=False))
display(guess.compare(told))
gl.plot.requests(told, not_told, title="Told (above), and asking DNS (below), after a scale-up")

# %% [markdown]
# Read the chain from below: the endpoints changed, the client was told, took the list, connected
# (CONNECTING, then READY), and the policy has five to choose from. Nothing waits for a connection
# to end. ("Goes on with the list it has for now": in C++, after 1.51, `round_robin` changes over as
# soon as each address of the new list has reported a state, CONNECTING is one, and one of them is
# READY: here at once. Go's and Java's take the new list as it comes, and close what is not on it. A
# new pod joins the turns when it is READY itself, so no call waits for it, nor does one new pod for
# another.)
#
# By hand: `kubectl get endpointslices -l kubernetes.io/service-name=greetserver-headless --watch`.
# In a client: [kuberesolver](https://github.com/sercand/kuberesolver) for Go, and a Role that may
# list and watch `endpointslices`.
#
# ## Told by a control plane
#
# In xDS one server, the *control plane*, tells all clients over a stream that stays open; Istio's,
# for one, has it from a watch of Kubernetes. Here it is a small one, and the client is stock gRPC
# (PyPI's newest), which calls `xds:///greetserver`. Three pods become five once more. **How many
# messages does the control plane push to the client until its first call, and how many later, when
# the two come?** (LOCAL)

# %% gallery="guess = gl.predict(pushes=1, later=1)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pushes=3, later=5)
guess

# %%
try:
    managed = gl.Cluster.local(pods=3, xds=True, seed=7)
except RuntimeError as error:  # such as: pip install 'greetlab[xds]' has the control plane
    managed = None
    print(error)
else:
    with managed, managed.channel("xds:///greetserver", engine="grpcio") as client:
        print("three pods:", client.wait_ready().greet("Ada", times=60).by_pod)
        pushes = len(client.trace.of(gl.XdsExchanged, step="pushed"))
        managed.scale(5)
        print("five pods: ", client.load(300, every=0.001).by_pod)
        later = len(client.trace.of(gl.XdsExchanged, step="pushed")) - pushes
        print(*client.trace.of(gl.XdsExchanged), sep="\n")
        display(guess.compare({"pushes": pushes, "later": later}, cluster=managed))

# %% [markdown]
# A client asks here for four things, one after the other, in Envoy's words:
#
# | | |
# |---|---|
# | LDS | the *listener*: what is to be done with calls of the name `greetserver` |
# | RDS | its *routes*: which calls (by method, by header) go to which cluster |
# | CDS | the *cluster*: not a Kubernetes cluster, but a set of equal servers, with its policy |
# | EDS | its *endpoints*: the pods' addresses |
#
# Each push is acknowledged (ACK), or refused with a reason (NACK). The scale-up is one push of
# endpoints, and the new pods are called at once, as with a watch; but the clients need no rights in
# Kubernetes, and the same protocol brings them routes, weights and outlier detection. It is the
# protocol that Envoys are told in. The price is a control plane to operate.
#
# ## When the teller is away
#
# The control plane dies. Then three pods become five. Then it is back. And the same with
# Kubernetes' API, which these clients cannot reach for a while (the network between, say), and a
# client that really watches there (`k8s:///`; `watch:///` is the lab's short cut past the API).
# Were the API server itself down, nobody could scale anything: then only pods that die change what
# there is. Say it before you run it: who answers the calls meanwhile, do any fail, and
# what does a client get that starts now? (LOCAL)

# %%
xds = managed is not None
shared = gl.Cluster.local(pods=3, xds=xds, seed=7)


def connect(target):
    how = {"engine": "grpcio"} if target.startswith("xds") else {"policy": "round_robin"}
    return shared.channel(target, **how)


def tellers(away):
    shared.api_outage(away)
    if xds:
        shared.control_plane.set_away(away)


targets = ["k8s:///greetserver-headless", *(["xds:///greetserver"] if xds else [])]
clients = {target: connect(target).wait_ready() for target in targets}
tellers(away=True)
shared.scale(5)
for target, client in clients.items():
    print(f"{target}, away: {client.greet('Ada', times=60).by_pod}")
started = {target: connect(target) for target in targets}
for client in started.values():
    refused = f"a client that starts now: {client.greet('Ada').errors[0]}"
    print(textwrap.indent(textwrap.fill(refused, 94), "    "))
tellers(away=False)
for target in targets:
    for who, client in (("before", clients[target]), ("meanwhile", started[target])):
        seen = {}
        while len(seen) < 5:
            seen = client.load(10, every=0.01).by_pod
        print(f"{target}, back; who started {who}: {seen}")
print(textwrap.fill(str(clients[targets[0]].trace.first(gl.EndpointWatchEnded)), 98))
shared.close()

# %% [markdown]
# Who is connected goes by what it was told ([gRFC
# A57](https://github.com/grpc/proposal/blob/master/A57-xds-client-failure-mode-behavior.md) for
# xDS): no call fails, nobody hears of the new pods, and a pod that dies meanwhile is noticed as
# ever, by its connection. Who starts now knows nobody, and its calls fail (UNAVAILABLE). A rollout
# now (the control plane is down, or these clients are cut off) is what must not happen: it leaves
# them with the dead.
#
# Both kinds of clients, those that were connected and those that began meanwhile, dial the teller
# again after a backoff, about 1 s at first and 1.6 times as long each time, as with pods: so both
# recover by themselves, not at the moment when it is back, but with their next attempt. Back, this
# control plane tells them everything anew, LDS, RDS, CDS and EDS (xDS lets one leave out what a
# client has). Kubernetes is asked for what changed since the version that the client has; where
# that is too old it says `410 Gone`, and the client lists anew ([API
# concepts](https://kubernetes.io/docs/reference/using-api/api-concepts/#efficient-detection-of-changes)).
#
# ## What an hour costs
#
# One client, three pods, a call a second for an hour. The servers' `MAX_CONNECTION_AGE` is 60 s.
# Each lookup is two questions here, A and AAAA. (For a short name C++ and Python ask three more,
# for AAAA, and Go four, for TXT, by default: nobody has these, and the whole search list is gone
# through.) **How many questions does it ask DNS in the hour?** (SIM)
#
# Beside it stands a *poll*. Stock gRPC in C++, Python, Go and Java has none (.NET's may: a
# `refreshInterval`): its resolver asks for the first call, when a connection has ended or failed,
# when a lookup failed, and after 30 idle minutes (C++: since 1.60). Who polls makes a new channel
# every so often, here every 60 s, and closes the old one. (In C++ and Python the new one shares the
# connections that the old one has, and dials only what is new: notebook 2. In this lab it dials
# all.)

# %% gallery="guess = gl.predict(questions=120)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(questions=7200)
guess


# %%
def an_hour(service, age=None, channel_lives=3600):
    """An hour of calls, a scale-up in the middle: seconds until pod-4's first; what it took."""
    world = gl.Cluster.sim(pods=3, seed=7, max_connection_age=age)
    scaled = None
    for _ in range(3600 // channel_lives):
        with world.channel(service, policy="round_robin") as client:
            client.wait_ready(all=True).start(channel_lives, every=1.0)
            if scaled is None and world.seconds + channel_lives > 1830:
                world.run(seconds=1830 - world.seconds)
                world.scale(5)
                scaled = world.seconds
                world.run(seconds=channel_lives - 1830 % channel_lives)
            else:
                world.run(seconds=channel_lives)
    found = world.trace.of(gl.CallEnded, pod="pod-4").seconds
    kinds = (gl.Connected, gl.QueryAnswered, gl.EndpointsTold)
    return found[0] - scaled if len(found) else None, *(len(world.trace.of(k)) for k in kinds)


print("            a new pod waits   connections   DNS questions   1,000 clients'   API's news")
for name, service, options in (
    ("nobody tells", "greetserver-headless", {}),
    ("age 300 s", "greetserver-headless", {"age": 300.0}),
    ("age 60 s", "greetserver-headless", {"age": 60.0}),
    ("poll, 60 s", "greetserver-headless", {"channel_lives": 60}),
    ("watch", "watch:///greetserver-headless", {}),
):
    wait, opened, asked, news = an_hour(service, **options)
    wait = "for ever" if wait is None else f"{wait:.1f} s"
    print(f"{name:12} {wait:>14} {opened:13} {asked:15} {asked / 3.6:12.1f} /s {news:12}")
    if name == "age 60 s":
        questions = asked
guess.compare({"questions": questions}, cluster=gl.Cluster.sim())

# %% [markdown]
# Three connections end every minute, each end asks, and the cooldown, the least time between two
# lookups, lets one through every 30 s, as in C++ and Go. (`/s`: what a thousand such clients ask
# DNS in a second.) (`API's news`: two, the list at first and the one change.) The price of age and
# poll is paid all the time, whether anything changes or not; a watch is paid by the change: a
# message to each client for each change of a slice. That is a load, too: on the API server, where a
# thousand clients hold a thousand watches. (With an age of 300 s this one scale-up had bad luck: it
# came soon after the lookup that the last ends had brought, and no connection ended again for 214
# s. More of that below.) With xDS the control plane alone watches there, and the thousand are its
# own.
#
# ## How long does a new pod wait?
#
# With age every connection's end asks, and the cooldown holds it back. (Java's drops it: notebook
# 4.) Were the ends spread evenly, lookups would be max(cooldown, age ÷ backends) apart. Age 60 s,
# cooldown 30 s, three pods become four, at any moment. **How many seconds until the fourth one's
# first request, on average?**

# %% gallery="guess = gl.predict(seconds=30)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(seconds=60)
guess


# %%
def waited(age, cooldown, backends, seed):
    """Seconds from a scale-up, some half an hour after the start, to the new pod's first call."""
    world = gl.Cluster.sim(backends, seed=seed, max_connection_age=age)
    client = world.channel("greetserver-headless", policy="round_robin", cooldown=cooldown)
    client.load(1800 + random.Random(seed).randrange(int(age)), every=1.0)
    world.scale(backends + 1)
    scaled = world.seconds
    client.load(int(4 * age), every=0.5)
    return client.trace.of(gl.CallEnded, pod=f"pod-{backends + 1}").seconds[0] - scaled


runs = {}
settings = ((300, 30, 3), (300, 30, 20), (60, 30, 3), (60, 30, 10), (60, 1, 3), (60, 1, 10))
for age, cooldown, backends in settings:
    apart = max(cooldown, age / backends)
    name = f"age {age}, cooldown {cooldown}, {backends} pods: {apart:.0f} s apart"
    runs[name] = [waited(age, cooldown, backends, seed) for seed in range(40)]
    if (age, cooldown, backends) == (60, 30, 3):
        average = round(mean(runs[name]))
    print(f"{name:41}  half: {apart / 2:4.1f} s   measured: {mean(runs[name]):5.1f} s")
display(guess.compare({"seconds": average}, cluster=gl.Cluster.sim()))
gl.plot.waits(runs, world="SIM", title="From the scale-up to the new pod's first request")

# %% [markdown]
# A new pod comes somewhere between two lookups, and waits half of the time between them, on
# average. With an age of 60 s and a cooldown of 30 the model roughly holds. Where the cooldown is
# short beside the age (all other lines) a new pod waits longer than it says: the client's
# connections were all opened at once, and end within ± 10 % of their age, so that most of an age (3
# pods) or half of it (20) goes by without a lookup. It takes many ages until they are spread.
#
# ## The cold cure
#
# Now the client is there **before** the pods: of three, the first is ready, and the others follow,
# two seconds apart. `round_robin`, headless, 600 calls in a minute. **How many does each pod
# answer?**

# %% gallery="guess = gl.predict(pod_1=220, pod_2=200, pod_3=180)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=200, pod_2=200, pod_3=200)
guess


# %%
def early(service, wait_for=None, **options):
    """A client that starts with the first of three pods, and calls for a minute."""
    world = gl.Cluster.sim(3, seed=7, start_interval=2.0, **options)
    world.wait_ready(pods=1)
    client = world.channel(service, policy="round_robin").wait_ready(pods=wait_for, timeout=60)
    return client.load(600, every=0.1), client.trace


too_early, _ = early("greetserver-headless")
print("age 20 s:           ", early("greetserver-headless", max_connection_age=20.0)[0].by_pod)
print("waits for three:    ", early("greetserver-headless", wait_for=3)[0].by_pod)
print("watch:              ", early("watch:///greetserver-headless")[0].by_pod)
guess.compare(too_early)

# %% [markdown]
# It is the very problem, in the cure: one address at the start, a healthy connection to it, and
# nobody asks again. (With an age of 20 s it asks when that connection ends; but its cooldown is 30
# s from the first lookup, so pod-1 has the calls until then, and in Java until the second
# connection ends, after some 40 s.) `kubectl apply` of everything at once does this to you. So a
# headless Service and `round_robin` are not enough: somebody has to tell the client, or it has to
# wait until the set is whole.
#
# ## A hundred to a slice
#
# An EndpointSlice holds at most 100 endpoints by default ([the controller
# manager's](https://kubernetes.io/docs/concepts/services-networking/endpoint-slices/)
# `--max-endpoints-per-slice`, up to 1000). A watching client of 150 pods; then two more come.
# **How many slices is it told of at first, and how many later, when the two come?**

# %% gallery="guess = gl.predict(slices=1, later=1)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(slices=150, later=152)
guess

# %%
world = gl.Cluster.sim(150, seed=7)
client = world.channel("watch:///greetserver-headless", policy="round_robin")
client.wait_ready(all=True)
world.scale(152)
world.run(seconds=1)
listed, *changed = client.trace.of(gl.EndpointsTold)
print("at first:", listed.change, listed.slices, "slices")
for event in changed:
    print("then:    ", event.change, event.slice, "alone")
print(len(client.subchannels), "subchannels")
guess.compare({"slices": listed.slices, "later": len(changed)}, cluster=world)

# %% [markdown]
# Only the slice that changed is sent, and the client must put it beside the others (and call only
# those in it whose condition is `ready`: pods that are not yet, or that are ending, stand there,
# too). A client that takes the last slice for the whole list has 52 pods of 152, a bug that real
# clients have had ([kuberesolver#66](https://github.com/sercand/kuberesolver/issues/66)).
#
# ## Your turn
#
# 1. `05.in-a-second`: three pods become five, and both new ones get a request within one second,
# from a client that was there before. Hand in its trace.
# 2. `05.cold`: a client that calls when the first of three pods is ready, and a minute later all
# three have answered. Hand in its trace.
# 3. `05.slices`: how many EndpointSlices has a Service of 250 pods, at least, where a cluster has
# that default?

# %%
world = gl.Cluster.sim(pods=3, seed=7, max_connection_age=30.0)
my_client = world.channel("greetserver-headless", policy="round_robin")
my_client.load(40, every=1.0)
world.scale(5)
my_client.load(600, every=0.1)

gl.check("05.in-a-second", my_client.trace)
gl.check("05.cold", early("greetserver-headless")[1])
gl.check("05.slices", 250)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again. `gl.Flow(mine.trace)` plays it.

# %%
target, age, cooldown, watch_lag = "watch:///greetserver-headless", None, 30.0, 2.0

sandbox = gl.Cluster.sim(3, seed=7, max_connection_age=age, watch_lag=watch_lag)
mine = sandbox.channel(target, policy="round_robin", cooldown=cooldown)
mine.start(600, every=0.1)
sandbox.run(seconds=10)
sandbox.scale(5)
sandbox.run(seconds=50)
gl.plot.lanes(mine.trace, cluster=sandbox)
