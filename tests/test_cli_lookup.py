"""`greetlab lookup`: as a pod asks, with every question shown."""

import pytest
from command_line import greetlab

import greetlab as gl


@pytest.fixture(scope="module")
def cluster():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        yield cluster


@pytest.fixture
def lookup(cluster):
    return lambda *arguments: greetlab("lookup", *arguments, "--server", cluster.dns_address)


def test_without_a_server_it_makes_a_cluster():
    ended = greetlab("lookup", "greetserver-headless", "--json")
    assert ended.status == 0
    assert len(ended.document["addresses"]) == 3


def test_a_name_is_one_virtual_address_or_three_pods(lookup, cluster):
    assert lookup("greetserver", "--json").document["addresses"] == [cluster.cluster_ip]
    pods = lookup("greetserver-headless", "--json").document["addresses"]
    assert sorted(pods) == [pod.ip for pod in cluster.pods]


def test_every_question_of_the_search_list_is_shown(lookup):
    """ndots:5: a name with four dots is tried with the search list first."""
    full = "greetserver.default.svc.cluster.local"
    ended = lookup(full, "--type", "A")
    shown = "".join(ended.said.split())  # long names are folded
    for number, end in enumerate(
        (".default.svc.cluster.local", ".svc.cluster.local", ".cluster.local"), 1
    ):
        assert f"{number}A{full}{end}NXDOMAIN" in shown
    assert f"4A{full}127." in shown
    assert "With a final dot" in " ".join(ended.said.split())
    queries = lookup(full, "--type", "A", "--json").document["queries"]
    assert [query["rcode"] for query in queries] == ["NXDOMAIN"] * 3 + ["NOERROR"]


def test_a_final_dot_saves_the_questions(lookup):
    ended = lookup("greetserver.default.svc.cluster.local.", "--type", "A")
    assert "1 question," in ended.said
    assert "With a final dot" not in ended.said


def test_types_are_chosen(lookup, cluster):
    name = "_grpc._tcp.greetserver-headless.default.svc.cluster.local"
    found = lookup(name, "--type", "srv", "--json").document
    assert {srv["port"] for srv in found["srv"]} == {cluster.port}
    assert {query["type"] for query in found["queries"]} == {"SRV"}
    assert "-1-1.greetserver-headless" in lookup(name, "--type", "SRV").said.replace("\n", "")


def test_no_answer_is_status_1_and_says_why(lookup):
    ended = lookup("nothere")
    assert ended.status == 1
    assert "nothere: no such name (NXDOMAIN)" in ended.said
    assert lookup("greetserver", "--type", "AAAA").status == 1


def test_the_pods_namespace_begins_its_search_list(lookup):
    names = [q["name"] for q in lookup("web", "--namespace", "shop", "--json").document["queries"]]
    assert names[0] == "web.shop.svc.cluster.local"


def test_a_resolv_conf_says_whom_to_ask_and_how(cluster, tmp_path):
    """resolv.conf(5) has no ports, so it can only be seen to be read: nobody listens at :53."""
    conf = tmp_path / "resolv.conf"
    conf.write_text("nameserver 127.255.255.1\nsearch shop.example\noptions timeout:1 attempts:1\n")
    ended = greetlab("lookup", "web", "--resolv-conf", conf, "--type", "A", "--json")
    assert ended.status == 2  # nobody said anything
    first = ended.document["queries"][0]
    assert (first["server"], first["name"]) == ("127.255.255.1:53", "web.shop.example")


def test_a_server_needs_no_port(tmp_path):
    ended = greetlab("lookup", "web.", "--server", "127.255.255.1", "--type", "A", "--json")
    assert ended.document["queries"][0]["server"] == "127.255.255.1:53"


def test_nobody_to_ask_is_status_2():
    ended = greetlab("lookup", "X", "--server", "127.0.0.1:9")
    assert ended.status == 2
    assert "nobody listens there" in ended.said
