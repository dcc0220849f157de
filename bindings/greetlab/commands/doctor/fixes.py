"""The cure, in the lines of each language: a headless Service, a dns:/// target, round_robin."""

from __future__ import annotations

import re
from collections.abc import Callable

# grpc/grpc doc/service_config.md, "loadBalancingConfig".
_CONFIG = '{"loadBalancingConfig": [{"round_robin": {}}]}'


def _go(target: str) -> str:
    # https://github.com/grpc/grpc-go/blob/master/examples/features/load_balancing/client/main.go;
    # grpc.NewClient's default scheme is dns, grpc.Dial's was passthrough, which looks nothing up:
    # https://pkg.go.dev/google.golang.org/grpc#NewClient
    return f"""\
conn, err := grpc.NewClient("{target}",
    grpc.WithDefaultServiceConfig(`{_CONFIG}`),
    grpc.WithTransportCredentials(insecure.NewCredentials()))"""


def _java(target: str) -> str:
    # https://grpc.github.io/grpc-java/javadoc/io/grpc/ManagedChannelBuilder.html
    return f"""\
ManagedChannel channel = ManagedChannelBuilder.forTarget("{target}")
    .defaultLoadBalancingPolicy("round_robin")
    .usePlaintext()
    .build();"""


def _python(target: str) -> str:
    # https://github.com/grpc/grpc/blob/master/examples/python/helloworld/greeter_client_with_options.py
    # and GRPC_ARG_SERVICE_CONFIG: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
    return f"""\
channel = grpc.insecure_channel("{target}",
    options=[("grpc.service_config", '{_CONFIG}')])"""


def _node(target: str) -> str:
    # https://github.com/grpc/grpc-node/blob/master/packages/grpc-js/README.md,
    # "Supported Channel Options"
    return f"""\
const client = new YourClient("{target}", grpc.credentials.createInsecure(),
    {{"grpc.service_config": '{_CONFIG}'}});"""


def _cpp(target: str) -> str:
    # https://grpc.github.io/grpc/cpp/classgrpc_1_1_channel_arguments.html
    return f"""\
grpc::ChannelArguments arguments;
arguments.SetLoadBalancingPolicyName("round_robin");
auto channel = grpc::CreateCustomChannel("{target}",
    grpc::InsecureChannelCredentials(), arguments);"""


def _csharp(target: str) -> str:
    # https://learn.microsoft.com/aspnet/core/grpc/loadbalancing: only a dns:/// address uses the
    # DNS resolver, and Credentials must be given with it.
    return f"""\
var channel = GrpcChannel.ForAddress("{target}", new GrpcChannelOptions
{{
    Credentials = ChannelCredentials.Insecure,
    ServiceConfig = new ServiceConfig {{ LoadBalancingConfigs = {{ new RoundRobinConfig() }} }}
}});"""


_LANGUAGES: dict[str, Callable[[str], str]] = {
    "Go": _go, "Java": _java, "Python": _python, "Node": _node, "C++": _cpp, "C#": _csharp,
}  # fmt: skip

LANGUAGES = tuple(_LANGUAGES)


def client_lines(target: str) -> dict[str, str]:
    """What a client has to say to share its calls, in each language.

    target: "dns:///name:port".
    """
    return {language: write(target) for language, write in _LANGUAGES.items()}


def headless_service(name: str, port: int) -> str:
    """A headless Service beside one that has a ClusterIP, for `kubectl apply -f -`.

    A Service's clusterIP cannot be changed afterwards (kubernetes.io, "Service"), so it is a second
    one. With it a client dials the pods themselves, so the port is theirs, the targetPort.
    """
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {name}
spec:
  clusterIP: None        # headless: DNS answers with the address of every ready pod
  selector:
    app: YOUR-APP        # <- the labels of your pods, as your Service has them
  ports:
    - name: grpc
      port: {port}        # <- what your pods listen on: your Service's targetPort"""


def is_service_name(host: str) -> bool:
    """Whether it can be a Service's: no address, no list of them, not this machine."""
    return re.fullmatch(r"[a-z][-a-z0-9]*(\.[-a-z0-9]+)*\.?", host) is not None and (
        host != "localhost"
    )


def headless_name(host: str) -> str:
    """What the headless Service beside `host` is called: its first label, with "-headless"."""
    if not is_service_name(host):
        return "YOUR-SERVICE-headless.YOUR-NAMESPACE.svc.cluster.local"
    first, dot, rest = host.rstrip(".").partition(".")
    return f"{first.removesuffix('-headless')}-headless{dot}{rest}"
