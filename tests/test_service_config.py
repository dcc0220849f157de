"""Service configs: what is taken, what is refused and in which words, and what stock gRPC does."""

import json
import subprocess
import sys
import warnings
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import greetlab as gl
from greetlab import _core
from greetlab.channels.service_config import ServiceConfigWarning
from greetlab.text import plain

TABLE = json.loads(Path(__file__).with_name("service_configs.json").read_text())
"""Configs, and which of grpcio 1.85.3, grpc-go 1.85.0 and grpc-js 1.14.7 take them."""

RETRY = {
    "maxAttempts": 3, "initialBackoff": "0.1s", "maxBackoff": "1s", "backoffMultiplier": 2,
    "retryableStatusCodes": ["UNAVAILABLE"],
}  # fmt: skip
HEDGING = {"maxAttempts": 3, "hedgingDelay": "0.1s"}


def for_all(**fields):
    return {"methodConfig": [{"name": [{}], **fields}]}


def retry(**fields):
    """A retry policy, changed; ... takes a field away."""
    changed = {**RETRY, **fields}
    return for_all(retryPolicy={name: value for name, value in changed.items() if value is not ...})


def read(config):
    return _core.read_service_config(config if isinstance(config, str) else json.dumps(config))


def said(remarks):
    return [remark.sentence for remark in remarks]


# --- The rules ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ("", "the config is empty: the least is {}"),
        ("{'a': 1}", "the config is not JSON: see byte 2"),
        ("[]", "the config is an empty list: it must be an object"),
        ("[" * 200 + "]" * 200,
         "the config has lists and objects in one another more than 100 deep"),
        ('{"methodConfig": [], "methodConfig": []}', '"methodConfig" stands twice in one object'),
        ({"loadBalancingConfig": {}}, "loadBalancingConfig is an object: it must be a list"),
        ({"loadBalancingConfig": [{"round_robin": {}, "pick_first": {}}]},
         "loadBalancingConfig[0] has 2 names: it must have one, a policy's"),
        ({"loadBalancingConfig": [{"round_robin": 3}]},
         "loadBalancingConfig[0].round_robin is 3: it must be an object"),
        ({"loadBalancingConfig": [{"pick_first": {"shuffleAddressList": 1}}]},
         "loadBalancingConfig[0].pick_first.shuffleAddressList is 1: it must be true or false"),
        ({"loadBalancingConfig": [{"random_subsetting": {}}]},
         "loadBalancingConfig[0].random_subsetting.subsetSize is missing"),
        ({"loadBalancingConfig": [
            {"random_subsetting": {"subsetSize": 2, "childPolicy": [{"least_request": {
                "choiceCount": 1}}]}}]},
         "loadBalancingConfig[0].random_subsetting.childPolicy[0].least_request.choiceCount is 1: "
         "it must be 2 or more"),
        ({"methodConfig": {}}, "methodConfig is an object: it must be a list"),
        ({"methodConfig": [3]}, "methodConfig[0] is 3: it must be an object"),
        ({"methodConfig": [{"name": [{"method": "Greet"}]}]},
         "methodConfig[0].name[0] has a method, and no service: a method's name alone is no name"),
        ({"methodConfig": [{"name": [{}]}, {"name": [{"service": ""}]}]},
         "methodConfig[1].name[0] stands in the config already: a method can have one "
         "methodConfig"),
        (for_all(timeout="100ms"),
         'methodConfig[0].timeout is "100ms": a duration is a text of seconds, 0 or more, with at '
         'most 9 digits after the point, such as "1.5s"'),
        (for_all(waitForReady="true"),
         'methodConfig[0].waitForReady is "true": it must be true or false'),
        (for_all(maxRequestMessageBytes=-1),
         "methodConfig[0].maxRequestMessageBytes is -1: it must be 0 or more"),
        (retry(maxAttempts=1),
         "methodConfig[0].retryPolicy.maxAttempts is 1: it must be 2 or more"),
        (retry(maxAttempts=2.5),
         "methodConfig[0].retryPolicy.maxAttempts is 2.5: it must be a whole number"),
        (retry(maxBackoff=...), "methodConfig[0].retryPolicy.maxBackoff is missing"),
        (retry(initialBackoff="0s"),
         "methodConfig[0].retryPolicy.initialBackoff is 0s: it must be more"),
        (retry(backoffMultiplier=0),
         "methodConfig[0].retryPolicy.backoffMultiplier is 0: it must be more than 0"),
        (retry(retryableStatusCodes=[]),
         "methodConfig[0].retryPolicy.retryableStatusCodes names no code: nothing would ever be "
         "tried again"),
        (retry(retryableStatusCodes=["NOPE"]),
         'methodConfig[0].retryPolicy.retryableStatusCodes[0] is "NOPE": it must be a status '
         'code\'s name, such as "UNAVAILABLE"'),
        (for_all(retryPolicy=RETRY, hedgingPolicy=HEDGING),
         "methodConfig[0] has a retryPolicy and a hedgingPolicy: it must be one of the two"),
        ({"retryThrottling": {"maxTokens": 1001, "tokenRatio": 0.1}},
         "retryThrottling.maxTokens is 1001: it must be 1000 or less"),
        ({"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.0009}},
         "retryThrottling.tokenRatio is 0.0009: it must be 0.001 or more, for 3 digits of it "
         "count"),
        ({"healthCheckConfig": {"serviceName": 3}},
         "healthCheckConfig.serviceName is 3: it must be a text"),
    ],
)  # fmt: skip
def test_what_makes_no_sense_is_an_error_with_its_place(config, sentence):
    found = read(config)
    assert found.config is None
    assert sentence in said(found.errors)


def test_every_error_is_told_and_not_only_the_first():
    found = read({**retry(maxAttempts=1, maxBackoff="soon"), "loadBalancingPolicy": "fastest"})
    assert len(found.errors) == 3


@pytest.mark.parametrize(
    ("config", "sentence"),
    [
        ({"foo": 1}, "foo is no field of a service config: it is ignored"),
        (for_all(retrypolicy=RETRY),
         "methodConfig[0].retrypolicy is no field of a service config: it is ignored; is "
         "retryPolicy meant?"),
        (for_all(wait_for_ready=True),
         "methodConfig[0].wait_for_ready is no field of a service config: it is ignored; is "
         "waitForReady meant?"),
        ({"loadBalancingConfig": [{"fastest": {}}, {"round_robin": {}}]},
         "loadBalancingConfig[0]: policy 'fastest' is not known here: the next one is tried"),
        ({"methodConfig": [{"timeout": "1s"}]},
         'methodConfig[0] has no name: it holds for no method, and is skipped. "name": [{}] is for '
         "all"),
        (for_all(timeout="0s"), "methodConfig[0].timeout is 0s: every call fails at once"),
        (retry(maxAttempts=9), "methodConfig[0].retryPolicy.maxAttempts is 9: it is taken as 5"),
        ({"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.5466}, **retry()},
         "retryThrottling.tokenRatio is 0.5466: 3 digits of it count"),
        ({"retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1}},
         "retryThrottling: no method is tried again, so there is nothing to throttle"),
        ({"healthCheckConfig": {"serviceName": ""}},
         "healthCheckConfig does nothing: pick_first does not look at health (gRFC A17)"),
    ],
)  # fmt: skip
def test_what_is_hardly_meant_so_is_taken_with_a_warning(config, sentence):
    found = read(config)
    assert found.config is not None
    assert said(found.warnings) == [sentence]


def test_what_is_meant_so_is_taken_without_a_word():
    methods = [
        {"name": [{}], "timeout": "2s", "waitForReady": True},
        {"name": [{"service": "a"}], "retryPolicy": RETRY},
        {"name": [{"service": "a", "method": "b"}], "hedgingPolicy": HEDGING},
    ]
    found = read({
        "loadBalancingConfig": [{"round_robin": {}}], "methodConfig": methods,
        "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
        "healthCheckConfig": {"serviceName": ""},
    })  # fmt: skip
    assert found.errors == found.warnings == []
    assert found.config.policy.policy == "round_robin"


def test_the_first_known_policy_wins_with_its_fields():
    found = read({"loadBalancingConfig": [
        {"fastest": {}}, {"least_request_experimental": {"choiceCount": 3}}, {"round_robin": {}}
    ]})  # fmt: skip
    assert found.config.policy == _core.PolicyConfig("least_request", {"choiceCount": 3})


def test_the_old_field_takes_a_name_in_any_case():
    assert read({"loadBalancingPolicy": "ROUND_Robin"}).config.policy.policy == "round_robin"
    both = read({"loadBalancingPolicy": "pick_first", "loadBalancingConfig": [{"round_robin": {}}]})
    assert both.config.policy.policy == "round_robin"


def test_what_is_null_is_not_there():
    assert read({"methodConfig": None, "retryThrottling": None}).config is not None


# --- Any text -------------------------------------------------------------------------------------

NAMES = st.sampled_from([
    "loadBalancingConfig", "methodConfig", "name", "service", "method", "timeout", "waitForReady",
    "retryPolicy", "hedgingPolicy", "maxAttempts", "initialBackoff", "maxBackoff", "hedgingDelay",
    "backoffMultiplier", "retryableStatusCodes", "retryThrottling", "maxTokens", "tokenRatio",
    "healthCheckConfig", "serviceName", "round_robin", "random_subsetting", "subsetSize",
    "childPolicy",
])  # fmt: skip
LEAVES = st.one_of(
    st.none(), st.booleans(), st.integers(), st.floats(allow_nan=False, allow_infinity=False),
    st.sampled_from(["1s", "0.5s", "UNAVAILABLE", "a", "1e999", "\x1b[31m", "\u202e"]), st.text(),
)  # fmt: skip
ANY = st.recursive(
    LEAVES,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(NAMES | st.text(), inner, max_size=5)
    ),
    max_leaves=25,
)


@settings(max_examples=150, deadline=None)
@given(ANY | st.dictionaries(NAMES, ANY, max_size=6))
def test_any_json_is_a_config_or_sentences(value):
    found = read(value)
    assert (found.config is None) == bool(found.errors)
    for remark in (*found.errors, *found.warnings, *found.elsewhere):
        assert str(remark) == plain(str(remark))
    if found.config is not None:  # what is kept of it is read the same
        assert read(found.config.text).config.text == found.config.text


@settings(max_examples=50, deadline=None)
@given(st.text() | st.binary())
def test_any_text_is_a_config_or_sentences(text):
    found = _core.read_service_config(text.encode(errors="surrogatepass") if isinstance(text, str)
                                      else text)  # fmt: skip
    assert (found.config is None) == bool(found.errors)


# --- Stock gRPC -----------------------------------------------------------------------------------

_OPENS = """
import grpc, json, sys
taken = {}
for name, config in json.load(sys.stdin).items():
    options = [("grpc.service_config", config), ("grpc.use_local_subchannel_pool", 1)]
    with grpc.insecure_channel("ipv4:127.0.0.1:1", options=options) as channel:
        try:
            channel.unary_unary("/a.B/C")(b"", timeout=0.02)
        except grpc.RpcError as error:
            taken[name] = error.code() is not grpc.StatusCode.INVALID_ARGUMENT
json.dump(taken, sys.stdout)
"""

DIFFERS = {
    # Stricter: it must be one of the two (grpc-proto, `oneof`), and hedging is looked at at all.
    "both", "h bad", "h wrong",
    "t 1001",  # A6: maxTokens is in (0, 1000]
    "timeout space",  # protobuf's JSON has no blanks there
    # More lenient: A6 has codes in any case, and as numbers; null is "not there" anywhere.
    "r codes lower", "r codes num", "mc null",
    "r ma 2.0",  # JSON knows one kind of numbers only
}  # fmt: skip
"""Where the lab and C-core differ, and why."""


def test_the_lab_takes_what_c_core_takes():
    ran = subprocess.run(
        [sys.executable, "-c", _OPENS],
        input=json.dumps({name: row["config"] for name, row in TABLE.items()}),
        capture_output=True, text=True, check=True, env={"GRPC_VERBOSITY": "NONE"},
    )  # fmt: skip
    stock = json.loads(ran.stdout)
    assert stock == {name: row["Python"] for name, row in TABLE.items()}
    ours = {name: read(row["config"]).config is not None for name, row in TABLE.items()}
    assert {name for name in TABLE if ours[name] != stock[name]} == DIFFERS


def test_what_is_said_of_node_is_in_the_table():
    """The sentences about Node's silence, against what grpc-js did."""
    for name in ("lbp unknown", "lbc unknown", "lbc empty", "empty text", "array", "dup keys"):
        assert TABLE[name]["Node"], name
        assert any("Node" in one.stock for one in read(TABLE[name]["config"]).errors), name
    for name in ("mc no name", "both", "t 1001"):
        assert not TABLE[name]["Node"], name


# --- Channels -------------------------------------------------------------------------------------

ROUND_ROBIN = {"loadBalancingConfig": [{"round_robin": {}}]}


def test_a_channel_does_as_its_service_config_says():
    cluster = gl.Cluster.sim(pods=3, seed=1)
    channel = cluster.channel("greetserver-headless", service_config=ROUND_ROBIN)
    channel.wait_ready(all=True)
    assert channel.greet("Ada", times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}
    taken = channel.trace.last("ServiceConfigTaken")
    assert (taken.source, json.loads(taken.text)) == ("the channel itself", ROUND_ROBIN)
    assert "does as the service config of the channel itself says" in str(taken)


def test_a_timeout_counts_from_the_call_and_not_from_the_channel():
    cluster = gl.Cluster.sim(pods=1, seed=1)
    config = for_all(timeout="0.5s")
    channel = cluster.channel("greetserver-headless", service_config=config)
    channel.wait_ready()
    cluster.run(60)
    assert channel.greet("Ada").ok == 1
    cluster.slow("pod-1", 1)
    began = cluster.seconds
    assert channel.greet("Ada").ok == 0
    assert cluster.seconds - began == pytest.approx(0.5)


def test_policy_is_its_short_form_and_must_say_the_same():
    cluster = gl.Cluster.sim(pods=1, seed=1)
    cluster.channel("greetserver", policy="round_robin", service_config=json.dumps(ROUND_ROBIN))
    cluster.channel("greetserver", policy="random", service_config={})
    with pytest.raises(ValueError, match="policy: random, and the service_config says round_robin"):
        cluster.channel("greetserver", policy="random", service_config=ROUND_ROBIN)
    with pytest.raises(ValueError, match="pick_first, and the service_config says round_robin"):
        cluster.channel("greetserver", policy="pick_first", service_config=ROUND_ROBIN)


def test_a_warning_is_told_where_the_channel_is_made():
    cluster = gl.Cluster.sim(pods=1, seed=1)
    with pytest.warns(ServiceConfigWarning, match="foo is no field") as told:
        cluster.channel("greetserver", service_config={"foo": 1})
    (warning,) = told
    assert Path(warning.filename).parent == Path(__file__).parent


@pytest.mark.parametrize(
    ("config", "kind", "sentence"),
    [
        ("{", ValueError, "service config: the config is not JSON"),
        (3, TypeError, "service config 3: JSON text, or a dict"),
        ({"methodConfig": {1, 2}}, TypeError, "not JSON serializable"),
        (retry(maxAttempts=1), ValueError, "maxAttempts is 1: it must be 2 or more"),
    ],
)
def test_a_channel_refuses_what_makes_no_sense(config, kind, sentence):
    with pytest.raises(kind, match=sentence):
        gl.Cluster.sim(pods=1, seed=1).channel("greetserver", service_config=config)


def test_stock_grpc_is_given_the_config_as_it_is():
    """Its retries are not ours: a dead address, tried 3 times, takes two backoffs."""
    with gl.Channel("static:127.0.0.1:1", engine="grpc", service_config=ROUND_ROBIN) as channel:
        assert set(channel.greet("Ada", times=1).by_status) == {"UNAVAILABLE"}
    with pytest.raises(ValueError, match=r"hedgingPolicy: .* C-core, which has no hedging"):
        gl.Channel(
            "static:127.0.0.1:1", engine="grpc", service_config=for_all(hedgingPolicy=HEDGING)
        )


# --- Out of DNS (gRFC A2) -------------------------------------------------------------------------


def choose(*choices, hostname="me", percentile=0):
    config, why = _core.choose_config(
        ["v=spf1", "grpc_config=" + json.dumps(list(choices))], hostname, percentile
    )
    return (json.loads(config.text) if config else None), why


def test_the_first_choice_that_fits_is_taken():
    a, b = {"serviceConfig": {"loadBalancingPolicy": "round_robin"}}, {"serviceConfig": {}}
    assert choose(a, b) == (a["serviceConfig"], "")
    assert choose({"clientLanguage": ["go", "C++"], **a}, b)[0] == a["serviceConfig"]
    assert choose({"clientLanguage": ["go"], **a}, b)[0] == {}
    assert choose({"clientHostname": ["ME"], **a}, b)[0] == {}
    assert choose({"clientHostname": ["me"], **a}, b)[0] == a["serviceConfig"]
    assert choose({"clientHostname": [], **a}, b)[0] == a["serviceConfig"]
    assert choose({"percentage": 30, **a}, b, percentile=29)[0] == a["serviceConfig"]
    assert choose({"percentage": 30, **a}, b, percentile=30)[0] == {}
    assert choose({"percentage": 0, **a}) == (None, "")
    assert _core.choose_config(["nothing"], "me", 0) == (None, "")


@pytest.mark.parametrize(
    ("choice", "why"),
    [
        ({}, r"grpc_config\[0\].serviceConfig|\[0\].*serviceConfig is missing"),
        ({"serviceConfig": {}, "percentag": 1}, "percentag is no field"),
        ({"serviceConfig": {}, "percentage": 101}, "percentage is 101: it must be 100 or less"),
        ({"serviceConfig": retry(maxAttempts=1)}, "maxAttempts is 1"),
        (3, r"grpc_config\[0\] is 3: it must be an object"),
    ],
)
def test_a_choice_that_makes_no_sense_discards_them_all(choice, why):
    config, said = choose(choice)
    assert config is None
    with pytest.raises(ValueError, match=why):
        raise ValueError(said)


def worlds():
    """Both worlds, with the same three pods."""
    yield gl.Cluster.sim(pods=3, seed=1)
    yield gl.Cluster.local(pods=3, seed=1)


def test_dns_says_what_to_do_and_stands_before_the_channel():
    for cluster in worlds():
        with cluster:
            cluster.publish_config(ROUND_ROBIN)
            told = cluster.channel("greetserver-headless", dns_service_config=True)
            told.wait_ready(all=True)
            assert told.greet("Ada", times=30).by_pod == {"pod-1": 10, "pod-2": 10, "pod-3": 10}
            taken = told.trace.last("ServiceConfigTaken")
            assert (taken.source, json.loads(taken.text)) == ("DNS", ROUND_ROBIN)
            asked = {query.type for query in told.trace.of("QueryAnswered")}
            assert asked == {"A", "AAAA", "TXT"}
            # Off by default, as in C-core.
            deaf = cluster.channel("greetserver-headless")
            assert len(deaf.greet("Ada", times=10).by_pod) == 1
            # What DNS says is all there is: pick_first, where it names no policy.
            cluster.publish_config({})
            bare = cluster.channel(
                "greetserver-headless", policy="round_robin", dns_service_config=True
            )
            assert len(bare.greet("Ada", times=10).by_pod) == 1


def test_stock_grpc_takes_it_from_dns_too():
    with gl.Cluster.local(pods=3, seed=1) as cluster:
        cluster.publish_config(ROUND_ROBIN)
        stock = cluster.channel("greetserver-headless", engine="grpc", dns_service_config=True)
        stock.wait_ready(all=True)
        assert len(stock.greet("Ada", times=30).by_pod) == 3


def test_nonsense_in_dns_fails_the_calls_of_who_has_nothing_else():
    """gRFC A21: and where there was a config before, that one goes on."""
    cluster = gl.Cluster.sim(pods=2, seed=1)
    cluster.publish_config("{")
    first = cluster.channel("greetserver-headless", dns_service_config=True)
    calls = first.greet("Ada", times=1, timeout=1)
    assert calls.by_status == {"UNAVAILABLE": 1}
    assert "the service config in DNS makes no sense" in str(calls.errors)
    assert first.state == "TRANSIENT_FAILURE"
    refused = first.trace.last("ServiceConfigRefused")
    assert not refused.kept
    assert "has none to go on with" in str(refused)

    cluster.publish_config(ROUND_ROBIN)
    later = cluster.channel("greetserver-headless", dns_service_config=True, cooldown=0)
    later.wait_ready(all=True)
    cluster.publish_config('{"loadBalancingPolicy": 3}')
    cluster.kill("pod-1")  # which makes it look again
    assert later.greet("Ada", times=5).ok == 5
    assert later.trace.last("ServiceConfigRefused").kept
    assert later.trace.last("ServiceConfigTaken").text == json.dumps(
        ROUND_ROBIN, separators=(",", ":")
    )


def test_another_policy_out_of_dns_takes_the_place_of_the_one_before():
    cluster = gl.Cluster.sim(pods=3, seed=1)
    channel = cluster.channel("greetserver-headless", dns_service_config=True, cooldown=0)
    assert len(channel.greet("Ada", times=9).by_pod) == 1
    cluster.publish_config(ROUND_ROBIN)
    channel._look_again()
    channel.wait_ready(all=True)
    cluster.run(1)
    assert len(channel.greet("Ada", times=9).by_pod) == 3
    cluster.publish_config(None)
    channel._look_again()
    cluster.run(1)
    assert len(channel.greet("Ada", times=9).by_pod) == 1
    assert "has no service config any more" in str(channel.trace.last("ServiceConfigTaken"))


# --- greetlab config, greet-client ----------------------------------------------------------------


def test_the_command_says_what_it_means(tmp_path):
    from command_line import greetlab

    file = tmp_path / "config.json"
    file.write_text(json.dumps({**ROUND_ROBIN, **retry()}))
    ended = greetlab("config", file)
    assert ended.status == 0
    told = " ".join(ended.said.split())
    assert "round_robin picks who is called." in told
    assert "are tried 3 times in all, where they end with UNAVAILABLE: after 0.1s" in told
    assert greetlab("config", file, "--json").document["languages"]["retryPolicy"][
        "yes; at most 5 attempts"
    ] == ["C++", "Python"]


def test_the_command_says_what_is_wrong_and_what_stock_grpc_does():
    from command_line import greetlab

    ended = greetlab("config", '{"loadBalancingPolicy": "fastest\\u001b[31m"}')
    assert ended.status == 1
    assert "It is refused." in ended.said
    assert "stock gRPC:" in ended.said
    assert "\x1b[31m" not in ended.said
    assert greetlab("config", '{"foo": 1}').status == 1  # taken, with a warning
    assert greetlab("config", "/nope").status == 2


def test_languages_know_every_policy_and_every_part():
    from greetlab.commands.config.meaning import _PARTS, languages

    table = languages()
    everyone = set(table["languages"])
    assert {*_PARTS.values(), "whole", "dns"} == set(table["parts"])
    assert set(_core.policies()) <= set(table["policies"])
    for part, cells in (*table["parts"].items(), *table["policies"].items()):
        assert set(cells) == everyone or part == "whole", part


@pytest.mark.parametrize(
    ("flags", "status", "complaint"),
    [
        (["--service-config", '{"foo": 1}'], 1, "greet-client: service config: foo is no field"),
        (["--service-config", "{"], 2, "--service-config: the config is not JSON"),
        (["--service-config", "@/nope"], 2, "read /nope: No such file"),
        (["--policy", "random", "--service-config", json.dumps(ROUND_ROBIN)], 2,
         "random: the --service-config says round_robin"),
        (["--policy", "round_robin", "--service-config", json.dumps(ROUND_ROBIN)], 1, ""),
    ],
)  # fmt: skip
def test_greet_client_takes_one(flags, status, complaint):
    from greetlab import executables

    ran = subprocess.run(
        [executables.path("greet-client"), "static:127.0.0.1:1", *flags],
        capture_output=True,
        text=True,
    )
    assert (ran.returncode, complaint in ran.stderr) == (status, True), ran.stderr


def test_nothing_is_said_where_all_is_well():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        gl.Cluster.sim(pods=1, seed=1).channel("greetserver", service_config={**ROUND_ROBIN})
