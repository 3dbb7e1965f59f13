"""The frame around every page, and how a view answers a browser, htmx and a POST."""

from __future__ import annotations

import gzip
import json

import pytest

from portal.domain.apps import ConnectionState
from tests import cast
from tests.reading import Browser


def test_the_tab_says_what_the_page_says_and_whose_portal_it_is(sign_in_as) -> None:
    page = sign_in_as("member").get("/")
    assert (page.h1, page.title) == ("Home", "Home · Marlow & Co")


@pytest.mark.parametrize(
    ("role", "entries"),
    [
        ("admin", ["Home", "Clients", "Proposals", "Invoices", "Matches", "Apps", "Library", "Settings"]),
        ("member", ["Home", "Clients", "Proposals", "Invoices", "Library"]),
        ("support", ["Home", "Clients", "Proposals", "Invoices", "Matches", "Apps", "Library"]),
    ],
)
def test_the_rail_shows_each_role_what_it_may_open(sign_in_as, role: str, entries: list[str]) -> None:
    page = sign_in_as(role).get("/")
    assert [one.text_content().strip() for one in page.all("//nav[@aria-label='Main']//a")] == entries
    assert [one.get("href") for one in page.all("//nav//a[@aria-current='page']")] == ["/"]


def test_the_rail_counts_matches_and_marks_apps_that_need_a_person(sign_in_as, story) -> None:
    with story():
        lost = cast.make_connection(state=ConnectionState.NEEDS_RECONNECT)
        for name in ("ACME", "BACME", "CACME"):
            cast.make_finding(lost, name)
    browser = sign_in_as("support")
    links = browser.get("/").links()
    assert links["Matches3 waiting for a decision"] == "/matches"
    assert links["Apps(an app needs a person)"] == "/apps"


def test_search_is_a_plain_form_that_leads_to_the_list_of_clients(sign_in_as) -> None:
    page = sign_in_as("member").get("/")
    search = page.find("//form[@role='search']")
    assert (search.get("action"), search.get("method")) == ("/clients", None)
    assert page.find("//form[@role='search']//input").get("name") == "q"


def test_htmx_asking_for_a_block_gets_the_block_and_a_browser_the_page(app) -> None:
    browser = Browser(app)
    fragment = _rendered(app, headers={"HX-Request": "true", "HX-Target": "sheet"})
    assert fragment.get_data(as_text=True).lstrip().startswith('<div id="sheet">')
    assert {"HX-Request", "HX-Target"} <= set(fragment.vary)
    assert fragment.headers["Cache-Control"] == "no-store"
    assert browser.get("/sign-in").is_whole


@pytest.mark.parametrize(
    "extra", [{"HX-Boosted": "true"}, {"HX-History-Restore-Request": "true"}, {"HX-Target": "main"}]
)
def test_boosted_links_and_history_restores_get_the_whole_page(app, extra: dict[str, str]) -> None:
    """Also a target the view did not offer: what is served alone is the view's choice, not the browser's."""
    answer = _rendered(app, headers={"HX-Request": "true", "HX-Target": "sheet"} | extra)
    assert "<html" in answer.get_data(as_text=True)


def test_after_an_act_a_browser_is_sent_on_and_htmx_told_where_to_look(sign_in_as) -> None:
    browser = sign_in_as("member")
    browser.follow = False
    plain = browser.post("/account", name="Bob T", theme="")
    assert (plain.status, plain.headers["Location"]) == (303, "/account")
    by_htmx = browser.post("/account", block="profile", name="Bob Tamihana", theme="")
    assert by_htmx.status == 200
    assert json.loads(by_htmx.headers["HX-Location"]) == {
        "path": "/account", "target": "#main", "select": "#main", "swap": "outerHTML",
    }  # fmt: skip
    assert browser.get("/account").said == "Saved. Saved."
    assert browser.get("/account").said == ""


def test_a_form_that_does_not_pass_comes_back_as_its_block_with_422(sign_in_as) -> None:
    browser = sign_in_as("member")
    fragment = browser.post("/account", block="anything", name=" ", theme="")
    assert (fragment.status, fragment.headers["HX-Retarget"]) == (422, "#profile")
    assert not fragment.is_whole
    assert fragment.errors() == {"name": "Enter your name."}
    whole = browser.post("/account", name="", theme="")
    assert (whole.status, whole.is_whole) == (422, True)


def test_somebody_signed_out_meanwhile_is_led_back_to_where_they_were(app) -> None:
    """A redirect would be swapped into the middle of the page, so htmx is told to leave it."""
    client = app.test_client()
    plain = client.get("/clients?q=acme")
    assert (plain.status_code, plain.headers["Location"]) == (303, "/sign-in?next=/clients?q%3Dacme")
    answer = client.get(
        "/clients",
        headers={"HX-Request": "true", "HX-Target": "rows", "HX-Current-URL": "http://localhost/clients?q=b"},
    )
    assert (answer.status_code, answer.headers["HX-Redirect"]) == (401, "/sign-in?next=/clients?q%3Db")


def test_static_files_carry_their_fingerprint_and_may_be_kept_for_a_year(app, sign_in_as) -> None:
    browser = sign_in_as("member")
    page = browser.get("/")
    named = [one.get("href") for one in page.all("//link[@rel='stylesheet']")]
    named += [one.get("src") for one in page.all("//script")]
    assert len(named) == 5
    for url in named:
        answer = browser.client.get(url)
        assert answer.status_code == 200
        assert answer.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert browser.client.get("/static/app.css").headers["Cache-Control"] == "no-cache"


def test_pages_travel_compressed_and_the_frame_is_light(sign_in_as) -> None:
    answer = sign_in_as("admin").client.get("/", headers={"Accept-Encoding": "gzip"})
    assert answer.headers["Content-Encoding"] == "gzip"
    page = gzip.decompress(answer.data)
    assert len(page) < 6000, f"the frame weighs {len(page)} bytes; a list of 50 rows is to stay under 15,000"


def test_everything_a_page_loads_comes_from_here(sign_in_as) -> None:
    page = sign_in_as("admin").get("/settings")
    for address in page.tree.xpath("//@src | //link/@href | //@action | //use/@href"):
        assert address.startswith("/"), address


def test_a_person_may_choose_dark_and_it_stays_after_signing_out(sign_in_as) -> None:
    browser = sign_in_as("member")
    page = browser.get("/account").submit("Save", theme="dark")
    assert page.find("/html").get("data-bs-theme") == "dark"
    signed_out = page.submit("Sign out")
    assert (signed_out.h1, signed_out.find("/html").get("data-bs-theme")) == ("Sign in", "dark")


def _rendered(app, headers: dict[str, str]):
    """The sign-in page as a view would render it that offers its form as a block."""
    from portal.web.render import render
    from portal.web.sign_in.password import SignInForm, _around

    with app.test_request_context("/sign-in", headers=headers):
        return render("sign_in/index.html", blocks=("sheet",), form=SignInForm(formdata=None, next=""), **_around())
