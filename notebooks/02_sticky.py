# %% [markdown]
# # 2 · One connection, one pod
#
# [1 · What a name is answered](01_lookup.ipynb) ended with two names: `greetserver`, one virtual
# address, and `greetserver-headless`, three pods. Now a client says hello, 60 times.
#
# Next: [3 · round_robin](03_round_robin.ipynb)
#
# ## 60 requests
#
# One client, one gRPC channel to the ClusterIP, 60 requests. **How many does each pod answer?**

# %%
import threading

from IPython.display import display

import greetlab as gl

# LOCAL: real processes and sockets on this machine's loopback addresses.
cluster = gl.Cluster.local(pods=3, seed=2)
cluster

# %% gallery="guess = gl.predict(pod_1=20, pod_2=20, pod_3=20)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=10, pod_2=20, pod_3=30)

# %%
sticky = cluster.channel("greetserver")  # pick_first, which is gRPC's default
calls = sticky.greet("Ada", "Lovelace", times=60)
guess.compare(calls, whichever=True)  # which pod it is, is chance; the counts are not

# %% [markdown]
# A ClusterIP chooses a pod when a *connection* is made: kube-proxy's rules (iptables or nftables)
# look at its first packet, draw a pod at random, and the kernel sends all later packets there, too.
# Nobody looks at requests, and gRPC sends every request down the connection that it has. gRPC
# itself is meant to balance "on a per-call basis, not a per-connection basis"
# ([load-balancing.md](https://github.com/grpc/grpc/blob/master/doc/load-balancing.md)), but here it
# has one connection to choose from.
#
# ## The first request, step by step
#
# A fresh client says hello once, and then once more: below are all its events, in order. These are
# gRPC's words for what they tell of:
#
# | | |
# |---|---|
# | channel | what the application holds (`client`): the lookup, the policy and the connections |
# | subchannel | one address, and the connection to it or the attempts to have one |
# | picker | what the policy (`pick_first`) makes of what is READY: it names one for each call |
# | IDLE | nothing is tried: nobody has called yet, or the connection was lost |
# | CONNECTING | the lookup, or a connection, is being made: calls wait |
# | READY | calls can go |
# | TRANSIENT_FAILURE | the last attempt failed: no call goes there; if all did, calls fail |
# | SHUTDOWN | closed for good |
#
# Between two attempts there is a *backoff*: a wait of about a second, and longer each time.
#
# How many connections there are, you can count yourself; on a cluster it is
# `ss -tn` in the client's pod.
#
# The last thing below is the same in a virtual world (**SIM**): the same load-balancing code,
# without sockets. It also shows what a client cannot see: where the ClusterIP sends the connection.
# The button plays it, a click on a request tells why; after a click the keys work, too: Space
# plays, the arrows step.


# %%
def opened() -> int:
    """How many connections the ClusterIP has made so far."""
    return sum(fact["fact"] == "opened" for fact in cluster.proxy_facts)


client = cluster.channel("greetserver")
for request in ("the first request", "the second request"):
    print(f"{request}:")
    print(*client.steps("Ada"), sep="\n", end="\n\n")

print(f"{len(calls)} requests, {len(calls.connections)} connection:", *calls.connections)
print(f"the ClusterIP made {opened()}: one for each of our two clients")
print(f"\n$ ss -tn dst {cluster.cluster_ip}    # here, in a terminal")
virtual = gl.Cluster.sim(pods=3, seed=2).channel("greetserver")
virtual.greet("Ada", times=60)
gl.Flow(virtual.trace)

# %% [markdown]
# The lookup, the dial and the state changes happen once; after that a request is a pick and an
# answer.
#
# ## What multiplexing is
#
# One connection, so does each request wait for the answer before it? We make 60 calls at once, and
# look at the wire. HTTP/2 cuts all into *frames*; a call begins with one called HEADERS, and so
# does its answer. `frames=True` keeps them. **How many of the 60 have left before
# the first answer comes back?**

# %% gallery="guess = gl.predict(requests=1)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(requests=2)

# %%
with cluster.channel("greetserver", frames=True) as client:
    client.wait_ready().load(60, concurrency=60)
wire = client.trace.of("FrameSeen")
answer = wire.first("FrameSeen", type="HEADERS", sent=False)
left = [frame for frame in wire.of("FrameSeen", type="HEADERS", sent=True) if frame.id < answer.id]
display(guess.compare({"requests": len(left)}, cluster=cluster))
print(*wire.of("FrameSeen", stream=answer.stream), sep="\n")
gl.plot.frames(client.trace, title="60 calls, one connection")

# %% [markdown]
# A call is a *stream*: its frames carry its number, so those of many calls alternate on one wire,
# and no call waits for another's answer, up to the number of streams that the server allows
# (notebook 8) ([RFC 9113, 5](https://www.rfc-editor.org/rfc/rfc9113#section-5)). So one connection
# is enough for a client, and nothing in C++, Go or Java makes it open a second one, unless it is
# told to (.NET does, at that number). That is why it sticks. (`gl.Flow(client.trace)` plays it;
# there a click on a request shows its bytes, too.)
#
# ## Another policy
#
# The client of [the article](https://github.com/HiteshRepo/grpc-loadbalancing) sets
# `{"loadBalancingPolicy":"round_robin"}`. We change only that, and stay on the ClusterIP. **How
# many does each pod answer now?**

# %% gallery="guess = gl.predict(pod_1=20, pod_2=20, pod_3=20)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=30, pod_2=30, pod_3=0)

# %%
with cluster.channel("greetserver", policy="round_robin") as client:
    # wait_ready: connect first, to all addresses. Why it matters is in notebook 3.
    turns = client.wait_ready(all=True).greet("Ada", times=60)
display(guess.compare(turns, whichever=True))

runs = [calls, turns]
for policy in ("pick_first", "round_robin"):
    with cluster.channel("greetserver-headless", policy=policy) as client:
        runs.append(client.wait_ready(all=policy == "round_robin").greet("Ada", times=60))
gl.plot.requests(
    *runs, pods=[pod.name for pod in cluster.pods], title="Service and policy, each with each"
)

# %% [markdown]
# round_robin takes turns among the *addresses* that DNS gave it, and a ClusterIP is one address.
# pick_first on the headless Service has three addresses, and takes the first that answers: DNS
# shuffles each answer, so another client may have another pod, and each stays with its own. Three
# of the four are stuck, and only headless **and** round_robin share. (gRPC's [client channel
# specification](https://github.com/grpc/grpc/blob/master/doc/client_channel_specification.md))
#
# ## A second channel
#
# Some open more channels to get more connections. Does that help? In this lab every channel has
# connections of its own, and so it is in Go and Java. gRPC in C++, and what is built on it (Python,
# Ruby …), shares them between channels with the same target and options (the *global subchannel
# pool*), unless it is told not to. We ask two channels of Python's own gRPC
# for a greeting each. **How many connections do they open, as gRPC comes?**

# %% gallery="guess = gl.predict(connections=2)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(connections=3)

# %%
try:
    import grpc
except ImportError:
    print("grpcio is not installed here: pip install grpcio shows it")
else:

    def connections(local_pool: int) -> int:
        """How many connections two channels of grpcio open to the ClusterIP."""
        before = opened()
        options = [("grpc.use_local_subchannel_pool", local_pool), ("grpc.enable_http_proxy", 0)]
        target = f"{cluster.cluster_ip}:{cluster.port}"
        channels = [grpc.insecure_channel(target, options=options) for _ in range(2)]
        for channel in channels:
            channel.unary_unary("/greet.GreetService/Greet")(b"", timeout=5)
        made = opened() - before
        for channel in channels:
            channel.close()
        return made

    print("connections of two channels with a pool of their own each:", connections(1))
    display(guess.compare({"connections": connections(0)}, cluster=cluster))

# %% [markdown]
# So in C++ and Python a second channel may be no second connection at all.
# (`GRPC_ARG_USE_LOCAL_SUBCHANNEL_POOL` in gRPC's `channel_arg_names.h`)
#
# ## Ten clients
#
# Ten clients, one request each, in a virtual world (SIM) where clients cost nothing. Each gets a
# connection of its own, and kube-proxy gives each to a pod by chance. **How many requests does each
# pod answer?**

# %% gallery="guess = gl.predict(pod_1=4, pod_2=3, pod_3=3)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=10, pod_2=0, pod_3=0)

# %%
world = gl.Cluster.sim(pods=3, seed=1)
for _ in range(10):
    world.channel("greetserver").greet("Ada")
display(guess.compare(world.trace, whichever=True))

runs = []
for seed in (1, 2, 3):
    other = gl.Cluster.sim(pods=3, seed=seed)
    for _ in range(10):
        other.channel("greetserver").greet("Ada")
    runs.append(other.trace)
gl.plot.requests(*runs, title="Ten clients on three days: luck decides")

# %% [markdown]
# Many clients make a ClusterIP look balanced, but it is luck, and it lasts as long as the
# connections. (New pods are drawn, too, as soon as they are listed: by connections that are new.)
# When one ends, `pick_first` dials anew for the next call (`round_robin` does at once: notebook 4),
# and a pod is drawn anew; if that one does not answer, kube-proxy tries no other, and the call
# fails. Above, the grey band is where 95 % of the pods are by chance. (kube-proxy in iptables mode:
# `statistic mode random`; in nftables mode: `numgen random`; both once a connection. In IPVS mode
# (deprecated since Kubernetes 1.35) turns are usual, but connections take them. `sessionAffinity:
# ClientIP` leads all connections from one address to the same pod, for three hours by default.)
#
# ## A proxy that reads requests
#
# Not all that stands in between chooses per connection. An L7 proxy reads HTTP/2: Envoy ends the
# client's connection, and has its own to all pods. The client is as at first, `pick_first`. Three
# pods, 60 requests; then five, and 60 more. **How many does each pod answer of the first 60?**

# %% gallery="guess = gl.predict(pod_1=60, pod_2=0, pod_3=0)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=40, pod_2=10, pod_3=10)

# %%
try:
    behind = gl.Cluster.local(pods=3, proxy="envoy", seed=2)
except RuntimeError as error:  # such as: pip install 'greetlab[envoy]' has one
    print(error)
else:
    with behind, behind.channel("greetserver-envoy") as client:
        shared = client.greet("Ada", times=60)
        behind.scale(5)
        while len(behind.l7_proxies["greetserver-envoy"].hosts()) < 5:
            pass  # Envoy hears of them by itself, within milliseconds
        print("then, of five pods:", client.greet("Ada", times=60).by_pod)
        print("connections of the client:", len(client.trace.of(gl.Connected)))
        print("what Envoy says of it:", *client.trace.of(gl.ProxyReported), sep="\n")
        for pod in behind.pods:
            behind.slow(pod.name, 0.5)  # so that calls are under way when one dies
        threading.Timer(0.25, behind.kill, ["pod-2"]).start()
        dying = client.load(50, concurrency=50)
        print("pod-2 dies, with ten of fifty calls:", dying.by_status)
        print("and afterwards:", client.load(50, concurrency=50).by_pod)
        display(guess.compare(shared))

# %% [markdown]
# It chooses for each request, and hears of new pods by itself. The client's policy no longer
# matters: it has one address, the proxy's, and with `round_robin` the pods' shares are the same.
# (Where several such proxies stand behind a name, the client chooses among them as it does among
# pods, and all of this notebook is true of the proxies.)
# What the client sees ends at the proxy, too. An answer may name its pod; the rest (which pods
# there are, and how many connections to each) only the proxy can tell. So the lines "what Envoy
# says" are not the client's: the lab has asked Envoy's admin interface for them (on a cluster:
# `kubectl port-forward` to it, and `/clusters`).
#
# A pod that dies behind it takes its calls along, as it does without a proxy: they fail
# (UNAVAILABLE), for they may have been served. The client's connection stays, the forty others are
# answered, and new calls go to the pods that are left once Envoy is told that it is gone: here at
# once. As long as it stays listed Envoy goes on choosing it, where a picker in the client sees the
# broken connection; against that it has retries (here one, of what no pod has begun),
# `health_checks` and `outlier_detection`: by default none of them. But now there is one more that
# can die: a proxy that does takes the calls of all pods with it.
#
# ## Your turn
#
# Change the marked line in each, and run it.

# %%
# Send 60 requests through the headless service, and all of them to one pod.
client = world.channel("greetserver")  # change this line
client.greet("Ada", times=60)
gl.check("02.headless-and-sticky", client)

# Keep the ClusterIP and pick_first, and make all three pods work.
clients = [world.channel("greetserver")]  # change this line
gl.check("02.luck-of-many", [client.greet("Ada") for client in clients])

# Find the event that settled which pod gets the requests. Each has a kind, which `first` takes:
# for event in trace: print(event.kind, event)
trace = world.channels[0].trace
event = trace.first("Picked")  # change this line
gl.check("02.who-chose", event)

# %% [markdown]
# ## Sandbox
#
# Other Services, policies and seeds; `connection_per_call=True`, a new one each time;
# `world.kill("pod-1")` between two rounds of requests; `print(client.trace.story())` for all that
# happened.

# %%
world = gl.Cluster.sim(pods=3, seed=7)
client = world.channel("greetserver", policy="pick_first")
print(client.greet("Ada", times=60))
print(client.trace.last("CallEnded").why())
