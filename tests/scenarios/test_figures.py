"""Every number a run shows opens exactly the records it counts, whatever kind of run it is."""

from __future__ import annotations

from portal.db import db
from portal.domain import runs
from portal.domain.apps import Outcome, RunKind, SyncRun
from tests import cast
from tests.reading import Browser
from tests.scenarios.conftest import World


def plant(world: World) -> None:
    """Here and there: one the same but for the phone, one nearly the same, two of one name there, some new ones."""
    cast.make_client("Harbour Cafe Ltd", phone="1")
    cast.make_client("Acme Corp")
    db.session.commit()
    for name in ("Harbour Cafe Ltd", "ACME Corp", "Twin Trust", "Twin Trust", "New One Ltd", "New Two Ltd"):
        world.control.create(name, phone="2", tenant=world.tenant)


def counted(run: SyncRun) -> dict[Outcome, int]:
    return {outcome: count for outcome, count in runs.counted(run) if outcome != Outcome.UNCHANGED}


def listed(run: SyncRun) -> dict[Outcome, int]:
    """How many rows a person gets to see who opens each of these numbers."""
    return {outcome: len(runs.items(run, outcome)) for outcome in counted(run)}


def test_a_first_sync_counts_what_it_lists(world: World) -> None:
    plant(world)
    run = world.done()
    assert counted(run) == listed(run)
    assert runs.summary(run) == "2 created, 1 linked, 2 ambiguous names, 1 near match and 1 conflict"


def test_a_preview_and_its_application_count_what_they_list(world: World) -> None:
    plant(world)
    preview = world.done(kind=RunKind.PREVIEW)
    assert counted(preview) == listed(preview) != {}
    applied = world.done(kind=RunKind.APPLY, preview=preview)
    assert counted(applied) == listed(applied) != {}


def test_the_pages_of_a_real_run_say_what_it_did(world: World) -> None:
    plant(world)
    preview = world.done(kind=RunKind.PREVIEW)
    applied = world.done(kind=RunKind.APPLY, preview=preview)
    ids = world.connection_id, preview.id, applied.id
    db.session.remove()
    sue = Browser(world.app).signed_in_as("support")
    panel = sue.get(f"/apps/{ids[0]}")
    assert panel.links()["1 conflict"] == f"/apps/{ids[0]}/runs/{ids[2]}?outcome=conflict"
    conflicts = panel.click("1 conflict")
    assert [row.text_content() for row in conflicts.all("//table[@class='list']/tbody/tr/th")] == ["Harbour Cafe Ltd"]
    assert "conflict: take XPM’s, keep ours at hand" in conflicts.text
    plan = sue.get(f"/apps/{ids[0]}/previews/{ids[1]}")
    assert "Each row below says what came of it" in plan.text
    assert sue.get("/matches").text.count("Name exists more than once") >= 2
