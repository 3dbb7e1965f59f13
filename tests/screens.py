"""Takes a picture of every screen, for people who want to see them: `make screens`.

It starts the demo, connects and imports the practice, and then walks through the portal by its own links: a picture of
every kind of page, on a desk in light and in dark, and on a phone.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from urllib.parse import urljoin, urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, expect, sync_playwright

from portal.demo import facts
from tests.browser.conftest import PROGRAMS, SWITCHES
from tests.browser.visitor import DESK, PHONE
from tests.browser.world import ROOT, World, running

FOLDER = ROOT / "screens"
LOOKS = (("desk", DESK, "light"), ("desk-dark", DESK, "dark"), ("phone", PHONE, "light"))
NOT_PAGES = re.compile(r"\.(csv|svg|png)$|/export|/static/|/callback")
MOST = 120  # pages; a link that leads on for ever must not


def main() -> int:
    """0 when there are pictures."""
    program = next((found for name in PROGRAMS if (found := shutil.which(name))), None)
    if program is None:
        print("There is no Chromium on this machine; install the package chromium.", file=sys.stderr)
        return 1
    shutil.rmtree(FOLDER, ignore_errors=True)
    with running() as world, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=SWITCHES)
        kept = _signed_in(browser, world)
        contexts = {
            name: browser.new_context(storage_state=kept, viewport=size, color_scheme=scheme, reduced_motion="reduce")
            for name, size, scheme in LOOKS
        }
        taken = _walk(contexts, world.url)
        browser.close()
    print(f"{taken} pictures are in {FOLDER.relative_to(ROOT)}/")
    return 0


def _signed_in(browser: Browser, world: World) -> Path:
    """Sign in, connect, import; the cookies of it. Pictures of what one sees only before."""
    context = browser.new_context(viewport=DESK, color_scheme="light")
    page = context.new_page()
    page.goto(f"{world.url}/sign-in")
    _keep(page, "sign-in", "desk")
    page.get_by_label("Email").fill(facts.PEOPLE[0][1])
    page.get_by_label("Password").fill(facts.PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    for path in ("/", "/apps"):
        page.goto(world.url + path)
        _keep(page, f"before-connecting{path.rstrip('/')}", "desk")
    for words in ("Connect to your account", "Allow access", "Enable"):
        page.get_by_role("button", name=words, exact=True).click()
    page.wait_for_load_state("networkidle")
    panel = page.url
    page.get_by_role("button", name="Preview", exact=True).click()
    expect(page.get_by_role("button", name=re.compile(r"^Apply [\d,]+ ticked$"))).to_be_visible(timeout=120_000)
    _keep(page, "first-preview", "desk")
    page.goto(panel)
    page.get_by_role("button", name="Sync now", exact=True).click()
    expect(page.locator("#run-progress progress")).to_be_visible()
    _keep(page, "sync-under-way", "desk")
    expect(page.locator("#run-progress .flash")).to_contain_text(re.compile("finished"), timeout=120_000)
    FOLDER.mkdir(exist_ok=True)
    kept = world.data_dir / "cookies.json"
    context.storage_state(path=kept)
    context.close()
    return kept


def _walk(contexts: dict[str, BrowserContext], base: str) -> int:
    pages = {name: context.new_page() for name, context in contexts.items()}
    waiting, seen, taken = ["/"], {"/"}, 0
    while waiting and len(seen) < MOST:
        path = waiting.pop(0)
        for name, page in pages.items():
            page.goto(base + path)
            _keep(page, _shape(path), name)
            taken += 1
        for address in pages["desk"].eval_on_selector_all("a[href]", "links => links.map(link => link.href)"):
            found = urlsplit(urljoin(base + path, address))
            if f"{found.scheme}://{found.netloc}" != base or NOT_PAGES.search(found.path):
                continue
            if _shape(found.path) not in {_shape(one) for one in seen}:
                seen.add(found.path)
                waiting.append(found.path)
    return taken


def _shape(path: str) -> str:
    """/clients/17/edit and /clients/4/edit are one screen."""
    return re.sub(r"\d+", "N", path.split("?")[0]).strip("/").replace("/", ".") or "home"


def _keep(page: Page, name: str, look: str) -> None:
    page.wait_for_load_state("networkidle")
    FOLDER.mkdir(exist_ok=True)
    page.screenshot(path=FOLDER / f"{name.replace('/', '.')}.{look}.png", full_page=True)


if __name__ == "__main__":
    sys.exit(main())
