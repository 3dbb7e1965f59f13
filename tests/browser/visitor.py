"""One person at one browser, who notices everything that is wrong with a page.

A `Visitor` listens from the first request on: console messages, broken scripts, refused styles, failed requests and
answers of 400 and more are complaints, unless a test said beforehand that it expects them. `look()` adds what can be
measured in the page as it stands: accessibility (axe), and whether it fits a phone.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import BrowserContext, ConsoleMessage, Locator, Page, Request, Response, expect

from tests.browser.world import ROOT

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]}
# What a narrow and dark page may break that a wide and light one keeps.
RULES_OF_A_PHONE = {"type": "rule", "values": ["color-contrast", "target-size", "scrollable-region-focusable"]}
DESK = {"width": 1280, "height": 900}
PHONE = {"width": 390, "height": 844}
LEFT_THE_PAGE = "net::ERR_ABORTED"  # a request the browser dropped because the person went on; not a fault
OVERTAKEN = ("htmx:sendAbort", "htmx:afterRequest,")  # htmx says so when a person types on before the answer came
# axe measures a link by its own box; one that is stretched over its row by ::after is as large as the row. It takes for
# small what lies half under a bar that stays in place; such a thing is measured again where it is scrolled into view.
RUN_AXE = """async (rules) => {
  const options = (only) => ({runOnly: only, resultTypes: ["violations"], preload: false});
  const found = await axe.run(options(rules));
  const is_small = async (node) => {
    const element = document.querySelector(node.target[0]);
    if (getComputedStyle(element, "::after").position === "absolute") return false;
    element.scrollIntoView({block: "center"});
    const again = await axe.run(element, options({type: "rule", values: ["target-size"]}));
    return again.violations.length > 0;
  };
  for (const one of found.violations.filter((one) => one.id === "target-size")) {
    const small = [];
    for (const node of one.nodes) if (await is_small(node)) small.push(node);
    one.nodes = small;
  }
  return found.violations.filter((one) => one.nodes.length);
}"""
SETTLING = ".htmx-request, .htmx-swapping, .htmx-settling"  # what htmx is at work on
# Elements that stick out at the right, innermost last; what scrolls by itself may be wide inside.
STICKING_OUT = """() => {
  const root = document.scrollingElement;
  if (root.scrollWidth <= root.clientWidth) return [];
  const wide = [...document.body.querySelectorAll("*")].filter((one) => {
    const box = one.getBoundingClientRect();
    return box.width && box.right > root.clientWidth + 1 && getComputedStyle(one).position !== "fixed";
  });
  return wide.slice(-3).map((one) => one.outerHTML.slice(0, 160));
}"""


class Visitor:
    """`page` is Playwright's; `open`, `look` and the words of the screens are ours."""

    def __init__(self, context: BrowserContext, base: str, *, has_scripts: bool = True) -> None:
        self.context = context
        self.base = base
        self.has_scripts = has_scripts
        self.complaints: list[str] = []
        self.expected: set[int] = set()
        self.requests: list[str] = []  # "POST /clients/7/edit", newest last
        self.looked_at: set[str] = set()
        context.set_default_timeout(20_000)
        context.on("console", self._heard)
        context.on("weberror", lambda error: self._complain(f"a script broke: {error.error}"))
        context.on("request", self._asked)
        context.on("requestfailed", self._not_answered)
        context.on("response", self._answered)
        self.page: Page = context.new_page()

    def open(self, path: str) -> Page:
        """Type an address; a path is one of the portal's."""
        self.page.goto(path if "://" in path else self.base + path)
        return self.page

    def sign_in(self, email: str, password: str) -> None:
        """On the sign-in page, wherever it came from."""
        self.page.get_by_label("Email").fill(email)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in", exact=True).click()
        expect(self.page.get_by_role("heading", name="Sign in")).to_have_count(0)

    def press(self, words: str, within: Locator | None = None) -> None:
        """Press the button, or what looks like one, with exactly these words."""
        (within or self.page).get_by_role("button", name=words, exact=True).click()

    def follow(self, words: str, within: Locator | None = None) -> None:
        """Follow the link with exactly these words."""
        (within or self.page).get_by_role("link", name=words, exact=True).click()

    def sees(self, words: str | re.Pattern[str], *, within: str = "main") -> None:
        """Waits until these words stand in the page."""
        expect(self.page.locator(within)).to_contain_text(words)

    def is_told(self, words: str | re.Pattern[str]) -> None:
        """Waits until a message about the last act says so."""
        expect(self.page.locator(".flash, .notice, .sending").filter(has_text=words).first).to_be_visible()

    def is_at(self, heading: str | re.Pattern[str]) -> None:
        """Waits until the page with this heading is there, and its tab says the same."""
        title = self.page.get_by_role("heading", level=1)
        expect(title).to_have_text(heading)
        expect(self.page).to_have_title(re.compile(re.escape(title.inner_text())))

    @contextmanager
    def expecting(self, *statuses: int) -> Iterator[None]:
        """Answers with these statuses are what the test is about."""
        self.expected = set(statuses)
        yield
        self.page.wait_for_load_state()
        self.expected = set()

    def look(self, what: str = "") -> None:
        """Judge the page as it stands and be content with it, or fail. `what` names its state."""
        self.judge(what)
        self.is_content()

    def judge(self, what: str = "") -> None:
        """Note what is wrong with the page as it stands. The same state of the same page is measured once."""
        expect(self.page.locator(SETTLING)).to_have_count(0)
        shape = re.sub(r"\d+", "N", self.page.url.removeprefix(self.base).split("?")[0]) + what
        if shape in self.looked_at:
            return
        self.looked_at.add(shape)
        if self.has_scripts:
            self.complaints += [f"{shape}: {one}" for one in inaccessible(self.page, RULES)]
        with self._a_phone_at_night():
            self.complaints += [f"{shape} on a phone sticks out: {one}" for one in self.page.evaluate(STICKING_OUT)]
            if self.has_scripts:
                dark = inaccessible(self.page, RULES_OF_A_PHONE)
                self.complaints += [f"{shape} on a dark phone: {one}" for one in dark]

    def is_content(self) -> None:
        """Nothing has been wrong so far."""
        assert not self.complaints, f"At {self.page.url}:\n" + "\n".join(self.complaints)

    def keep_picture(self, path: Path) -> None:
        """The page as it is, for whoever wonders why a journey failed."""
        path.parent.mkdir(parents=True, exist_ok=True)
        self.page.screenshot(path=path, full_page=True)

    @contextmanager
    def _a_phone_at_night(self) -> Iterator[None]:
        before = self.page.viewport_size or DESK
        self.page.set_viewport_size(PHONE)
        self.page.emulate_media(color_scheme="dark")
        yield
        self.page.set_viewport_size(before)
        self.page.emulate_media(color_scheme="light")

    def _complain(self, text: str) -> None:
        self.complaints.append(text)

    def _heard(self, message: ConsoleMessage) -> None:
        if message.type not in ("error", "warning") or not self._is_ours(message.location.get("url", "")):
            return
        if message.text.startswith(OVERTAKEN):
            return
        if any(f"status of {one}" in message.text or f"Code {one} " in message.text for one in self.expected):
            return
        self._complain(f"the console says {message.type}: {message.text} ({message.location.get('url')})")

    def _asked(self, request: Request) -> None:
        if self._is_ours(request.url):
            self.requests.append(f"{request.method} {request.url.removeprefix(self.base)}")

    def _answered(self, response: Response) -> None:
        if response.status >= 400 and response.status not in self.expected:
            self._complain(f"{response.request.method} {response.url} was answered {response.status}")

    def _not_answered(self, request: Request) -> None:
        if request.failure != LEFT_THE_PAGE:
            self._complain(f"{request.method} {request.url} failed: {request.failure}")

    def _is_ours(self, url: str) -> bool:
        return not url or url.startswith(self.base)


def inaccessible(page: Page, rules: dict[str, Any]) -> list[str]:
    """What axe finds: the rule, what it means, and the first elements that break it."""
    if not page.evaluate("() => 'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    found: list[dict[str, Any]] = page.evaluate(RUN_AXE, rules)
    told = []
    for one in found:
        places = "; ".join(f"{node['html'][:200]} ({_why(node)})" for node in one["nodes"][:3])
        told.append(f"{one['id']}: {one['help']} at {len(one['nodes'])} places: {places}")
    return told


def _why(node: dict[str, Any]) -> str:
    return " ".join(str(node.get("failureSummary", "")).split())[:200]
