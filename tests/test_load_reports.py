"""Load reports (ORCA) of greet-server, read by a client that is not ours.

The messages are built here from cncf/xds's numbers alone. Those out of band are carried by grpcio.
The trailer of a call is read on our own HTTP/2: gRPC's core takes it for itself, and shows none of
it to the application.
"""

import threading
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from google.protobuf import descriptor_pb2, descriptor_pool, duration_pb2, message_factory
from support import wait_until
from test_greet_server import NO_PROXY, START, serve  # noqa: F401  (serve is a fixture)

import greetlab as gl

GREET = "/greet.GreetService/Greet"
STREAM = "/xds.service.orca.v3.OpenRcaService/StreamCoreMetrics"
TRAILER = "endpoint-load-metrics-bin"
DOUBLE, STRING, MESSAGE, OPTIONAL, REPEATED = 1, 9, 11, 1, 3


def orca_messages():
    """OrcaLoadReport and OrcaLoadReportRequest, as cncf/xds has them."""
    pool = descriptor_pool.DescriptorPool()
    pool.AddSerializedFile(duration_pb2.DESCRIPTOR.serialized_pb)
    file = descriptor_pb2.FileDescriptorProto(
        name="orca.proto", package="xds.data.orca.v3", syntax="proto3",
        dependency=["google/protobuf/duration.proto"],
    )  # fmt: skip
    report = file.message_type.add(name="OrcaLoadReport")
    for name, number in (
        ("cpu_utilization", 1), ("mem_utilization", 2), ("rps_fractional", 6), ("eps", 7),
        ("application_utilization", 9),
    ):  # fmt: skip
        report.field.add(name=name, number=number, type=DOUBLE, label=OPTIONAL)
    entry = report.nested_type.add(name="NamedMetricsEntry")
    entry.options.map_entry = True
    entry.field.add(name="key", number=1, type=STRING, label=OPTIONAL)
    entry.field.add(name="value", number=2, type=DOUBLE, label=OPTIONAL)
    report.field.add(
        name="named_metrics", number=8, type=MESSAGE, label=REPEATED,
        type_name=".xds.data.orca.v3.OrcaLoadReport.NamedMetricsEntry",
    )  # fmt: skip
    file.message_type.add(name="OrcaLoadReportRequest").field.add(
        name="report_interval", number=1, type=MESSAGE, label=OPTIONAL,
        type_name=".google.protobuf.Duration",
    )  # fmt: skip
    pool.Add(file)
    return [
        message_factory.GetMessageClass(pool.FindMessageTypeByName(f"xds.data.orca.v3.{name}"))
        for name in ("OrcaLoadReport", "OrcaLoadReportRequest")
    ]


Report, Request = orca_messages()


@pytest.fixture
def channel_to():
    opened = []

    def open_channel(server):
        opened.append(grpc.insecure_channel(server.address, options=NO_PROXY))
        return opened[-1]

    yield open_channel
    for channel in opened:
        channel.close()


def report_of(answer):
    trailers = dict(answer.trailers)
    return Report.FromString(trailers[TRAILER]) if TRAILER in trailers else None


def stream(channel, milliseconds, **options):
    request = Request()
    request.report_interval.nanos = milliseconds * 1_000_000
    return channel.unary_stream(
        STREAM, request_serializer=Request.SerializeToString,
        response_deserializer=Report.FromString,
    )(request, timeout=START, **options)  # fmt: skip


def greet(channel, times=1):
    """Calls at once, and what each brought along."""
    channel.wait_ready()
    with ThreadPoolExecutor(times) as pool:
        return list(pool.map(lambda _: channel.call_method(GREET), range(times)))


def test_each_call_brings_the_pod_s_load_along(serve):
    server = serve("--load-reports", "--capacity", "4", "--service-time", "400ms")
    with server.channel() as channel:
        reports = [report_of(answer) for answer in greet(channel, 6)]
    assert all(reports)
    # As the first one was answered, the next was begun, and one more waited.
    first = max(reports, key=lambda one: one.named_metrics["waiting"])
    assert dict(first.named_metrics) == {"in_service": 4, "waiting": 1}
    assert first.eps == 0
    assert first.rps_fractional > 0
    assert 0 < first.application_utilization <= 1
    assert first.cpu_utilization == 0  # not measured


def test_a_pod_counts_its_failures(serve):
    server = serve("--load-reports", "--capacity", "1", "--queue", "0", "--service-time", "100ms")
    with server.channel() as channel:
        answers = {answer.status: report_of(answer) for answer in greet(channel, 2)}
    assert set(answers) == {"OK", "RESOURCE_EXHAUSTED"}
    assert answers["RESOURCE_EXHAUSTED"].eps == answers["RESOURCE_EXHAUSTED"].rps_fractional > 0
    assert answers["OK"].eps == pytest.approx(answers["OK"].rps_fractional / 2)


def test_without_a_capacity_nobody_knows_how_busy_it_is(serve):
    server = serve("--load-reports")
    with server.channel() as channel:
        [report] = map(report_of, greet(channel))
    assert report.application_utilization == 0
    assert report.rps_fractional > 0


def test_who_asks_for_nothing_is_told_nothing(serve, channel_to):
    server = serve("--capacity", "2")
    with server.channel() as channel:
        assert list(map(report_of, greet(channel))) == [None]
    with pytest.raises(grpc.RpcError) as unknown:
        next(stream(channel_to(server), 100))
    assert unknown.value.code() == grpc.StatusCode.UNIMPLEMENTED


def test_out_of_band_reports_come_at_once_and_then_as_often_as_asked(serve, channel_to):
    server = serve("--load-reports", "--capacity", "2", "--service-time", "10ms")
    channel = channel_to(server)
    reports = stream(channel, 150)
    assert next(reports).rps_fractional == 0
    for _ in range(5):
        channel.unary_unary(GREET)(b"", timeout=START)
    following = next(reports)
    assert following.rps_fractional > 0
    assert 0 < following.application_utilization < 1


@pytest.mark.parametrize("asked", [0, 1])
def test_nobody_has_them_more_often_than_ten_times_a_second(serve, channel_to, asked):
    server = serve("--load-reports")
    reports = stream(channel_to(server), asked)
    next(reports)
    ended = threading.Event()
    seen = []

    def read():
        for report in reports:
            seen.append(report)
            if len(seen) == 3:
                break
        ended.set()

    threading.Thread(target=read, daemon=True).start()
    assert not ended.wait(0.25)
    assert ended.wait(START)


def is_let_in(reports):
    try:
        return next(reports) is not None
    except grpc.RpcError:
        return False


def test_there_are_so_many_streams_of_them_and_no_more(serve, channel_to):
    server = serve("--load-reports", "--max-concurrent-streams", "200")
    channel = channel_to(server)
    streams = [stream(channel, 900) for _ in range(100)]
    for one in streams:
        next(one)
    with pytest.raises(grpc.RpcError) as refused:
        next(stream(channel, 900))
    assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    assert "to 100 at once" in refused.value.details()
    # One that ends makes room for another one, as soon as the server has heard of it.
    streams[0].cancel()
    wait_until(lambda: is_let_in(stream(channel, 900)))


def test_a_server_that_ends_ends_its_streams(serve, channel_to):
    server = serve("--load-reports", "--grace", "200ms")
    reports = stream(channel_to(server), 900)
    next(reports)
    server.process.terminate()
    assert server.wait() == 0
    with pytest.raises(grpc.RpcError):
        next(reports)


def test_the_pods_of_a_local_cluster_report_where_they_are_asked_to():
    with gl.Cluster.local(pods=1, load_reports=True, capacity=3) as cluster:
        with cluster.channel("greetserver") as channel:
            [report] = map(report_of, greet(channel))
    assert dict(report.named_metrics) == {"in_service": 0, "waiting": 0}
