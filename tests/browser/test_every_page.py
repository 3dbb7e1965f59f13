"""Every page there is a way to, by following every link from the home page; so that none is forgotten."""

from __future__ import annotations

import re
from urllib.parse import urljoin, urlsplit

import pytest
from playwright.sync_api import expect

from tests.browser.visitor import Visitor

FILES = re.compile(r"\.(csv|pdf|svg)$|/export$")
# Pages no link leads to from where an admin stands.
BESIDES = ("/account/password", "/sign-in", "/apps/xpm/accounts")


def test_every_page_one_can_reach_is_sound(visitor: Visitor) -> None:
    page = visitor.page
    waiting, met = ["/", *BESIDES], set()
    while waiting:
        path = waiting.pop(0)
        if shape(path) in met:
            continue
        met.add(shape(path))
        visitor.open(path)
        visitor.judge()
        for address in page.locator("a[href]").evaluate_all("links => links.map(link => link.getAttribute('href'))"):
            parts = urlsplit(urljoin(page.url, address))
            if parts.geturl().startswith(visitor.base) and not FILES.search(parts.path) and parts.scheme != "mailto":
                waiting.append(parts.path + ("?" + parts.query if parts.query else ""))
    visitor.is_content()
    assert len(met) > 25, f"only these were found: {sorted(met)}"


@pytest.mark.parametrize("path", ["/nothing-here", "/clients/999999", "/apps/999", "/sign-in/password/no-such-link"])
def test_a_page_that_is_not_there_says_what_to_do(visitor: Visitor, path: str) -> None:
    with visitor.expecting(404, 410):
        page = visitor.open(path)
        visitor.look()
        expect(page.get_by_role("link", name=re.compile("Home|Sign in|sign-in")).first).to_be_visible()


def shape(path: str) -> str:
    """The page, whichever client or run it is about, however it is narrowed."""
    return re.sub(r"\d+", "N", path.split("?")[0])
