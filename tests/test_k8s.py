"""The manifests and the image, without a cluster and without building anything.

What the API server, the kubelet and the network plugin would refuse or misunderstand is seen here;
the image itself is built and run by `./run image`.
"""

import contextlib
import copy
import functools
import re
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
from pathlib import Path
from typing import NamedTuple

import grpc
import kubernetes_validate
import pytest
import yaml
from support import free_ip, wait_until

import greetlab as gl
from greetlab import executables

ROOT = Path(__file__).parent.parent
K8S = ROOT / "k8s"
OVERLAYS = ("ageless", "clusterip", "gateway", "headless", "ingress", "watch", "world")
VERSION = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
KUBERNETES = ("1.30", kubernetes_validate.latest_version())
"""The oldest that k8s/README.md promises, and the newest whose OpenAPI the package carries."""

NAME = "app.kubernetes.io/name"


@functools.cache
def _kustomized(folder):
    kubectl = Path(sys.executable).with_name("kubectl")
    said = subprocess.run(
        [kubectl, "kustomize", K8S / folder], capture_output=True, text=True, timeout=30
    )
    assert said.returncode == 0, said.stderr
    assert said.stderr == ""  # where kustomize warns of what it will no longer take
    return list(yaml.safe_load_all(said.stdout))


def objects_of(overlay):
    """All objects of an overlay, for the caller to keep; of the one that Cluster.kube makes, its
    client's pod, too.
    """
    client = _kustomized("client") if overlay == "world" else []
    return copy.deepcopy([*_kustomized(f"overlays/{overlay}"), *client])


def of_kind(objects, *kinds):
    return [each for each in objects if each["kind"] in kinds]


def the(objects, kind, name):
    (found,) = [each for each in of_kind(objects, kind) if each["metadata"]["name"] == name]
    return found


def workloads(objects):
    return of_kind(objects, "Deployment", "Job", "Pod")


def template_of(workload):
    return workload if workload["kind"] == "Pod" else workload["spec"]["template"]


def container_of(workload):
    (container,) = template_of(workload)["spec"]["containers"]
    return container


def selects(selector, labels):
    """Whether a label selector, of the kinds that we use, means these labels."""
    chosen = all(labels.get(key) == value for key, value in selector.get("matchLabels", {}).items())
    for expression in selector.get("matchExpressions", []):
        assert expression["operator"] == "In"
        chosen = chosen and labels.get(expression["key"]) in expression["values"]
    return chosen


def selected(selector, objects):
    """The workloads whose pods it means."""
    return [
        workload
        for workload in workloads(objects)
        if selects(selector, template_of(workload)["metadata"]["labels"])
    ]


def backends(objects, service):
    """The workloads whose pods a Service's selector means."""
    selector = {"matchLabels": service["spec"]["selector"]}
    return selected(selector, objects)


@functools.cache
def said_by(name, *arguments):
    return subprocess.run(
        [executables.path(name), *arguments], capture_output=True, text=True, timeout=10, env={}
    )


@pytest.fixture(params=OVERLAYS)
def objects(request):
    return objects_of(request.param)


def test_these_are_all_overlays():
    assert sorted(path.name for path in (K8S / "overlays").iterdir()) == list(OVERLAYS)


# What the API server would say


@pytest.mark.parametrize("version", KUBERNETES)
def test_the_published_schema_takes_every_object(version):
    different = {yaml.safe_dump(each): each for overlay in OVERLAYS for each in objects_of(overlay)}
    for each in different.values():
        kubernetes_validate.validate(each, version, strict=True)


def test_the_schema_refuses_a_misspelt_field():
    policy = the(objects_of("clusterip"), "NetworkPolicy", "callers")
    policy["spec"]["engress"] = policy["spec"].pop("egress")
    with pytest.raises(kubernetes_validate.ValidationError, match="engress"):
        kubernetes_validate.validate(policy, KUBERNETES[0], strict=True)


def test_everything_is_in_the_labs_own_namespace(objects):
    (namespace,) = of_kind(objects, "Namespace")
    assert namespace["metadata"]["name"] == "greetlab"
    inside = [each for each in objects if each is not namespace]
    assert {each["metadata"]["namespace"] for each in inside} == {"greetlab"}


def test_labels_are_the_recommended_ones_and_no_others(objects):
    for each in [*objects, *map(template_of, workloads(objects))]:
        labels = dict(each["metadata"]["labels"])
        if each.get("kind") == "Namespace":
            labels = {k: v for k, v in labels.items() if not k.startswith("pod-security.")}
        assert labels.pop("app.kubernetes.io/part-of") == "greetlab"
        assert set(labels) <= {NAME}
        assert labels.get(NAME, "greetserver") in ("greetserver", "greetgateway", "greetclient")


def test_the_namespace_enforces_the_restricted_standard(objects):
    labels = of_kind(objects, "Namespace")[0]["metadata"]["labels"]
    assert labels["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_pod_meets_the_restricted_standard(objects):
    for workload in workloads(objects):
        spec, container = template_of(workload)["spec"], container_of(workload)
        assert not {"hostNetwork", "hostPID", "hostIPC", "volumes", "initContainers"} & set(spec)
        assert spec["securityContext"] == {
            "runAsNonRoot": True,
            "runAsUser": 65532,
            "runAsGroup": 65532,
            "seccompProfile": {"type": "RuntimeDefault"},
        }
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": True,
        }
        assert all("hostPort" not in port for port in container.get("ports", []))


def test_no_pod_has_a_token_or_other_peoples_variables(objects):
    for workload in workloads(objects):
        spec = template_of(workload)["spec"]
        assert spec["enableServiceLinks"] is False
        if spec.get("serviceAccountName") == "greetgateway":  # the overlay watch, and it asks
            continue
        assert spec["automountServiceAccountToken"] is False
        assert "serviceAccountName" not in spec


def test_every_pod_says_what_it_needs_and_no_more_than_it_may(objects):
    for workload in workloads(objects):
        resources = container_of(workload)["resources"]
        assert set(resources["requests"]) == set(resources["limits"]) == {"cpu", "memory"}


# Who is meant by what


def test_there_are_three_servers(objects):
    assert the(objects, "Deployment", "greetserver")["spec"]["replicas"] == 3


@pytest.mark.parametrize("overlay", ["ageless", "gateway", "ingress", "watch"])
def test_there_is_one_gateway(overlay):
    assert the(objects_of(overlay), "Deployment", "greetgateway")["spec"]["replicas"] == 1


def test_a_deployment_selects_its_own_pods_and_no_others(objects):
    for deployment in of_kind(objects, "Deployment"):
        selector = deployment["spec"]["selector"]
        assert selected(selector, objects) == [deployment]
        for spread in template_of(deployment)["spec"].get("topologySpreadConstraints", []):
            assert selects(spread["labelSelector"], template_of(deployment)["metadata"]["labels"])


def test_the_servers_are_spread_and_leave_one_by_one(objects):
    server = the(objects, "Deployment", "greetserver")
    (spread,) = template_of(server)["spec"]["topologySpreadConstraints"]
    assert spread["topologyKey"] == "kubernetes.io/hostname"
    (budget,) = of_kind(objects, "PodDisruptionBudget")
    assert budget["spec"]["selector"] == server["spec"]["selector"]
    assert budget["spec"]["maxUnavailable"] == 1 < server["spec"]["replicas"]


def test_a_service_leads_to_a_port_of_one_deployments_pods(objects):
    for service in of_kind(objects, "Service"):
        (deployment,) = backends(objects, service)
        assert deployment["kind"] == "Deployment"
        ports = {port["name"]: port for port in container_of(deployment)["ports"]}
        for port in service["spec"]["ports"]:
            assert port["name"] == port["targetPort"]
            assert port["targetPort"] in ports
            # Nothing translates the port of a headless Service.
            if service["spec"].get("clusterIP") == "None":
                assert port["port"] == ports[port["targetPort"]]["containerPort"]


def test_the_grpc_port_says_what_is_spoken_on_it(objects):
    for service in of_kind(objects, "Service"):
        (port,) = service["spec"]["ports"]
        spoken = {"grpc": "kubernetes.io/h2c", "http": "http"}
        assert port["appProtocol"] == spoken[port["name"]]


@pytest.mark.parametrize(
    ("overlay", "names"),
    {
        "clusterip": {"greetserver"},
        "headless": {"greetserver-headless"},
        "gateway": {"greetserver-headless", "greetgateway"},
        "ingress": {"greetserver-headless", "greetgateway"},
        "ageless": {"greetserver-headless", "greetgateway"},
        "watch": {"greetserver-headless", "greetgateway"},
    }.items(),
)
def test_an_overlay_has_just_the_services_it_is_about(overlay, names):
    services = of_kind(objects_of(overlay), "Service")
    assert {service["metadata"]["name"] for service in services} == names
    for service in services:
        headless = service["spec"].get("clusterIP") == "None"
        assert headless == service["metadata"]["name"].endswith("-headless")
        assert "publishNotReadyAddresses" not in service["spec"]


def test_the_ingress_leads_greet_com_to_the_gateway():
    objects = objects_of("ingress")
    (rule,) = the(objects, "Ingress", "greetgateway")["spec"]["rules"]
    assert rule["host"] == "greet.com"
    (path,) = rule["http"]["paths"]
    assert (path["path"], path["pathType"]) == ("/greet", "Exact")
    backend = path["backend"]["service"]
    service = the(objects, "Service", backend["name"])
    assert backend["port"]["name"] in [port["name"] for port in service["spec"]["ports"]]
    assert backends(objects, service) == [the(objects, "Deployment", "greetgateway")]


# What the kubelet would do


def test_the_image_is_this_version_and_is_not_looked_for_elsewhere(objects):
    for workload in workloads(objects):
        container = container_of(workload)
        assert container["image"] == f"greetlab:{VERSION}"
        assert container["imagePullPolicy"] == "IfNotPresent"


def test_the_words_name_the_same_image():
    for path in [ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *K8S.rglob("*")]:
        if path.is_file():
            named = set(re.findall(r"\bgreetlab:(\w[\w.-]*)", path.read_text()))
            assert named <= {VERSION}, path


def test_the_executables_take_their_arguments(objects):
    for workload in workloads(objects):
        (name,) = container_of(workload)["command"]
        # What is wrong with a name or a value would be told before, or with, this one.
        said = said_by(name, *container_of(workload)["args"], "--no-such-flag")
        assert said.stderr == (
            f"{name}: The following argument was not expected: --no-such-flag (see {name} --help)\n"
        )


def test_a_container_names_the_port_that_its_executable_listens_on(objects):
    for deployment in of_kind(objects, "Deployment"):
        container = container_of(deployment)
        (port,) = container["ports"]
        default = re.search(r"--port UINT=(\d+)", said_by(*container["command"], "--help").stdout)
        assert port["containerPort"] == int(default[1])


def test_a_server_knows_who_and_where_it_is(objects):
    environment = container_of(the(objects, "Deployment", "greetserver"))["env"]
    fields = {e["name"]: e["valueFrom"]["fieldRef"]["fieldPath"] for e in environment}
    assert fields == {"POD_NAME": "metadata.name", "POD_IP": "status.podIP"}
    assert all(f"Env:{name}" in said_by("greet-server", "--help").stdout for name in fields)


def test_a_probe_asks_at_a_port_of_its_container(objects):
    for deployment in of_kind(objects, "Deployment"):
        container = container_of(deployment)
        (port,) = container["ports"]
        for kind in ("readinessProbe", "livenessProbe"):
            probe = container[kind]
            if "grpc" in probe:
                assert probe["grpc"]["port"] == port["containerPort"]
            else:
                assert probe["httpGet"]["port"] == port["name"]
            # The kubelet looks first when the container starts, and warns if nobody listens yet.
            assert probe["initialDelaySeconds"] > 0
        # A pod that is not ready gets no requests long before it is killed for it.
        patience = [
            container[kind]["periodSeconds"] * container[kind]["failureThreshold"]
            for kind in ("readinessProbe", "livenessProbe")
        ]
        assert patience[0] < patience[1]


def test_a_pod_has_the_time_to_end_in_order(objects):
    for deployment in of_kind(objects, "Deployment"):
        container = container_of(deployment)
        (grace,) = [a for a in container["args"] if a.startswith("--grace=")]
        seconds = int(re.fullmatch(r"--grace=(\d+)s", grace)[1])
        forgotten = container["lifecycle"]["preStop"]["sleep"]["seconds"]
        allowed = template_of(deployment)["spec"]["terminationGracePeriodSeconds"]
        assert forgotten + seconds < allowed


@contextlib.contextmanager
def serving(name, arguments, environment):
    """A real executable at a free port: its first line, its address. It has to end in order."""
    with subprocess.Popen(
        [executables.path(name), *arguments, "--listen", free_ip(), "--port", "0"],
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            line = process.stdout.readline()
            yield line, re.search(r"serving on ([\d.:]+)", line)[1]
            process.terminate()
            assert process.wait(timeout=10) == 0
        finally:
            process.kill()


def status_of(url):
    try:
        return urllib.request.urlopen(url, timeout=5).status
    except urllib.error.HTTPError as error:
        error.close()
        return error.code


def test_the_real_server_answers_its_probes():
    container = container_of(the(objects_of("headless"), "Deployment", "greetserver"))
    with (
        serving("greet-server", container["args"], {}) as (_, address),
        grpc.insecure_channel(address) as channel,
    ):
        check = channel.unary_unary("/grpc.health.v1.Health/Check")
        for kind in ("readinessProbe", "livenessProbe"):
            service = container[kind]["grpc"].get("service", "").encode()
            question = b"\x0a" + bytes([len(service)]) + service  # field 1: a string
            assert check(question, timeout=5) == b"\x08\x01"  # field 1: SERVING


@pytest.mark.parametrize("overlay", ["ageless", "gateway", "ingress"])
def test_the_real_gateway_calls_the_headless_service_in_turns(overlay):
    objects = objects_of(overlay)
    container = container_of(the(objects, "Deployment", "greetgateway"))
    fields = {"metadata.namespace": "greetlab"}
    environment = {
        e["name"]: e["value"] if "value" in e else fields[e["valueFrom"]["fieldRef"]["fieldPath"]]
        for e in container["env"]
    }
    with serving("greet-gateway", container["args"], environment) as (line, address):
        # Nobody is there whom it could call: that is no reason to be restarted.
        for kind, status in {"readinessProbe": 503, "livenessProbe": 200}.items():
            assert status_of(f"http://{address}{container[kind]['httpGet']['path']}") == status
    port = the(objects, "Service", "greetserver-headless")["spec"]["ports"][0]["port"]
    target = f"dns:///greetserver-headless.greetlab.svc.cluster.local:{port}"
    assert line.rstrip().endswith(f"calling {target} (round_robin)")


@pytest.mark.parametrize(
    ("overlay", "service", "policies"),
    [
        ("clusterip", "greetserver", []),
        ("headless", "greetserver-headless", ["--policy=round_robin"]),
    ],
)
def test_the_client_calls_the_service_of_its_overlay(overlay, service, policies):
    objects = objects_of(overlay)
    job = the(objects, "Job", "greetclient")
    *flags, target = container_of(job)["args"]
    port = the(objects, "Service", service)["spec"]["ports"][0]["port"]
    assert target == f"dns:///{service}:{port}"
    assert [flag for flag in flags if flag.startswith("--policy")] == policies
    assert "--trace=-" in flags


def test_the_client_waits_for_the_pods_by_itself_and_tries_once():
    for overlay, pods in {"clusterip": 1, "headless": 3}.items():
        job = the(objects_of(overlay), "Job", "greetclient")
        assert f"--wait-pods={pods}" in container_of(job)["args"]
        assert "suspend" not in job["spec"]
        assert job["spec"]["backoffLimit"] == 0
        assert template_of(job)["spec"]["restartPolicy"] == "Never"


@pytest.mark.parametrize("overlay", ["gateway", "ingress"])
def test_who_promises_sharing_ends_connections(overlay):
    """A gateway that is there before the pods are hears of them when a connection ends (found on a
    real cluster: 12/0/0, and 450 more on one pod)."""
    objects = objects_of(overlay)
    server, gateway = (the(objects, "Deployment", f"greet{kind}") for kind in ("server", "gateway"))
    arguments = container_of(server)["args"]
    assert {"--max-connection-age=10s", "--max-connection-age-grace=10s"} <= set(arguments)
    # A lookup that a lost connection asks for may not wait until the next one is lost.
    assert "--cooldown=1s" in container_of(gateway)["args"]


def test_ageless_is_the_gateway_whose_connections_never_end():
    aged = objects_of("gateway")
    arguments = container_of(the(aged, "Deployment", "greetserver"))["args"]
    arguments[:] = [each for each in arguments if not each.startswith("--max-connection-age")]
    assert aged == objects_of("ageless")


def test_the_watching_gateway_may_list_and_watch_endpoint_slices_and_nothing_else():
    objects = objects_of("watch")
    (role,) = of_kind(objects, "Role", "ClusterRole")
    assert role["rules"] == [
        {
            "apiGroups": ["discovery.k8s.io"],
            "resources": ["endpointslices"],
            "verbs": ["list", "watch"],
        }
    ]
    (binding,) = of_kind(objects, "RoleBinding", "ClusterRoleBinding")
    assert (binding["roleRef"]["kind"], binding["roleRef"]["name"]) == (
        "Role", role["metadata"]["name"],
    )  # fmt: skip
    (subject,) = binding["subjects"]
    (account,) = of_kind(objects, "ServiceAccount")
    assert subject["name"] == account["metadata"]["name"]
    for workload in workloads(objects):
        spec = template_of(workload)["spec"]
        asks = spec.get("serviceAccountName") == account["metadata"]["name"]
        assert asks == spec["automountServiceAccountToken"]
        assert asks == (workload["metadata"]["name"] == "greetgateway")


def test_the_watching_gateway_asks_its_kubeconfig_s_api():
    """In place of the pod's own account, which is not here."""
    container = container_of(the(objects_of("watch"), "Deployment", "greetgateway"))
    environment = {e["name"]: e["value"] for e in container["env"] if "value" in e}
    with gl.Cluster.local(pods=2) as local:
        environment["GRPC_KUBECONFIG"] = local.kubeconfig
        with serving("greet-gateway", container["args"], environment) as (line, address):
            assert line.rstrip().endswith("calling k8s:///greetserver-headless:grpc (round_robin)")
            path = container["readinessProbe"]["httpGet"]["path"]
            wait_until(lambda: status_of(f"http://{address}{path}") == 200)


# What the network plugin would let pass


class Pod(NamedTuple):
    labels: dict
    namespace: str = "greetlab"


SERVER, CLIENT, GATEWAY = (
    Pod({NAME: name}) for name in ("greetserver", "greetclient", "greetgateway")
)
STRANGER = Pod({NAME: "debug"})
DNS = Pod({"k8s-app": "kube-dns"}, "kube-system")
CONTROLLER = Pod({NAME: "ingress-nginx"}, "ingress-nginx")
ELSEWHERE = Pod({NAME: "greetclient"}, "default")


def test_the_pods_of_these_tests_are_those_of_the_manifests():
    objects = objects_of("gateway") + of_kind(objects_of("headless"), "Job")
    labels = [template_of(workload)["metadata"]["labels"][NAME] for workload in workloads(objects)]
    assert sorted(labels) == sorted(pod.labels[NAME] for pod in (SERVER, CLIENT, GATEWAY))


def lets(objects, direction, pod, peer, port, protocol="TCP"):
    """Whether the policies of one side, the pod's, let it call a peer, or be called by one."""
    if pod.namespace != "greetlab":
        return True
    policies = [
        policy["spec"]
        for policy in of_kind(objects, "NetworkPolicy")
        if direction in policy["spec"]["policyTypes"]
        and selects(policy["spec"]["podSelector"], pod.labels)
    ]

    def means_peer(entry):
        if "namespaceSelector" not in entry:
            there = peer.namespace == pod.namespace
        else:
            name = {"kubernetes.io/metadata.name": peer.namespace}
            there = selects(entry["namespaceSelector"], name)
        return there and selects(entry.get("podSelector", {}), peer.labels)

    def passes(rule):
        peers = rule.get("to" if direction == "Egress" else "from")  # none: all
        ports = [(entry["port"], entry.get("protocol", "TCP")) for entry in rule["ports"]]
        return (peers is None or any(map(means_peer, peers))) and (port, protocol) in ports

    rules = [rule for policy in policies for rule in policy.get(direction.lower(), [])]
    return not policies or any(map(passes, rules))


def may_call(objects, caller, called, port, protocol="TCP"):
    """What the NetworkPolicies say: the caller's side and the other one's have to agree."""
    return lets(objects, "Egress", caller, called, port, protocol) and lets(
        objects, "Ingress", called, caller, port, protocol
    )


def test_clients_and_gateways_may_call_the_servers_and_only_there(objects):
    for caller in (CLIENT, GATEWAY):
        assert may_call(objects, caller, SERVER, 50051)
        # Either side alone would refuse another port.
        assert not lets(objects, "Egress", caller, SERVER, 22)
        assert not lets(objects, "Ingress", SERVER, caller, 22)


def test_nobody_else_may_call_the_servers(objects):
    for caller in (SERVER, STRANGER, ELSEWHERE, CONTROLLER):
        assert not lets(objects, "Ingress", SERVER, caller, 50051)


def test_who_calls_may_ask_dns_by_either_protocol(objects):
    for protocol in ("UDP", "TCP"):
        assert may_call(objects, CLIENT, DNS, 53, protocol)
        assert may_call(objects, GATEWAY, DNS, 53, protocol)
        assert not may_call(objects, CLIENT, Pod(DNS.labels, "default"), 53, protocol)


def test_a_server_calls_nobody(objects):
    for called in (SERVER, CLIENT, GATEWAY, ELSEWHERE, DNS):
        assert not any(may_call(objects, SERVER, called, port) for port in (53, 443, 9091, 50051))


def test_only_the_ingress_controller_may_call_the_gateway_and_only_with_an_ingress():
    assert may_call(objects_of("ingress"), CONTROLLER, GATEWAY, 9091)
    assert not may_call(objects_of("gateway"), CONTROLLER, GATEWAY, 9091)
    for caller in (CLIENT, STRANGER, ELSEWHERE):
        assert not lets(objects_of("ingress"), "Ingress", GATEWAY, caller, 9091)


# The image


DOCKERFILE = (K8S / "Dockerfile").read_text()


def test_the_image_is_built_with_the_packages_of_run():
    of_run = re.search(r"^packages=\((.*?)^\)", (ROOT / "run").read_text(), re.M | re.S)[1]
    needed = set(re.sub(r"#.*", "", of_run).split())
    needed -= {"python3-dev", "python3-venv"}
    needed -= {"bind9-dnsutils", "openssl"}
    installed = re.search(r"--no-install-recommends \\\n(.*?[^\\])\n", DOCKERFILE, re.S)[1]
    assert set(installed.replace("\\", "").split()) == needed


def test_the_final_stage_is_empty_and_not_roots():
    final = DOCKERFILE[DOCKERFILE.rindex("\nFROM ") :]
    instructions = [line for line in final.splitlines() if line and not line.startswith("#")]
    assert instructions == [
        "FROM scratch",
        "COPY --from=build /image /",
        "ENV PATH=/usr/local/bin",
        "USER 65532:65532",
    ]


def test_the_context_has_what_the_build_reads_and_nothing_else():
    first, *sent = [
        line
        for line in (ROOT / ".dockerignore").read_text().splitlines()
        if not line.startswith("#")
    ]
    assert first == "*"
    assert all((ROOT / line.removeprefix("!")).exists() for line in sent)
    cmake = (ROOT / "CMakeLists.txt").read_text()
    paths = re.findall(r"^(?:add_subdirectory|include)\((.+)\)", cmake, re.M)
    read = {path.split("/")[0] for path in paths}
    assert {f"!{path}" for path in read} <= set(sent)


def test_words_tell_of_every_overlay():
    words = (K8S / "README.md").read_text()
    assert all(f"overlays/{overlay}" in words or f"`{overlay}`" in words for overlay in OVERLAYS)
    assert f"Kubernetes {KUBERNETES[0]}" in words
