"""Import → Clients against every vendor's stand-in, on a real port: the same story whatever the app is."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager

import pytest

from portal import sync
from portal.db import db
from portal.domain import unlinked
from portal.domain.apps import RunKind
from portal.domain.clients import ClientStatus
from portal.domain.import_choices import Choice, Selection, What
from tests import cast
from tests.scenarios.apps import EACH
from tests.scenarios.conftest import PRIYA, World


@pytest.mark.parametrize("slug", EACH)
def test_clients_of_an_app_come_in_when_they_are_chosen_and_nothing_is_sent(
    slug: str, make_world: Callable[..., AbstractContextManager[World]]
) -> None:
    """DIG-9, CL-50, CL-51, CL-53."""
    with make_world(app=slug) as world:
        world.connection().settings = {**world.connection().settings, "intake": "chosen"}
        acme = cast.make_client("Acme Corp")
        cast.make_client("Harbour Cafe Ltd")
        db.session.commit()
        world.create_there("Harbour Cafe Ltd", "ACME Corp.", "Rimu Ltd", "Totara Ltd")
        run = world.done()
        assert (run.counts["linked"], run.counts["near_match"], run.counts["offered"]) == (1, 1, 2)
        assert world.names() == ["Acme Corp", "Harbour Cafe Ltd"]
        waiting = {
            line.record.name: line
            for line in unlinked.page(world.connection_id).lines
            if line.verdict != unlinked.LINKED
        }
        assert {name: line.verdict for name, line in waiting.items()} == {
            "ACME Corp.": "near_match", "Rimu Ltd": "create", "Totara Ltd": "create",
        }  # fmt: skip
        chosen = {
            waiting["ACME Corp."].id: Choice(What.LINK, acme.id),
            waiting["Rimu Ltd"].id: Choice(What.NEW),
            waiting["Totara Ltd"].id: Choice(What.LEAVE),
        }
        there = world.names_there()
        world.control.clear_calls()
        preview = sync.prepare_import(world.connection(), Selection(chosen), by=PRIYA, now=world.now())
        db.session.commit()
        assert world.calls() == []
        applied = world.done(kind=RunKind.APPLY, preview=preview)
        assert {call["method"] for call in world.calls()} <= {"GET"}
        assert (applied.counts["created"], applied.counts["linked"], applied.counts["skipped"]) == (1, 1, 1)
        assert world.names_there() == there
        assert len(world.names()) == 3 and "Totara Ltd" not in world.names()
        assert world.client("Rimu Ltd").status == ClientStatus.LEAD
        db.session.refresh(acme)
        assert (world.link(acme).remote_name, world.link(acme).made_by) == ("ACME Corp.", "person")
        again = world.done(full=True)
        assert "created" not in again.counts and "linked" not in again.counts
        assert len(world.names()) == 3
