"""A browser for tests that reads every page strictly. See tests/web/conftest.py for how it is used."""

from __future__ import annotations

from collections import Counter
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urljoin, urlsplit

from flask import Flask
from lxml import html
from werkzeug.test import TestResponse

APART = (
    "address", "br", "button", "dd", "div", "dt", "form", "h1", "h2", "h3", "label", "legend", "li", "option", "p",
    "section", "summary", "td", "th", "time", "title", "tr",
)  # fmt: skip


class Page:
    """One answer. For HTML, `tree` is its lxml tree; `text` what a person reads, with single spaces."""

    def __init__(self, browser: Browser, response: TestResponse) -> None:
        self.browser = browser
        self.response = response
        self.status = response.status_code
        self.headers = response.headers
        self.path = response.request.path
        self.body = response.get_data(as_text=True)
        self.is_html = response.mimetype == "text/html" and bool(self.body.strip())
        self.is_whole = self.is_html and "<html" in self.body[:200] and not 300 <= self.status < 400
        if self.is_html:
            self.tree = html.document_fromstring(self.body if self.is_whole else f"<div>{self.body}</div>")
            for apart in self.tree.iter(*APART):
                apart.tail = " " + (apart.tail or "")

    @property
    def text(self) -> str:
        return _words(self.tree)

    @property
    def h1(self) -> str:
        return _words(self.find("//h1"))

    @property
    def title(self) -> str:
        return _words(self.find("//title"))

    @property
    def said(self) -> str:
        """What the flashes say."""
        return " ".join(_words(one) for one in self.all("//*[@id='flashes']"))

    def all(self, path: str) -> list[Any]:
        return self.tree.xpath(path)

    def find(self, path: str) -> Any:
        found = self.all(path)
        assert found, f"{self.path} has no {path}"
        return found[0]

    def links(self) -> dict[str, str]:
        """Words of each link -> where it leads."""
        return {_words(link): link.get("href") for link in self.all("//a[@href]")}

    def errors(self) -> dict[str, str]:
        """Field name -> what is wrong with it."""
        wrong = {}
        for field in self.all("//*[contains(concat(' ', @class, ' '), ' wrong ')]"):
            named = field.xpath(".//*[@name]")[0].get("name")
            wrong[named] = " ".join(_words(one) for one in field.xpath(".//*[contains(@class, 'error')]"))
        return wrong

    def form(self, button: str) -> Any:
        """The form that has a button with this text."""
        for form in self.all("//form"):
            if any(_words(one) == button for one in form.xpath(".//button")):
                return form
        raise AssertionError(f"{self.path} has no form with a button {button!r}; it has {self.buttons()}")

    def buttons(self) -> list[str]:
        return [_words(one) for one in self.all("//form//button")]

    def click(self, words: str) -> Page:
        """Follow the link with these words."""
        links = self.links()
        assert words in links, f"{self.path} has no link {words!r}; it has {sorted(links)}"
        return self.browser.get(urljoin(self.path, links[words]))

    def submit(self, button: str, **values: Any) -> Page:
        """Press a button, its form filled in with `values` over what it holds. A value of None leaves a field out."""
        form = self.form(button)
        filled: dict[str, Any] = {}
        for name, value in form.form_values():
            filled.setdefault(name, []).append(value)
        pressed = next(one for one in form.xpath(".//button") if _words(one) == button)
        if pressed.get("name"):
            filled[pressed.get("name")] = pressed.get("value", "")
        known = set(form.inputs.keys())
        for name, value in values.items():
            assert name in known, f"the form of {button!r} has no field {name!r}; it has {sorted(known)}"
            filled[name] = value
        data = {name: value for name, value in filled.items() if value is not None}
        address = urljoin(self.path, form.get("action"))
        if (form.get("method") or "get").lower() == "get":
            return self.browser.get(address, query=data)
        headers = {"Referer": self.browser.base + self.path}
        return self.browser.send("POST", address, data=data, headers=headers)


class Browser:
    """Keeps cookies, follows 303s while `follow` is on, and complains about every page that breaks the rules."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.client = app.test_client()
        self.follow = True
        self.token = ""

    def signed_in_as(self, who: str) -> Browser:
        """`who` is a role (Alice, Bob or Sue then) or the email address of a user there is."""
        from sqlalchemy import select

        from portal.db import db
        from portal.domain.people import User, sessions
        from tests import cast

        with self.app.app_context():
            found = select(User).where(User.email == who)
            user = db.session.scalar(found) if "@" in who else cast.person(who)
            assert user is not None, f"there is no user {who}"
            token = sessions.begin(user, now=datetime.now(UTC), address="127.0.0.1", browser="tests", way="password")
            db.session.commit()
        with self.client.session_transaction(base_url=self.base) as cookie:
            cookie.clear()
            cookie["_user_id"] = token
            cookie["_fresh"] = True
        self.token = ""
        return self

    def get(self, url: str, *, block: str | None = None, query: Any = None, **headers: str) -> Page:
        """`block` is the id of the element that htmx would replace."""
        return self.send("GET", url, query_string=query, headers=_htmx(block) | headers)

    def post(self, url: str, *, block: str | None = None, headers: dict[str, str] | None = None, **fields: Any) -> Page:
        """Send a form that no page need have shown; the forgery token is added as htmx does."""
        if not self.token:
            self._fetch_token()
        sent = {"X-CSRFToken": self.token, "Referer": self.base + "/"} | _htmx(block) | (headers or {})
        return self.send("POST", url, data=fields, headers=sent)

    def send(self, method: str, url: str, **more: Any) -> Page:
        response = self.client.open(url, method=method, base_url=self.base, **more)
        if self.follow and response.status_code == 303 and _is_ours(response.location):
            return self.get(response.location)
        page = Page(self, response)
        assert page.status != 500, f"{method} {url} broke; the log says how"
        if page.is_html:
            wrong = complaints(page)
            assert not wrong, f"{method} {url}: " + "; ".join(wrong)
            for field in page.all("//input[@name='csrf_token']"):
                self.token = field.get("value")
        return page

    def _fetch_token(self) -> None:
        for url in ("/", "/account", "/sign-in"):
            self.get(url)
            if self.token:
                return

    @property
    def base(self) -> str:
        return self.app.extensions["settings"].public_url


def complaints(page: Page) -> list[str]:
    """What is wrong with a page, in words; empty for a good one."""
    wrong = []
    if page.is_whole:
        headings = page.all("//h1")
        if len(headings) != 1:
            wrong.append(f"{len(headings)} h1 elements instead of one")
        elif page.h1 not in page.title:
            wrong.append(f"the title {page.title!r} does not say {page.h1!r}")
        if not page.all("/html[@lang]"):
            wrong.append("no language")
        if len(page.all("//main")) != 1:
            wrong.append("not exactly one main element")
    ids = Counter(one.get("id") for one in page.all("//*[@id]"))
    wrong += [f"id {name!r} stands {times} times" for name, times in ids.items() if times > 1]
    for form in page.all("//form"):
        if form.get("action") is None:
            wrong.append("a form without action")
        if (form.get("method") or "get").lower() == "post" and not form.xpath(".//input[@name='csrf_token']"):
            wrong.append(f"the form to {form.get('action')} has no forgery token")
    wrong += [f"an image without alt: {one.get('src')}" for one in page.all("//img[not(@alt)]")]
    wrong += [f"a link without href: {_words(one)!r}" for one in page.all("//a[not(@href)]")]
    wrong += [f"a link without words: {one.get('href')}" for one in page.all("//a") if not _has_name(one)]
    for button in page.all("//button"):
        if not _has_name(button):
            wrong.append(f"a button without words in {_words(button.getparent())!r}")
    for field in page.all("//input[not(@type='hidden')] | //select | //textarea"):
        if not _is_labelled(page, field):
            wrong.append(f"the field {field.get('name')!r} has no label")
    for style in page.all("//*[@style] | //style | //script[not(@src)]"):
        wrong.append(f"an inline style or script on {style.tag}: the security policy blocks it")
    for one in page.all("//*/@*[starts-with(name(), 'on') or starts-with(name(), 'hx-on')]"):
        wrong.append(f"an inline handler: {one}")
    return wrong


def _words(element: Any) -> str:
    return " ".join(element.text_content().split())


def _has_name(element: Any) -> bool:
    return bool(_words(element) or element.get("aria-label") or element.xpath(".//*[@aria-label] | .//img[@alt != '']"))


def _is_labelled(page: Page, field: Any) -> bool:
    if field.get("aria-label") or field.get("aria-labelledby") or field.get("type") in ("submit", "button"):
        return True
    if field.xpath("ancestor::label"):
        return True
    return bool(field.get("id")) and bool(page.tree.xpath("//label[@for=$id]", id=field.get("id")))


def _htmx(block: str | None) -> dict[str, str]:
    return {"HX-Request": "true", "HX-Target": block} if block else {}


def _is_ours(location: str | None) -> bool:
    return bool(location) and not urlsplit(location).netloc
