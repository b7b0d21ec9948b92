"""The pages that `make docs` built are looked at, by a parser of links and by a browser."""

import fcntl
import functools
import html.parser
import http.server
import json
import os
import select
import shutil
import subprocess
import sys
import threading
import time
import urllib.parse
from pathlib import Path

import pytest

SITE = Path(__file__).parents[1] / "docs" / "_build" / "html"
CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not (SITE / "index.html").is_file(), reason="make docs builds the site and runs these tests"
    ),
]


class Page(html.parser.HTMLParser):
    """The places of a page that a link may lead to, and all that it refers to."""

    def __init__(self, path):
        super().__init__()
        self.places, self.links = set(), []
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.places |= {given[name] for name in ("id", "name") if given.get(name)}
        self.links += [given[name] for name in ("href", "src") if given.get(name)]
        if given.get("srcset"):
            self.links += [one.split()[0] for one in given["srcset"].split(",")]


def pages():
    return sorted(
        path for path in SITE.rglob("*.html") if "_static" not in path.relative_to(SITE).parts
    )


@pytest.fixture(scope="module")
def parsed():
    return {path: Page(path) for path in pages()}


def broken(source, link, parsed):
    """Whether a link leads nowhere within the site; links to other places are not followed."""
    address = urllib.parse.urlsplit(link)
    if address.scheme or address.netloc:
        return False
    target = source
    if address.path:
        target = (source.parent / urllib.parse.unquote(address.path)).resolve()
    if not target.is_file():
        return True
    place = urllib.parse.unquote(address.fragment)
    return bool(place) and target in parsed and place not in parsed[target].places


def test_no_link_or_picture_is_broken(parsed):
    assert len(parsed) > 50
    found = [
        f"{source.relative_to(SITE)}: {link}"
        for source, page in parsed.items()
        for link in page.links
        if broken(source, link, parsed)
    ]
    assert found == []


def test_a_broken_link_is_found(tmp_path):
    path = tmp_path / "page.html"
    path.write_text('<h1 id="here"></h1><img src="no.png"><a href="#there"><a href="#here">')
    parsed = {path: Page(path)}
    assert [link for link in parsed[path].links if broken(path, link, parsed)] == [
        "no.png",
        "#there",
    ]


def test_nothing_is_loaded_from_elsewhere(parsed):
    """The site is read without a network, too; links to other places are allowed."""
    loaded = [
        link
        for page in parsed.values()
        for link in page.links
        if link.startswith(("http:", "https:", "//")) and link.endswith((".js", ".css", ".png"))
    ]
    assert loaded == []


# ---------------------------------------------------------------- in a browser


_AS_3_AND_4 = """
import os, sys
os.dup2(int(sys.argv[1]), 3), os.dup2(int(sys.argv[2]), 4)
os.execv(sys.argv[3], sys.argv[3:])
"""


class Browser:
    """Chromium, driven through two pipes by its own protocol."""

    def __init__(self, folder):
        # Chromium reads commands from descriptor 3 and writes to 4. Both ends are taken above 9, so
        # that neither is overwritten by the other.
        (commands, self._commands), (self._answers, answers) = os.pipe(), os.pipe()
        ends = [fcntl.fcntl(end, fcntl.F_DUPFD, 10) for end in (commands, answers)]
        self._process = subprocess.Popen(
            [
                *(sys.executable, "-S", "-c", _AS_3_AND_4, *map(str, ends)),
                *(CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--disable-sync"),
                *(
                    "--no-first-run",
                    "--disable-background-networking",
                    "--disable-component-update",
                ),
                *("--remote-debugging-pipe", f"--user-data-dir={folder / 'profile'}"),
            ],
            pass_fds=ends,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        for end in (commands, answers, *ends):
            os.close(end)
        self._unread, self._number, self._session = b"", 0, {}
        self.errors = []
        try:
            self._attach()
        except BaseException:
            self.close()
            raise

    def _attach(self):
        target = self.do("Target.createTarget", url="about:blank")["targetId"]
        session = self.do("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        self._session = {"sessionId": session}
        for domain in ("Page", "Runtime", "Log"):
            self.do(f"{domain}.enable")

    def close(self):
        os.close(self._commands)
        self._process.terminate()
        self._process.wait(60)
        os.close(self._answers)

    def do(self, method, **parameters):
        """Send a command and wait for its result."""
        self._number += 1
        command = {"id": self._number, "method": method, "params": parameters, **self._session}
        os.write(self._commands, json.dumps(command).encode() + b"\0")
        answer = self._wait(lambda message: message.get("id") == self._number)
        assert "error" not in answer, answer
        return answer["result"]

    def open(self, address):
        """Load a page until it is complete."""
        self.errors.clear()
        self.do("Page.navigate", url=address)
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression):
        """The value of an expression of JavaScript."""
        answer = self.do(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in answer, answer
        return answer["result"].get("value")

    def show(self, width, colours):
        """Set the width of the window in pixels, and "light" or "dark"."""
        size = {"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": False}
        self.do("Emulation.setDeviceMetricsOverride", **size)
        scheme = {"name": "prefers-color-scheme", "value": colours}
        self.do("Emulation.setEmulatedMedia", features=[scheme])
        # A page learns of both with the next picture that is drawn.
        self.evaluate("new Promise(end => requestAnimationFrame(() => requestAnimationFrame(end)))")

    def _wait(self, is_awaited):
        end = time.monotonic() + 120
        while True:
            while b"\0" not in self._unread:
                left = end - time.monotonic()
                assert left > 0, "the browser does not answer"
                if select.select([self._answers], [], [], left)[0]:
                    read = os.read(self._answers, 1 << 20)
                    assert read, "the browser has ended"
                    self._unread += read
            text, _, self._unread = self._unread.partition(b"\0")
            message = json.loads(text)
            self._note_error(message)
            if is_awaited(message):
                return message

    def _note_error(self, message):
        method, told = message.get("method"), message.get("params", {})
        is_error = (
            method == "Runtime.exceptionThrown"
            or (method == "Runtime.consoleAPICalled" and told["type"] in ("error", "assert"))
            or (method == "Log.entryAdded" and told["entry"]["level"] == "error")
        )
        if is_error:
            self.errors.append(json.dumps(told)[:2000])


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("needs Chromium")
    opened = Browser(tmp_path_factory.mktemp("chromium"))
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def address():
    """Where the site is served."""

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    handler = functools.partial(Quiet, directory=SITE)
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()
        thread.join()


# What is wrong with a page at its present width and colours; text needs the contrast of 4.5 that
# WCAG 2 asks for (3 if it is large).
SEEN = """
(() => {
  const numbers = text => (text.match(/[0-9.]+/g) || []).map(Number);
  const linear = value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  const part = value => linear(value / 255);
  const light = ([r, g, b]) => 0.2126 * part(r) + 0.7152 * part(g) + 0.0722 * part(b);
  const ground = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = numbers(getComputedStyle(at).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const faint = [];
  for (const element of document.querySelectorAll(
      ".bd-article :is(h1, h2, h3, p, li, td, th, dt, code, pre, svg text)")) {
    const style = getComputedStyle(element);
    const text = element.textContent.trim().slice(0, 40);
    const isSeen = style.visibility !== "hidden" && element.getClientRects().length;
    if (!text || !isSeen)
      continue;
    const colour = numbers(element.matches("svg text") ? style.fill : style.color);
    const behind = ground(element);
    const [low, high] = [light(colour), light(behind)].sort((one, other) => one - other);
    const needed = parseFloat(style.fontSize) >= 24 ? 3 : 4.5;
    if ((high + 0.05) / (low + 0.05) < needed)
      faint.push(`${element.tagName} ${style.color} on ${behind}: ${text}`);
  }
  return {
    scrolls: document.scrollingElement.scrollWidth > window.innerWidth,
    pictures: [...document.images]
      .filter(one => one.complete && !one.naturalWidth).map(one => one.src),
    faint: faint.slice(0, 3),
    colours: document.documentElement.dataset.theme,
    title: document.querySelector("h1") ? document.querySelector("h1").textContent : "",
  };
})()
"""


def test_each_page_in_a_browser(browser, address):
    wrong, titles = [], set()
    for page in pages():
        name = page.relative_to(SITE).as_posix()
        browser.show(1400, "light")
        browser.open(address + name)
        for width in (1400, 400):
            for colours in ("light", "dark"):
                browser.show(width, colours)
                seen = browser.evaluate(SEEN)
                assert seen["colours"] == colours, name
                titles.add(seen["title"])
                wrong += [f"{name} at {width}, {colours}: scrolls"] * seen["scrolls"]
                wrong += [f"{name}: no picture {one}" for one in seen["pictures"]]
                wrong += [f"{name} at {width}, {colours}: {one}" for one in seen["faint"]]
        wrong += [f"{name}: {error}" for error in browser.errors]
    assert not wrong, "\n".join(wrong)
    assert len(titles) > 50


def test_the_browser_sees_what_is_wrong(browser, tmp_path):
    """So that the test above can fail."""
    page = tmp_path / "page.html"
    page.write_text(
        '<html data-theme="light"><div class="bd-article" style="background: white">'
        '<h1 style="color: #eee; width: 3000px">Faint</h1><img src="no.png"></div>'
        '<script>console.error("on purpose"); undefined.nothing</script>'
    )
    browser.show(400, "light")
    browser.open(page.as_uri())
    seen = browser.evaluate(SEEN)
    assert seen["scrolls"]
    assert [Path(one).name for one in seen["pictures"]] == ["no.png"]
    assert "H1" in seen["faint"][0]
    assert any("on purpose" in error for error in browser.errors)
    assert any("nothing" in error for error in browser.errors)
