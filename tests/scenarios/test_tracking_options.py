"""What a client carries in a ledger's lists goes with each line of its invoices there (CL-32), and what was archived
there keeps an invoice back with the reason instead of having it refused."""

from __future__ import annotations

from typing import Any

import pytest

from portal import deliveries as shell
from portal.db import db
from portal.domain import mappings
from portal.domain.deliveries import Delivery, DeliveryState
from tests.scenarios.conftest import PRIYA
from tests.torture.ground import Ground, ground_of


def choose(ground: Ground, client: Any, place: int, option: int) -> dict[str, str]:
    """One option of one of the ledger's lists; what the client carries then."""
    (mapped,) = mappings.of(client)
    held = mapped.choice_lists[place]
    chosen = {held["remote_id"]: held["options"][option]["remote_id"]}
    assert mappings.choose_options(mapped, chosen, by=PRIYA, now=ground.world.now())
    db.session.commit()
    assert mapped.link is not None
    return dict(mapped.link.choices)


def there(ground: Ground, delivery_id: int) -> list[dict[str, Any]]:
    """The invoice’s lines as the ledger holds them, once it is there."""
    ground.minute_is_over()
    shell.deliver([delivery_id])
    db.session.expire_all()
    row = db.session.get_one(Delivery, delivery_id)
    assert row.state == DeliveryState.DELIVERED, row.reason
    return list(ground.world.control.ask("GET", f"{ground.place.root}/{row.remote_id}")["fields"]["Lines"])


def test_each_line_carries_what_was_chosen_and_an_archived_option_keeps_the_invoice_back(make_world: Any) -> None:
    """CL-32, XE-08."""
    with ground_of(make_world, "xero") as ground:
        ground.world.done()
        client = ground.known_client()
        first = choose(ground, client, 0, 0)
        both = choose(ground, client, 1, 1)
        assert len(both) == 2
        made = ground.bill(client).id
        db.session.commit()
        lines = there(ground, made)
        sent = [{"TrackingCategoryID": one, "TrackingOptionID": what} for one, what in both.items()]
        assert [sorted(map(str, line["Tracking"])) for line in lines] == [sorted(map(str, sent))] * len(lines)

        connection = ground.world.connection()
        (list_id,) = first
        left = [
            one | {"options": one["options"][1:]} if one["remote_id"] == list_id else one
            for one in connection.reference["choices"]
        ]
        connection.reference = connection.reference | {"choices": left}
        kept = ground.bill(client).id
        db.session.commit()
        ground.minute_is_over()
        shell.deliver([kept])
        db.session.expire_all()
        row = db.session.get_one(Delivery, kept)
        assert (row.state, row.cause) == (DeliveryState.ASKS, "mapping")
        assert "that is archived in Xero or no longer there" in row.reason
        choose(ground, client, 0, 0)
        assert db.session.get_one(Delivery, kept).state == DeliveryState.WAITING, "choosing another sets it going"
        assert there(ground, kept)


@pytest.mark.parametrize("slug", ["quickbooks", "digits"])
def test_ledgers_without_such_lists_offer_none(make_world: Any, slug: str) -> None:
    """CL-32 is about lists a ledger tells of; these tell of none, so nothing is sent."""
    with ground_of(make_world, slug) as ground:
        ground.world.done()
        (mapped,) = mappings.of(ground.known_client())
        assert mapped.choice_lists == []
