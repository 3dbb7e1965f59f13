"""Reading pages as strictly as a careful person would.

`browser`       nobody signed in: `page = browser.get("/sign-in")`, `browser.post("/clients", name="Acme")`.
`sign_in_as`    `browser = sign_in_as("member")`: Bob's browser. Also takes a User's email address.
`box`           mail is on: a mailbox in which arrives what the portal sends (`tests.web.post`).
`Browser`, `Page` for tests that want their own app: `Browser(make_app(...))`.

Every HTML answer is parsed and held to the rules in `complaints`; a page that breaks one fails the test. Forms are
filled in as people do: `page.submit("Save", name="Acme")` presses the button with that text and gives the next page.
`browser.follow` is on: a 303 leads to the next page. `browser.get(url, block="rows")` asks as htmx does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

import pytest

from tests.cast_apps import LEDGER, forget_app
from tests.reading import Browser, Page, complaints
from tests.web.post import a_mailbox

if TYPE_CHECKING:
    from flask import Flask

    from portal.config import Settings
    from portal.sandbox.mailbox import Mailbox

__all__ = ["Browser", "Page", "complaints"]


@pytest.fixture(autouse=True)
def made_up_apps() -> Iterator[None]:
    """An app a test has made up (`tests.cast_apps`) is gone with the test."""
    yield
    forget_app(LEDGER.slug)


@pytest.fixture
def browser(app: Flask) -> Browser:
    return Browser(app)


@pytest.fixture
def sign_in_as(app: Flask) -> Callable[..., Browser]:
    def sign_in(who: str = "admin") -> Browser:
        return Browser(app).signed_in_as(who)

    return sign_in


@pytest.fixture
def box(app: Flask, test_settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Mailbox]:
    with a_mailbox(test_settings, monkeypatch) as box:
        yield box
