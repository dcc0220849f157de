"""The cure, in the lines of each language: a headless Service, a dns:/// target, round_robin.

What is printed is what tests/test_doctor_cures.py executes, all but the lines of C#.
"""

from __future__ import annotations

from collections.abc import Callable

# grpc/grpc doc/service_config.md, "loadBalancingConfig".
_CONFIG = '{"loadBalancingConfig": [{"round_robin": {}}]}'


def _go(target: str, tls: bool) -> str:
    # https://github.com/grpc/grpc-go/blob/master/examples/features/load_balancing/client/main.go;
    # grpc.NewClient's default scheme is dns, grpc.Dial's was passthrough, which looks nothing up:
    # https://pkg.go.dev/google.golang.org/grpc#NewClient
    credentials = "credentials.NewTLS(&tls.Config{})" if tls else "insecure.NewCredentials()"
    return f"""\
conn, err := grpc.NewClient("{target}",
    grpc.WithDefaultServiceConfig(`{_CONFIG}`),
    grpc.WithTransportCredentials({credentials}))"""


def _java(target: str, tls: bool) -> str:
    # https://grpc.github.io/grpc-java/javadoc/io/grpc/ManagedChannelBuilder.html
    return f"""\
ManagedChannel channel = ManagedChannelBuilder.forTarget("{target}")
    .defaultLoadBalancingPolicy("round_robin")
    .{"useTransportSecurity" if tls else "usePlaintext"}()
    .build();"""


def _python(target: str, tls: bool) -> str:
    # https://github.com/grpc/grpc/blob/master/examples/python/helloworld/greeter_client_with_options.py
    # and GRPC_ARG_SERVICE_CONFIG: https://grpc.github.io/grpc/core/group__grpc__arg__keys.html
    if tls:
        return f"""\
channel = grpc.secure_channel("{target}", grpc.ssl_channel_credentials(),
    options=[("grpc.service_config", '{_CONFIG}')])"""
    return f"""\
channel = grpc.insecure_channel("{target}",
    options=[("grpc.service_config", '{_CONFIG}')])"""


def _node(target: str, tls: bool) -> str:
    # https://github.com/grpc/grpc-node/blob/master/packages/grpc-js/README.md,
    # "Supported Channel Options"
    credentials = "createSsl" if tls else "createInsecure"
    return f"""\
const client = new YourClient("{target}", grpc.credentials.{credentials}(),
    {{"grpc.service_config": '{_CONFIG}'}});"""


def _cpp(target: str, tls: bool) -> str:
    # https://grpc.github.io/grpc/cpp/classgrpc_1_1_channel_arguments.html
    credentials = "SslCredentials({})" if tls else "InsecureChannelCredentials()"
    return f"""\
grpc::ChannelArguments arguments;
arguments.SetLoadBalancingPolicyName("round_robin");
auto channel = grpc::CreateCustomChannel("{target}",
    grpc::{credentials}, arguments);"""


def _csharp(target: str, tls: bool) -> str:
    # https://learn.microsoft.com/aspnet/core/grpc/loadbalancing: only a dns:/// address uses the
    # DNS resolver, and Credentials must be given with it.
    return f"""\
var channel = GrpcChannel.ForAddress("{target}", new GrpcChannelOptions
{{
    Credentials = ChannelCredentials.{"SecureSsl" if tls else "Insecure"},
    ServiceConfig = new ServiceConfig {{ LoadBalancingConfigs = {{ new RoundRobinConfig() }} }}
}});"""


_LANGUAGES: dict[str, Callable[[str, bool], str]] = {
    "Go": _go, "Java": _java, "Python": _python, "Node": _node, "C++": _cpp, "C#": _csharp,
}  # fmt: skip

LANGUAGES = tuple(_LANGUAGES)


def client_lines(target: str, *, tls: bool = False) -> dict[str, str]:
    """What a client has to say to share its calls, in each language.

    target: "dns:///name:port". tls: whether it speaks TLS, and trusts whom its system trusts.
    """
    return {language: write(target, tls) for language, write in _LANGUAGES.items()}


PORT_TO_FILL_IN = "YOUR-TARGET-PORT"
"""Stands where nothing told which port the pods listen on: no number is better than a wrong one."""


UNNAMED = "YOUR-SERVICE-headless.YOUR-NAMESPACE.svc.cluster.local"
"""The name of a headless Service where an address was given, and no name."""


def headless_service(name: str, port: int | None, namespace: str = "") -> str:
    """A headless Service beside one that has a ClusterIP, for `kubectl apply -f -`.

    A Service's clusterIP cannot be changed afterwards (kubernetes.io, "Service"), so it is a second
    one. With it a client dials the pods themselves, so the port is theirs, the targetPort.

    port: None = nothing told; the text says how to find out. namespace: "" = the current one.
    """
    where = f"\n  namespace: {namespace}" if namespace else ""
    shown = PORT_TO_FILL_IN if port is None else port
    said = "what your pods listen on: your Service's targetPort"
    said = f"<- {said}" if port is None else said
    return f"""\
apiVersion: v1
kind: Service
metadata:
  name: {name}{where}
spec:
  clusterIP: None        # headless: DNS answers with the address of every ready pod
  selector:
    app: YOUR-APP        # <- the labels of your pods, as your Service has them
  ports:
    - name: grpc
      port: {shown}        # {said}"""
