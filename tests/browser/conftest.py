"""Journeys in real Chromium over the running demo.

`visitor` is Priya, an admin, signed in, at a portal whose practice is connected and imported. `someone("member")` is
another person with a browser of their own; `someone(None)` has not signed in. `world.control` changes the other side.

Every page of a journey is judged: see `tests/browser/visitor.py`. When a journey fails, a picture of the page is kept
in the test's own folder and named in the report.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Playwright, StorageState, expect, sync_playwright

from portal.demo import facts
from tests.browser.acts import connect, sync_now, tile
from tests.browser.visitor import DESK, Visitor
from tests.browser.world import World, running

HERE = Path(__file__).parent
PROGRAMS = ("chromium", "chromium-browser", "google-chrome")
SWITCHES = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking", "--no-first-run", "--disable-dev-shm-usage",
]  # fmt: skip
TURN = {
    "test_first_import.py": 0, "test_proposals.py": 0.5, "test_mail.py": 0.6, "test_jobs.py": 0.7, "test_ledgers.py": 2,
    "test_money.py": 3, "test_lost_access.py": 4,
}  # fmt: skip
EMAILS = {role: email for _name, email, role in facts.PEOPLE}

expect.set_options(timeout=20_000)  # of patience with a busy machine; nothing waits longer than it has to


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The first import finds the portal as it was founded; who needs Tom comes before his sessions are ended; losing
    access comes when nobody else needs it."""
    ours = [item for item in items if item.path.is_relative_to(HERE)]
    for item in ours:
        item.add_marker("browser")
    ordered = iter(sorted(ours, key=lambda item: TURN.get(item.path.name, 1)))
    items[:] = [next(ordered) if item.path.is_relative_to(HERE) else item for item in items]


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    with sync_playwright() as driver:
        yield driver


@pytest.fixture(scope="session")
def program() -> str:
    """Where Chromium is. On a developer's machine the journeys may be left out, where CI=true they may not."""
    found = next((path for name in PROGRAMS if (path := shutil.which(name))), None)
    if found is None:
        reason = "There is no Chromium on this machine; install the package chromium to run the journeys."
        pytest.fail(reason) if os.environ.get("CI") == "true" else pytest.skip(reason)
    return found


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, program: str) -> Iterator[Browser]:
    with playwright.chromium.launch(executable_path=program, args=SWITCHES) as browser:
        yield browser


@pytest.fixture(scope="session")
def large_print(playwright: Playwright, program: str) -> Iterator[Browser]:
    """The browser of a person who set the text to twice its size."""
    twice = "--blink-settings=defaultFontSize=32,defaultFixedFontSize=26"
    with playwright.chromium.launch(executable_path=program, args=[*SWITCHES, twice]) as browser:
        yield browser


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    """The demo as it was founded; the first journey connects it."""
    with running() as started:
        yield started


@pytest.fixture(scope="session")
def sign_ins(world: World, chromium: Browser) -> Callable[[str], StorageState]:
    """The cookies of a person who signed in once, by role; signing in is a journey of its own."""
    kept: dict[str, StorageState] = {}

    def of(role: str) -> StorageState:
        if role not in kept:
            context = chromium.new_context()
            visitor = Visitor(context, world.url)
            visitor.open("/sign-in")
            visitor.sign_in(EMAILS[role], facts.PASSWORD)
            kept[role] = context.storage_state()
            context.close()
        return kept[role]

    return of


@pytest.fixture
def someone(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    world: World,
    chromium: Browser,
    sign_ins: Callable[[str], StorageState],
) -> Iterator[Callable[..., Visitor]]:
    """A person with a browser: `someone("member")`, `someone(None, java_script_enabled=False)`."""
    visitors: list[Visitor] = []

    def comes(role: str | None = "admin", *, browser: Browser = chromium, **context: Any) -> Visitor:
        settings = {"viewport": DESK, "reduced_motion": "reduce", "color_scheme": "light"} | context
        if role is not None:
            settings["storage_state"] = sign_ins(role)
        has_scripts = bool(context.get("java_script_enabled", True))
        visitors.append(Visitor(browser.new_context(**settings), world.url, has_scripts=has_scripts))
        visitors[-1].looked_at = LOOKED_AT
        return visitors[-1]

    yield comes
    report = request.node.stash.get(OUTCOME, None)
    if report is not None and report.failed:
        for number, visitor in enumerate(visitors):
            picture = tmp_path / f"visitor-{number}.png"
            visitor.keep_picture(picture)
            request.node.add_report_section("teardown", "pictures", f"{visitor.page.url}: {picture}")
        request.node.add_report_section("teardown", "the portal's log", world.log)
    for visitor in visitors:
        visitor.context.close()
    if report is not None and report.passed:
        for visitor in visitors:
            visitor.is_content()


LOOKED_AT: set[str] = set()  # pages and states measured by any journey of this session
OUTCOME = pytest.StashKey[pytest.TestReport]()


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Any:
    report = yield
    if report.when == "call":
        item.stash[OUTCOME] = report
    return report


@pytest.fixture(scope="session")
def connected(world: World, chromium: Browser, sign_ins: Callable[[str], StorageState]) -> World:
    """The world with its practice connected and imported, whoever did that."""
    context = chromium.new_context(storage_state=sign_ins("admin"), viewport=DESK)
    visitor = Visitor(context, world.url)
    visitor.open("/apps")
    if tile(visitor).get_by_role("button", name="Connect to your account").count():
        connect(visitor)
        sync_now(visitor)
    context.close()
    return world


@pytest.fixture
def visitor(connected: World, someone: Callable[..., Visitor]) -> Visitor:
    return someone("admin")
