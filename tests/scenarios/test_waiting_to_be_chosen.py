"""Records nobody here is linked to: kept, matched anew in every run, and brought in only when somebody chooses them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from sqlalchemy import func, select

from portal.db import db
from portal.domain import clients, findings, links, unlinked
from portal.domain.apps import ClientLink, LinkState, Outcome, RunItem, RunKind, RunState, UnlinkedRecord
from portal.domain.clients import Client
from portal.domain.records import Quarantined, RecordState
from portal.sync import search_records
from tests.cast import make_client
from tests.pretend_app import PRIYA, Books, books, record

pytestmark = pytest.mark.usefixtures("database")


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> Books:
    """Two clients nobody here is like, and one of a client's very name; Acme Corp is a client here."""
    make_client("Acme Corp")
    return books(monkeypatch, [record("r-1", "Acme Corp"), record("r-2", "Rimu Ltd"), record("r-3", "Totara Ltd")])


def kept(made: Books) -> dict[str, tuple[str, str]]:
    """Name -> (verdict, reason)."""
    db.session.expire_all()
    rows = db.session.scalars(select(UnlinkedRecord).where(UnlinkedRecord.connection_id == made.connection_id))
    return {one.name: (one.verdict, one.reason) for one in rows}


def verdicts(made: Books) -> dict[str, str]:
    return {name: verdict for name, (verdict, _) in kept(made).items()}


def client_names() -> list[str]:
    return sorted(db.session.scalars(select(Client.name)))


def items(run_id: int) -> list[RunItem]:
    return list(db.session.scalars(select(RunItem).where(RunItem.run_id == run_id)))


def test_a_sync_links_the_same_name_and_leaves_everybody_else_waiting(three: Books) -> None:
    """DIG-9, M2, M5."""
    run = three.done()
    assert run.counts["linked"] == 1
    assert run.counts["offered"] == 2
    assert client_names() == ["Acme Corp"]
    assert verdicts(three) == {"Rimu Ltd": "create", "Totara Ltd": "create"}
    assert [one.outcome for one in items(run.id)] == [Outcome.LINKED]  # no row for each that waits


def test_a_preview_shows_those_that_would_wait_one_by_one(three: Books) -> None:
    preview = three.done(RunKind.PREVIEW)
    shown = {one.name: (one.outcome, one.is_included) for one in items(preview.id)}
    assert shown["Rimu Ltd"] == (Outcome.OFFERED, False)
    assert shown["Acme Corp"] == (Outcome.LINKED, True)
    assert kept(three) == {}  # a preview writes nothing but its rows
    three.done()
    again = three.done(RunKind.PREVIEW, full=True)  # those that are as they were are shown as well
    assert {one.name for one in items(again.id)} == {"Rimu Ltd", "Totara Ltd"}
    three.apply(again)
    assert {one.applied for one in items(again.id)} == {"under Import"}
    assert client_names() == ["Acme Corp"]


def test_a_run_in_which_nothing_changed_writes_nothing_about_them(three: Books) -> None:
    three.done()
    before = list(db.session.execute(select(UnlinkedRecord.id, UnlinkedRecord.seen_at)))
    run = three.done(full=True)
    assert list(db.session.execute(select(UnlinkedRecord.id, UnlinkedRecord.seen_at))) == before
    assert run.counts["offered"] == 2
    assert items(run.id) == []


def test_a_record_that_changed_there_is_kept_as_it_is_now(three: Books) -> None:
    three.done()
    three.app.put(record("r-2", "Rimu Limited", phone="04 555 0000"))
    three.done()
    row = unlinked.get(three.connection_id, "r-2")
    assert row is not None
    assert (row.name, row.record["phone"]) == ("Rimu Limited", "04 555 0000")
    assert "Rimu Ltd" not in kept(three)


def test_a_client_made_here_since_is_linked_by_the_next_run_without_reading_the_record_again(three: Books) -> None:
    """M3."""
    three.done()
    make_client("Rimu Ltd")
    db.session.commit()
    run = three.done()
    assert run.counts["linked"] == 1
    assert verdicts(three) == {"Totara Ltd": "create"}


def test_near_ambiguous_and_taken_names_are_questions_and_wait_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """M4, M6, M7, M8."""
    for name in ("Acme Corp", "Twice Ltd", "Twice Ltd"):
        make_client(name)
    three = [
        record("r-1", "acme corp"),
        record("r-2", "Twice Ltd"),
        record("r-3", "Same Ltd"),
        record("r-4", "Same Ltd"),
    ]
    made = books(monkeypatch, three)
    run = made.done()
    assert verdicts(made) == {"acme corp": "near_match", "Twice Ltd": "ambiguous", "Same Ltd": "ambiguous"}
    assert {one.kind for one in findings.open_findings()} == {"near_match", "ambiguous"}
    assert (run.counts["near_match"], run.counts["ambiguous"]) == (1, 3)
    again = made.done()
    assert (again.counts["near_match"], again.counts["ambiguous"]) == (1, 3)
    assert {one.times for one in findings.open_findings()} == {2}  # counted, not asked anew
    assert len(items(again.id)) == 4


def test_a_question_that_answers_itself_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = make_client("Acme Corp")
    made = books(monkeypatch, [record("r-1", "acme corp")])
    made.done()
    assert len(findings.open_findings()) == 1
    clients.edit(here, {"name": "Somebody Else Ltd"}, by=PRIYA, now=datetime.now(UTC))
    db.session.commit()
    made.done()
    assert findings.open_findings() == []
    assert verdicts(made) == {"acme corp": "create"}


def test_a_second_record_of_a_waiting_name_is_noticed_whenever_it_turns_up(three: Books) -> None:
    """M7 over several runs."""
    three.done()
    make_client("Rimu Ltd")
    db.session.commit()
    three.app.changed.clear()
    three.app.put(record("r-9", "Rimu Ltd"))
    run = three.done()
    assert "linked" not in run.counts
    assert run.counts["ambiguous"] == 2
    assert verdicts(three)["Rimu Ltd"] == "ambiguous"


def test_records_that_end_there_are_shown_as_archived_and_those_that_went_are_forgotten(three: Books) -> None:
    three.done()
    three.app.archive("r-2")
    del three.app.records["r-3"]
    three.done(full=True)
    assert verdicts(three) == {"Rimu Ltd": "archived"}
    three.app.put(replace(three.app.records["r-2"], state=RecordState.ACTIVE))
    three.done()
    assert verdicts(three) == {"Rimu Ltd": "create"}


def test_a_record_that_could_not_be_understood_is_still_there(three: Books) -> None:
    """Neither its link nor its place among those that wait is lost for that."""
    three.done()
    linked = db.session.scalars(select(ClientLink)).one()
    three.app.broken = [Quarantined(linked.remote_id, "Acme Corp", "no name", "{}"), Quarantined("r-2", "", "", "{}")]
    del three.app.records[linked.remote_id], three.app.records["r-2"]
    three.done(full=True)
    assert db.session.scalars(select(ClientLink)).one().state == LinkState.LINKED
    assert "Rimu Ltd" in kept(three)


def test_what_waits_comes_in_by_itself_once_the_connection_is_set_so(three: Books) -> None:
    three.done()
    three.connection.settings = {"intake": "all", "direction": "both"}
    db.session.commit()
    run = three.done()
    assert run.counts["created"] == 2
    assert client_names() == ["Acme Corp", "Rimu Ltd", "Totara Ltd"]
    assert kept(three) == {}


def test_an_app_that_is_only_sent_to_brings_clients_in_all_the_same_when_it_is_set_so(three: Books) -> None:
    """Direction is about fields; who comes in is the intake's to say, unless somebody narrowed the connection."""
    three.connection.settings = {"intake": "all"}
    db.session.commit()
    assert three.connection.direction == "to_app"
    assert three.done().counts["created"] == 2


@pytest.mark.parametrize("narrowed", [{"direction": "to_app"}, {"level": "nothing"}])
def test_a_narrowed_connection_brings_nobody_in_by_itself(
    monkeypatch: pytest.MonkeyPatch, narrowed: dict[str, str]
) -> None:
    """XP-20."""
    rules: dict[str, Any] = {"directions": ("both", "to_app"), "intakes": ("all", "chosen")}
    made = books(monkeypatch, [record("r-1", "Rimu Ltd")], settings=narrowed, **rules)
    assert made.done().counts["offered"] == 1
    assert client_names() == []
    made.connection.settings = {}
    db.session.commit()
    assert made.done().counts["created"] == 1


def test_what_is_set_aside_or_unlinked_waits_as_left_out(three: Books) -> None:
    three.done()
    by = replace(PRIYA, user_id=1)
    links.unlink(db.session.scalars(select(ClientLink)).one(), by=by, now=datetime.now(UTC))
    db.session.commit()
    assert verdicts(three)["Acme Corp"] == "left_out"
    three.done()
    assert verdicts(three)["Acme Corp"] == "left_out"
    assert db.session.scalar(select(func.count()).select_from(ClientLink)) == 0


def test_questions_from_before_are_taken_along(three: Books) -> None:
    """An installation that had findings before these records were kept."""
    make_client("Nikau Ltd")
    three.done()
    three.app.put(record("r-7", "NIKAU LTD"))
    three.done()
    db.session.execute(UnlinkedRecord.__table__.delete())
    db.session.commit()
    three.app.changed.clear()
    three.done()
    assert verdicts(three) == {"NIKAU LTD": "near_match"}


def test_a_person_who_maps_finds_free_records_first_and_is_told_of_archived_and_taken_ones(three: Books) -> None:
    """CL-30, CL-34, QB-09."""
    three.app.put(record("r-4", "Acme Holdings"), record("r-5", "Acme Old", state=RecordState.ARCHIVED))
    three.done()
    found = [(one.name, one.state, holder and holder.name) for one, holder in search_records(three.connection, "acme")]
    assert found == [
        ("Acme Holdings", RecordState.ACTIVE, None), ("Acme Old", RecordState.ARCHIVED, None),
        ("Acme Corp", RecordState.ACTIVE, "Acme Corp"),
    ]  # fmt: skip


def test_two_accounts_of_one_app_never_mix(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 38."""
    one = books(monkeypatch, [record("r-1", "Rimu Ltd")])
    one.done()
    other = books(monkeypatch, [record("r-1", "Totara Ltd")], account="Other Books Ltd")
    other.done()
    assert verdicts(one) == {"Rimu Ltd": "create"}
    assert verdicts(other) == {"Totara Ltd": "create"}


def linked_twelve(monkeypatch: pytest.MonkeyPatch, **rules: Any) -> Books:
    for number in range(12):
        make_client(f"Client {number:02}")
    made = books(monkeypatch, [record(f"r-{number}", f"Client {number:02}") for number in range(12)], **rules)
    assert made.done().counts["linked"] == 12
    return made


def test_to_be_absent_says_nothing_where_lists_need_not_be_complete(monkeypatch: pytest.MonkeyPatch) -> None:
    made = linked_twelve(monkeypatch, lists_everything=False)
    for number in range(3):
        del made.app.records[f"r-{number}"]
    run = made.done(full=True)
    assert "broken" not in run.counts
    assert set(db.session.scalars(select(ClientLink.state))) == {LinkState.LINKED}


def test_a_list_that_lacks_most_linked_clients_is_held_also_where_absence_says_nothing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Fault row 27."""
    made = linked_twelve(monkeypatch, lists_everything=False)
    made.app.records.clear()
    run = made.run(full=True)
    assert run.state == RunState.HELD
    assert "lacks 12 linked clients, 100 % of the 12 clients linked to Ledger" in run.message
    assert set(db.session.scalars(select(ClientLink.state))) == {LinkState.LINKED}
    forced = made.done(full=True, force=True)
    assert "broken" not in forced.counts


def test_a_list_that_is_not_complete_forgets_nobody_who_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    made = books(monkeypatch, [record("r-1", "Rimu Ltd")], lists_everything=False)
    made.done()
    made.app.records.clear()
    made.done(full=True)
    assert verdicts(made) == {"Rimu Ltd": "create"}
