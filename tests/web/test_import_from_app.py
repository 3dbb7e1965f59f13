"""Import → Clients: every client an app holds, what would become of it, and choosing who comes in."""

from __future__ import annotations

from typing import Any

import pytest
from sqlalchemy import func, select
from werkzeug.datastructures import MultiDict

from portal import sync
from portal.db import db
from portal.domain import unlinked
from portal.domain.apps import Connection, Outcome, RunItem, SyncRun
from portal.domain.clients import Client
from portal.domain.records import ClientRecord, ContactRecord
from portal.domain.unlinked import Noted
from tests.cast import make_client, make_connection, make_link, now, person
from tests.reading import Browser, Page

pytestmark = pytest.mark.usefixtures("clock")
SETTINGS = {"intake": "chosen"}


@pytest.fixture(autouse=True)
def started(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    ids: list[int] = []
    monkeypatch.setattr(sync, "start", ids.append)
    return ids


@pytest.fixture
def url(story: Any) -> str:
    """Rimu can come in, “acme corp” is nearly a client here, Old Ltd is archived there, Nikau is linked."""
    with story():
        person("admin")
        person("member")
        acme = make_client("Acme Corp")
        connection = make_connection(last_synced_at=now(), cursor=now(), enabled_at=now(), settings=SETTINGS)
        make_link(make_client("Nikau Ltd"), connection, "r-9")
        sam = ContactRecord("c-1", "Sam Lee", "sam@rimu.example")
        rimu = ClientRecord("r-2", "Rimu Ltd", phone="09 555 0101", contacts=(sam,), kind="customer")
        reason = "the names differ only in capital letters"
        unlinked.note(connection.id, [
            Noted(rimu, "create", "no client here has this name", None),
            Noted(ClientRecord("r-1", "acme corp"), "near_match", reason, acme.id),
            Noted(ClientRecord("r-3", "Totara Ltd"), "create", "no client here has this name", None),
            Noted(ClientRecord("r-4", "Old Ltd"), "archived", "archived in XPM; only current clients come in", None),
        ], now())  # fmt: skip
        return f"/apps/{connection.id}/import"


def line(page: Page, name: str) -> str:
    row = page.find(f"//tr[th[contains(., '{name}')]]")
    return " ".join(row.text_content().split())


def choices(page: Page) -> dict[str, list[str]]:
    """Name of the record -> what may be chosen for it."""
    found = page.all("//select[@name='choice']")
    return {
        one.get("aria-label").removeprefix("What is to become of "): [
            " ".join(option.text_content().split()) for option in one.xpath("./option")
        ]
        for one in found
    }


def choose(page: Page, button: str, names: dict[str, str], **more: str) -> Page:
    """Press the button with these options selected, by their words."""
    sent: list[tuple[str, str]] = []
    for one in page.all("//select[@name='choice']"):
        wanted = names.get(one.get("aria-label").removeprefix("What is to become of "), "–")
        options = {" ".join(option.text_content().split()): option.get("value") for option in one.xpath("./option")}
        sent.append(("choice", options[wanted]))
    form = page.form("Check and import…")
    hidden = [(one.get("name"), one.get("value")) for one in form.xpath(".//input[@type='hidden']")]
    pressed = next(one for one in form.xpath(".//button") if " ".join(one.text_content().split()) == button)
    address = pressed.get("formaction") or form.get("action")
    if pressed.get("name"):
        row = next(one for one in form.xpath(".//button[@formaction]") if more.get("of", "") in one.get("aria-label"))
        sent.append((row.get("name"), row.get("value")))
    data = MultiDict([*hidden, *sent, *[(key, value) for key, value in more.items() if key != "of"]])
    return page.browser.send("POST", address, data=data, headers={"Referer": page.browser.base + page.path})


def rows() -> dict[str, RunItem]:
    return {one.name: one for one in db.session.scalars(select(RunItem))}


def test_every_client_of_the_app_is_listed_with_what_we_would_do(sign_in_as: Any, url: str) -> None:
    """CL-50, CL-52."""
    page = sign_in_as("admin").get(url)
    assert page.h1 == "Import clients from XPM"
    assert "customer" in line(page, "Rimu Ltd")
    assert "09 555 0101 Sam Lee sam@rimu.example" in line(page, "Rimu Ltd")
    assert "comes in as a new client" in line(page, "Rimu Ltd")
    assert "needs your word perhaps Acme Corp The names differ only in capital letters." in line(page, "acme corp")
    assert "cannot come in Archived in XPM" in line(page, "Old Ltd")
    assert "linked to Nikau Ltd is here already" in line(page, "Nikau Ltd")
    assert choices(page) == {
        "acme corp": ["–", "Link to Acme Corp", "New client", "Leave out"],
        "Rimu Ltd": ["–", "New client", "Leave out"], "Totara Ltd": ["–", "New client", "Leave out"],
    }  # fmt: skip


def test_the_list_is_narrowed_by_kind_and_by_name(sign_in_as: Any, url: str) -> None:
    browser = sign_in_as("support")
    page = browser.get(url)
    kinds = [" ".join(one.text_content().split()) for one in page.all("//nav[@aria-label='Show clients']/a")]
    assert kinds == ["All 5", "Can come in 2", "Near match 1", "Already linked 1", "Archived 1"]
    assert "Rimu Ltd" not in page.click("Near match 1").text
    found = page.click("Can come in 2").submit("Find", q="TOTARA")
    assert "Totara Ltd" in found.text and "Rimu Ltd" not in found.text
    assert "Nobody here has “zzz” in the name" in browser.get(url, query={"q": "zzz"}).text
    block = browser.get(url, block="records", query={"show": "create"})
    assert not block.is_whole and "Rimu Ltd" in block.text


def test_what_was_chosen_is_previewed_confirmed_and_only_then_applied(
    sign_in_as: Any, url: str, app: Any, started: list[int]
) -> None:
    """DIG-9, CL-51."""
    page = sign_in_as("support").get(url)
    preview = choose(
        page,
        "Check and import…",
        {"Rimu Ltd": "New client", "acme corp": "Link to Acme Corp", "Totara Ltd": "Leave out"},
    )
    assert "/previews/" in preview.path
    assert preview.h1.startswith("Import of")
    assert "This is what your choice would do. Nothing has been changed." in preview.text
    assert "chosen by Sue Sharma" in preview.text
    with app.app_context():
        assert {name: one.outcome for name, one in rows().items()} == {
            "Rimu Ltd": Outcome.CREATED, "acme corp": Outcome.LINKED, "Totara Ltd": Outcome.SKIPPED,
        }  # fmt: skip
        assert db.session.scalar(select(func.count()).select_from(Client)) == 2
    assert started == []
    preview.submit("Import 3 ticked")
    assert len(started) == 1


def test_choosing_nothing_says_so(sign_in_as: Any, url: str, app: Any) -> None:
    page = choose(sign_in_as("admin").get(url), "Check and import…", {})
    assert "Choose for at least one of them what is to become of it." in page.said
    with app.app_context():
        assert db.session.scalar(select(func.count()).select_from(SyncRun)) == 0


def test_everything_a_filter_shows_is_chosen_at_once(sign_in_as: Any, url: str, app: Any) -> None:
    page = sign_in_as("admin").get(url, query={"show": "create"})
    choose(page, "Check and import…", {"Totara Ltd": "Leave out"}, rest="new")
    with app.app_context():
        assert {name: one.outcome for name, one in rows().items()} == {
            "Rimu Ltd": Outcome.CREATED, "Totara Ltd": Outcome.SKIPPED,
        }  # fmt: skip


def test_a_long_list_is_paged_and_chosen_as_a_whole(sign_in_as: Any, url: str, app: Any, story: Any) -> None:
    with story():
        connection = db.session.scalars(select(Connection)).one()
        many = [Noted(ClientRecord(f"n-{number}", f"Zz {number:03}"), "create", "", None) for number in range(120)]
        unlinked.note(connection.id, many, now())
    page = sign_in_as("admin").get(url, query={"show": "create"})
    assert len(choices(page)) == 50
    second = page.click("Next")
    assert "Zz 048" in second.text and "Rimu Ltd" not in second.text
    assert "Rimu Ltd" in second.click("Previous").text
    choose(second, "Check and import…", {}, rest="new", whole="yes")
    with app.app_context():
        assert len(rows()) == 122


def test_another_client_is_looked_for_and_the_other_choices_are_kept(sign_in_as: Any, url: str, app: Any) -> None:
    """As in a manual mapping; nothing is written on the way."""
    page = sign_in_as("admin").get(url)
    search = choose(page, "Another client…", {"Rimu Ltd": "New client"}, of="Totara Ltd")
    assert search.h1 == "Who is Totara Ltd?"
    assert "No client here has “Totara Ltd”" in search.text
    found = search.submit("Search", who="n")
    assert "Linked to Nikau Ltd in XPM already" in found.text
    back = search.submit("Search", who="acme").click("Choose")
    chosen = [" ".join(one.text_content().split()) for one in back.all("//option[@selected]")]
    assert chosen == ["New client", "Link to Acme Corp"]
    back.submit("Check and import…")
    with app.app_context():
        assert {one.outcome for one in rows().values()} >= {Outcome.LINKED}


def test_choices_made_on_other_pages_travel_along(sign_in_as: Any, url: str, app: Any) -> None:
    page = sign_in_as("admin").get(url)
    rimu = page.find("//select[@aria-label='What is to become of Rimu Ltd']/option[2]").get("value")
    elsewhere = page.browser.get(url, query={"show": "near_match", "choice": rimu})
    assert "1 choice on other pages" in elsewhere.text
    choose(elsewhere, "Check and import…", {"acme corp": "New client"})
    with app.app_context():
        assert {name: one.chosen for name, one in rows().items()} == {"Rimu Ltd": False, "acme corp": True}


def test_before_anything_was_read_the_page_offers_to_read(
    sign_in_as: Any, story: Any, app: Any, started: list[int]
) -> None:
    with story():
        person("admin")
        connection = make_connection(enabled_at=now(), settings=SETTINGS)
        url = f"/apps/{connection.id}/import"
    page = sign_in_as("admin").get(url)
    assert "No clients of XPM were read yet" in page.text
    reading = page.submit("Read clients now")
    assert reading.path == url
    assert len(started) == 1
    assert "Syncing…" in reading.text and "are being read" in reading.text
    assert f'hx-get="{url}"' in reading.body
    again = reading.browser.post(f"{url}/readings")
    assert "already running" in again.said
    assert len(started) == 1


def test_it_says_when_it_was_read_and_reads_again(sign_in_as: Any, url: str, started: list[int]) -> None:
    page = sign_in_as("admin").get(url)
    assert "As read just now" in page.text
    page.submit("Read again")
    assert len(started) == 1


def test_a_connection_that_is_gone_starts_nothing(sign_in_as: Any, url: str, story: Any, started: list[int]) -> None:
    with story():
        db.session.scalars(select(Connection)).one().state = "needs_reconnect"
    page = sign_in_as("admin").post(f"{url}/readings")
    assert "is not connected at the moment" in page.said
    assert started == []


def test_members_do_not_import_from_apps(sign_in_as: Any, url: str) -> None:
    browser = sign_in_as("member")
    assert browser.get(url).status == 403
    assert browser.post(f"{url}s").status == 403


@pytest.mark.parametrize("query", [{"row": "0"}, {"row": "999999"}, {"row": str(10**30)}, {}])
def test_a_record_that_waits_no_longer_is_not_found(sign_in_as: Any, url: str, query: dict[str, str]) -> None:
    assert sign_in_as("admin").get(f"{url}/clients", query=query).status == 404


def test_nonsense_in_the_address_shows_the_list(sign_in_as: Any, url: str) -> None:
    query = {"show": "x", "after": "~", "choice": ["x", "9:to-9", "1:new:"], "q": ""}
    assert "Rimu Ltd" in sign_in_as("admin").get(url, query=query).text


def test_names_that_try_to_be_markup_are_only_names(sign_in_as: Any, url: str, story: Any) -> None:
    with story():
        connection = db.session.scalars(select(Connection)).one()
        hostile = ClientRecord("x-1", "<script>alert(1)</script>\"' Ltd")
        unlinked.note(connection.id, [Noted(hostile, "create", "<b>", None)], now())
    assert "<script>alert" not in sign_in_as("admin").get(url).body


def test_the_other_door_leads_to_the_same_screen(sign_in_as: Any, url: str) -> None:
    """DIG-9: Clients, Import, From an app."""
    browser: Browser = sign_in_as("admin")
    page = browser.get("/clients/imports").click("All connected apps")
    assert page.h1 == "Import clients from an app"
    assert "3 clients wait to be chosen" in page.text
    assert page.click("Choose clients").path == url


def test_without_an_app_the_other_door_says_what_to_do(sign_in_as: Any) -> None:
    page = sign_in_as("admin").get("/clients/import/app")
    assert "No app is connected" in page.text
