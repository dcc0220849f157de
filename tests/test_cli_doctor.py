"""`greetlab doctor`: this machine, and services that have never heard of the lab."""

import resource
import shutil
import socket
import subprocess
from concurrent.futures import ThreadPoolExecutor

import grpc
import pytest
from command_line import greetlab
from support import free_ip

import greetlab as gl
from greetlab.clusters.local import DNS_PORT
from greetlab.commands.doctor import (
    ServiceReport,
    examine_machine,
    examine_service,
    findings,
    machine,
    targets,
)
from greetlab.commands.doctor import service as service_doctor
from greetlab.commands.doctor.report import Question
from greetlab.dns.server import ClusterDns

PORT = 50071


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def foreign():
    """Servers of somebody else's: gRPC, but not a method that we know, not even health."""
    with ThreadPoolExecutor(4) as threads:
        servers, ips = [], [free_ip() for _ in range(3)]
        for ip in ips:
            server = grpc.server(threads)
            server.add_insecure_port(f"{ip}:{PORT}")
            server.start()
            servers.append(server)
        yield ips
        for server in servers:
            server.stop(0).wait()


@pytest.fixture(scope="module")
def names():
    with ClusterDns(free_ip(), DNS_PORT) as names:
        yield names


@pytest.fixture
def service(names):
    """A service of these addresses; what its clients have as a target."""

    def make(name, *ips, cluster_ip=None):
        names.set_service(
            name, ports={"grpc": (PORT, PORT)}, cluster_ip=cluster_ip,
            endpoints=[(None, ip) for ip in ips],
        )  # fmt: skip
        return f"dns://{names.address}:{DNS_PORT}/{name}.default.svc.cluster.local.:{PORT}"

    return make


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        yield cluster


# A service.


def test_the_lab_s_own_names_are_looked_at_in_a_cluster_made_for_it():
    assert greetlab("doctor", "greetserver", "-n", 2).status == 1
    ended = greetlab("doctor", "greetserver-headless", "--policy", "round_robin", "-n", 6)
    assert ended.status == 0


def test_what_a_target_may_be_is_said_once():
    assert greetlab("doctor", "no-port").complaint.count("expected") == 1
    assert greetlab("doctor", "dns:///no-port").complaint.count("expected") == 1


def test_several_addresses_and_pick_first_are_sticky(service, foreign):
    target = service("web", *foreign)
    ended = greetlab("doctor", target, "--json")
    assert ended.status == 1
    report = ended.document
    assert report["sticky"] is True
    assert report["verdict"].startswith("Sticky: the name has 3 addresses, but pick_first uses one")
    assert sorted(report["addresses"]) == sorted(f"{ip}:{PORT}" for ip in foreign)
    theirs, cured = report["runs"]
    assert (theirs["policy"], theirs["connections"]) == ("pick_first", 1)
    assert list(theirs["by_address"].values()) == [30]
    assert (cured["policy"], list(cured["by_address"].values())) == ("round_robin", [10, 10, 10])
    assert report["speaks"] == "grpc"
    assert report["fix"]["service"] == ""  # the name is good
    assert report["fix"]["target"] == f"dns:///web.default.svc.cluster.local.:{PORT}"


def test_several_addresses_and_round_robin_are_not(service, foreign):
    ended = greetlab("doctor", service("web", *foreign), "--policy", "round_robin", "-n", 6)
    assert ended.status == 0
    assert "Not sticky: 6 calls were shared: 2 to" in ended.said
    assert "The fix" not in ended.said


def test_one_address_is_sticky_whatever_is_behind_it(service, foreign):
    target = service("one", cluster_ip=foreign[0])
    for policy in ("pick_first", "round_robin"):
        report = examine_service(target, policy=policy)
        assert report.sticky
        assert not report.healthy
        assert report.verdict.startswith("Sticky: the name has one address")
        assert report.runs[-1].policy == "round_robin"  # tried, and no cure
        assert [run.connections for run in report.runs] == [1] * len(report.runs)
        assert any("a ClusterIP looks like one server" in sentence for sentence in report.unknown)
    # A targetPort that nothing tells is not made up.
    assert report.fix.target == "dns:///one-headless.default.svc.cluster.local:YOUR-TARGET-PORT"
    assert "clusterIP: None" in report.fix.service
    assert "port: YOUR-TARGET-PORT" in report.fix.service


def test_what_dns_was_asked_is_told(service, foreign):
    report = examine_service(service("web", *foreign), times=2)
    assert [(q.type, q.status) for q in report.questions] == [("A", "ok"), ("AAAA", "no_data")]


def test_questions_asked_again_are_not_told_again():
    sim = gl.Cluster.sim(seed=1)
    channel = sim.channel("nowhere")
    channel.greet(times=1)
    sim.run(seconds=60)
    assert len(sim.trace.of("LookupEnded")) > 2
    once = service_doctor._questions(sim.trace)
    assert len(once) * len(sim.trace.of("LookupEnded")) == len(sim.trace.of("QueryAnswered"))


def test_greet_itself_says_how_many_pods_are_behind_one_address(cluster):
    report = examine_service(cluster.target("greetserver"))
    assert report.speaks == "greet"
    assert report.behind.pods == ["pod-1", "pod-2", "pod-3"]
    assert "12 new connections reached pod-1, pod-2, pod-3" in report.verdict
    assert not any("looks like one server" in sentence for sentence in report.unknown)


def test_greet_itself_says_which_pods_answer(cluster):
    report = examine_service(cluster.target("greetserver-headless"), policy="round_robin")
    assert report.healthy
    assert report.runs[0].by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}


def test_one_pod_is_not_more_than_is_known():
    with gl.Cluster.local(pods=1) as alone:
        report = examine_service(alone.target("greetserver"), times=2)
    assert any("12 new connections all reached pod-1" in sentence for sentence in report.unknown)


def test_an_address_that_refuses_is_named_with_what_to_look_at(service, foreign):
    dead = free_ip()
    target = service("half", foreign[0], foreign[1], dead)
    ended = greetlab("doctor", target, "--policy", "round_robin", "--timeout", "1")
    assert ended.status == 1  # shared, but not by all
    said = " ".join(ended.said.split())
    assert "Not sticky" in said
    assert f"BAD {dead}:{PORT} cannot be reached: connect: Connection refused" in said
    assert "targetPort" in said


@pytest.mark.parametrize(
    ("ips", "verdict", "finding"),
    [
        (None, "the name has no address", "NXDOMAIN"),
        (["dead"], "nobody answered", "Connection refused"),
        (["mute"], "nobody answered", "no gRPC server: it has not answered yet"),
    ],
)
def test_where_nothing_can_be_judged_it_says_so(service, ips, verdict, finding):
    ip = free_ip()
    with socket.create_server((ip, PORT if ips == ["mute"] else 0)):
        target = service("lost", cluster_ip=ip)
        if ips is None:
            target = target.replace("lost", "nowhere")
        ended = greetlab("doctor", target, "--timeout", "0.3", "--json")
    assert ended.status == 1
    report = ended.document
    assert report["sticky"] is None
    assert verdict in report["verdict"]
    assert [run["calls"] for run in report["runs"]] == [1]  # thirty would take their time
    assert finding in str(report["findings"])
    assert all(finding["remedy"] for finding in report["findings"])
    assert report["fix"] is None


@pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to make a certificate with")
def test_a_server_that_wants_tls_is_recognised(service, tmp_path):
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    make = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]
    whose = ["-subj", "/CN=test", "-addext", "subjectAltName=DNS:tls.default.svc.cluster.local"]
    files = [*whose, "-keyout", key, "-out", certificate]
    subprocess.run(["openssl", *make, *files], check=True, capture_output=True, timeout=30)
    ip = free_ip()
    with ThreadPoolExecutor(1) as threads:
        server = grpc.server(threads)
        credentials = [(key.read_bytes(), certificate.read_bytes())]
        server.add_secure_port(f"{ip}:{PORT}", grpc.ssl_server_credentials(credentials))
        server.start()
        report = examine_service(service("tls", cluster_ip=ip), timeout=0.5)
        server.stop(0).wait()
    (wants,) = [each.saw for each in report.findings if "wants TLSv1.3" in each.saw]
    assert wants.endswith("its certificate is for tls.default.svc.cluster.local")


def test_a_list_of_addresses_needs_no_name(foreign):
    target = "static:" + ",".join(f"{ip}:{PORT}" for ip in foreign)
    ended = greetlab("doctor", target, "-n", 2, "--language", "c#")
    assert "nothing was asked" in ended.said
    assert "YOUR-SERVICE-headless" in ended.said


def test_round_robin_among_the_dead_is_sticky_and_not_the_clients_fault(service, foreign):
    target = service("last", foreign[0], free_ip())
    report = examine_service(target, policy="round_robin", times=4, timeout=0.3)
    assert report.verdict.startswith("Sticky for now: of 2 addresses only one can be reached")
    assert report.fix is None


def test_the_search_list_is_noticed():
    """A note, not a finding: it costs questions, not calls."""
    sim = gl.Cluster.sim()
    report = ServiceReport("web:1", "pick_first", sticky=False, addresses=["10.0.0.1:1"])
    read = targets.read_target("web:1")
    report.questions = [Question("A", f"web{end}.", status, 1.0)
                        for end, status in ((".svc", "nxdomain"), ("", "ok"))]  # fmt: skip
    findings.find(report, read, sim.trace, timeout=1.0, tls=False)
    (note,) = report.findings
    assert (note.level, note.saw[:6]) == ("note", "1 of 2")
    assert report.healthy


# This machine.


def found(subject):
    return next(finding for finding in examine_machine() if finding.subject == subject)


def test_this_machine_can_run_the_lab():
    ended = greetlab("doctor")
    assert ended.status == 0, ended.said  # else no test here could have passed
    assert "This machine can run the lab." in ended.said
    document = greetlab("doctor", "--json").document
    assert document["healthy"] is True
    assert {"Python", "loopback", "networks", "executables", "resolv.conf", "clock", "IPv6"} <= {
        finding["subject"] for finding in document["findings"]
    }


def test_what_is_wrong_is_status_1_with_a_remedy(monkeypatch):
    monkeypatch.setenv("http_proxy", "http://ada:secret@proxy.example:3128")
    monkeypatch.setenv("no_proxy", "example.org")
    ended = greetlab("doctor")
    said = " ".join(ended.said.split())
    assert ended.status == 1
    assert "1 thing to be done" in said
    assert "http_proxy is http://proxy.example:3128" in said
    assert "secret" not in said
    assert "export no_proxy=example.org,127.0.0.0/8,localhost,cluster.local." in "".join(said)


@pytest.fixture
def limited(monkeypatch):
    monkeypatch.setattr(resource, "getrlimit", lambda which: (256, 4096))


def test_each_finding_has_a_remedy(monkeypatch, limited, tmp_path):
    """A machine where everything is wrong that can be made wrong here."""

    def nothing(*arguments, **options):
        raise OSError(99, "Cannot assign requested address")

    monkeypatch.setattr(machine.socket, "create_server", nothing)
    monkeypatch.setattr(machine.shutil, "which", lambda name: None)
    monkeypatch.setattr(machine, "find_spec", lambda name: None)
    monkeypatch.setattr(machine.executables, "path", lambda name: tmp_path / name)
    monkeypatch.setattr(machine.time, "clock_getres", lambda clock: 0.004)
    monkeypatch.setattr(machine.sys, "platform", "darwin")
    levels = {finding.subject: finding.level for finding in examine_machine()}
    assert levels == {
        "Python": "good", "system": "bad", "loopback": "bad", "networks": "good",
        "executables": "bad", "descriptors": "bad", "resolv.conf": "good", "clock": "bad",
        "proxy": "good", "grpcio": "good", "Jupyter": "note", "dig": "note", "chromium": "note",
        "IPv6": "note",
    }  # fmt: skip
    for finding in examine_machine():
        assert (finding.level == "good") == (finding.remedy == "")
        assert "\n" not in finding.remedy


def test_networks_that_are_all_taken_are_found(monkeypatch):
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as everywhere:
        everywhere.bind(("0.0.0.0", 0))
        monkeypatch.setattr(machine, "DNS_PORT", everywhere.getsockname()[1])
        finding = found("networks")
    assert (finding.level, finding.saw[:8]) == ("bad", "0 of 254")
    assert finding.remedy


def test_executables_of_another_version_are_found(monkeypatch, tmp_path):
    for name in machine.executables.NAMES:
        (tmp_path / name).write_text("#!/bin/sh\necho 0.0.9\n")
        (tmp_path / name).chmod(0o755)
    monkeypatch.setattr(machine.executables, "path", lambda name: tmp_path / name)
    finding = found("executables")
    assert finding.level == "bad"
    assert "greet-server is 0.0.9" in finding.saw


def test_a_grpcio_that_does_not_fit_is_found(monkeypatch):
    monkeypatch.setattr(machine.sys, "executable", "/bin/false")
    finding = found("grpcio")
    assert finding.level == "bad"
    assert finding.remedy == "pip install -U grpcio"
