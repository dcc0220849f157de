"""What is asked of the page in more than one browser; `page` can click (CSS) and evaluate."""

import functools
import threading
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer

PLAY = "document.getElementById('play').play"

BAD_LINKS = {
    "#v1;open+<script>document.title=7</script>+policy=fair": "policy",
    "#v1;open+greetserver+policy=%3Cimg%20src=x%20onerror=document.title=7%3E": "there is pick_",
    "#v9+pods=3": "version v9",
    "#v1+pods=1000000000": "at most 10000",
    "#v1;open+caf%C3%A9%FF%FE": "",
    "#v1;kill+%z": "two digits",
    "#" + "x" * 300_000: "300000 letters long",
}
"""And what is said of each; "" where a browser may show it."""


def every_claim(page):
    """Goes through the scenes, turns each lever to each of its places, and asks for the claim."""
    asked = 0
    there = page.evaluate("document.querySelectorAll('.gl-essay .gl-scenes button').length")
    for number in range(1, there + 1):
        page.click(f".gl-essay .gl-scenes button:nth-child({number})")
        page.click(".gl-main")
        holds(page, number)
        levers = page.evaluate(
            f"{PLAY}.essay.scene.levers.map(({{ name, values }}) => [name, values.map(([v]) => v)])"
        )
        for name, values in levers:
            for value in [*values[1:], values[0]]:
                page.click(f".gl-levers input[name='gl-{name}'][value='{value}']")
                assert holds(page, number)[name] == value  # the click has turned it
                asked += 1
    return asked


def holds(page, number):
    """The scene's claim, on its worlds as shown; it has come out once its words are there. Says
    where the levers stand."""
    until(page, "document.querySelector('.gl-outcome').textContent")
    chosen, claim = page.evaluate(
        f"""(({{ essay: {{ scene, chosen, figures }} }}) => [
          chosen, scene.claim(figures.map((one) => one.at(undefined, scene.since)), chosen),
        ])({PLAY})"""
    )
    assert claim, (number, chosen)
    return chosen


def until(page, condition):
    """Waits, frame by frame; Playwright's own waiting needs eval(), which a saved page forbids."""
    page.evaluate(
        f"""new Promise((done, failed) => {{
          const end = performance.now() + 15_000;
          const look = () => {{
            if ({condition}) done(true);
            else if (performance.now() > end) failed(new Error("waited for 15 s"));
            else requestAnimationFrame(look);
          }};
          look();
        }})"""
    )


def is_refused(page, link, said):
    """A bad link is a sentence, and only text; and the sandbox is there, and empty."""
    told = page.evaluate(
        "[...document.querySelectorAll('.gl-said')].map((one) => one.textContent).join('')"
    )
    if said:
        assert told.startswith("This link cannot be opened: "), told
    assert said in told
    assert len(told) < 1000
    assert page.evaluate("document.title") == "greetlab: the playground"
    assert page.evaluate("document.querySelectorAll('.gl-play img, .gl-play script').length") == 0
    assert page.evaluate(f"!!{PLAY}.world"), link[:80]


@contextmanager
def served(folder):
    """The folder on a loopback port, with the strictest policy that the page can live with."""

    class Strict(SimpleHTTPRequestHandler):
        extensions_map = {  # noqa: RUF012 (the library's own)
            ".html": "text/html", ".js": "text/javascript", ".css": "text/css",
            ".wasm": "application/wasm", ".svg": "image/svg+xml",
        }  # fmt: skip

        def end_headers(self):
            self.send_header(
                "Content-Security-Policy",
                "default-src 'none'; script-src 'self' 'wasm-unsafe-eval'; style-src 'self'; "
                "connect-src 'self'; worker-src blob:; img-src 'self'; base-uri 'none'; "
                "form-action 'none'",
            )
            super().end_headers()

        def log_message(self, *_):
            pass

    handler = functools.partial(Strict, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/"
        finally:
            server.shutdown()
            thread.join()
