"""Which pods have the calls while nobody comes or goes."""

from conformance.model import CLUSTER_IP, Client, ClusterSpec, Expect, share
from conformance.scenario import (
    ALL,
    EVEN,
    KUBE_PROXY,
    LOAD_BALANCING,
    PICK_FIRST,
    ROUND_ROBIN,
    SPEC,
    Scenario,
)
from conformance.steps import AwaitState, Calls, Clients, ProxyUnasked, Set, WaitReady

# Named, for `differences.py` has another end for it.
SHUFFLED = Clients(16, at_least_pods=2)

WHO_GETS_WHAT = (
    Scenario(
        "the default policy is pick_first",
        "one address is chosen for all calls, even where the name has three",
        SPEC,
        (Calls(60, share(60)),),
        client=Client(),
    ),
    Scenario(
        "pick_first on the ClusterIP",
        "one address, one connection, one pod",
        KUBE_PROXY,
        (WaitReady(all=True), Calls(60, share(60))),
        client=Client(CLUSTER_IP, "pick_first"),
    ),
    Scenario(
        "round_robin on the ClusterIP",
        "round_robin over one address is one connection: it changes nothing",
        KUBE_PROXY,
        (WaitReady(all=True), Calls(60, share(60))),
        client=Client(CLUSTER_IP, "round_robin"),
    ),
    Scenario(
        "pick_first on the headless service",
        "three addresses, but the first that answers has all calls",
        LOAD_BALANCING,
        (WaitReady(all=True), Calls(60, share(60))),
        client=PICK_FIRST,
    ),
    Scenario(
        "round_robin on the headless service",
        "once all are READY, the calls go in turns",
        LOAD_BALANCING,
        (WaitReady(all=True), Calls(60, EVEN), Calls(60, EVEN)),
    ),
    Scenario(
        "round_robin with many calls at a time",
        "the turns are taken when calls start, however many are in flight",
        ROUND_ROBIN,
        (WaitReady(all=True), Calls(600, share(200, 200, 200), concurrency=16)),
    ),
    Scenario(
        "round_robin from cold",
        "calls go to whoever is READY, so the shares are open; but none fails",
        ROUND_ROBIN,
        (Calls(30, Expect(among=ALL)), WaitReady(all=True), Calls(60, EVEN)),
    ),
    Scenario(
        "round_robin with one pod",
        "turns of one",
        ROUND_ROBIN,
        (WaitReady(all=True), Calls(20, share(20)), AwaitState(("READY",))),
        cluster=ClusterSpec(pods=1),
    ),
    Scenario(
        "ten clients on the ClusterIP",
        "each connection is sent to a random pod, each call of it to the same",
        KUBE_PROXY,
        (Clients(10, calls=6, each=share(6), at_least_pods=2),),
        client=Client(CLUSTER_IP, "round_robin"),
    ),
    Scenario(
        "an address that is listed twice",
        "each entry of the list has its turn, over one connection",
        ROUND_ROBIN,
        (WaitReady(all=True), Calls(60, share(20, 40))),
        client=Client(policy="round_robin", addresses=("pod-1", "pod-1", "pod-2")),
    ),
    Scenario(
        "pick_first takes the first of a fixed list",
        "without shuffleAddressList the order is the resolver's",
        SPEC,
        (Clients(6, firsts=("pod-2",)),),
        client=Client(policy="pick_first", addresses=("pod-2", "pod-3", "pod-1")),
    ),
    Scenario(
        "pick_first shuffles when told to",
        "shuffleAddressList; the chance that 16 clients begin at the same one is 1 to 14 million",
        "gRFC A62",
        (SHUFFLED,),
        client=Client(policy="pick_first", addresses=ALL, shuffle=True),
    ),
    Scenario(
        "turns take no notice of speed",
        "a slow pod has as many calls as the others",
        ROUND_ROBIN,
        (WaitReady(all=True), Set("slow", "pod-1", 0.01), Calls(60, EVEN, concurrency=6)),
    ),
    Scenario(
        "turns take no notice of failures",
        "a call that fails is no reason to leave a READY connection out (that is A50's business)",
        "gRFC A50",
        (
            WaitReady(all=True),
            Set("fail", "pod-1", 1.0),
            Calls(60, Expect(failed=20, by_pod=(("pod-2", 20), ("pod-3", 20)))),
        ),
    ),
    Scenario(
        "turns take no notice of health",
        "NOT_SERVING matters to clients with a healthCheckConfig only",
        "gRFC A17",
        (WaitReady(all=True), Set("set_serving", "pod-1", False), Calls(60, EVEN)),
    ),
    Scenario(
        "an http_proxy in the environment is not asked",
        "the option grpc.enable_http_proxy=0; with it on, gRPC asks even for loopback addresses",
        "grpc/grpc doc/environment_variables.md, grpc_types.h GRPC_ARG_ENABLE_HTTP_PROXY",
        (WaitReady(), Calls(6), ProxyUnasked()),
        client=Client(policy="round_robin", watched_proxy=True),
    ),
)
