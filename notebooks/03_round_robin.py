# %% [markdown]
# # 3 · round_robin
#
# [2 · One connection, one pod](02_sticky.ipynb) ended with one pod doing all the work. A headless
# Service gives the client the address of every pod, and `round_robin` uses them all. How does it
# do that, step by step? And what does it cost?
#
# Next: [4 · More pods, fewer pods](04_scale.ipynb)
#
# Cells marked **LOCAL** run real processes and real sockets on this machine. Cells marked **SIM**
# run the same load-balancing code in a virtual world, where a hundred clients cost a second.
#
# ## Two changes, sixty requests
#
# Now the Service is headless **and** the client says `round_robin`. Three pods, sixty requests,
# one after the other. **How many does each pod answer?**

# %%
import textwrap

from IPython.display import display

import greetlab as gl

cluster = gl.Cluster.local(pods=3, seed=7)
cluster

# %% gallery="guess = gl.predict(pod_1=20, pod_2=20, pod_3=20)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=60, pod_2=0, pod_3=0)
guess

# %%
fair = cluster.channel("greetserver-headless", policy="round_robin", seed=7)
fair.wait_ready(all=True)
calls = fair.greet("Ada", times=60)
display(guess.compare(calls))

sticky = cluster.channel("greetserver", seed=7)  # as it was: a ClusterIP, and gRPC's default policy
sticky.greet("Ada", times=60)
gl.plot.lanes(sticky.trace, fair.trace, cluster=cluster)

# %% [markdown]
# The client chooses a pod for every request, so the turns come out even (gRPC
# [load-balancing.md](https://github.com/grpc/grpc/blob/master/doc/load-balancing.md)).
# Left: one answer, one connection, one pod. Right: three, three, three.
#
# One service config says it in all these languages, `{"loadBalancingConfig": [{"round_robin":
# {}}]}`, and Java has a shorter word for it (its service config is
# `builder.defaultServiceConfig(map)`):
#
# | | where it goes |
# |---|---|
# | Go | `grpc.NewClient("dns:///…", grpc.WithDefaultServiceConfig(json))` |
# | Python | `grpc.insecure_channel("dns:///…", options=[("grpc.service_config", json)])` |
# | Java | `builder.defaultLoadBalancingPolicy("round_robin")` |
# | C++ | `ChannelArguments::SetServiceConfigJSON(json)` |
# | Node | `new Client("dns:///…", credentials, {"grpc.service_config": json})` |
#
# `{"loadBalancingPolicy": "round_robin"}`, as [the
# article](https://github.com/HiteshRepo/grpc-loadbalancing) has it, is the older field. It still
# works in C++, Python, Go and Java; Node ignores it. What stands before the name matters as much:
#
# | target | |
# |---|---|
# | `dns:///NAME:50051` | gRPC looks the name up, and has all of its addresses |
# | `passthrough:///NAME:50051` | Go's: the name is *one* address, and whoever dials resolves it |
# | `NAME:50051` | `dns`; in Go's older `grpc.Dial`, `passthrough` |
#
# With `passthrough` there is one connection to take turns among, and one pod answers, whatever the
# policy.
#
# On a cluster, through the article's gateway (behind an Ingress for the host `greet.com`), which
# names the pod in its answer:
#
# ```sh
# for i in $(seq 60); do curl -s http://greet.com/greet -d '{"first_name": "Ada"}'; echo
# done | grep -o 'name([^)]*)' | sort | uniq -c
# ```
#
# ## The first call, step by step
#
# A fresh channel, one call. **How many connections will it have dialled when the first answer
# comes back?**

# %% gallery="guess = gl.predict(connections=1)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(connections=2)
guess

# %%
fresh = cluster.channel("greetserver-headless", policy="round_robin", seed=7)
for step in fresh.steps("Ada"):
    print(step)
guess.compare({"connections": len(fresh.trace.of(gl.ConnectStarted))}, cluster=cluster)

# %% [markdown]
# Resolver → subchannels → picker → pick. The lookup finds three addresses. Each gets a
# *subchannel*, and all three are dialled at once. With each one that is READY comes a new
# *picker*; the call waits for the first, and goes. ("Number … of them is next" is of the moment
# when a picker is made, in the order of its list: later calls have gone on from there.)
#
# Below, the sixty requests again. Its buttons play, and go forward and back event by event; click
# a request to ask why it went there. After a click the keys work, too: space, `→` and `←`.
# `gl.Stepper(trace)` is the same in Python, with `.forward()`, `.back()` and a `.snapshot()` of the
# world.
#
# And is this really what gRPC does? `engine="grpc"` runs gRPC's own C++ channel against the same
# pods, with its own resolver and its own `round_robin`. Only the engine changes: the picture under
# the player.

# %%
print(fair.trace.last(gl.Picked).why())
display(gl.Flow(fair.trace))

with cluster.channel("greetserver-headless", policy="round_robin", engine="grpc") as own:
    own.wait_ready(all=True)
    theirs = own.greet("Ada", times=60)
gl.plot.requests(calls, theirs, title="The lab's engine, then gRPC's own")

# %% [markdown]
# ## The cold start
#
# Sixty requests again, **all at once**, on a channel that has not connected yet. **What does each
# pod get?** Which pod it is may be luck: only the counts are compared.

# %% gallery="guess = gl.predict(pod_1=20, pod_2=20, pod_3=20)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=30, pod_2=20, pod_3=10)
guess

# %%
with cluster.channel("greetserver-headless", policy="round_robin", seed=7) as cold:
    burst = cold.load(60, concurrency=60)
    again = cold.wait_ready(all=True).load(60, concurrency=60)
print("the first sixty:", burst.by_pod, " the next sixty:", again.by_pod)
guess.compare(burst, whichever=True)

# %% [markdown]
# The calls do not wait for all three: they go as soon as one connection is READY, and then there
# is only one to choose from. The next sixty, on a warm channel, take turns. gRPC's own engine goes
# by the same rule (put `engine="grpc"` into the cell above): each call chooses among what is READY
# when its turn comes. Over loopback that may be more than one by then: in many runs one pod has all
# sixty, in others two or three share them, now and then evenly. A client that restarts under load
# can do this to some pod.
#
# `wait_ready(all=True)` is this lab's own. A stock client has no such call: it makes one call,
# which has all addresses dialled, and gives the connections a moment before it takes traffic.
# (`wait_for_ready`, an option of each call in gRPC, is something else: the call waits for *one*
# READY connection where it would fail for want of any. Notebook 7 has it.) The article says that
# `grpc.WithBlock()` ends a connection. It does not: it makes `Dial` wait until **one** is READY
# ([its documentation](https://pkg.go.dev/google.golang.org/grpc#WithBlock), where it is
# deprecated).
#
# ## Where do they begin?
#
# Three hundred clients start, each warms up and makes **one** request. If all had the addresses in
# the same order, and every picker began with the first, one pod would get all three hundred. **How
# many does each get?** (SIM)

# %% gallery="guess = gl.predict(pod_1=300)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=300)
guess

# %%
world = gl.Cluster.sim(pods=3, seed=7)
for _ in range(300):
    client = world.channel("greetserver-headless", policy="round_robin").wait_ready(all=True)
    client.greet("Ada")
display(guess.compare(world.trace, whichever=True))
gl.plot.requests(world.trace, title="The first request of each of 300 clients")

# %% [markdown]
# Each new picker begins at a random place
# ([round_robin.cc](https://github.com/grpc/grpc/tree/master/src/core/load_balancing/round_robin);
# in C++ and Python before 1.54 the draws are the same in each new process, and in Java only a
# channel's first picker draws), and DNS shuffles its answers. So the counts are as uneven as luck
# makes them, and no more: the grey band holds 95 % of what chance does.
#
# ## What does it cost?
#
# The article says that with client-side balancing we lose "the capability of gRPC to retain
# connections for a longer period of time and multiplex several requests through them". Count them.
# A thousand requests, eight at a time. **How many connections does round_robin open?** Two other
# ways stand beside it.

# %% gallery="guess = gl.predict(connections=8)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(connections=1000)
guess

# %%
modes = {
    "a connection per call": {"service": "greetserver-headless", "connection_per_call": True},
    "pick_first, ClusterIP": {"service": "greetserver"},
    "round_robin, headless": {"service": "greetserver-headless", "policy": "round_robin"},
}
loads = {}
for name, options in modes.items():
    with cluster.channel(**options, seed=7) as client:
        if "connection_per_call" not in options:
            client.wait_ready(all=True)
        loads[name] = client.load(1000, concurrency=8)
        opened = len(client.trace.of(gl.Connected))
    print(f"{name:22} {opened:5} opened, {1000 / opened:6.1f} calls over each")
display(guess.compare({"connections": opened}, cluster=cluster))  # of the last, round_robin
gl.plot.latency(loads)

# %% [markdown]
# It costs one connection for each pod: round_robin keeps them open and multiplexes over each. The
# picture that the article has in mind is the first line, a connection for every call. Kindly: here
# it is mistaken, and its own cure is better than it says. (p50 is what half of the calls need at
# most, p99 what 99 of 100 do. The times are this machine's, with the client, the pods and the
# ClusterIP, a proxy here, on the same cores.)
#
# On a cluster, a line for each connection that is open:
#
# ```sh
# kubectl debug -it POD --image=nicolaka/netshoot -- ss -tn state established dport = :50051
# ```
#
# ## Headless, and TLS
#
# With a headless Service the client dials the pods' own addresses. So somebody makes each pod a
# certificate that says **its address**, by an authority that the client trusts. Sixty requests,
# `round_robin`, TLS. **How many does each pod answer?**

# %% gallery="guess = gl.predict(pod_1=20, pod_2=20, pod_3=20)  # somebody's guess\nguess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=60, pod_2=0, pod_3=0)
guess

# %%
with gl.Cluster.local(pods=3, tls=True, tls_names=["{ip}"]) as by_address:
    client = by_address.channel("greetserver-headless", policy="round_robin", tls=True)
    refused = client.greet("Ada", times=60)
    print(textwrap.fill(str(client.trace.first("ConnectFailed")), 98))

with gl.Cluster.local(pods=3, tls=True) as by_name:  # the certificates say the service's names
    client = by_name.channel("greetserver-headless", policy="round_robin", tls=True)
    print(textwrap.fill(str(client.wait_ready(all=True).trace.first("TlsHandshake")), 98))
    print(client.greet("Ada", times=60).by_pod)
guess.compare(refused)

# %% [markdown]
# A client checks the name **that it was told to call**, never the address that DNS gave it: anybody
# who can forge a DNS answer can forge an address ([RFC
# 9525](https://www.rfc-editor.org/rfc/rfc9525)). So one certificate with the Service's name is for
# all of its pods, and a new pod needs no other. On a cluster: `dnsNames` in cert-manager's
# `Certificate`. gRPC's own engine refuses the same (`engine="grpc"`), in other words.
#
# ## Your turn
#
# 1. `03.turns`: sixty calls on the ClusterIP are not shared. Hand in calls that three pods shared
# in turn.
# 2. `03.service-config`: write the JSON that makes a gRPC client of any of these languages do it.
# 3. `03.warm`: hand in a channel that has not made a call yet, and whose first one takes its turn.

# %%
my_calls = cluster.channel("greetserver", policy="round_robin").greet("Ada", times=60)
my_config = "{}"
my_channel = cluster.channel("greetserver-headless", policy="round_robin")

gl.check("03.turns", my_calls)
gl.check("03.service-config", my_config)
gl.check("03.warm", my_channel)

# %% [markdown]
# ## Sandbox
#
# All of it is yours. Change a number, run it again. Below it is the same world in the playground:
# there its levers are buttons, and a pod dies by a click.

# %%
pods, policy, service, requests, at_once, seed = 4, "round_robin", "greetserver-headless", 60, 1, 7

sandbox = gl.Cluster.sim(pods=pods, seed=seed)
sandbox.slow("pod-2", 0.002)  # seconds that it takes longer
mine = sandbox.channel(service, policy=policy)
mine.load(requests, concurrency=at_once)
display(gl.plot.lanes(mine.trace, cluster=sandbox))
gl.Playground(sandbox)
