"""The playground in a browser, from a file, with the network off: driven as a person does."""

import re
from importlib.resources import files

import pytest
from browser import chromium, colors, picture_folder, until
from playing import BAD_LINKS, PLAY, every_claim, is_refused, served

import greetlab as gl
from greetlab.views.play import document, write_site

SIZES = [(390, "light"), (1280, "dark"), (1920, "light")]
WORLD = "v1+pods=3+seed=7;open+greetserver-headless+policy=round_robin"
CALLS = "load+client-1+calls=100+interval=100ms;@10s"
# Deque's own script, which looks for what shuts people out.
AXE = (files("axe_playwright_python") / "axe.min.js").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    return picture_folder(tmp_path_factory, "play")


@pytest.fixture(scope="module")
def file(tmp_path_factory):
    made = tmp_path_factory.mktemp("page") / "play.html"
    made.write_text(document(), encoding="utf-8")
    return made


@pytest.fixture
def show(browser, file):
    """Opens the page; in the end, nothing may have gone wrong in it."""
    contexts, wrong = [], []

    def opened(fragment="", width=1280, height=900, **how):
        context = browser.new_context(
            viewport={"width": width, "height": height}, offline=True, **how
        )
        contexts.append(context)
        page = context.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on(
            "request",
            lambda asked: (
                wrong.append(asked.url) if not asked.url.startswith(("file:", "blob:")) else 0
            ),
        )
        page.goto(file.as_uri() + fragment)
        until(page, PLAY)
        return page

    yield opened
    for context in contexts:
        context.close()
    assert wrong == []


def address(page):
    """Where it is, by its own account: Playwright hears of it a moment later."""
    return page.evaluate("location.href")


def at(page, position):
    """The picture at an event; "end": at the last."""
    page.evaluate(f"{PLAY}.flow.player.to({position if position != 'end' else '1e9'})")
    until(page, f"!{PLAY}.flow.asked")


def shares(page):
    """Pod to how many calls it answered, as the bars say."""
    rows = page.eval_on_selector_all(
        ".gl-shares .gl-barrow", "(rows) => rows.map((row) => row.innerText.split(/\\s+/))"
    )
    return {name: int(count) for name, count, *_ in rows}


def same_in_python(page):
    """The page's address is the world that it shows, in Python, too."""
    digest = page.evaluate(f"{PLAY}.world.digest")
    assert gl.Cluster.from_link(address(page)).trace.core.digest() == digest


# --- The essay ------------------------------------------------------------------------------------


def test_a_scene_is_guessed_run_and_explained(show):
    page = show()
    assert address(page).endswith("#scene-1")
    assert page.query_selector(".gl-stage canvas") is None  # no answer above the question
    bars = page.locator(".gl-track input")
    assert bars.count() == 3
    box = bars.nth(1).bounding_box()
    page.mouse.move(box["x"] + 8, box["y"] + 10)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + 10, steps=4)
    page.mouse.up()
    assert page.inner_text(".gl-counted") == "handed out: 60 of 60 calls"
    page.click(".gl-main")
    until(page, f"{PLAY}.flow.player.position > 5")  # it plays
    assert page.inner_text(".gl-outcome") == ""
    page.keyboard.press("Tab")
    at(page, "end")
    said = page.inner_text(".gl-outcome").replace("\u2011", "-")
    assert "pod-1 answered all 60 calls. Connections: 1." in said
    assert "60 of 60 went elsewhere than you guessed" in said
    assert page.inner_text(".gl-barrow:nth-child(2) .gl-number") == "0 · you: 60"
    page.click("text=The last of these calls")
    chain = page.inner_text(".gl-because ol")
    assert "call 60 goes to 10.96.0.1:50051" in chain
    assert "because the ClusterIP sends the new connection to" in chain
    assert "pod-1 answered all 60" in page.inner_text(".gl-hear")


def test_a_lever_of_a_scene_runs_it_anew(show):
    page = show("#scene-8", reduced_motion="reduce")
    page.click(".gl-main")
    until(page, "document.querySelector('.gl-outcome').textContent")  # without motion: the end
    assert page.inner_text(".gl-outcome").startswith("1 of 90 calls failed")
    page.click("label:has-text('falls silent')")
    failed = int(page.inner_text(".gl-outcome").split(" ")[0])
    assert failed > 20
    page.click("label:has-text('a PING after 1 s')")
    assert int(page.inner_text(".gl-outcome").split(" ")[0]) < 8


def test_the_why_is_of_how_the_levers_stand(show):
    page = show("#scene-7", reduced_motion="reduce")
    page.click(".gl-main")
    until(page, "document.querySelector('.gl-outcome').textContent")
    assert "at least 30 s apart" in page.inner_text(".gl-because")
    page.click(".gl-levers input[name='gl-cooldown'][value='5s']")
    assert "at most every 5 s" in page.inner_text(".gl-because")
    page.click("text=Next:")
    page.click(".gl-main")
    page.click(".gl-levers input[name='gl-how'][value='lose']")
    assert "pod\N{NON-BREAKING HYPHEN}2 is silent" in page.inner_text(".gl-lesson")


def test_the_running_world_of_a_scene_is_acted_on_from_its_moment_on(show):
    page = show("#scene-1")
    assert not page.is_visible("text=kill the pod that answers")  # it does not run yet
    page.click(".gl-main")
    at(page, 90)
    page.click("text=kill the pod that answers")
    there = f"{PLAY}.flow.clock.timeAt({PLAY}.flow.player.u) / 1e9"
    assert page.evaluate(f"{there} >= {PLAY}.essay.done.now - 0.05")  # where it was
    link = page.evaluate(f"{PLAY}.essay.links[0]")
    assert re.search(r";@\w+\+kill\+pod-1;@6s$", link)
    assert page.evaluate(f"{PLAY}.flow.player.playing")  # it goes on from there
    at(page, "end")
    said = page.inner_text(".gl-outcome").replace("\u2011", "-")
    assert re.match(r"Since \d\.\d s: pod-1 0, pod-2 \d+, pod-3 0", said), said
    assert "the ClusterIP chose again" in page.inner_text(".gl-because").replace("\n", " ")
    page.click("text=Take it to the sandbox")
    assert address(page).endswith(f"#{link}")
    same_in_python(page)
    page.go_back()
    page.click(".gl-main")  # anew
    at(page, "end")
    assert "pod-1 answered all 60" in page.inner_text(".gl-outcome").replace("\u2011", "-")


def test_a_scene_that_runs_is_in_sight_and_so_is_what_came_out(show):
    page = show("#scene-7", height=800)
    page.click(".gl-main")
    at(page, 60)
    seen = """((selector) => {
      const { top, bottom } = document.querySelector(selector).getBoundingClientRect();
      return top >= -1 && bottom <= innerHeight + 1;
    })"""
    assert page.evaluate(f"{seen}('.gl-stage')")
    assert page.evaluate(f"{seen}('.gl-essay .gl-levers:last-child button')")
    at(page, "end")
    assert page.evaluate(f"{seen}('.gl-result')")


def test_what_is_done_to_a_scene_at_its_end_goes_on_until_it_is_seen(show):
    page = show("#scene-8", reduced_motion="reduce")
    page.click(".gl-main")
    until(page, "document.querySelector('.gl-outcome').textContent")
    page.click("text=start pod-2 again")
    said = page.inner_text(".gl-outcome").replace("\u2011", "-")
    assert int(re.search(r"pod-2 (\d+)", said)[1]) > 5, said
    page.click("text=The connection to the pod that came last")
    assert "is left alone until" in page.inner_text(".gl-because ol")  # its backoff
    page.click(".gl-levers input[name='gl-how'][value='lose']")  # another world, from its beginning
    assert "pod-2 0" in page.inner_text(".gl-outcome").replace("\u2011", "-")
    assert "restart" not in page.evaluate(f"{PLAY}.essay.links[0]")


def test_it_is_done_once_and_not_before_what_the_scene_is_about(show):
    page = show("#scene-8", reduced_motion="reduce")
    page.click(".gl-main")
    button = page.locator("text=start pod-2 again")
    for place, disabled in ((0, "true"), ("end", "false")):
        at(page, place)
        assert button.get_attribute("aria-disabled") == disabled
    at(page, 0)
    button.dispatch_event("click")  # pod-2 is alive
    assert "restart" not in page.evaluate(f"{PLAY}.essay.links[0]")
    at(page, "end")
    button.click()
    at(page, "end")
    assert button.get_attribute("aria-disabled") == "true"
    link = page.evaluate(f"{PLAY}.essay.links[0]")
    button.dispatch_event("click")
    assert page.evaluate(f"{PLAY}.essay.links[0]") == link
    assert link.count("restart") == 1


def test_the_scenes_follow_each_other_by_keys(show):
    page = show("#scene-4")
    page.focus("text=Next:")
    page.keyboard.press("Enter")
    assert address(page).endswith("#scene-5")
    assert page.evaluate("document.activeElement.textContent") == "The cold cure"
    page.focus(".gl-track input")
    page.keyboard.press("End")
    assert "60 of 60" in page.inner_text(".gl-counted")
    page.focus(".gl-main")
    page.keyboard.press("Space")
    at(page, "end")
    assert "As you guessed." in page.inner_text(".gl-outcome")
    page.click("text=Take it to the sandbox")
    assert "start_interval=300ms" in address(page)
    assert page.inner_text(".gl-note").startswith("Watch for what DNS knows")
    same_in_python(page)
    page.click("text=The essay")
    assert address(page).endswith("#scene-5")


@pytest.mark.timeout(120)
def test_every_scene_s_claim_holds_at_every_place_of_its_levers(show):
    page = show(reduced_motion="reduce")
    assert every_claim(page) > 25


# --- The sandbox ----------------------------------------------------------------------------------


def test_the_presets_are_what_they_say(show):
    page = show(f"#{WORLD};{CALLS}")
    page.click("text=sticky")
    assert page.inner_text(".gl-note").startswith("Watch for the one connection")
    at(page, "end")
    assert sorted(shares(page).values()) == [0, 0, 100]
    page.click("text=cured")
    at(page, "end")
    assert sorted(shares(page).values()) == [33, 33, 34]
    page.click("text=a pod killed")
    assert page.inner_text(".gl-note").startswith("Watch for what one call pays")
    at(page, "end")
    assert shares(page)["pod-2"] < 20
    assert sum(shares(page).values()) == 100


def test_the_levers_say_how_many_pods_there_are_from_the_beginning(show):
    page = show(f"#{WORLD};{CALLS}")
    at(page, 0)
    assert page.input_value("input[aria-label=Pods]") == "3"


def test_a_lever_makes_another_world_and_its_link(show):
    page = show(f"#v1+pods=3+seed=7;open+greetserver;{CALLS}", reduced_motion="reduce")
    at(page, 0)  # the beginning: here every lever is the world's
    page.select_option("select[aria-label=Service]", "greetserver-headless")
    page.select_option("select[aria-label=Policy]", "round_robin")
    assert "open+greetserver-headless+policy=round_robin" in address(page)
    at(page, "end")
    assert sorted(shares(page).values()) == [33, 33, 34]
    at(page, 0)
    page.fill("input[aria-label='Calls a second']", "20")
    page.keyboard.press("Enter")
    assert "calls=200+interval=50ms" in address(page)
    page.click("text=How pods serve")
    page.fill("label:has-text('service_time') input", "20ms")
    page.keyboard.press("Tab")
    assert "service_time=20ms" in address(page)
    same_in_python(page)
    at(page, "end")
    assert "20.6 ms" in page.inner_text(".gl-figures") or "20.5" in page.inner_text(".gl-figures")


def lever(page, name, value):
    """Pulls one: its group is unfolded, its words are typed."""
    unfold(page)
    page.fill(f".gl-lever label:has-text('{name}') input >> nth=0", value)
    page.keyboard.press("Tab")
    assert page.inner_text(".gl-said") == ""


def test_levers_act_on_the_running_world_from_this_moment_on(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, 150)
    lever(page, "service_time", "30ms")
    assert re.search(r";@\w+\+change\+service_time=30ms;@10s$", address(page))
    assert "service time 30ms" in page.inner_text(".gl-hear")
    lever(page, "endpoint_lag", "2s")
    assert address(page).endswith(";change+endpoint_lag=2s;@10s")
    at(page, 20)  # before it
    assert page.input_value(".gl-lever:has-text('service_time') input") == ""
    at(page, "end")
    assert page.input_value(".gl-lever:has-text('service_time') input") == "30ms"
    assert "30." in page.inner_text(".gl-figures tr:has-text('p50')")
    assert page.inner_text(".gl-note") == ""
    same_in_python(page)


def test_another_rate_and_more_clients_from_this_moment_on(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, 150)
    lever(page, "calls a second", "50")
    assert re.search(
        r";@\w+\+stop\+load-1;load\+client-1\+calls=3\d\d\+interval=20ms;@10s$", address(page)
    )
    at(page, "end")
    many = sum(shares(page).values())
    assert 300 < many < 360  # 40 as it was, and 50 a second since
    assert re.search(r"failed\s+0\b", page.inner_text(".gl-figures"))  # what was in flight went on
    assert page.input_value("input[aria-label='Calls a second']") == "50"
    at(page, 400)
    lever(page, "clients", "3")
    assert address(page).count("open+greetserver-headless+policy=round_robin") == 3
    at(page, "end")
    assert re.search(r"connections open\s+9\b", page.inner_text(".gl-figures"))
    lever(page, "seconds", "12")
    assert address(page).endswith(";@12s")
    same_in_python(page)


def test_what_a_running_world_cannot_be_told_makes_another_and_says_so(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, 150)
    page.click("[data-pod=pod-2]")
    page.click(".gl-menu >> text=kill")
    page.select_option("select[aria-label=Policy]", "random")
    assert "another one, in which the same was done" in page.inner_text(".gl-note")
    assert "policy=random" in address(page)
    assert "kill+pod-2" in address(page)
    until(page, f"{PLAY}.sandbox.now() > 3.8")  # the moment is the same
    page.click("text=cured")
    assert page.inner_text(".gl-note").startswith("Watch for three addresses")


def test_what_a_lever_means_is_there_for_touch_and_for_keys(show):
    page = show(f"#{WORLD};{CALLS}", has_touch=True, width=390)
    page.tap(".gl-lever:has(label:has-text('policy')) .gl-help-ask")
    assert page.is_visible("#gl-help-policy")
    assert "the calls take turns" in page.inner_text("#gl-help-policy")
    page.select_option("select[aria-label=Policy]", "least_request")
    assert "fewest calls in flight (gRFC A48)" in page.inner_text("#gl-help-policy")
    unfold(page)
    page.focus("label:has-text('choiceCount') input")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    assert page.is_visible("#gl-help-choiceCount")
    assert page.inner_text("#gl-help-choiceCount").endswith("it draws: 2 to 10")
    page.keyboard.press("Space")
    assert not page.is_visible("#gl-help-choiceCount")
    # Each lever has one, of which a screen reader hears where the lever is.
    told = page.evaluate(
        """[...document.querySelectorAll(".gl-sandbox-levers label")].map((label) => {
          const lever = label.querySelector("input, select");
          const told = document.getElementById(lever.getAttribute("aria-describedby"));
          const ask = label.parentElement.querySelector("button");
          const { width, height } = ask.getBoundingClientRect();
          return [label.textContent, told.textContent, Math.min(width, height)];
        })"""
    )
    assert len(told) > 40
    assert [name for name, words, size in told if len(words) < 10 or size < 24] == []


def test_every_policy_and_each_of_its_options_is_explained(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    for policy in gl.POLICIES:
        page.select_option("select[aria-label=Policy]", policy)
        told = page.evaluate(
            """[document.getElementById("gl-help-policy"),
              ...document.querySelectorAll(".gl-fields .gl-help-text")].map((one) =>
                one.textContent)"""
        )
        assert [words for words in told if len(words) < 10 or words.startswith(":")] == []
    page.select_option("select[aria-label=Policy]", "pick_first")
    page.check("label:has-text('shuffleAddressList') input")
    assert "policy.shuffleAddressList=true" in address(page)
    page.uncheck("label:has-text('shuffleAddressList') input")
    assert "shuffleAddressList" not in address(page)


def test_a_pod_that_is_well_again_looks_well(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    pod = page.locator("[data-pod=pod-2]")
    at(page, 150)
    both = [("slow", "quick again"), ("fail half", "fail none"), ("not serving", "serving")]
    for ill, well in both:
        for deed, looks in ((ill, "gl-ill"), (well, "")):
            pod.click()
            page.locator(".gl-menu button", has_text=re.compile(f"(^|: ){deed}")).click()
            assert pod.get_attribute("class") == looks, deed


def test_what_is_done_at_the_end_is_followed_by_more_of_the_world(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, "end")
    page.click("[data-pod=pod-2]")
    page.click(".gl-menu >> text=kill")
    assert re.search(r";@\w+\+kill\+pod-2;stop\+load-1;load\+client-1\+calls=50", address(page))
    assert "it goes on to 14.9 s" in page.inner_text(".gl-note")
    at(page, "end")
    assert sum(shares(page).values()) == 150
    assert shares(page)["pod-2"] < 36
    same_in_python(page)
    lever(page, "calls a second", "50")  # at the new end
    assert "calls=250+interval=20ms" in address(page)
    page.click("text=cured")
    at(page, 150)  # in the middle: there is enough of it left
    page.click("[data-pod=pod-2]")
    page.click(".gl-menu >> text=kill")
    assert address(page).endswith("kill+pod-2;@10s")
    assert page.inner_text(".gl-note") == ""


def test_the_pods_lever_is_what_is_asked_for_and_the_dead_are_told_beside_it(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, 150)
    page.click("[data-pod=pod-2]")
    page.click(".gl-menu >> text=kill")
    pods = page.locator("input[aria-label=Pods]")
    beside = page.locator(".gl-lever:has(input[aria-label=Pods]) .gl-aside")
    assert (pods.input_value(), beside.inner_text()) == ("3", "2 running now")
    pods.focus()
    page.keyboard.press("ArrowRight")
    assert "scale+4" in address(page)
    assert (pods.input_value(), beside.inner_text()) == ("4", "")
    at(page, 100)  # before it
    assert (pods.input_value(), beside.inner_text()) == ("3", "")
    same_in_python(page)


def test_two_worlds_are_told_of_what_is_the_same_in_them(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, 150)
    page.click("text=Fork")
    assert page.inner_text(".gl-note").startswith("Two worlds, the same up to 3.9 s")
    tops = "[...document.querySelectorAll('.gl-panel')].map((one) => one.getBoundingClientRect().y)"
    first, second = page.evaluate(tops)
    assert first == second  # in sight at once
    page.click("text=One world")
    assert page.inner_text(".gl-note") == ""


def test_the_questions_of_one_lookup_are_told_apart(show):
    page = show(f"#{WORLD};{CALLS}", reduced_motion="reduce")
    at(page, "end")
    figures = page.inner_text(".gl-figures")
    assert re.search(r"lookups of the name\s+1\b", figures)
    assert re.search(r"questions to DNS\s+A lookup asks two: .*\(A\).*\(AAAA\)\.\s+2\b", figures)


def test_retries_have_levers_and_one_brings_what_it_needs(show):
    page = show(f"#{WORLD};fail+pod-2+0.5;{CALLS}", reduced_motion="reduce")
    at(page, "end")
    assert not re.search(r"failed\s+0\b", page.inner_text(".gl-figures"))
    lever(page, "retryPolicy.maxAttempts", "5")
    assert "retryPolicy.retryableStatusCodes=UNAVAILABLE" in address(page)
    at(page, "end")
    assert re.search(r"failed\s+0\b", page.inner_text(".gl-figures"))
    same_in_python(page)


def test_back_and_forward_go_through_scenes_and_presets_but_not_levers(show):
    page = show("#scene-2", reduced_motion="reduce")
    page.click("text=Next:")
    page.click("text=The sandbox")
    page.click("text=cured")
    page.fill("input[aria-label='Calls a second']", "20")
    page.keyboard.press("Tab")
    pulled = address(page)
    page.click("text=a pod killed")
    page.go_back()
    until(page, f"location.href === {pulled!r} && {PLAY}.world.link() === location.hash")
    page.go_back()
    until(page, f"!location.hash.includes('headless') && {PLAY}.world.link() === location.hash")
    page.go_back()
    until(page, "document.querySelector('h2').textContent === 'Headless, and pick_first'")
    page.go_back()
    until(page, "document.querySelector('h2').textContent === 'round_robin changes nothing'")
    page.go_forward()
    page.go_forward()
    until(page, f"!{PLAY}.sandbox.root.hidden && location.hash.startsWith('#v1')")


def test_the_essay_goes_on_to_two_hundred_clients(show):
    page = show("#scene-9", reduced_motion="reduce")
    page.click("text=Next: two hundred clients")
    assert "hardly anybody comes back to it" in page.inner_text(".gl-note")
    later = page.evaluate(f"""Object.fromEntries(
      {PLAY}.sandbox.figures[0].at(undefined, 5).answered)""")
    assert 4 * later["pod-2"] < min(later["pod-1"], later["pod-3"]), later


def test_of_200_pods_each_can_be_acted_on(show):
    page = show(
        "#v1+pods=200+seed=7;open+greetserver-headless+policy=round_robin;"
        "load+client-1+calls=400+interval=1ms;@1s",
        reduced_motion="reduce",
    )
    at(page, "end")
    assert page.inner_text(".gl-shares h3") == "Who answered: the busiest 12 of 200 pods"
    page.select_option("select[aria-label='Another pod']", "pod-150")
    page.click(".gl-menu >> text=kill")
    assert "kill+pod-150" in address(page)


def test_a_bar_beside_a_long_name_can_be_dragged_on_a_small_screen(show):
    page = show("#scene-9", width=390)
    assert page.locator(".gl-track input").nth(3).bounding_box()["width"] > 200


def test_every_policy_has_its_levers(show):
    page = show(f"#{WORLD};{CALLS}")
    for policy in gl.POLICIES:
        page.select_option("select[aria-label=Policy]", policy)
        assert page.inner_text(".gl-said") == ""
        assert f"policy={policy}" in address(page)


def test_a_lever_that_makes_no_sense_is_a_sentence(show):
    page = show(f"#{WORLD};{CALLS}")
    before = address(page)
    page.click("text=An end to connections")
    page.fill("label:has-text('max_connection_age') input >> nth=0", "soon")
    page.keyboard.press("Tab")
    assert "soon" in page.inner_text(".gl-said")
    assert address(page) == before
    assert page.input_value("label:has-text('max_connection_age') input >> nth=0") == ""


def test_two_pods_more_from_this_moment_on(show):
    page = show(f"#{WORLD};{CALLS}")
    at(page, 200)
    page.focus("input[aria-label=Pods]")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    assert re.search(r";@\w+\+scale\+4;scale\+5;@10s$", address(page))
    until(page, f"{PLAY}.flow.player.position >= 199")  # it stays where it was
    at(page, "end")
    assert shares(page) == {"pod-1": 33, "pod-2": 33, "pod-3": 34, "pod-4": 0, "pod-5": 0}
    same_in_python(page)


def test_a_pod_is_killed_by_a_click_in_the_picture(show):
    page = show(f"#{WORLD};{CALLS}")
    at(page, 150)
    box, zoom, down, left = page.evaluate(
        f"""(() => {{ const {{ flow }} = {PLAY}; const [panel] = flow.panels;
          panel.scene.scrollIntoView({{ block: "center" }});
          const place = panel.scene.getBoundingClientRect();
          return [panel.layout.pods[1].box, flow.zoom, place.top, place.left]; }})()"""
    )
    middle = (box["x"] + box["w"] / 2) * zoom, (box["y"] + box["h"] / 2) * zoom
    page.mouse.click(left + middle[0], down + middle[1])
    assert page.inner_text(".gl-menu p").split() == ["pod-2", "at", "3.90", "s"]
    page.click(".gl-menu >> text=kill")
    assert re.search(r";@\w+\+kill\+pod-2", address(page))
    assert "kill pod-2" in page.inner_text(".gl-hear")
    assert "killed" in page.inner_text("[data-pod=pod-2]")
    page.focus("[data-pod=pod-2]")
    page.keyboard.press("Enter")
    page.keyboard.press("Escape")
    assert page.evaluate("document.activeElement.dataset.pod") == "pod-2"
    page.keyboard.press("Enter")
    assert page.locator(".gl-menu button").count() == 2  # of a dead one: restart it, or leave it
    page.click(".gl-menu >> text=restart")
    assert "restart+pod-2" in address(page)
    same_in_python(page)


def test_whatever_is_done_to_a_pod_or_to_all_is_a_world_that_python_knows(show):
    page = show(f"#{WORLD};{CALLS}")
    at(page, 150)
    page.click("[data-pod=pod-2]")
    deeds = page.locator(".gl-menu button").count() - 1  # the last one leaves it
    page.keyboard.press("Escape")
    said = []
    for number in range(1, deeds + 1):
        page.click("text=cured")  # from the beginning, each time
        at(page, 150)
        page.click("[data-pod=pod-2]")
        page.click(f".gl-menu button:nth-of-type({number})")
        said += re.findall(r"@\w+\+(.*?);", address(page))
        same_in_python(page)
    assert said == [
        "kill+pod-2", "lose+pod-2", "drain+pod-2", "slow+pod-2+100ms", "slow+pod-2+0",
        "fail+pod-2+0.5", "fail+pod-2+0", "set_serving+pod-2+false", "set_serving+pod-2+true",
        "restart+pod-2",
    ]  # fmt: skip
    page.click("text=cured")
    at(page, 150)
    page.click("text=Roll out")
    assert re.search(r";@\w+\+rollout;", address(page))
    same_in_python(page)
    at(page, "end")
    assert {f"pod-{i}" for i in range(1, 7)} <= set(shares(page))


def test_the_picture_is_stepped_scrubbed_and_played_at_any_speed(show):
    page = show(f"#{WORLD};{CALLS}")
    page.click("text=cured")
    at(page, 150)
    position = f"{PLAY}.flow.player.position"
    for button, then in (
        ("One event forward", 151), ("One event back", 150), ("To the end", None),
        ("To the beginning", 0),
    ):  # fmt: skip
        page.get_by_role("button", name=button).click()
        assert page.evaluate(position) == (
            page.evaluate(f"{PLAY}.flow.clock.events") if then is None else then
        )
    lanes = page.locator(".gl-stage canvas").nth(1).bounding_box()
    page.mouse.move(lanes["x"] + lanes["width"] / 4, lanes["y"] + 20)
    page.mouse.down()
    before = page.evaluate(position)
    page.mouse.move(lanes["x"] + lanes["width"] / 2, lanes["y"] + 20)
    page.mouse.up()
    assert 0 < before < page.evaluate(position) < page.evaluate(f"{PLAY}.flow.clock.events")
    speeds = page.locator("select[aria-label=Speed] option").evaluate_all(
        "(all) => all.map((one) => one.value)"
    )
    assert (speeds[0], speeds[-1]) == ("0.125", "1000")
    for speed in speeds:
        at(page, 100)
        page.select_option("select[aria-label=Speed]", speed)
        page.evaluate(f"{PLAY}.flow.player.play()")
        until(page, f"{PLAY}.flow.player.u > {PLAY}.flow.clock.u[99]")
        page.evaluate(f"{PLAY}.flow.player.pause()")


def test_the_times_below_the_picture_are_where_they_are(show):
    page = show(f"#{WORLD};{CALLS}".replace("@10s", "@4s+kill+pod-2;@10s"))
    at(page, "end")
    told = page.evaluate(
        f"""(({{ flow: {{ clock, panels: [{{ strip }}] }} }}) => strip.times.map(({{ x, text }}) =>
          [text, clock.timeAt(strip.u(x)) / 1e9]))({PLAY})"""
    )
    assert len(told) > 5
    for text, seconds in told:
        number, unit = text.split(" ")
        assert float(number) * {"s": 1, "ms": 1e-3}[unit] == pytest.approx(seconds, abs=2e-6)
    assert {"1 s", "5 s", "9 s"} <= {text for text, _ in told}


def test_a_crowd_at_one_moment_hides_no_later_calls(show):
    page = show("#scene-1", reduced_motion="reduce")
    page.click("text=The sandbox")
    page.click("text=200 clients")  # all of them call at once, and then now and then
    solid = page.evaluate(
        f"""(({{ flow: {{ panels: [{{ strip, ratio }}] }} }}) => {{
          const {{ still }} = strip;
          const [top, tall] = [62 * ratio, 28 * ratio]; // the calls' lane
          const wide = still.width * 0.3;
          const {{ data }} = still.getContext("2d").getImageData(wide, top, wide, tall);
          return data.filter((value, i) => i % 4 === 3 && value > 128).length;
        }})({PLAY})"""
    )
    assert solid > 500


def test_two_worlds_side_by_side_tell_their_own_time(show):
    late = WORLD.replace("open", "@2s+open")
    page = show(f"#{late};{CALLS}", reduced_motion="reduce")
    at(page, "end")
    alone = page.inner_text(".gl-time").split("·")[0]
    assert alone.startswith("10.0")
    page.click("text=Fork")
    at(page, "end")
    assert page.inner_text(".gl-time").split("·")[0] == alone


def test_a_fork_is_two_worlds_side_by_side(show):
    page = show(f"#{WORLD};{CALLS}")
    at(page, 150)
    page.click("text=Fork")
    page.click("[data-pod=pod-3]")
    page.click(".gl-menu >> text=lose")
    first, second = address(page).split("#")[1].split("!")
    assert "lose" not in first
    assert "lose+pod-3" in second
    at(page, "end")
    figures = page.inner_text(".gl-figures")
    assert re.search(r"failed\s+0\s+[1-9]", figures), figures
    page.click(".gl-choice label:has-text('A')")
    page.select_option("select[aria-label=Policy]", "random")
    assert address(page).count("policy=random") == 1
    again = show("#" + address(page).split("#")[1])
    assert again.evaluate(f"{PLAY}.sandbox.worlds.map((world) => world.digest)") == page.evaluate(
        f"{PLAY}.sandbox.worlds.map((world) => world.digest)"
    )
    page.click("text=One world")
    assert "!" not in address(page)


def test_a_notebook_s_world_opens_in_the_page(show):
    cluster = gl.Cluster.sim(pods=4, seed=3)
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=8)
    cluster.kill("pod-1")
    cluster.run(2)
    page = show(cluster.link())
    assert page.evaluate(f"{PLAY}.world.digest") == cluster.trace.core.digest()
    at(page, "end")
    assert sum(shares(page).values()) == 8


def test_a_bad_link_is_a_sentence_and_an_empty_sandbox(show):
    page = show("#v1;open+<b>bold</b>+policy=fair")
    assert "This link cannot be opened" in page.inner_text(".gl-said")
    assert "policy 'fair': there is pick_first" in page.inner_text(".gl-said")
    assert page.query_selector(".gl-said b") is None
    assert "An empty cluster" in page.inner_text(".gl-stage")
    page.select_option("select[aria-label=Service]", "greetserver-headless")  # it is a world again
    assert page.inner_text(".gl-said") == ""
    at(page, "end")
    assert sum(shares(page).values()) == 100


def test_a_hostile_link_is_only_text(show):
    for link, said in BAD_LINKS.items():
        is_refused(show(link), link, said)


# --- On a host ------------------------------------------------------------------------------------


def test_a_folder_is_served_with_a_strict_policy(browser, tmp_path):
    write_site(tmp_path)
    wrong, asked = [], []
    with served(tmp_path) as address:
        page = browser.new_page()
        page.on("console", lambda said: wrong.append(said.text))
        page.on("pageerror", lambda error: wrong.append(str(error)))
        page.on("request", lambda one: asked.append(one.url.removeprefix(address)))
        page.goto(f"{address}index.html#{WORLD};{CALLS}", wait_until="networkidle")
        until(page, PLAY)
        at(page, "end")
        assert sorted(shares(page).values()) == [33, 33, 34]
        same_in_python(page)
        page.close()
    assert wrong == []
    there = {str(path.relative_to(tmp_path)) for path in tmp_path.rglob("*.*")}
    assert {one.partition("#")[0] for one in asked} - {"favicon.ico"} == there  # each, and no other


# --- In a notebook --------------------------------------------------------------------------------


def test_in_a_notebook_s_frame_it_is_the_same_world(show, browser, tmp_path):
    cluster = gl.Cluster.sim(pods=4, seed=3)
    cluster.channel("greetserver-headless", policy="round_robin").greet(times=8)
    shown, _ = gl.Playground(cluster)._repr_mimebundle_()
    made = tmp_path / "notebook.html"
    made.write_text(f"<!doctype html><title>A notebook</title>{shown['text/html']}")
    wrong = []
    page = browser.new_context(offline=True, color_scheme="null").new_page()
    page.on("console", lambda said: wrong.append(said.text))
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(made.as_uri())
    [frame] = page.main_frame.child_frames
    until(frame, PLAY)
    assert frame.evaluate(f"{PLAY}.world.digest") == cluster.trace.core.digest()
    assert frame.input_value(".gl-address") == cluster.link()
    frame.click("text=The essay")
    assert frame.input_value(".gl-address") == "#scene-1"
    assert address(page) == made.as_uri()
    dark = "matchMedia('(prefers-color-scheme: dark)').matches"
    assert not frame.evaluate(dark)  # the system's, for a page without a theme
    for theme, so in (("false", dark), ("true", f"!{dark}")):  # JupyterLab's own
        page.evaluate(f"document.body.dataset.jpThemeLight = '{theme}'")
        until(frame, so)
    page.context.close()
    assert wrong == []


# --- How it looks ---------------------------------------------------------------------------------


def wrong_for_axe(page):
    page.evaluate(AXE)
    told = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    return [
        (one["id"], [node["target"] for node in one["nodes"]][:3]) for one in told["violations"]
    ]


def unfold(page):
    page.evaluate(
        "document.querySelectorAll('.gl-sandbox-levers details').forEach((one) => one.open = true)"
    )


@pytest.mark.parametrize(("width", "theme"), SIZES)
def test_it_fits(show, pictures, width, theme):
    page = show("#scene-7", width=width, color_scheme=theme, reduced_motion="reduce")
    page.screenshot(path=pictures / f"guess-{width}-{theme}.png", full_page=True)
    page.click(".gl-main")
    until(page, "document.querySelector('.gl-outcome').textContent")
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"scene-{width}-{theme}.png", full_page=True)
    page.click("text=The sandbox")
    at(page, 60)
    page.click("text=Fork")
    unfold(page)
    assert colors(page, ".gl-scene") > 10
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.screenshot(path=pictures / f"sandbox-{width}-{theme}.png", full_page=True)


@pytest.mark.timeout(120)
@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1280])
def test_axe_finds_nothing(show, width, theme):
    page = show("#scene-8", width=width, color_scheme=theme, reduced_motion="reduce")
    page.click(".gl-main")
    until(page, "document.querySelector('.gl-outcome').textContent")
    page.click("text=The last call that failed")
    assert wrong_for_axe(page) == []
    page.click("text=The sandbox")
    at(page, 60)
    page.click("text=Fork")
    unfold(page)
    page.click("[data-pod=pod-2]")
    for help in page.locator(".gl-help-ask").all():
        help.dispatch_event("click")
    assert wrong_for_axe(page) == []
    page.click("text=Your own policy")
    page.get_by_role("button", name="Run it in 100 worlds").click()
    page.locator(".gl-yours .gl-stage canvas").first.wait_for()
    assert wrong_for_axe(page) == []
