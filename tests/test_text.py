"""What comes from outside is only text wherever it is shown: on a terminal, in HTML, in a picture,
to Prometheus. Every source says what it likes here; every sink has one thing that must hold."""

import http.client
import io
import json
import os
import re
import subprocess
import unicodedata
import zlib
from concurrent import futures
from html.parser import HTMLParser
from pathlib import Path
from types import SimpleNamespace

import dns.message
import grpc
import pytest
from bad_dns import PORT, BadServer, answer, asked_for
from command_line import greetlab
from http2_server import serving
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from kube_world import LAB_1, built, greeting, recorded
from matplotlib.text import Text
from prometheus_client.parser import text_string_to_metric_families
from support import free_ip

import greetlab as gl
from greetlab import executables
from greetlab.commands.demo.report import report
from greetlab.commands.demo.story import Check, Cost, Story
from greetlab.commands.doctor import peer
from greetlab.commands.doctor.certificate import Certificate
from greetlab.dns.lookup import nslookup, pod_resolver
from greetlab.lessons.checking import Verdict
from greetlab.text import markup, plain
from greetlab.trace.stepper import Stepper
from greetlab.views import plot
from greetlab.views.plot.style import BESIDE, label
from greetlab.views.widget.pack import CALL, pack, unpack

ROOT = Path(__file__).parent.parent
pytestmark = pytest.mark.filterwarnings("ignore:Glyph:UserWarning")  # a letter no font has

PIECES = (
    "\x1b[31m", "\x1b]8;;http://x/\x1b\\a\x1b]8;;\x1b\\", "\x1b]0;t\x07", "\x9b2J", "\x08", "\x7f",
    "\x85", "\u202e", "\u2066", "\u200f", "\u061c", "\u2028", "\u2029", "\ufeff", "\n", "\r\n",
    "\t", "[red]", "[/]", "[link=http://x/]", "[::1]:50051", ":smile:", "fd00:100:64::1",
    "<script>alert(1)</script>", "</script>", "</pre>", "<!--", "&amp;", '"', "'", " onload=x ",
    "$x_1$", "$", r"\$", r"\frac{", "{}", "%s", "\\x1b", "long-" * 40, "\u00e9", "\u540d", "pod-1",
)  # fmt: skip
LETTERS = st.characters(exclude_categories=("Cs",), exclude_characters="\0")
WORDS = st.lists(st.sampled_from(PIECES) | st.text(LETTERS, max_size=5), min_size=1, max_size=6)
HOSTILE = WORDS.map("".join).filter(bool)
ALL = "".join(PIECES)
LIST = [*(f"{number}-{piece}" for number, piece in enumerate(PIECES)), ALL]
quickly = settings(
    max_examples=8, deadline=None,
    phases=[Phase.reuse, Phase.generate],  # one that takes long is not tried for a shorter word
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)  # fmt: skip

BIDI = {"LRE", "RLE", "LRO", "RLO", "PDF", "LRI", "RLI", "FSI", "PDI"}


def does_something(letter):
    """Unicode's own word on it, not ours."""
    return (
        unicodedata.category(letter) in ("Cc", "Cs", "Zl", "Zp")
        or unicodedata.bidirectional(letter) in BIDI
        or letter in "\u200e\u200f\u061c"
    )


def is_text(said, but="\n"):
    """Nothing in it moves a cursor, or turns the reading direction."""
    moved = {letter for letter in said if letter not in but and does_something(letter)}
    assert not moved, f"{moved!r} in {said[:200]!r}"
    return said


class Page(HTMLParser):
    """What a reader sees of a page, and the elements that it has."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.attributes, self.text = [], [], ""
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.elements.append((tag, *(name for name, _ in attributes)))
        self.attributes += [value for _, value in attributes]

    def handle_data(self, data):
        self.text += data


def same_page(page, harmless, *words):
    """Another word changes a page's words, and no element of it."""
    found = Page(page)
    assert found.elements == Page(harmless).elements
    shown = is_text(found.text) + "".join(is_text(value or "") for value in found.attributes)
    for word in words:
        assert plain(word) in shown
    return found


def is_drawn(picture, *names):
    """It can be drawn, and every word in it stands there letter by letter."""
    for kind in ("png", "svg"):
        picture.savefig(io.BytesIO(), format=kind, dpi=20)
    texts = [text for text in picture.findobj(Text) if text.get_text()]
    for text in texts:
        assert is_text(text.get_text())
        assert text._preprocess_math(text.get_text()) == (text.get_text(), False)
    for name in names:
        shown = {label(name), label(name, BESIDE)}
        assert any(one in text.get_text() for text in texts for one in shown)
    is_text(picture.alt, but="")
    return picture


# The one place.


@settings(max_examples=200, deadline=None)
@given(st.text() | HOSTILE)
def test_plain_text_does_nothing_and_all_else_is_as_it_was(text):
    shown = is_text(plain(text), but="")
    assert plain(shown) == shown
    if not any(map(does_something, text)) and not set(text) & set("\u200b\u2060\ufeff"):
        assert shown == text
    assert Page(f"<p title='{markup(text)}'>{markup(text)}</p>").text == shown


def test_bytes_that_were_no_letters_can_be_printed():
    plain(os.fsdecode(b"\xff")).encode()


def test_every_letter_that_does_something_is_shown():
    for code in range(0x110000):
        if does_something(chr(code)):
            assert plain(chr(code)).isascii()


def test_only_the_one_place_makes_texts_for_a_terminal_and_for_pages():
    """Whoever takes rich's Text, its Console or html.escape has gone around it."""
    around = re.compile(r"rich\.text|rich import text|import Console\b|html\.escape|from html ")
    allowed = {
        "text.py", "views/words.py", "commands/cli/shared.py",
        "commands/demo/screen.py",  # a type
        "commands/demo/report.py", "views/widget/page.py",  # a page in a page; lines
        "views/play/playground.py",
    }  # fmt: skip
    package = ROOT / "bindings" / "greetlab"
    found = {
        str(path.relative_to(package))
        for path in package.rglob("*.py")
        if around.search(path.read_text())
    }
    assert found == allowed


def test_the_pages_scripts_make_elements_of_constants_only():
    scripts = ROOT / "bindings" / "greetlab" / "views" / "widget" / "js"
    makes = re.compile(r".*(?:innerHTML|outerHTML|insertAdjacentHTML|document\.write|eval\().*")
    found = [line for path in scripts.glob("*.js") for line in makes.findall(path.read_text())]
    assert found
    for line in found:
        assert line.count("${") == line.count("${ICONS[name]}"), line
        assert re.search(r"(?:innerHTML|outerHTML) = `", line), line


# A trace that was written by hand.

OURS = ("from", "to", "code", "certainty", "fact", "graceful", "type", "change", "status", "picker")


def trace_file(folder, word):
    """A golden trace in which every name, reason and address is somebody else's."""
    header, *events = (
        (ROOT / "tests/golden/a_pod_dies_and_comes_back.jsonl").read_text().split("\n")
    )
    lines = [json.dumps({**json.loads(header), "world": word})]
    for event in filter(None, events):
        fields = json.loads(event)
        for name, value in fields.items():
            if isinstance(value, str) and name not in OURS and value != "cluster":
                fields[name] = f"{value}{word}" if value else word
        lines.append(json.dumps(fields, ensure_ascii=False))
    path = folder / "trace.jsonl"
    path.write_text("\n".join([*lines, ""]), encoding="utf-8")
    return path


@pytest.fixture
def wide(monkeypatch):
    monkeypatch.setenv("COLUMNS", "100000")


@given(HOSTILE)
@quickly
def test_a_trace_is_told_a_line_an_event(tmp_path, word):
    trace = gl.Trace.load(trace_file(tmp_path, word))
    assert len(is_text(trace.story()).split("\n")) == len(trace)
    for event in trace:
        is_text(f"{event!s}{event!r}", but="")
    is_text(trace[len(trace) - 1].why())
    is_text(repr(trace), but="")
    stepper = Stepper(trace).forward(len(trace))
    is_text(f"{stepper}{stepper.snapshot()}")
    assert plain(f"pod-1{word}") in trace.story()


@given(HOSTILE)
@settings(quickly, max_examples=4)
def test_the_trace_command_says_it_as_it_is(tmp_path, wide, word):
    path = trace_file(tmp_path, word)
    for flags in ((), ("--story",), ("--check",)):
        is_text(greetlab("trace", path, *flags).said)
    said = greetlab("trace", path).said
    for pod in ("pod-1", "pod-3"):
        assert plain(f"{pod}{word}") in said
    assert plain(f"pod-1{word}") in greetlab("trace", path, "--story").said
    pods = greetlab("trace", path, "--json").document["clients"][0]["by_pod"]
    assert f"pod-1{word}" in pods  # JSON is for programs: not plain, but what it was
    events = greetlab("trace", path, "--story", "--json")
    is_text(events.said)
    assert any(word in event["sentence"] for event in events.document)


@given(HOSTILE)
@settings(quickly, max_examples=2)
def test_a_trace_s_pictures_are_drawn(tmp_path, word):
    trace = gl.Trace.load(trace_file(tmp_path, word))
    pod = f"pod-1{word}"
    is_drawn(plot.requests(trace, title=word), pod, word)
    is_drawn(plot.lanes(trace, title=word, titles=(word,)), pod, word)
    is_drawn(plot.states(trace, title=word), word)


@pytest.mark.parametrize(
    "word",
    ["$x_1$", "$", r"\$", "$\\frac{$", ALL],
    ids=["formula", "dollar", "escaped", "unbalanced", "all"],
)
def test_a_dollar_is_a_dollar(word):
    cluster = gl.Cluster.sim(pods=2, seed=7)
    calls = cluster.channel("greetserver").greet(times=6)
    calls.title = word
    is_drawn(plot.requests(calls, title=word, pods=[word, "pod-1"]), word)
    is_drawn(plot.latency({word: calls}, title=word), word)
    is_drawn(plot.waits({word: [1.0]}, title=word, world="SIM"), word)
    is_drawn(gl.predict({"pod-1": 6}).compare(calls).picture, word)


@given(HOSTILE)
@settings(quickly, max_examples=4)
def test_the_flow_is_words_in_its_page_in_its_picture_and_without_it(tmp_path, word):
    trace = gl.Trace.load(trace_file(tmp_path, word))
    header, _ = unpack(pack(trace, word))
    calls = [e.sentence for e in trace.of("CallStarted")]
    for text in (*header["words"], header["title"], header["summary"], *calls):
        is_text(plain(text), but="")
    for text in (*header["words"], header["title"], header["summary"], header["world"]):
        is_text(text, but="")
    for sentence in header["sentences"]:
        is_text(sentence, but=CALL)
        assert sentence.count(CALL) <= 2  # the call's number, not a NUL of somebody's
    assert any(plain(word) in text for text in header["words"])
    flow = gl.Flow(trace, titles=(word,))
    harmless = gl.Flow(gl.Trace.load(trace_file(tmp_path, "x")), titles=("x",)).to_html()
    without_data = re.compile(r"const \[data.*")
    page, harmless = (without_data.sub("", text) for text in (flow.to_html(), harmless))
    same_page(page, harmless)
    assert page.count("</script") == harmless.count("</script") == 1
    is_text(flow.alt)
    assert flow.png().startswith(b"\x89PNG")


@pytest.mark.parametrize("word", ["$x_1$", "$\\frac{$", "long-" * 40], ids=["math", "bad", "long"])
@pytest.mark.parametrize("traces", [1, 2])
def test_the_flow_s_still_picture_can_be_drawn(tmp_path, word, traces):
    trace = gl.Trace.load(trace_file(tmp_path, word))
    gl.Flow(*[trace] * traces, titles=(word,) * traces).png()


@pytest.mark.parametrize("word", ["long-" * 40, "$x^$"])
def test_the_still_picture_of_a_long_word_is_drawn(tmp_path, word):
    flow = gl.Flow(gl.Trace.load(trace_file(tmp_path, word)), titles=(word,))
    assert flow.png().startswith(b"\x89PNG")


def test_a_nul_in_a_word_is_no_call_s_number(tmp_path):
    trace = gl.Trace.load(trace_file(tmp_path, "\0"))
    header, _ = unpack(pack(trace))
    assert any("pod-1\\x00" in sentence for sentence in header["sentences"])


def test_what_is_packed_is_json(tmp_path):
    raw = zlib.decompress(pack(gl.Trace.load(trace_file(tmp_path, ALL)), "\udcff"))
    json.loads(raw[8 : 8 + int.from_bytes(raw[4:8], "little")])


# A server that calls itself what it likes.


def proto(number, text):
    data = text.encode()
    size, length = len(data), b""
    while size > 127:
        length, size = length + bytes([size & 127 | 128]), size >> 7
    return bytes([number << 3 | 2]) + length + bytes([size]) + data


class Server:
    """Answers with the names in turn, or fails with the messages in turn."""

    def __init__(self):
        self.names, self.messages, self.turn = [], [], 0
        handler = grpc.unary_unary_rpc_method_handler(self._greet)
        self._server = grpc.server(futures.ThreadPoolExecutor(1))
        self._server.add_generic_rpc_handlers(
            [grpc.method_handlers_generic_handler("greet.GreetService", {"Greet": handler})]
        )
        ip = free_ip()
        self.port = self._server.add_insecure_port(f"{ip}:0")
        self.address = f"{ip}:{self.port}"
        self._server.start()

    def say(self, names=(), messages=()):
        self.names, self.messages, self.turn = list(names), list(messages), 0

    def _greet(self, _request, context):
        turn, self.turn = self.turn, self.turn + 1
        if self.messages:
            message = self.messages[turn % len(self.messages)]
            context.set_code(grpc.StatusCode.INTERNAL)
            context.set_details(message if isinstance(message, bytes) else message.encode())
            return b""
        name = self.names[turn % len(self.names)]
        return proto(1, f"Hello from {name}") + proto(2, name) + proto(3, name) + proto(5, name)

    def stop(self):
        self._server.stop(None).wait()


@pytest.fixture(scope="module")
def server():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(scope="module")
def channel(server):
    with gl.Channel(f"static:{server.address}") as channel:
        yield channel


@given(st.lists(HOSTILE, min_size=1, max_size=5, unique=True))
@quickly
def test_calls_are_words(server, channel, names):
    server.say(names)
    calls = channel.greet(times=len(names))
    calls.title = names[0]
    lines = is_text(repr(calls)).split("\n")
    assert len(lines) == 1 + len(names)
    for name in names:
        assert any(plain(name) in line for line in lines)
    for call in calls:
        is_text(f"{call!s}{call!r}", but="")
    for found in (*calls._log.pods, *calls._log.connections):
        is_text(repr(found), but="")
    server.say([f"pod-{number}" for number in range(len(names))])
    harmless = channel.greet(times=len(names))
    harmless.title = "x"
    same_page(calls._repr_html_(), harmless._repr_html_(), *names)
    is_text(gl.predict({names[0]: 1}).__repr__(), but="")


@given(st.lists(HOSTILE, min_size=1, max_size=5, unique=True))
@quickly
def test_errors_are_words(server, channel, messages):
    server.say(messages=messages)
    calls = channel.greet(times=len(messages))
    assert calls.errors == messages
    assert len(is_text(repr(calls)).split("\n")) == 1 + len(messages)
    server.say(messages=[f"x{number}" for number in range(len(messages))])
    harmless = channel.greet(times=len(messages))._repr_html_()
    same_page(calls._repr_html_(), harmless, *messages)


@pytest.mark.parametrize("engine", ["lab", "grpc"])
def test_a_message_of_bytes_that_are_no_letters_can_be_read(server, engine):
    server.say(messages=[b"a\xffb\xc3"])
    with gl.Channel(f"ipv4:{server.address}", engine=engine) as channel:
        calls = channel.greet()
        assert calls.errors == [r"a\xffb\xc3"]
        assert r"a\xffb\xc3" in channel.trace.story()


@given(HOSTILE)
@settings(quickly, max_examples=4)
def test_the_call_command_says_it_as_it_is(server, wide, word):
    target = f"static:{server.address}"
    server.say([word])
    assert plain(word) in is_text(greetlab("call", target, "-n", "2").said)
    assert greetlab("call", target, "-n", "2", "--json").document["by_pod"] == {word: 2}
    server.say(messages=[word])
    assert plain(word) in is_text(greetlab("call", target, "-n", "2").said)
    is_text(greetlab("call", target, "-n", "2", "--json").said)


def test_json_of_a_command_moves_no_terminal_and_says_what_it_was(server):
    server.say(["\x7f\x1b\x9b"])
    ended = greetlab("call", f"static:{server.address}", "-n", "1", "--json")
    assert is_text(ended.said).isascii()
    assert ended.document["by_pod"] == {"\x7f\x1b\x9b": 1}


@given(st.lists(HOSTILE, min_size=20, max_size=60, unique=True))
@settings(quickly, max_examples=2)
def test_the_programs_say_what_python_says(server, names):
    """The two rules, C++'s and Python's, are one."""
    _greet_client_says(server, [*names, *LIST])
    server.say(messages=names)
    said = _greet_client(server, len(names))
    assert {f"  {plain(name)}" for name in names} <= set(is_text(said).split("\n"))


def test_the_programs_hide_every_letter_that_python_hides(server):
    codes = [c for c in range(1, 0x110000) if plain(chr(c)) != chr(c) and not 0xD7FF < c < 0xE000]
    names = ["".join(map(chr, codes)), "\U0001f600\u540d\u00e9\ud7ff\ue000\U0010ffff"]
    _greet_client_says(server, names)


def test_what_greet_client_complains_of_is_one_line():
    done = subprocess.run(
        [executables.path("greet-client"), "static:\x1b[31m\n\u202e"],
        capture_output=True, encoding="utf-8",
    )  # fmt: skip
    assert done.returncode == 2
    assert is_text(done.stderr).count("\n") == 1


def _greet_client(server, times):
    return subprocess.run(
        [executables.path("greet-client"), f"static:{server.address}", "-n", str(times)],
        capture_output=True, encoding="utf-8",
    ).stdout  # fmt: skip


def _greet_client_says(server, names):
    server.say(names)
    lines = is_text(_greet_client(server, len(names))).split("\n")
    assert lines[: len(names)] == [plain(f"Hello from {name}") for name in names]
    counted = [line.removeprefix("  ").rpartition("  ")[0] for line in lines[len(names) + 1 : -1]]
    assert set(counted) == set(map(plain, names))


# The gateway.


@pytest.fixture
def ask(server):
    """POSTs a greeting to a gateway, or GETs a path."""
    server.say(["pod"])
    command = [executables.path("greet-gateway"), "--target", f"static:{server.address}"]
    with subprocess.Popen(
        [*command, "--listen", "127.0.0.1", "--port", "0", "--trace", "500"],
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        port = int(process.stdout.readline().split(",")[0].rpartition(":")[2])
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)

        def ask(path="/greet"):
            if path == "/greet":
                body = json.dumps({"first_name": "A", "last_name": "B"})
                connection.request("POST", path, body, {"Accept": "application/json"})
            else:
                connection.request("GET", path)
            return connection.getresponse().read().decode()

        yield ask
        connection.close()
        process.kill()


def counted(ask):
    """Calls by the label that the pod has, as Prometheus reads them."""
    families = list(text_string_to_metric_families(ask("/metrics")))
    return {
        sample.labels["pod"]: sample.value
        for family in families
        for sample in family.samples
        if sample.name == "greetlab_gateway_calls_total"
    }


def test_prometheus_reads_back_what_a_pod_calls_itself(server, ask):
    names = [name for name in LIST if len(name.encode()) <= 253]
    server.say(names)
    for name in names:
        assert json.loads(ask())["podName"] == name
    assert counted(ask) == dict.fromkeys(names, 1)


def test_a_pod_that_calls_itself_anew_in_each_answer_is_another_and_no_more(server, ask):
    server.say([f"pod-{number}" for number in range(1200)])
    for _ in range(1200):
        ask()
    found = counted(ask)
    assert len(found) == 1001
    assert found["other"] == 200
    server.say(["x" * 254])
    ask()
    assert counted(ask) == found | {"other": 201}


def test_the_gateways_answers_are_json(server, ask):
    server.say(messages=[*LIST, b"\xff\x1b"])
    for message in LIST:
        assert message in json.loads(ask())["error"]
    assert r"\xff" in json.loads(ask())["error"]
    for line in ask("/trace").rstrip("\n").split("\n"):
        json.loads(line)


# A DNS server that has names of its own.


def test_a_lookup_is_words(wide):
    def reply(question):
        name = asked_for(question)
        label = r"\027[31m[red]$x\155<b>.evil."
        message = answer(question, (name, "CNAME", label), (label, "A", "10.0.0.1"))
        assert isinstance(message, dns.message.Message)
        return [message]

    with BadServer(udp=reply) as dns_server:
        address = f"{dns_server.address}:{PORT}"
        found = pod_resolver(address).lookup("a<b>[/].", ["A"])
        said = greetlab("lookup", "a<b>[/].", "--server", address, "--type", "A").said
    assert "a<b>[/]" in is_text(said)
    assert r"\027[31m[red]\$x\155<b>.evil" in nslookup(found).replace("\t", " ")
    is_text(repr(found))
    is_text(nslookup(found), but="\n\t")
    for part in (*found.queries, *found.queries[0].records):
        is_text(repr(part), but="")
    elements = {tag for tag, *_ in Page(found._repr_html_()).elements}
    assert elements <= {"p", "b", "table", "thead", "tbody", "tr", "th", "td"}
    assert Page(found._repr_html_()).elements.count(("b",)) == 1
    is_drawn(plot.lookup(found, title="$"), found.name)


@given(HOSTILE)
def test_what_nslookup_would_print_is_words(word):
    """c-ares escapes the names of a reply; whoever else makes a Lookup may not."""
    record = SimpleNamespace(name=word, type="CNAME", text=word)
    query = SimpleNamespace(
        rcode="NOERROR", server="10.0.0.1:53", status="ok", authoritative=True, records=[record]
    )
    for ok in (True, False):
        lookup = SimpleNamespace(name=word, ok=ok, status="nxdomain", queries=[query])
        said = is_text(nslookup(lookup), but="\n\t")
        assert len(said.split("\n")) == 4
        assert plain(word) in said


@given(HOSTILE)
def test_a_verdict_is_one_line(word):
    is_text(str(Verdict("01", "fail", word)), but="")


# Kubernetes, by way of kubectl.


@given(HOSTILE)
@settings(quickly, max_examples=4)
def test_what_kubernetes_names_is_words(kubectl, wide, word):
    kubectl.deploy(built(LAB_1 / "solution"), greetings=[greeting(word)])
    for ended in (
        greetlab("check", 1, "--context", "lab"),
        greetlab("check", 1, "--context", word),
    ):
        is_text(ended.said + ended.complaint)
    kubectl.set(contexts=["lab", word], current=word)
    assert plain(word) in is_text(greetlab("clean").complaint)
    kubectl.set(errors={"get": f"Error from server (Forbidden): {word}"})
    ended = greetlab("clean", "--context", "lab")
    assert ended.status == 2
    assert is_text(ended.complaint).count("\n") == 1
    kubectl.set(errors={})


def test_what_a_pod_logs_is_words_and_its_trace_is_whole(kubectl, server, wide):
    server.say(LIST)
    done = subprocess.run(
        [executables.path("greet-client"), f"static:{server.address}", "--trace", "-",
         "-n", str(len(LIST))],
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, encoding="utf-8",
        env={"KUBERNETES_SERVICE_HOST": "10.96.0.1"},
    )  # fmt: skip
    space = {
        "kind": "Namespace",
        "metadata": {"name": "greetlab", "labels": {"app.kubernetes.io/part-of": "greetlab"}},
    }
    pods = [{"kind": "Pod", "status": recorded("succeeded")}]
    log = f"{done.stdout}\x1b[31m[red]\u202ea word of the node's\n"
    kubectl.set(objects=[space], job_pods=pods, log=log)
    ended = greetlab("kube", "run", "--context", "lab", "--", "dns:///x:1")
    assert r"\x1b[31m[red]\u202ea word" in is_text(ended.said)
    assert gl.kube.run("dns:///x:1", context="lab").counts()["CallEnded"] == len(LIST)


# The demo.


@given(HOSTILE)
@settings(quickly, max_examples=1)
def test_the_demos_report_and_screen_are_words(server, channel, tmp_path, wide, word):
    def told(word):
        server.say([word])
        calls = channel.greet(times=2)
        calls.title = word
        trace = gl.Trace.load(trace_file(tmp_path, word))
        looked_up = gl.Cluster.sim().lookup("greetserver")
        return Story(
            pods=[word], lookups={word: looked_up}, sticky={"pick_first": calls}, cold=calls,
            fair=calls, costs=[Cost(word, calls, 1)] * 3, oracle={"fair": calls},
            traces={"sticky": trace, "fair": trace}, checks=[Check(word, True)],
        )  # fmt: skip

    pages = [report(told(w), plot.requests(told(w).cold)) for w in (word, "x")]
    found = same_page(*pages, word)
    (frame,) = [value for value in found.attributes if value.startswith("<!doctype")]
    assert frame.endswith("</html>\n")  # the flow's page, whole
    from greetlab.commands.cli.shared import Terminal
    from greetlab.commands.demo import Screen

    out = io.StringIO()
    screen = Screen(Terminal(file=out))
    screen.title(word)
    for act in ("lookups", "sticky", "fair", "costs", "oracle"):
        screen.act(act, told(word))
    screen.ending(told(word), word)
    assert plain(word) in is_text(out.getvalue())


# The doctor: what pods, proxies, certificates, processes and logs call themselves.


@given(HOSTILE)
@settings(quickly, max_examples=2)
def test_the_doctor_says_what_pods_are_called(server, wide, word):
    server.say([word])
    said = greetlab("doctor", f"static:{server.address}", "-n", 2, "--timeout", 1).said
    assert plain(word) in is_text(said)
    document = greetlab("doctor", f"static:{server.address}", "-n", 2, "--timeout", 1, "--json")
    assert document.document["runs"][0]["by_pod"] == {word: 2}
    is_text(document.said)


@pytest.mark.parametrize("word", ["\x9b2J", "\u202ex", "[red]x[/]", ":smile:", "pod" * 3000])
def test_the_doctor_says_what_proxies_call_themselves(wide, word):
    def proxy(peer):
        while True:
            stream = peer.request()
            peer.say(stream, [(":status", "200"), ("via", word), ("grpc-status", "12")], last=True)

    with serving(proxy) as target:
        ended = greetlab("doctor", target, "-n", 2, "--timeout", 1)
    assert f"a proxy (via: {plain(word[:80])}) answers" in is_text(ended.said)


@given(HOSTILE)
@settings(quickly, max_examples=2)
def test_the_doctor_says_what_certificates_are_for(monkeypatch, server, wide, word):
    shown = Certificate("TLSv1.3", "h2", (word,), word, failure=word)
    monkeypatch.setattr(peer, "look_at", lambda *_: shown)
    said = greetlab("doctor", f"static:{server.address}", "-n", 2, "--timeout", 1, "--tls").said
    assert f"the certificate is for {plain(word)}, until" in is_text(said)


@pytest.mark.parametrize("word", [ALL.replace("\0", ""), "\x1b]0;t\x07", "[/]", ":smile:", "\n"])
def test_the_doctor_says_what_processes_are_called(wide, word):
    with subprocess.Popen(["sh", "-c", "read line", word], stdin=subprocess.PIPE) as process:
        said = greetlab("doctor", "--pid", process.pid).said
        process.stdin.close()
    assert plain(word) in is_text(said)


@given(HOSTILE)
@quickly
def test_a_log_is_told_as_it_is(tmp_path, wide, word):
    """A server's words are in what it says of a failure."""
    word = word.replace("\n", "").replace("\r", "")
    log = "2026/11/27 19:39:35 INFO: [core] [Channel #1 SubChannel #2] Subchannel "
    path = tmp_path / "go.log"
    lines = [
        f'{log}picks a new address "{word.replace(chr(34), "")}" to connect',
        f"{log}Connectivity change to CONNECTING",
        f"{log}Connectivity change to TRANSIENT_FAILURE, last error: {word}",
    ]
    path.write_text("\n".join(lines), encoding="utf-8")
    for flags in ((), ("--story",), ("--check",)):
        is_text(greetlab("trace", path, *flags).said)
    assert plain(word).strip() in greetlab("trace", path, "--story").said
