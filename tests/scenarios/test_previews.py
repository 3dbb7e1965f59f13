"""Looking before leaping: a preview writes nothing, and applying it does exactly what was ticked."""

from __future__ import annotations

from sqlalchemy import func, select

from portal.db import db
from portal.domain import findings
from portal.domain.apps import Finding, Outcome, RunItem, RunKind, RunState, SyncRun
from portal.domain.clients import Client
from tests import cast
from tests.scenarios.conftest import World


def count(model: type) -> int:
    return db.session.scalar(select(func.count()).select_from(model)) or 0


def rows(run: SyncRun) -> dict[str, RunItem]:
    return {one.name: one for one in db.session.scalars(select(RunItem).where(RunItem.run_id == run.id))}


def apply(world: World, preview: SyncRun) -> SyncRun:
    return world.done(kind=RunKind.APPLY, preview=preview)


def test_a_preview_of_the_first_import_shows_every_record_and_writes_none(world: World) -> None:
    cast.make_client("Acme Corp")
    cast.make_client("Harbour Cafe Ltd", phone="1")
    db.session.commit()
    for name in ("Harbour Cafe Ltd", "acme corp", "New One Ltd"):
        world.control.create(name, phone="2", tenant=world.tenant)
    preview = world.done(kind=RunKind.PREVIEW)
    assert {name: one.outcome for name, one in rows(preview).items()} == {
        "Harbour Cafe Ltd": Outcome.LINKED, "acme corp": Outcome.NEAR_MATCH, "New One Ltd": Outcome.CREATED,
    }  # fmt: skip
    phone = next(row for row in rows(preview)["Harbour Cafe Ltd"].plan if row["field"] == "phone")
    assert (phone["here"], phone["there"], phone["action"]) == ("1", "2", "conflict_there")
    assert count(Client) == 2
    assert count(Finding) == 0
    assert world.connection().imported_at is None


def test_applying_does_exactly_what_was_ticked(world: World) -> None:
    for name in ("Wanted Ltd", "Unwanted Ltd"):
        world.control.create(name, tenant=world.tenant)
    preview = world.done(kind=RunKind.PREVIEW)
    rows(preview)["Unwanted Ltd"].is_included = False
    db.session.commit()
    run = apply(world, preview)
    assert run.counts["created"] == 1
    assert list(db.session.scalars(select(Client.name))) == ["Wanted Ltd"]
    assert {one.applied for one in rows(preview).values()} == {"created", "left out"}
    again = world.done(full=True)  # what was left out stays out until somebody imports it
    assert count(Client) == 1, again.counts
    left_out = findings.open_findings(state=findings.LEFT_OUT)
    assert [one.remote_name for one in left_out] == ["Unwanted Ltd"]


def test_applying_puts_what_only_a_person_can_settle_on_the_list(world: World) -> None:
    cast.make_client("Acme Corp")
    db.session.commit()
    world.control.create("acme corp", tenant=world.tenant)
    preview = world.done(kind=RunKind.PREVIEW)
    run = apply(world, preview)
    assert run.counts["near_match"] == 1
    assert [one.remote_name for one in findings.open_findings()] == ["acme corp"]
    assert rows(preview)["acme corp"].applied == "under Matches"
    assert count(Client) == 1


def test_a_field_that_was_unticked_stays_as_it_is_and_is_offered_again(world: World) -> None:
    there = world.control.create("Harbour Cafe Ltd", phone="1", fax="1", tenant=world.tenant)
    world.done()
    world.control.change(there["uuid"], phone="2", fax="2")
    preview = world.done(kind=RunKind.PREVIEW)
    rows(preview)["Harbour Cafe Ltd"].left_out = ["phone"]
    db.session.commit()
    apply(world, preview)
    client = world.client("Harbour Cafe Ltd")
    assert (client.phone, client.fax) == ("1", "2")
    world.done()
    db.session.refresh(client)
    assert client.phone == "2"


def test_a_row_that_changed_meanwhile_is_held_back_and_says_so(world: World) -> None:
    for name in ("Changed There Ltd", "Changed Here Ltd", "Quiet Ltd", "Met Here Ltd"):
        world.control.create(name, phone="1", tenant=world.tenant)
    here = cast.make_client("Changed Here Ltd")
    db.session.commit()
    preview = world.done(kind=RunKind.PREVIEW)
    world.control.change(world.remote("Changed There Ltd")["uuid"], phone="9")
    cast.make_client("Met Here Ltd")
    db.session.commit()
    world.edit_unlinked(here, fax="7")
    run = apply(world, preview)
    held = {one.name: one.reason for one in world.items(run, Outcome.HELD_BACK)}
    assert set(held) == {"Changed There Ltd", "Changed Here Ltd", "Met Here Ltd"}
    assert "record there was changed" in held["Changed There Ltd"]
    assert "client here was changed" in held["Changed Here Ltd"]
    assert rows(preview)["Quiet Ltd"].applied == "created"
    assert rows(preview)["Changed There Ltd"].applied.startswith("held back")


def test_a_change_waiting_to_be_sent_is_in_the_preview_and_goes_out_when_applied(world: World) -> None:
    world.control.create("Harbour Cafe Ltd", phone="1", tenant=world.tenant)
    world.done()
    world.edit(world.client("Harbour Cafe Ltd"), phone="2")
    preview = world.done(kind=RunKind.PREVIEW)
    assert rows(preview)["Harbour Cafe Ltd"].outcome == Outcome.PUSHED
    assert world.remote("Harbour Cafe Ltd")["fields"]["Phone"] == "1"
    apply(world, preview)
    assert world.remote("Harbour Cafe Ltd")["fields"]["Phone"] == "2"


def test_a_plan_that_would_take_too_much_is_held_for_a_person(world: World) -> None:
    """Fault row 27, and architecture section 6."""
    from portal.domain.activity import Actor, Origin
    from portal.sync import release, work

    for number in range(12):
        world.control.create(f"Client {number:02}", phone="1", tenant=world.tenant)
    world.done()
    world.control.fault("empty_list", vendor="xpm", path="client.api/list", times=1)
    run = world.sync(full=True)
    assert run.state == RunState.HELD
    assert "mark 12 links as broken" in run.message
    assert set(db.session.scalars(select(Client.sync_state))) == {"in_step"}
    for number in range(4):
        world.control.archive(world.remote(f"Client {number:02}")["uuid"])
    held = world.sync(full=True)
    assert held.state == RunState.HELD
    assert "33 %" in held.message
    freed = release(held, by=Actor("Priya", Origin.SCREEN), now=world.now())
    db.session.commit()
    assert work(freed.id) == RunState.DONE
    db.session.expire_all()
    assert db.session.get_one(SyncRun, freed.id).counts["broken"] == 4
