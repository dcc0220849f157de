"""Byte-compatible with the article's server and client, as its own greet.proto says.

Its messages are built here from the article's field numbers alone, and carried by grpcio: nothing
of ours stands on that side of the wire.
"""

from concurrent import futures

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from support import free_ip

import greetlab as gl
from greetlab.channels.channel import Channel

STRING, MESSAGE, OPTIONAL = 9, 11, 1


def article_messages():
    """Greeting, GreetingRequest, GreetingResponse as the article's greet.proto has them."""
    file = descriptor_pb2.FileDescriptorProto(
        name="article.proto", package="greet", syntax="proto3"
    )
    greeting = file.message_type.add(name="Greeting")
    greeting.field.add(name="first_name", number=1, type=STRING, label=OPTIONAL)
    greeting.field.add(name="last_name", number=2, type=STRING, label=OPTIONAL)
    file.message_type.add(name="GreetingRequest").field.add(
        name="greeting", number=1, type=MESSAGE, label=OPTIONAL, type_name=".greet.Greeting"
    )
    file.message_type.add(name="GreetingResponse").field.add(
        name="Result", number=1, type=STRING, label=OPTIONAL
    )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"greet.{name}"))
        for name in ("GreetingRequest", "GreetingResponse")
    ]


Request, Response = article_messages()


def test_the_articles_client_works_against_our_server():
    with gl.Cluster.local(pods=1) as cluster:
        [pod] = cluster.pods
        address = f"{pod.ip}:{cluster.port}"
        options = [("grpc.enable_http_proxy", 0)]
        with grpc.insecure_channel(address, options=options) as channel:
            greet = channel.unary_unary(
                "/greet.GreetService/Greet",
                request_serializer=Request.SerializeToString,
                response_deserializer=Response.FromString,
            )
            request = Request(greeting={"first_name": "Hitesh", "last_name": "Pattanayak"})
            response = greet(request, timeout=5)
    expected = f"Hello, Hitesh Pattanayak from pod: name({pod.name}), ip({pod.ip})."
    assert response.Result == expected


@pytest.fixture
def article_server():
    def greet(request, context):
        name = f"{request.greeting.first_name} {request.greeting.last_name}"
        return Response(
            Result=f"Hello, {name} from pod: name(greetserver-deploy-7595ccbdd5-k6zbl), "
            "ip(172.17.0.3)."
        )

    handler = grpc.unary_unary_rpc_method_handler(
        greet,
        request_deserializer=Request.FromString,
        response_serializer=Response.SerializeToString,
    )
    server = grpc.server(futures.ThreadPoolExecutor(max_workers=2))
    server.add_generic_rpc_handlers(
        [grpc.method_handlers_generic_handler("greet.GreetService", {"Greet": handler})]
    )
    ip = free_ip()
    port = server.add_insecure_port(f"{ip}:0")
    server.start()
    yield f"{ip}:{port}"
    server.stop(None).wait()


def test_our_client_works_against_the_articles_server(article_server):
    with Channel(f"ipv4:{article_server}") as channel:
        calls = channel.greet("Hitesh", "Pattanayak", times=3)
    assert calls[0].result.startswith("Hello, Hitesh Pattanayak from pod")
    # It tells its pod in words only, and nothing of the connection, which is ours to know.
    assert calls.by_pod == {"greetserver-deploy-7595ccbdd5-k6zbl": 3}
    assert calls.connection.tolist() == [0, 0, 0]
    assert len(calls.connections) == 1
    assert " · 1 connection · " in calls.summary
    with Channel(f"ipv4:{article_server}", engine="grpc") as channel:
        calls = channel.greet("Hitesh", "Pattanayak", times=3)
    assert calls.connection.tolist() == [-1, -1, -1]
    assert calls.connections == []
    assert " · connections unknown · " in calls.summary
