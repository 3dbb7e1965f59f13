"""One client's page: its summary, its apps field by field, its log, and the acts on the whole client."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal import sync
from portal.domain import activity, clients
from portal.domain.activity import Actor, Origin, Verb
from portal.domain.apps import ClientLink, Conflict, LinkState, PushState
from portal.domain.clients import Client, ClientGroup, Group
from portal.domain.records import Address, ClientRecord, ContactRecord
from tests.cast import make_client, make_connection, make_link, now, person

PRIYA = Actor("Priya", Origin.SCREEN)
ACME = ClientRecord(
    "r-1", "Acme Corp", address=Address("1 Kauri St", "Ōtaki"), phone="09 555 0199", website="https://acme.example",
    contacts=(ContactRecord("c-1", "Jo", "jo@acme.example"),),
)  # fmt: skip


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    """What was handed to the background to be sent."""
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", calls.append)
    return calls


def linked_client(**details) -> tuple[Client, ClientLink]:
    client = make_client("Acme Corp", phone="09 555 0101", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    details = {
        "seen": ACME.as_json(),
        "seen_at": now(),
        "agreed": {"phone": "09 555 0101"},
        "agreed_at": now(),
    } | details
    return client, make_link(client, make_connection(), "r-1", **details)


def test_every_role_sees_a_client_and_nobody_sees_one_that_is_not_there(story, sign_in_as) -> None:
    """Fault row 98."""
    with story():
        make_client("Acme")
    for role in ("admin", "member", "support"):
        browser = sign_in_as(role)
        assert browser.get("/clients/1").h1 == "Acme"
        assert browser.get("/clients/2").status == 404
        assert browser.get("/clients/2/activity").status == 404


def test_the_summary_shows_what_the_client_is_and_where_each_value_came_from(story, sign_in_as, clock) -> None:
    with story():
        client = clients.create("Acme", by=PRIYA, now=now(), phone="09 1", address=Address("1 Road", "Ōtaki"))
        clients.add_contact(client, {"name": "Jo", "email": "jo@acme.example"}, by=PRIYA, now=now())
    clock.shift(timedelta(days=2))
    page = sign_in_as("member").get("/clients/1")
    assert "09 1 Typed by Priya, 3 Nov 2026" in page.text
    assert "1 Road" in page.text
    assert "Jo default" in page.text
    assert "Lead" in page.text
    assert "Jo added" in page.text


def test_a_value_of_tonights_run_names_the_app_and_leads_to_the_run(story, sign_in_as, clock) -> None:
    from tests.cast_runs import make_run

    with story():
        client, link = linked_client()
        run = make_run(link.connection, trigger="night")
        mark = {
            "from": "XPM",
            "at": now().isoformat(),
            "how": "schedule",
            "run": run.id,
            "connection": link.connection_id,
        }
        client.origins = {"phone": mark}
        address = f"/apps/{link.connection_id}/runs/{run.id}"
    page = sign_in_as("admin").get("/clients/1")
    assert page.links()["From XPM, tonight's run, 12:00 pm"] == address


def test_fields_an_app_owns_say_so_beside_the_value(story, sign_in_as) -> None:
    """CL-36, XPM-7."""
    with story():
        client, link = linked_client()
        client.website = "https://acme.example"
        group = Group(connection_id=link.connection_id, remote_id="g", name="Ngata family")
        from portal.db import db

        db.session.add(group)
        db.session.flush()
        db.session.add(ClientGroup(client_id=client.id, group_id=group.id))
    page = sign_in_as("member").get("/clients/1")
    assert "https://acme.example Kept by XPM" in page.text
    assert "Ngata family Kept by XPM" in page.text


def test_a_website_is_a_link_only_when_it_is_an_address_of_the_web(story, sign_in_as) -> None:
    """Fault row 102."""
    with story():
        make_client("Acme", website="javascript:alert(1)")
        make_client("Beta", website="https://beta.example/?a=1&b=<x>")
    browser = sign_in_as("member")
    assert "javascript:alert(1)" not in browser.get("/clients/1").links()
    assert "https://beta.example/?a=1&b=<x>" in browser.get("/clients/2").links()


NASTY = '<script>alert(1)</script><img src=x onerror=alert(1)> {{ 7*7 }} " hx-get="/x" \u202e'


def test_hostile_text_in_every_field_stays_text(story, sign_in_as) -> None:
    """Fault rows 102 and 103: the strict reader of pages refuses inline scripts, handlers and stray elements."""
    with story():
        client, link = linked_client()
        for name in ("name", "structure", "phone", "fax", "website"):
            setattr(client, name, NASTY)
        client.address = client.postal_address = Address(*([NASTY] * 5))
        for name in clients.CONTACT_EDITABLE:
            setattr(client.contacts[0], name, NASTY)
        link.remote_name = link.push_error = link.broken_why = NASTY
        link.push_state, link.state = PushState.FAILED, LinkState.BROKEN
        link.held_fields = {"phone": NASTY}
        link.seen = {**ACME.as_json(), "name": NASTY, "phone": NASTY, "web_url": "javascript:alert(1)"}
        hold_conflict(client, link, NASTY, NASTY)
        activity.record(Verb.CLIENT_PUSH_FAILED, by=Actor(NASTY, Origin.APP), now=now(), client_id=client.id, app=NASTY,
                        reason=NASTY, changes=[{"field": "x", "label": NASTY, "old": NASTY, "new": NASTY}])  # fmt: skip
    browser = sign_in_as("admin")
    for url in ("", "/apps", "/records", "/alignments?line=phone&from=1&to=here", "/activity", "/edit", "/contacts/1"):
        page = browser.get(f"/clients/1{url}")
        assert page.status == 200
        assert not page.all("//script[not(@src)]")
        assert not page.all("//img")
        assert not page.all("//*[@hx-get='/x']")
        assert not page.all("//a[starts-with(@href, 'javascript')]")
        assert "49" not in page.h1


def test_archiving_says_what_it_does_not_do_and_can_be_undone(story, sign_in_as) -> None:
    """XPM-9, CL-06, CL-08."""
    with story():
        client, _link = linked_client()
        client.was_active = True
    page = sign_in_as("member").get("/clients/1")
    assert "Its record in XPM stays as it is: nothing is archived, merged or completed there." in page.text
    page = page.submit("Archive here")
    assert "Acme Corp is archived here. Nothing was changed in any app." in page.said
    assert "it archived, merged or completed nothing in any app" in page.text
    page = page.submit("Undo")
    assert "Acme Corp is back, as inactive." in page.said
    assert page.submit("Archive here").submit("Bring back").status == 200


def test_support_reads_and_syncs_but_does_not_edit(story, sign_in_as, sent) -> None:
    """Fault row 98."""
    with story():
        linked_client()
    browser = sign_in_as("support")
    page = browser.get("/clients/1")
    assert "Edit" not in page.links()
    assert "Archive here" not in page.buttons()
    assert browser.get("/clients/1/edit").status == 403
    assert browser.post("/clients/1/archive").status == 403
    page.submit("Sync now")
    assert sent == [[1]]


def test_sync_now_sends_this_one_client_and_the_page_watches_it(story, sign_in_as, sent) -> None:
    with story():
        _client, link = linked_client()
        link_id = link.id
    browser = sign_in_as("member")
    page = browser.get("/clients/1").submit("Sync now")
    assert sent == [[link_id]]
    block = page.find("//*[@id='sync-state']")
    assert block.get("hx-trigger") == "load delay:1s"
    assert "Being sent to XPM" in page.text
    assert "Reload the page to see how it went" in page.text  # for browsers without scripts
    with story() as session:
        link = session.get(ClientLink, link_id)
        link.push_state = PushState.NONE
        activity.record(Verb.CLIENT_PUSHED, by=PRIYA, now=now(), client_id=1, connection_id=link.connection_id,
                        what="Phone", app="XPM")  # fmt: skip
    fragment = browser.get(block.get("hx-get"), block="sync-state")
    assert not fragment.is_whole
    assert fragment.find("//*[@id='sync-state']").get("hx-get") is None
    assert "Sent to XPM just now" in fragment.text


def test_when_the_sync_brought_something_the_page_offers_to_show_it(story, sign_in_as, sent) -> None:
    with story():
        linked_client()
    browser = sign_in_as("member")
    address = browser.get("/clients/1").submit("Sync now").find("//*[@id='sync-state']").get("hx-get")
    with story() as session:
        client = session.get(Client, 1)
        client.version += 1
        client.links[0].push_state = PushState.NONE
    assert "This client has changed since the page was opened." in browser.get(address, block="sync-state").text


def test_a_failed_push_gives_the_reason_and_another_try(story, sign_in_as, sent) -> None:
    with story():
        _client, link = linked_client(push_state=PushState.FAILED, push_error="The phone number is too long.")
        link_id = link.id
    page = sign_in_as("member").get("/clients/1")
    assert "XPM did not take the changes. The phone number is too long." in page.text
    assert page.find("//*[@id='sync-state']").get("hx-get") is None
    page.submit("Try again")
    assert sent == [[link_id]]


def test_a_push_that_waits_says_until_when_and_asks_less_often(story, sign_in_as, clock) -> None:
    with story():
        linked_client(push_state=PushState.READY, push_next_at=now() + timedelta(minutes=5), push_error="XPM is busy.")
    page = sign_in_as("member").get("/clients/1")
    assert "Not sent to XPM yet: XPM is busy. It is tried again by itself at 12:05 pm." in page.text
    assert page.find("//*[@id='sync-state']").get("hx-trigger") == "load delay:20s"


def test_a_broken_link_is_explained_with_what_to_do(story, sign_in_as) -> None:
    """M9."""
    with story():
        linked_client(state=LinkState.BROKEN, broken_why="it was archived in XPM", push_state=PushState.READY)
    browser = sign_in_as("support")
    assert "the link is broken. What to do" in browser.get("/clients/1").text
    page = browser.get("/clients/1/apps")
    assert "The link is broken: it was archived in XPM" in page.text
    assert "the next sync mends the link" in page.text
    assert "choose that one above" in page.text


def test_the_apps_tab_shows_which_record_it_is_and_how_the_two_stand(story, sign_in_as) -> None:
    """CL-31."""
    with story():
        linked_client()
    page = sign_in_as("support").get("/clients/1/apps")
    assert "Remote identifier r-1" in page.text
    assert "in step" in page.text
    assert "Why does my data not sync?" in page.text
    assert page.links()["Side by side"] == "/clients/1/records"


def test_the_checklist_is_answered_for_this_client(story, sign_in_as) -> None:
    """XPM-13."""
    with story():
        client, _link = linked_client()
        client.manager_id = person("member").id
    page = sign_in_as("support").get("/clients/1/apps")
    assert "Can the manager travel? No: Bob Tamihana is not linked to a person in XPM." in page.text
    assert "Link the person under Settings, Team." in page.text


def test_a_client_without_a_link_says_so_and_how_to_make_one(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
        make_connection()
    page = sign_in_as("support").get("/clients/1/apps")
    assert "This client is not linked to a record there." in page.text
    assert "By itself it goes there when its first proposal is accepted." in page.text
    assert "Create it in XPM now" in page.buttons()
    assert "Create it in XPM now" not in sign_in_as("member").get("/clients/1/apps").buttons()


def test_without_any_app_the_tab_says_what_it_will_hold(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
    assert "No app is connected" in sign_in_as("member").get("/clients/1/apps").text


def hold_conflict(client: Client, link: ClientLink, here: str, there: str, field: str = "phone") -> None:
    from portal.db import db

    link.open_conflicts = 1
    conflict = Conflict(
        link_id=link.id,
        client_id=client.id,
        field=field,
        agreed="",
        here=here,
        there=there,
        winner="there",
        why="changed on both sides; theirs is later",
        here_changed_by="Priya",
        at=now(),
    )
    db.session.add(conflict)
    db.session.flush()


def test_a_conflict_shows_both_values_and_the_loser_can_be_put_back(story, sign_in_as, sent) -> None:
    """XPM-14."""
    with story():
        client, link = linked_client()
        client.phone = "09 555 0199"
        hold_conflict(client, link, "09 555 0101", "09 555 0199")
        link_id = link.id
    page = sign_in_as("member").get("/clients/1")
    assert "Phone was changed here and in XPM" in page.text
    assert "Stands now, from XPM 09 555 0199" in page.text
    assert "Kept aside, from here 09 555 0101" in page.text
    page = page.submit("Put back")
    assert page.said == "Put back. It is being sent to XPM."
    assert sent == [[link_id]]
    with story() as session:
        assert session.get(Client, 1).phone == "09 555 0101"
    assert sign_in_as("member").post("/clients/1/conflicts/1/swaps").said == "That conflict is settled already."


def test_a_conflict_can_be_left_as_it_stands(story, sign_in_as, sent) -> None:
    with story():
        client, link = linked_client()
        hold_conflict(client, link, "1", "2")
    page = sign_in_as("member").get("/clients/1").submit("Keep as is")
    assert "Kept as it is." in page.said
    assert "Put back" not in page.buttons()
    assert sent == []


def test_a_conflict_of_another_client_cannot_be_settled_here(story, sign_in_as, sent) -> None:
    """Fault row 98."""
    with story():
        client, link = linked_client()
        hold_conflict(client, link, "1", "2")
        make_client("Beta")
    sign_in_as("member").post("/clients/2/conflicts/1/swaps")
    with story() as session:
        assert session.get(Conflict, 1).state == "open"


def test_the_log_is_grouped_by_the_firms_days_and_shows_old_and_new(story, sign_in_as, clock) -> None:
    """CL-24, CL-25: 23:30 in Auckland and 00:30 are two days, though one in UTC."""
    with story():
        client = make_client("Acme")
        clock.move_to("2026-11-03T10:30:00+00:00")
        clients.edit(client, {"phone": "1"}, by=PRIYA, now=now())
        clock.shift(timedelta(hours=1))
        clients.edit(client, {"phone": "2", "tax_registered": True}, by=PRIYA, now=now())
    page = sign_in_as("member").get("/clients/1/activity")
    assert [day.text for day in page.all("//main//h2")] == ["4 Nov 2026", "3 Nov 2026"]
    lines = [" ".join(line.text_content().split()) for line in page.all("//ol[@class='log']/li")]
    assert lines[0].startswith("Phone and tax registration changed Priya, on a screen, just now 2 fields")
    assert "Phone 1 2" in lines[0]
    assert "Tax registration – Yes" in lines[0]


def test_a_line_leads_to_the_run_behind_it(story, sign_in_as) -> None:
    from tests.cast_runs import make_run

    with story():
        client, link = linked_client()
        run = make_run(link.connection)
        by = Actor("System", Origin.SCHEDULE, run_id=run.id)
        activity.record(Verb.CLIENT_PULLED, by=by, now=now(), client_id=client.id, what="Phone", app="XPM")
    browser = sign_in_as("admin")
    for url in ("/clients/1", "/clients/1/activity"):
        assert browser.get(url).links()["the run"] == "/apps/1/runs/1"


def test_a_long_log_goes_back_page_by_page(story, sign_in_as) -> None:
    with story():
        client = make_client("Acme")
        for number in range(activity.PAGE + 3):
            clients.edit(client, {"phone": str(number + 1)}, by=PRIYA, now=now())
    page = sign_in_as("member").get("/clients/1/activity")
    assert len(page.all("//ol[@class='log']/li")) == activity.PAGE
    page = page.click("Earlier")
    assert len(page.all("//ol[@class='log']/li")) == 3
    assert "Earlier" not in page.links()
    assert page.click("Newest").links()["Earlier"]


def test_the_whole_log_can_be_exported_and_opens_in_a_spreadsheet_without_harm(story, sign_in_as) -> None:
    """Fault rows 95 and 105."""
    with story():
        client = make_client("=cmd()|' /C calc'!A0\r\nX-Evil: 1")
        clients.edit(client, {"phone": "+64 9 1"}, by=Actor("@Priya", Origin.SCREEN), now=now())
        clients.add_contact(client, {"name": "Jo"}, by=PRIYA, now=now())
    answer = sign_in_as("member").get("/clients/1/activity.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="activity-of-client-1.csv"'
    lines = answer.body.removeprefix("\ufeff").splitlines()
    assert lines[0] == "When,What happened,Who,How,Field,Old value,New value"
    assert lines[1].endswith("Contact Jo added,Priya,on a screen,,,")
    assert lines[2].endswith("Phone changed,'@Priya,on a screen,Phone,,'+64 9 1")
