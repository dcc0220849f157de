# %% [markdown]
# # 1 · What a name is answered
#
# Three pods, and two Services in front of them: `greetserver` is a ClusterIP,
# `greetserver-headless` is headless. Of all this a gRPC client sees only what DNS answers. So we
# begin there. ("The article", here and later, is Hitesh Pattanayak's
# [gRPC client-side load balancing](https://github.com/HiteshRepo/grpc-loadbalancing), from which
# this lab grew.)
#
# How each step goes: a question, **your guess**, the run, and your guess drawn over what happened.
# Guess first, in the brackets of `gl.predict()`; left empty it is no guess, and you only look. A
# wrong guess is how you find out what you believe.
#
# Next: [2 · One connection, one pod](02_sticky.ipynb)

# %%
import greetlab as gl

# Real processes and real DNS, on this machine's loopback addresses. Nothing leaves it.
# The Service listens on 8080, its pods on 50051 (targetPort). With the same seed, what is random
# comes out the same: such as the order of DNS's answers.
cluster = gl.Cluster.local(pods=3, seed=1, service_port=8080)
cluster

# %% [markdown]
# ## One address or three
#
# The three pods above stand behind `greetserver`. **How many addresses does its name bring?**

# %% gallery="guess = gl.predict(addresses=3)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(addresses=2)

# %%
answer = cluster.lookup("greetserver")
guess.compare(answer, cluster=cluster)

# %% [markdown]
# One, and no pod has it: it is the Service's virtual address, and DNS never mentions a pod. The
# headless Service has no address of its own, so its name brings those of the pods.
# ([DNS specification](https://github.com/kubernetes/dns/blob/master/docs/specification.md)
# of Kubernetes, 2.3.1 and 2.4.1)
#
# On a cluster: `kubectl exec dnsutils -- nslookup greetserver-headless`, as in the article, where
# `dnsutils` is a pod with such tools in it. Here: the same lines, a `dig` that you can type while
# this notebook runs, and both lookups as a picture (without the answer's bytes: `packet=False`).
#
# The article's client asks the Kubernetes API for the Service's name, and so is given a
# ClusterRole. The name needs no asking: it is `SERVICE.NAMESPACE.svc.cluster.local`, as the picture
# shows.

# %%
headless = cluster.lookup("greetserver-headless")
server, port = cluster.dns_address.split(":")
print(gl.nslookup(headless))
print(f"\n$ dig +short @{server} -p {port} {headless.answer_name}.")
gl.plot.lookup(answer, headless, cluster=cluster, packet=False)

# %% [markdown]
# ## What one lookup costs
#
# The short name cost two questions, A (IPv4) and AAAA (IPv6). (gRPC's Go asks for a TXT record,
# too, a service config, unless it is told `WithDisableServiceConfig`: four questions more, for
# nobody has it, as the next step explains.) Now the **full** name, as many put it into their
# configuration: `greetserver-headless.default.svc.cluster.local`. **How many questions?**

# %% gallery="guess = gl.predict(questions=2)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(questions=1)

# %%
full = cluster.lookup("greetserver-headless.default.svc.cluster.local")
guess.compare(full, cluster=cluster)

# %%
dotted = cluster.lookup("greetserver-headless.default.svc.cluster.local.")
gl.plot.lookup(full, dotted, cluster=cluster, packet=False)

# %% [markdown]
# The name has 4 dots and a pod's `resolv.conf` says `ndots:5`, so the search list is tried first,
# one entry after the other, until a name exists. (That it has no AAAA sends Go, Java and `getent`
# no further. gRPC's C++ and Python, whose resolver is c-ares, ask for the AAAA down the whole list:
# of the short name three questions more.) A dot at the end (the lower half) says that the name is
# complete. The file, as `kubectl exec dnsutils -- cat /etc/resolv.conf` shows it (its words:
# resolv.conf(5)):
#
# ```
# search default.svc.cluster.local svc.cluster.local cluster.local
# nameserver 10.96.0.10
# options ndots:5
# ```
#
# ## The port
#
# Our Service listens on 8080 and its pods on 50051. A client of the **headless** Service dials 8080
# and makes 6 requests. **How many does each pod answer, and how many fail?**

# %% gallery="guess = gl.predict(pod_1=6)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(pod_1=2, pod_2=2, pod_3=2, failed=0)

# %%
with cluster.channel("greetserver-headless", port=8080, seed=1) as client:
    calls = client.greet("Ada", times=6)
print(calls.errors[0])
guess.compare(calls, whichever=True)  # which pod it is does not matter, only the counts

# %%
# The port is in DNS, too: an SRV record has a name and a port.
for service in ("greetserver", "greetserver-headless"):
    for record in cluster.lookup(f"_grpc._tcp.{service}", ["SRV"]).srv:
        print(f"{service:21} {record.port:6}  {record.target}")

# %% [markdown]
# (`pick_first` is gRPC's default policy; notebook 2.) Nobody listens on 8080 at a pod's address:
# only the ClusterIP translates `port` into `targetPort`, and headless there is nothing between
# client and pod. (same specification, 2.3.2 and 2.4.2; `dig
# _grpc._tcp.greetserver-headless.default.svc.cluster.local SRV`)
#
# ## Pods come and go
#
# Scaled to 5, the very next lookup has 5 addresses: the TTL (5 s here) is for caches, and the
# server itself is up to date: in this lab at once, on a cluster when the news of the pods has come.
# (Where CoreDNS caches the cluster's own names, it is late by up to 30 s: kubeadm's has not done so
# since late 2024, others do, and NodeLocal DNSCache does.) Then we scale to **0**. **How many
# questions does the short name cost now, and how many addresses come back?**

# %% gallery="guess = gl.predict(questions=2, addresses=0)  # somebody's guess"
guess = gl.predict()  # your guess, such as gl.predict(questions=2, addresses=1)

# %%
cluster.scale(5)
print("5 pods:", ", ".join(cluster.lookup("greetserver-headless").addresses))
cluster.scale(0)
print("0 pods:", ", ".join(cluster.lookup("greetserver").addresses), "is greetserver, as ever")
nobody = cluster.lookup("greetserver-headless")
guess.compare(nobody, cluster=cluster)

# %%
cluster.scale(3)
gl.plot.lookup(nobody, cluster=cluster, packet=False)

# %% [markdown]
# A headless Service without ready pods has no name: NXDOMAIN, after the whole search list was tried
# for A and for AAAA. *Ready* is what a pod's readiness probe says, and only such pods are in the
# answer. The ClusterIP's name stays, and leads to nobody. (same specification, 2.4.1;
# `kubectl scale deployment greetserver-deploy --replicas=0`)
#
# ## Your turn
#
# Change the marked line in each, and run it. A check looks at what you made, not at how. Each
# begins with three pods, so they can be done in any order, and again.

# %%
cluster.scale(3)

# Look up a name that brings an address for each of the three pods.
answer = cluster.lookup("greetserver")  # change this line
gl.check("01.three-addresses", answer)

# Look up the headless service by its full name, so that the first question is the right one.
answer = cluster.lookup("greetserver-headless.default.svc.cluster.local")  # change this line
gl.check("01.first-try", answer)

# %%
cluster.scale(3)

# Ask DNS for the port that a client of the headless service has to dial.
answer = cluster.lookup("greetserver-headless", ["A"])  # change this line
gl.check("01.pod-port", answer)

# Make the headless service's name disappear, without touching the service.
cluster.scale(3)  # change this line
answer = cluster.lookup("greetserver-headless")
gl.check("01.nobody", answer)

# %% [markdown]
# ## Sandbox
#
# All of it, to play with: `cluster.kill(cluster.pods[0].name)`, `cluster.scale(40)` (does the
# answer still fit into one UDP packet?), any name, any record types. The picture has the bytes of
# the answer.

# %%
cluster.scale(3)
gl.plot.lookup(cluster.lookup("greetserver-headless", ["A"]), cluster=cluster)
