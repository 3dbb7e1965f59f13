"""The first connection: every current record comes in once, as a Lead, with one list call."""

from __future__ import annotations

from sqlalchemy import func, select

from portal.db import db
from portal.domain.activity import Activity, Verb, sentence
from portal.domain.apps import Outcome
from portal.domain.clients import Client, ClientStatus, SyncState
from tests import cast
from tests.scenarios.conftest import World


def test_every_current_record_becomes_a_lead_with_one_list_call(make_world) -> None:
    """XPM-1, CL-01."""
    with make_world(clients=300) as world:
        world.control.clear_calls()
        run = world.done()
        there = world.control.clients(tenant=world.tenant, limit=1000)
        current = [one for one in there if not (one["archived"] or one["deleted"])]
        created = run.counts.get("created", 0)
        waiting = sum(run.counts.get(kind, 0) for kind in ("near_match", "ambiguous", "taken"))
        assert created + waiting == len(current)
        assert created > 200
        assert set(db.session.scalars(select(Client.status))) == {ClientStatus.LEAD}
        assert set(db.session.scalars(select(Client.sync_state))) == {SyncState.IN_STEP}
        assert len(world.calls("client.api")) == 1
        assert {one["path"].rsplit("/", 2)[-2] for one in world.calls()} == {
            "client.api", "staff.api", "category.api", "template.api",
        }  # fmt: skip


def test_running_it_again_changes_nothing(make_world) -> None:
    with make_world(clients=60) as world:
        world.done()
        before = db.session.scalar(select(func.count()).select_from(Client))
        again = world.done(full=True)
        assert db.session.scalar(select(func.count()).select_from(Client)) == before
        assert "created" not in again.counts
        assert "updated" not in again.counts


def test_a_client_of_exactly_the_same_name_is_linked_and_not_created_again(world: World) -> None:
    """XPM-2."""
    mine = cast.make_client("Harbour Cafe Ltd", phone="09 555 0100")
    db.session.commit()
    there = world.control.create("Harbour Cafe Ltd", phone="09 555 0199", tenant=world.tenant)
    run = world.done()
    assert run.counts["linked"] == 1
    assert world.link(mine).remote_id == there["uuid"]
    db.session.refresh(mine)
    assert mine.phone == "09 555 0199"
    said = [sentence(one) for one in db.session.scalars(select(Activity).where(Activity.client_id == mine.id))]
    assert any("Linked to Harbour Cafe Ltd in XPM: exactly the same name" in one for one in said)
    assert db.session.scalar(select(func.count()).select_from(Activity).where(Activity.verb == Verb.CONFLICT_KEPT)) == 1


def test_the_first_import_writes_nothing_to_the_app(world: World) -> None:
    mine = cast.make_client("Harbour Cafe Ltd", fax="09 555 0111")
    db.session.commit()
    world.control.create("Harbour Cafe Ltd", tenant=world.tenant)
    world.control.clear_calls()
    world.done()
    assert {one["method"] for one in world.calls()} == {"GET"}
    assert world.client("Harbour Cafe Ltd").fax == "09 555 0111"
    world.done()  # two-way from then on
    assert world.remote("Harbour Cafe Ltd")["fields"]["Fax"] == "09 555 0111"
    assert world.link(mine).push_state == "none"


def test_near_and_ambiguous_names_wait_for_a_person(world: World) -> None:
    """M6, M7, M8."""
    cast.make_client("Acme Corp")
    cast.make_client("Twice Ltd")
    cast.make_client("Twice Ltd")
    db.session.commit()
    for name in ("acme corp", "Double There", "Double There", "Twice Ltd"):
        world.control.create(name, tenant=world.tenant)
    run = world.done()
    assert run.counts == {"near_match": 1, "ambiguous": 3, "unchanged": 0} | run.counts
    assert "created" not in run.counts
    assert [one.name for one in world.items(run, Outcome.NEAR_MATCH)] == ["acme corp"]
    assert "capital letters" in world.items(run, Outcome.NEAR_MATCH)[0].reason
