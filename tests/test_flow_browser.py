"""The animated flow in a browser, from a file, with the network off."""

import re

import pytest
from browser import FLOW, chromium, colors, picture_folder, position, until
from support import as_live

import greetlab as gl
from greetlab.trace.stepper import Stepper


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory, "flow")


@pytest.fixture
def show(browser, tmp_path):
    """Opens a flow's page; in the end, nothing may have gone wrong in it."""
    contexts, wrong = [], []

    def opened(flow, width=900, height=720, **options):
        flow.save(tmp_path / "flow.html")
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, **options
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda asked: wrong.append(asked.url) if "file:" not in asked.url else 0)
        page.goto((tmp_path / "flow.html").as_uri())
        page.wait_for_selector(".gl-bar", timeout=10_000)
        page.focus(".gl-flow")
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def headless(times=24):
    cluster = gl.Cluster.sim(pods=3, seed=7)
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=times)
    return cluster


def killed():
    cluster = headless(9)
    cluster.kill("pod-2")
    cluster.channels[0].start(9, 2)
    cluster.run(45)
    return cluster.trace


def sticky(times=24):
    cluster = gl.Cluster.sim(pods=3, seed=7)
    cluster.channel("greetserver").greet(times=times)
    return cluster.trace


def test_it_is_drawn(show, pictures):
    page = show(gl.Flow(killed()))
    page.keyboard.press("End")
    until(page, f"!{FLOW}.asked")
    assert colors(page, ".gl-scene") > 50
    assert colors(page, ".gl-lanes") > 20
    assert page.inner_text(".gl-badge") == "SIM"
    assert "greetserver-headless · round_robin" in page.inner_text("h3")
    page.screenshot(path=pictures / "killed.png", full_page=True)


def test_keys_step_scrub_and_turn(show):
    trace = headless().trace
    page = show(gl.Flow(trace))
    assert position(page) == 0
    for key, expected in [
        ("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", len(trace)), ("Home", 0),
    ]:  # fmt: skip
        page.keyboard.press(key)
        assert position(page) == expected, key
    first_call = next(row for row, event in enumerate(trace) if event.kind == "Picked")
    page.evaluate(f"{FLOW}.player.to({first_call})")
    page.keyboard.press("Shift+ArrowRight")
    assert trace[position(page) - 1].kind not in ("Picked", "CallStarted", "CallEnded")
    page.keyboard.press("Shift+ArrowLeft")
    assert position(page) <= first_call
    page.keyboard.press("ArrowUp")
    assert page.evaluate(f"{FLOW}.player.speed") == 2
    page.keyboard.press("?")
    assert page.is_visible(".gl-help")
    page.keyboard.press("Escape")
    assert not page.is_visible(".gl-help")


def test_it_plays_to_the_end_and_stops(show):
    trace = headless(6).trace
    page = show(gl.Flow(trace))
    page.evaluate(f"{FLOW}.player.speed = 16")
    page.keyboard.press("Space")
    until(page, f"{FLOW}.player.position > 3")
    page.keyboard.press("Space")
    assert not page.evaluate(f"{FLOW}.player.playing")
    page.click("[aria-label^=Play]")
    until(page, f"!{FLOW}.player.playing")
    assert position(page) == len(trace)


def test_the_lanes_are_scrubbed_with(show):
    page = show(gl.Flow(headless().trace))
    box = page.locator(".gl-lanes").bounding_box()
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + 50)
    page.mouse.down()
    there = position(page)
    page.mouse.move(box["x"] + box["width"] * 0.8, box["y"] + 50)
    page.mouse.up()
    assert 0 < there < position(page)


def test_the_caption_is_the_sentence_at_the_playhead(show):
    trace = headless().trace
    page = show(gl.Flow(trace))
    row = next(row for row, event in enumerate(trace) if event.kind == "LookupEnded")
    page.evaluate(f"{FLOW}.player.to({row + 1})")
    until(page, f"!{FLOW}.asked")
    assert page.inner_text(".gl-story").lower() == trace[row].sentence.lower()


def test_a_click_on_a_call_tells_what_led_to_it(show, pictures):
    trace = headless().trace
    page = show(gl.Flow(trace))
    picks = [row for row, event in enumerate(trace) if event.kind == "Picked"]
    page.evaluate(f"{FLOW}.player.to({picks[9] + 1})")
    until(page, f"!{FLOW}.asked")
    mark = page.evaluate(f"(({{x, y}}) => [x, y])({FLOW}.panels[0].view.marks.at(-1))")
    page.click(".gl-scene", position={"x": mark[0], "y": mark[1]})
    items = [" ".join(text.split()) for text in page.locator(".gl-chain li").all_inner_texts()]
    # Python has "because" first, the page the time, in a column.
    expected = [
        re.sub(r"^  because (\S+ ms)", r"\1 because", line)
        for line in trace[picks[9]].why().splitlines()
    ]
    assert items == [" ".join(line.split()) for line in expected]
    page.screenshot(path=pictures / "why.png", full_page=True)
    page.locator(".gl-chain li button").nth(2).click()
    assert position(page) < picks[9]


def test_a_click_on_a_connection_tells_what_led_to_it(show):
    trace = sticky()
    page = show(gl.Flow(trace))
    page.keyboard.press("End")
    until(page, f"!{FLOW}.asked")
    x, y = page.evaluate(f"{FLOW}.panels[0].view.paths[0].way.at(0.15)")
    page.click(".gl-scene", position={"x": x, "y": y})
    said = page.inner_text(".gl-chain")
    assert "the connection to 10.96.0.1:50051 is up" in said
    assert "because the ClusterIP sends the new connection to" in said
    page.keyboard.press("Escape")
    assert not page.is_visible(".gl-chain")


def test_the_page_says_what_python_says(show):
    trace = killed()
    page = show(gl.Flow(trace))
    lines = page.evaluate(
        f"Array.from({{length: {len(trace)}}}, (_, row) => {FLOW}.models[0].line(row))"
    )
    assert lines == [str(event) for event in trace]


def test_the_page_knows_the_state_that_the_stepper_knows(show):
    trace = killed()
    page = show(gl.Flow(trace))
    stepper = Stepper(trace)
    for place in range(1, len(trace) + 1, 7):
        stepper.forward(place - stepper.position)
        client = stepper.snapshot().clients.get("client-1")
        if client is None:
            continue
        seen = page.evaluate(
            """([flow, place]) => {
              const model = document.querySelector(flow).flow.models[0];
              const client = model.clients[0];
              const states = {};
              for (const one of client.subchannels.values()) {
                const state = one.state.at(place);
                if (one.created < place && state !== "SHUTDOWN") states[one.address] = state;
              }
              const flying = model.calls.filter((call) => call.picked < place && call.end >= place);
              return {
                state: client.state.at(place), states, list: client.list.at(place),
                ready: client.picker.at(place).ready,
                ended: model.ended.filter((row) => row < place).length,
                flying: flying.map((call) => call.number),
              };
            }""",
            [".gl-flow", place],
        )
        assert seen == {
            "state": client.state, "states": client.subchannels, "list": client.addresses,
            "ready": client.ready, "ended": client.ended, "flying": list(client.in_flight),
        }  # fmt: skip


def test_why_opens_where_the_eye_is(show):
    """Found: the answer to a click stood below the fold, at y 1074 of 900."""
    page = show(gl.Flow(headless(60).trace), width=1280, height=620)
    page.keyboard.press("End")
    page.evaluate(f"{FLOW}.whyNow()")
    place = page.locator(".gl-chain").bounding_box()
    assert place["y"] >= 0
    assert place["y"] + place["height"] < 621  # scrolled to a whole pixel


@pytest.mark.parametrize("width", [390, 620, 1280])
def test_nothing_stands_in_the_way_of_another(show, width):
    cluster = gl.Cluster.sim(pods=16, seed=2)
    cluster.channel("greetserver").greet(times=20)
    for flow in (gl.Flow(sticky(), headless().trace), gl.Flow(cluster.trace)):
        page = show(flow, width=width)
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        seen = page.evaluate(
            f"""{FLOW}.panels.map(({{ layout }}) => ({{
              left: Math.max(...layout.clients.map(({{ box }}) => box.x + box.w)),
              proxy: layout.proxy, right: Math.min(...layout.pods.map(({{ box }}) => box.x)),
            }}))"""
        )
        for panel in seen:
            if panel["proxy"]:
                assert panel["left"] < panel["proxy"]["x"]
                assert panel["proxy"]["x"] + panel["proxy"]["w"] < panel["right"]
            else:
                assert panel["left"] + 40 < panel["right"]


def test_the_first_answer_is_a_few_seconds_away(show):
    """Found: a live trace stood at event 30 of 410 after 7 s."""
    with gl.Cluster.local(pods=3, seed=7) as cluster:
        client = cluster.channel("greetserver-headless", policy="round_robin")
        client.wait_ready(all=True).greet(times=60)
        page = show(gl.Flow(client.trace))
    first = f"{FLOW}.clock.indexOf(0, {FLOW}.models[0].calls[0].end)"
    assert page.evaluate(f"{FLOW}.clock.u[{first}]") < 5  # a stretch, and the call itself


def test_it_says_that_keys_need_a_click_until_they_do_not(show):
    page = show(gl.Flow(sticky()), width=1280)
    page.evaluate("document.activeElement.blur()")
    assert page.locator(".gl-asleep").is_visible()
    page.click(".gl-lesson")
    assert not page.locator(".gl-asleep").is_visible()
    page.keyboard.press("Space")
    until(page, f"{FLOW}.player.playing")


def test_the_next_choice_is_the_pickers(show):
    trace = headless().trace
    page = show(gl.Flow(trace))
    picks = [row for row, event in enumerate(trace) if event.kind == "Picked"]
    for row in picks[5:9]:
        chosen = page.evaluate(
            f"(model => model.nextPick(model.clients[0], {row})?.address)({FLOW}.models[0])"
        )
        assert chosen == trace.of_subchannel(trace[row].subchannel)


def test_a_live_trace_shows_the_pod_behind_by_who_answers(show, tmp_path):
    page = show(gl.Flow(as_live(sticky(), tmp_path / "trace.jsonl")))
    pods = page.evaluate(f"{FLOW}.models[0].connections.map((one) => [one.proxied, one.pod.name])")
    assert pods == [[True, "pod-1"]]


def test_two_traces_go_in_step(show, pictures):
    first, second = sticky(), headless().trace
    page = show(gl.Flow(first, second), width=1280)
    page.evaluate(f"{FLOW}.player.scrub({FLOW}.clock.length * 0.5)")
    until(page, f"!{FLOW}.asked")
    times = page.evaluate(
        f"""{FLOW}.panels.map(({{ view, model }}) =>
          [model.columns.time[view.position - 1], view.time, model.columns.time[view.position]])"""
    )
    assert times[0][1] == times[1][1]
    for before, now, after in times:
        assert before <= now <= after
    assert page.locator(".gl-panel").count() == 2
    page.screenshot(path=pictures / "pair.png", full_page=True)


def test_two_clients_of_one_cluster_begin_together(show):
    cluster = gl.Cluster.sim(pods=3, seed=7)
    early = cluster.channel("greetserver")
    early.greet(times=6)
    cluster.run(40)
    late = cluster.channel("greetserver-headless", policy="round_robin")
    late.greet(times=6)
    page = show(gl.Flow(early.trace, late.trace))
    origins = page.evaluate(f"[...{FLOW}.clock.origins]")
    assert origins[1] - origins[0] >= 40e9
    starts = page.evaluate(
        f"""{FLOW}.panels.map(({{ model, number }}) =>
          {FLOW}.clock.time[{FLOW}.clock.indexOf(number, model.clients[0].lookups[0].start)])"""
    )
    assert starts == [0, 0]
    first = page.evaluate(
        f"Math.min(...{FLOW}.models.map((model, i) =>"
        f" {FLOW}.clock.rowU[i][model.clients[0].lookups[0].start]))"
    )
    assert first < 2.5  # the 40 s before take no time


def test_an_idle_stretch_is_compressed_and_said_to_be(show):
    page = show(gl.Flow(killed()))
    length, longest = page.evaluate(
        f"[{FLOW}.clock.length, Math.max(...{FLOW}.clock.idle.map((one) => one.seconds))]"
    )
    assert length < 90
    assert longest > 5
    share = page.evaluate(
        f"Math.max(...{FLOW}.clock.idle.map((one) => one.to - one.from)) / {FLOW}.clock.length"
    )
    assert share < 0.1
    page.evaluate(f"(({{from, to}}) => {FLOW}.player.scrub((from + to) / 2))({FLOW}.clock.idle[0])")
    page.evaluate(f"{FLOW}.player.speed = 0.125")
    page.keyboard.press("Space")
    until(page, "document.querySelector('.gl-progress').textContent.includes('pass')")


def test_who_wants_less_motion_gets_steps(show):
    page = show(gl.Flow(headless().trace), reduced_motion="reduce")
    page.evaluate(f"{FLOW}.player.scrub({FLOW}.clock.length * 0.5)")
    until(page, f"!{FLOW}.asked")
    u, at = page.evaluate(f"[{FLOW}.panels[0].view.u, {FLOW}.clock.u[{FLOW}.player.position - 1]]")
    assert u == at


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_both_themes_and_the_notebooks_own(show, pictures, theme):
    page = show(gl.Flow(killed()), color_scheme=theme)
    background = "getComputedStyle(document.querySelector('.gl-flow')).backgroundColor"
    light = "rgb(255, 255, 255)"
    assert (page.evaluate(background) == light) == (theme == "light")
    page.keyboard.press("End")
    until(page, f"!{FLOW}.asked")
    page.screenshot(path=pictures / f"{theme}.png", full_page=True)
    page.evaluate(f"document.body.dataset.jpThemeLight = '{str(theme == 'dark').lower()}'")
    other = {"light": "dark", "dark": "light"}[theme]
    until(page, f"document.querySelector('.gl-flow').dataset.theme === '{other}'")
    assert (page.evaluate(background) == light) == (theme == "dark")


@pytest.mark.parametrize(("pods", "clients"), [(10, 1), (100, 1), (3, 3), (3, 12), (0, 1)])
def test_few_and_many_find_room(show, pictures, pods, clients):
    cluster = gl.Cluster.sim(pods=pods, seed=7)
    for _ in range(clients):
        cluster.channel("greetserver-headless", policy="round_robin").start(20, 4)
    cluster.run(1)
    page = show(gl.Flow(cluster.trace))
    page.evaluate(f"{FLOW}.player.scrub({FLOW}.clock.length * 0.7)")
    until(page, f"!{FLOW}.asked")
    boxes, width, height = page.evaluate(
        f"(({{ pods, clients, dns, width, height }}) => [[dns, ...clients, ...pods].map("
        f"(one) => one.box ?? one), width, height])({FLOW}.panels[0].layout)"
    )
    for place, one in enumerate(boxes):
        assert one["x"] >= 0
        assert one["y"] >= 0
        assert one["x"] + one["w"] <= width
        assert one["y"] + one["h"] <= height
        for other in boxes[place + 1 :]:
            apart = (
                one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
                or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
            )  # fmt: skip
            assert apart, (one, other)
    page.screenshot(path=pictures / f"{pods}-pods-{clients}-clients.png", full_page=True)


def test_ten_thousand_calls_are_drawn_in_a_frame(show):
    cluster = gl.Cluster.sim(pods=3, seed=7)
    cluster.channel("greetserver-headless", policy="round_robin").load(10_000, 64)
    page = show(gl.Flow(cluster.trace))
    median = page.evaluate(
        f"""(() => {{
          const flow = {FLOW};
          const taken = [];
          for (let i = 0; i < 100; ++i) {{
            flow.player.scrub((flow.clock.length * i) / 100);
            const begun = performance.now();
            flow.draw();
            taken.push(performance.now() - begun);
          }}
          return taken.sort((a, b) => a - b)[50];
        }})()"""
    )
    assert median < 16


def test_it_can_be_read_by_a_screen_reader(show):
    page = show(gl.Flow(sticky(9)))
    assert "Answered by pod-1 9" in page.get_attribute(".gl-flow", "aria-label")
    assert page.get_attribute(".gl-lanes", "role") == "slider"
    unnamed = page.evaluate(
        "[...document.querySelectorAll('.gl-flow button')].filter("
        "(one) => !one.ariaLabel && !one.textContent.trim()).length"
    )
    assert unnamed == 0
    page.keyboard.press("ArrowRight")
    until(page, f"!{FLOW}.asked")
    assert re.search(r"pod-1 started", page.get_attribute(".gl-lanes", "aria-valuetext"))


def test_a_click_shows_a_call_s_frames_and_their_bytes(show, pictures):
    with gl.Cluster.local(pods=1, seed=3) as cluster:
        channel = cluster.channel("greetserver", frames=True)
        channel.greet("<b>Ada</b>", times=2)
        page = show(gl.Flow(channel.trace))
    page.evaluate(f"{FLOW}.player.toEnd()")
    page.evaluate(
        f"""(() => {{
          const flow = {FLOW}, panel = flow.panels[0], call = panel.model.calls[1];
          flow.chosen = {{ panel, call, row: call.end }};
          flow.why(panel, call.end);
        }})()"""
    )
    frames = page.locator(".gl-frames li")
    assert frames.count() == 5
    frames.nth(1).locator("button").click()
    shown = page.locator(".gl-frame")
    assert "DATA, stream 3" in frames.nth(1).inner_text()
    assert "type DATA  flags 0x01  stream 3" in shown.inner_text()
    assert "<b>Ada</b>" in page.evaluate(
        "document.querySelector('.gl-frame pre').textContent.split('\\n')"
        ".map((line) => line.slice(55)).join('')"
    )
    assert page.locator(".gl-frame b").count() == 0  # it is only text
    page.screenshot(path=pictures / "frames.png", full_page=True)
    frames.nth(1).locator("button").click()
    assert shown.count() == 0
    page.evaluate(f"{FLOW}.close()")
    until(page, f"!{FLOW}.asked")
    x, y = page.evaluate(
        f"""(() => {{
          const flow = {FLOW}, [panel] = flow.panels;
          return panel.view.paths.flatMap(({{ way }}) => way.points).find(
            ([x, y]) => flow.hit(panel, {{ offsetX: x, offsetY: y }})?.connection);
        }})()"""
    )
    page.locator(".gl-scene").click(position={"x": x, "y": y})
    assert page.locator(".gl-frames li").count() > 15  # the connection's, with its preface
    assert "PREFACE, 24 bytes" in page.locator(".gl-frames").inner_text()
