"""The animated flow, seen from Python: what goes to the page, and what goes into a file."""

import base64
import json
import re
import subprocess
import sys
import zlib
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
from support import as_live

import greetlab as gl
from greetlab.views import play
from greetlab.views.widget.pack import CALL, pack, summary, unpack
from greetlab.views.widget.page import script
from greetlab.views.widget.topology import topology


@pytest.fixture(scope="module")
def trace():
    cluster = gl.Cluster.sim(pods=3, seed=7)
    client = cluster.channel("greetserver-headless", policy="round_robin")
    client.greet(times=6)
    client.start(20, 4)
    cluster.run(0.002)
    cluster.kill("pod-2")
    cluster.run(60)
    return cluster.trace


def sticky(times=6):
    cluster = gl.Cluster.sim(pods=3, seed=7)
    cluster.channel("greetserver").greet(times=times)
    return cluster.trace


def test_every_event_comes_back_with_its_fields_and_its_cause(trace):
    header, columns = unpack(pack(trace))
    seen = Counter()
    assert len(columns["time"]) == len(trace)
    for row, event in enumerate(trace):
        kind = header["kinds"][columns["kind"][row]]
        assert kind == event.kind
        assert columns["time"][row] == trace.core.time_ns[row]
        assert header["words"][columns["who"][row]] == event.who
        assert header["certainties"][columns["certainty"][row]] == event.certainty
        cause = columns["cause"][row]
        assert (None if cause < 0 else trace[int(cause)].id) == (event.cause and event.cause.id)
        for name, value in event.fields.items():
            packed = columns[f"{kind}.{name}"][seen[kind]]
            is_text = header["fields"][kind][name]
            assert (header["words"][packed] if is_text else packed) == value
        seen[kind] += 1


def test_every_sentence_is_the_storys(trace):
    header, columns = unpack(pack(trace))
    for row, event in enumerate(trace):
        sentence = header["sentences"][columns["sentence"][row]]
        if "call" in event.fields:
            sentence = sentence.replace(CALL, str(event.call))
        assert sentence == event.sentence


def test_ten_thousand_calls_are_small_and_share_their_sentences():
    cluster = gl.Cluster.sim(pods=3, seed=7)
    cluster.channel("greetserver-headless", policy="round_robin").load(10_000, 64)
    packed = pack(cluster.trace)
    assert len(packed) < 200_000
    header, _ = unpack(packed)
    assert len(header["sentences"]) < 100


def test_what_is_packed_of_a_part_has_all_that_led_to_it(trace):
    part = trace.of("CallEnded")
    header, columns = unpack(pack(part))
    kinds = {header["kinds"][code] for code in columns["kind"]}
    assert {"CallEnded", "Picked", "LookupStarted"} <= kinds
    assert np.count_nonzero(columns["kind"] == header["kinds"].index("CallEnded")) == len(part)
    first = int(np.flatnonzero(columns["kind"] == header["kinds"].index("CallEnded"))[0])
    depth = 1
    while (first := int(columns["cause"][first])) >= 0:
        depth += 1
    assert depth == len(part[0].causes())


def test_bytes_that_are_something_else_are_refused(trace):
    with pytest.raises(ValueError, match="not a packed trace"):
        unpack(zlib.compress(b"PNG and so on"))


def test_pods_are_found_with_their_addresses(trace):
    found = topology(trace)
    assert found.pods == {f"pod-{i}": [f"10.244.0.{i + 1}:50051"] for i in (1, 2, 3)}
    assert found.virtual == []


def test_a_pod_that_comes_later_is_found_by_its_endpoint():
    cluster = gl.Cluster.sim(pods=2, seed=7)
    cluster.scale(4)
    assert topology(cluster.trace).pods == {
        f"pod-{i}": [f"10.244.0.{i + 1}:50051"] for i in (1, 2, 3, 4)
    }


@pytest.mark.parametrize("live", [False, True])
def test_a_cluster_ip_is_no_pod(live, tmp_path):
    trace = sticky()
    if live:
        trace = as_live(trace, tmp_path / "trace.jsonl")
        assert not len(trace.of("ProxyRouted"))
    found = topology(trace)
    assert found.virtual == ["10.96.0.1:50051"]
    assert found.pods["pod-1"] == ["10.244.0.2:50051"]


def test_pods_stand_in_the_order_of_their_numbers():
    cluster = gl.Cluster.sim(pods=12, seed=7)
    header, _ = unpack(pack(cluster.trace))
    assert [pod["name"] for pod in header["pods"]] == [f"pod-{i + 1}" for i in range(12)]


def test_the_summary_says_who_answered():
    assert summary(sticky(9)) == (
        "SIM, greetserver · pick_first: 9 calls over 1 connection. "
        "Answered by pod-1 9, pod-2 0, pod-3 0; 0 failed."
    )
    cluster = gl.Cluster.sim(pods=100, seed=7)
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=3)
    assert "Answered by 100 pods, 0 to " in summary(cluster.trace)


def test_every_script_is_on_the_page():
    pages = (script(), play.document())
    for file in (files("greetlab.views.widget") / "js").iterdir():
        idea = re.search(r"^// --- .*", file.read_text(encoding="utf-8"), re.MULTILINE)[0]
        # What judges a picker stands on the page twice: there, and as a worker's script.
        assert max(page.count(idea) for page in pages) in (1, 2), file.name


def test_the_page_needs_nothing_else(trace):
    html = gl.Flow(trace, sticky()).to_html()
    assert "://" not in html
    assert not re.search(r"\b(src|href)=|\bimport[ (]|url\(|fetch\(|XMLHttp|WebSocket", html)
    assert not re.search(r"^\s*(import|export)\b", html, re.MULTILINE)
    assert html.count("<script") == html.count("</script") == 1
    assert "default-src 'none'" in html
    assert "Answered by pod-1" in html


def test_the_module_for_notebooks_imports_nothing_and_exports_only_itself():
    kept = re.findall(r"^(?:import|export)\b.*|@import", script(), re.MULTILINE)
    assert kept == ["export default flow;"]


def test_a_name_in_a_trace_cannot_write_into_the_page(trace):
    html = gl.Flow(trace, titles=("</script><b>",)).to_html()
    assert "</script><b>" not in html


def test_it_is_saved_to_a_file(trace, tmp_path):
    flow = gl.Flow(trace)
    flow.save(tmp_path / "flow.html")
    assert (tmp_path / "flow.html").read_text(encoding="utf-8") == flow.to_html()
    with pytest.raises(OSError, match=r"nowhere"):
        flow.save(tmp_path / "nowhere" / "flow.html")


def test_where_no_widget_can_be_shown_there_is_a_picture(trace):
    bundle, metadata = gl.Flow(trace, sticky())._repr_mimebundle_()
    assert base64.b64decode(bundle["image/png"]).startswith(b"\x89PNG")
    assert "application/vnd.jupyter.widget-view+json" in bundle
    assert "Answered by" in bundle["text/plain"]
    assert "Answered by" in metadata["image/png"]["alt"]
    json.dumps(bundle)


def test_a_hundred_pods_and_none_at_all_have_a_picture():
    many = gl.Cluster.sim(pods=100, seed=7)
    many.channel("greetserver-headless", policy="round_robin").greet(times=3)
    assert gl.Flow(many.trace).png().startswith(b"\x89PNG")
    nobody = gl.Cluster.sim(pods=0, seed=7)
    nobody.channel("greetserver-headless").greet(times=2)
    assert gl.Flow(nobody.trace).png().startswith(b"\x89PNG")


def test_what_is_no_trace_is_refused(trace):
    with pytest.raises(TypeError, match=r"plays a Trace.* not 'trace'"):
        gl.Flow("trace")
    with pytest.raises(ValueError, match="no events"):
        gl.Flow(trace.of("GoAwaySent"))


def test_importing_greetlab_leaves_the_widgets_alone():
    code = "import sys, greetlab; print('anywidget' in sys.modules, greetlab.Flow.__name__)"
    said = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert said.stdout.split() == ["False", "Flow"]
