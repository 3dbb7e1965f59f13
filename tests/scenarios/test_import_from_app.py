"""Importing what somebody chose: a preview made of it, confirmed, matched once more and only then carried out."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from portal import sync
from portal.db import db
from portal.domain import findings, links, unlinked
from portal.domain.activity import Activity, sentence
from portal.domain.apps import ClientLink, Outcome, RunItem, RunKind, RunState, SyncRun
from portal.domain.clients import Client, ClientStatus
from portal.domain.import_choices import Choice, NothingChosen, Selection, What, choices_from
from portal.domain.records import Address
from portal.sync import applying_preview
from tests.cast import make_client, make_link
from tests.pretend_app import PRIYA, Books, books, record

pytestmark = pytest.mark.usefixtures("database")
NEW, OWN, LEAVE = Choice(What.NEW), Choice(What.OWN), Choice(What.LEAVE)


def to(client: Client) -> Choice:
    return Choice(What.LINK, client.id)


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Books:
    """Three records wait: Rimu and Totara, and “acme corp”, nearly the name of a client here."""
    make_client("Acme Corp")
    waiting = books(monkeypatch, [record("r-1", "acme corp"), record("r-2", "Rimu Ltd"), record("r-3", "Totara Ltd")])
    waiting.done()
    waiting.app.changed.clear()
    waiting.app.calls.clear()
    return waiting


def row_id(made: Books, remote_id: str) -> int:
    row = unlinked.get(made.connection_id, remote_id)
    assert row is not None
    return row.id


def prepare(made: Books, choices: dict[str, Choice] | None = None, **more: Any) -> SyncRun:
    chosen = {row_id(made, remote_id): choice for remote_id, choice in (choices or {}).items()}
    run = sync.prepare_import(made.connection, Selection(chosen, **more), by=PRIYA, now=datetime.now(UTC))
    db.session.commit()
    return run


def rows(run: SyncRun) -> dict[str, RunItem]:
    db.session.expire_all()
    return {one.name: one for one in db.session.scalars(select(RunItem).where(RunItem.run_id == run.id))}


def client(name: str) -> Client:
    return db.session.scalars(select(Client).where(Client.name == name)).one()


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def test_what_was_chosen_is_shown_first_and_nothing_is_written(made: Books) -> None:
    """CL-50, CL-51."""
    acme = client("Acme Corp")
    preview = prepare(made, {"r-1": to(acme), "r-2": NEW, "r-3": LEAVE})
    assert {name: (one.outcome, one.chosen) for name, one in rows(preview).items()} == {
        "acme corp": (Outcome.LINKED, True), "Rimu Ltd": (Outcome.CREATED, False),
        "Totara Ltd": (Outcome.SKIPPED, True),
    }  # fmt: skip
    assert preview.counts == {"linked": 1, "created": 1, "skipped": 1}
    assert (count(Client), count(ClientLink), made.app.calls) == (1, 0, [])
    phone = next(one for one in rows(preview)["acme corp"].plan if one["field"] == "phone")
    assert phone["action"] == "pull"


def test_importing_brings_in_links_and_leaves_out_with_one_call(made: Books) -> None:
    """DIG-9, CL-54."""
    preview = prepare(made, {"r-1": to(client("Acme Corp")), "r-2": NEW, "r-3": LEAVE})
    run = made.apply(preview)
    assert made.app.calls == ["list"]  # what changed since, and nothing sent
    assert {name: one.applied for name, one in rows(preview).items()} == {
        "acme corp": "linked", "Rimu Ltd": "created", "Totara Ltd": "left out",
    }  # fmt: skip
    rimu, acme = client("Rimu Ltd"), client("Acme Corp")
    assert (rimu.status, rimu.phone, rimu.contacts[0].email) == (
        ClientStatus.LEAD,
        "09 555 0101",
        "someone@example.com",
    )
    assert (acme.phone, acme.links[0].made_by) == ("09 555 0101", "person")
    assert [one.remote_name for one in findings.open_findings(state="left_out")] == ["Totara Ltd"]
    assert findings.open_findings() == []  # the near match has been settled by this
    said = [sentence(one) for one in db.session.scalars(select(Activity).where(Activity.client_id == acme.id))]
    assert any("Linked to acme corp in Ledger: chosen by Priya Sharma" in one for one in said)
    assert run.counts["created"] == run.counts["linked"] == 1


def test_linking_by_import_fills_what_is_empty_and_overwrites_nothing(made: Books) -> None:
    acme = client("Acme Corp")
    acme.fax, acme.phone, acme.address = "1", "04 555 7777", Address("1 Quay St", "Wellington", "", "6011", "NZ")
    db.session.commit()
    made.apply(prepare(made, {"r-1": to(acme)}))
    acme = client("Acme Corp")
    assert (acme.name, acme.phone, acme.address.street) == ("Acme Corp", "04 555 7777", "1 Quay St")
    assert [one.email for one in acme.contacts] == ["someone@example.com"]
    assert "write" not in made.app.calls


def test_the_same_selection_a_second_time_changes_nothing(made: Books) -> None:
    """CL-53."""
    chosen = {"r-1": OWN, "r-2": NEW}
    first, second = prepare(made, chosen), prepare(made, chosen)
    made.apply(first)
    before = (count(Client), count(ClientLink))
    made.apply(second)
    assert (count(Client), count(ClientLink)) == before
    assert {one.applied for one in rows(second).values()} == {"done"}
    made.apply(first)
    assert (count(Client), count(ClientLink)) == before
    assert unlinked.get(made.connection_id, "r-2") is None


def test_records_that_wait_no_longer_are_named_and_passed_over(made: Books) -> None:
    """CL-52."""
    ids = {row_id(made, one): NEW for one in ("r-2", "r-3")}
    made.apply(prepare(made, {"r-2": NEW}))
    preview = sync.prepare_import(made.connection, Selection(ids), by=PRIYA, now=datetime.now(UTC))
    assert preview.message.startswith("One of the records you chose waits no longer")
    assert preview.counts == {"created": 1}
    made.apply(preview)
    with pytest.raises(NothingChosen, match="2 of the records you chose wait no longer"):
        sync.prepare_import(made.connection, Selection(ids), by=PRIYA, now=datetime.now(UTC))


def test_a_near_match_chosen_as_new_comes_in_as_a_client_of_its_own(made: Books) -> None:
    made.apply(prepare(made, {"r-1": OWN}))
    assert client("acme corp").links[0].remote_id == "r-1"
    assert client("Acme Corp").links == []
    assert findings.open_findings() == []


def test_two_records_of_one_name_come_in_when_somebody_says_so(made: Books) -> None:
    """M7, decided by a person."""
    made.app.put(record("r-8", "Same Ltd"), record("r-9", "Same Ltd"))
    made.done()
    made.apply(prepare(made, {"r-8": OWN, "r-9": OWN}))
    assert db.session.scalar(select(func.count()).where(Client.name == "Same Ltd")) == 2


def test_a_client_made_here_meanwhile_is_never_created_a_second_time(made: Books) -> None:
    """CL-51: matched when it is prepared, and once more when it is applied."""
    preview = prepare(made, {"r-2": NEW, "r-3": NEW})
    make_client("Rimu Ltd")
    db.session.commit()
    again = prepare(made, {"r-2": NEW})
    assert rows(again)["Rimu Ltd"].outcome == Outcome.LINKED  # shown for confirmation
    run = made.apply(preview)
    assert count(Client) == 3  # Acme, the Rimu made here, Totara
    assert "who it matches here changed" in rows(preview)["Rimu Ltd"].applied
    assert run.counts == {"created": 1, "held_back": 1, "unchanged": 0} | run.counts


def test_what_changed_there_meanwhile_is_held_back(made: Books) -> None:
    preview = prepare(made, {"r-2": NEW, "r-3": NEW})
    made.app.put(record("r-2", "Rimu Ltd", phone="04 555 9999"))
    made.app.archive("r-3")
    made.apply(preview)
    assert count(Client) == 1
    assert all("record there was changed" in one.applied for one in rows(preview).values())


def test_what_a_sync_has_read_anew_meanwhile_is_held_back_too(made: Books) -> None:
    preview = prepare(made, {"r-2": OWN})
    made.app.put(record("r-2", "Rimu Ltd", phone="04 555 9999"))
    made.done()
    made.apply(preview)
    assert "record there was changed" in rows(preview)["Rimu Ltd"].applied
    assert count(Client) == 1


def test_a_link_that_somebody_made_meanwhile_is_refused_with_the_reason(made: Books) -> None:
    acme, other = client("Acme Corp"), make_client("Other Ltd")
    db.session.commit()
    both = prepare(made, {"r-1": to(acme), "r-2": to(other)})
    links.link(acme, made.connection, record("r-3", "Totara Ltd"), by=PRIYA, now=datetime.now(UTC), reason="x")
    rimu = make_client("Rimu Somebody")
    links.link(rimu, made.connection, record("r-2", "Rimu Ltd"), by=PRIYA, now=datetime.now(UTC), reason="x")
    db.session.commit()
    made.apply(both)
    said = {name: one.applied for name, one in rows(both).items()}
    assert said["acme corp"] == "held back: Acme Corp is already linked to Totara Ltd"
    assert said["Rimu Ltd"] == "held back: the record was linked to Rimu Somebody after the preview was made"
    assert client("Other Ltd").links == []


def test_one_client_cannot_be_chosen_for_two_records(made: Books) -> None:
    """CL-34."""
    acme = client("Acme Corp")
    preview = prepare(made, {"r-1": to(acme), "r-2": to(acme)})
    assert {one.outcome for one in rows(preview).values()} == {Outcome.LINKED, Outcome.TAKEN}
    taken = next(one for one in rows(preview).values() if one.outcome == Outcome.TAKEN)
    assert taken.reason.startswith("Acme Corp was chosen for another record as well")
    made.apply(preview)
    assert count(ClientLink) == 1


def test_a_client_that_has_a_record_already_is_refused_before_anything_is_done(made: Books) -> None:
    held = make_client("Held Ltd")
    make_link(held, made.connection, "r-77", remote_name="Held There Ltd")
    db.session.commit()
    preview = prepare(made, {"r-2": to(held)})
    assert rows(preview)["Rimu Ltd"].reason == "Held Ltd is already linked to Held There Ltd"
    assert rows(preview)["Rimu Ltd"].outcome == Outcome.TAKEN


def test_the_whole_of_a_list_can_be_chosen_at_once_and_single_choices_come_first(made: Books) -> None:
    made.app.put(*[record(f"n-{number}", f"Client {number:03}") for number in range(600)])
    made.done()
    preview = prepare(made, {"r-2": LEAVE}, rest=What.NEW, whole=True, verdict="create")
    assert preview.counts == {"created": 601, "skipped": 1}
    run = made.apply(preview)
    assert run.counts["created"] == 601
    assert count(Client) == 602
    assert unlinked.verdicts(made.connection_id)["linked"] == 601


def test_as_proposed_leaves_what_a_person_has_to_say_alone(made: Books) -> None:
    make_client("Rimu Ltd")
    db.session.commit()
    preview = prepare(made, rest=What.PROPOSED, whole=True)
    assert {name: one.outcome for name, one in rows(preview).items()} == {
        "Rimu Ltd": Outcome.LINKED, "Totara Ltd": Outcome.CREATED,
    }  # fmt: skip


def test_what_was_left_out_comes_in_when_somebody_changes_their_mind(made: Books) -> None:
    made.apply(prepare(made, {"r-2": LEAVE}))
    made.done(full=True)
    assert unlinked.verdicts(made.connection_id)["left_out"] == 1
    made.apply(prepare(made, {"r-2": OWN}))
    assert client("Rimu Ltd").links[0].remote_id == "r-2"
    assert findings.open_findings(state="left_out") == []


def test_an_unticked_new_client_goes_on_waiting(made: Books) -> None:
    preview = prepare(made, {"r-2": NEW, "r-3": NEW})
    rows(preview)["Rimu Ltd"].is_included = False
    db.session.commit()
    made.apply(preview)
    assert rows(preview)["Rimu Ltd"].applied == "left as it is"
    assert findings.open_findings(state="left_out") == []
    made.done()
    assert unlinked.verdicts(made.connection_id)["create"] == 1


def test_an_import_is_allowed_whatever_the_connection_does_by_itself(made: Books) -> None:
    made.connection.settings = {"level": "nothing", "direction": "to_app", "intake": "chosen"}
    db.session.commit()
    made.apply(prepare(made, {"r-2": NEW}))
    assert client("Rimu Ltd").phone == "09 555 0101"


def test_choosing_nothing_makes_no_preview(made: Books) -> None:
    with pytest.raises(NothingChosen, match="Choose for at least one"):
        prepare(made)
    db.session.rollback()
    with pytest.raises(NothingChosen, match="needs a choice of its own"):
        prepare(made, rest=What.PROPOSED, whole=True, verdict="near_match")
    db.session.rollback()
    assert count(SyncRun) == 1


def test_a_killed_import_is_done_again_and_doubles_nobody(made: Books, monkeypatch: pytest.MonkeyPatch) -> None:
    made.app.put(*[record(f"n-{number}", f"Client {number:03}") for number in range(120)])
    made.done()
    preview = prepare(made, rest=What.NEW, whole=True, verdict="create")
    marking = applying_preview.PreviewApplier.mark_created

    def dies(*_args: Any) -> None:
        monkeypatch.setattr(applying_preview.PreviewApplier, "mark_created", marking)
        raise MemoryError

    monkeypatch.setattr(applying_preview.PreviewApplier, "mark_created", dies)
    assert made.run(RunKind.APPLY, preview=preview).state == RunState.FAILED
    there = count(Client)
    assert 1 < there < 123
    made.apply(preview)
    assert count(Client) == 123
    assert {one.applied for one in rows(preview).values()} <= {"created", "done"}


def test_what_a_form_sends_is_read_strictly() -> None:
    chosen, rows_there = choices_from(["1:new", "2:", "3:to-45", "4:to-x", "x:new", "5:leave", "6:proposed", "７:new"])
    assert chosen == {1: NEW, 3: Choice(What.LINK, 45), 5: LEAVE}
    assert rows_there == [1, 2, 3, 4, 5, 6]
    assert [one.word(9) for one in (NEW, Choice(What.LINK, 45), Choice(What.LINK))] == ["9:new", "9:to-45", "9:link"]
