"""Jobs in the practice app at the stand-in: proposals that ask for one, and the counting there, which never asks our
tables."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from sqlalchemy import delete, select, update

from portal import deploying
from portal.db import db
from portal.domain import deliveries, library, outgoing, proposals
from portal.domain.activity import Activity, sentence
from portal.domain.apps import CallSlot, CallWindow, OutgoingClient
from portal.domain.clients import Client
from portal.domain.deliveries import Delivery, DeliveryState, Job
from portal.domain.job_choices import CATEGORY, TEMPLATE, job_choices
from portal.domain.library import Service
from portal.domain.people import User
from portal.domain.proposals import Acceptance, Choice, Proposal, Signer
from tests.cast import COMMAND, make_client, make_link, make_staff_link
from tests.scenarios.conftest import World

ADD, CLIENT_ADD = "job.api/add", "client.api/add"


@dataclass
class Practice:
    world: World
    made: int = 0

    def ready(self) -> None:
        """Its people, templates and categories are known."""
        self.minute_is_over()
        assert self.world.done()
        assert deploying.read_choices(self.world.connection_id) == ""
        db.session.expire_all()

    def choice(self, kind: str, name: str) -> str:
        return next(one for one, called in job_choices(self.world.connection_id, kind) if called == name)

    def staff(self, user: User, place: int) -> None:
        """This user is that person there."""
        there = self.world.connection().reference["staff"][place]
        make_staff_link(user, self.world.connection(), there["remote_id"], there["name"])
        db.session.commit()

    def service(self, name: str, template: str = "GST Return", category: str = "GST") -> Service:
        made_of = {"template": self.choice(TEMPLATE, template), "category": self.choice(CATEGORY, category)}
        return library.create_service(
            name, by=COMMAND, now=self.world.now(), price=Decimal(100), jobs={str(self.world.connection_id): made_of},
            tax_rate_id=(rate.id if (rate := library.default_tax_rate()) else None),
        )  # fmt: skip

    def known_client(self) -> Client:
        """One that is linked to a client there."""
        self.made += 1
        name = f"Known {self.made:05} Ltd"
        client = make_client(name)
        make_link(client, self.world.connection(), self.world.create_there(name)[0])
        return client

    def new_client(self) -> Client:
        """One nobody there has heard of."""
        self.made += 1
        return make_client(f"Brand New {self.made:05} Ltd")

    def accepted(self, client: Client, *services: Service, **jobs: Any) -> tuple[Proposal, Acceptance]:
        """A proposal that asks for jobs there, accepted and committed; nothing has been sent."""
        at = self.world.now()
        settings = {"connection": self.world.connection_id, "per": "proposal"} | jobs
        proposal = proposals.draft(client, "Year end 2027", by=COMMAND, now=at, currency="NZD", jobs=settings)
        for one in services:
            proposals.add_line(proposal, one, by=COMMAND, now=at)
        if not services:
            proposals.add_line(proposal, by=COMMAND, now=at, name="Annual accounts", price=Decimal(100))
        proposals.put_out(proposal, by=COMMAND, now=at, zone="Pacific/Auckland")
        done = proposals.accept(proposal, Choice(), Signer("Aroha Ngata"), shown=None, by=COMMAND, now=at)
        db.session.commit()
        return proposal, done

    def row(self, proposal: Proposal) -> Delivery:
        """The one job of this proposal on its way."""
        db.session.expire_all()
        query = select(Delivery).join(Job, Job.id == Delivery.job_id).where(Job.proposal_id == proposal.id)
        return db.session.scalars(query).one()

    def log(self, proposal: Proposal) -> list[str]:
        query = select(Activity).where(Activity.proposal_id == proposal.id).order_by(Activity.id)
        return [sentence(one) for one in db.session.scalars(query)]

    # The other side

    def jobs(self, mark: str) -> list[dict[str, Any]]:
        """Jobs there that carry this mark."""
        found = self.world.control.ask("GET", f"jobs?tenant={self.world.tenant}")
        return [one for one in found if f"Counterpart job {mark}" in one.get("Description", "")]

    def called(self, name: str) -> int:
        """How many clients there have this name."""
        return sum(one == name for one in self.world.names_there())

    def spoil(self, kind: str, path: str = ADD, **values: Any) -> None:
        """The next call of this kind goes wrong so."""
        self.world.control.fault(kind, vendor="xpm", path=path, times=1, **values)

    # Time

    def minute_is_over(self) -> None:
        """The limits of a minute begin anew, and calls that the dead had under way are over. Commits."""
        db.session.execute(delete(CallWindow))
        db.session.execute(update(CallSlot).values(held_by=None, held_until=None))
        db.session.commit()

    def minutes_pass(self) -> None:
        """Leases run out, what waits is due, and look-ups can be trusted."""
        db.session.rollback()
        past = datetime.now(UTC) - timedelta(minutes=10)
        open_rows = Delivery.state.in_(deliveries.OPEN)
        db.session.execute(update(Delivery).where(open_rows, Delivery.next_at.is_not(None)).values(next_at=past))
        db.session.execute(update(Delivery).where(Delivery.lease_by.is_not(None)).values(lease_until=past))
        db.session.execute(update(Delivery).where(open_rows, Delivery.sent_at.is_not(None)).values(sent_at=past))
        db.session.execute(update(OutgoingClient).values(next_at=past, lease_until=past))
        self.minute_is_over()

    def recovers(self, delivery_id: int, most: int = 8) -> Delivery:
        """What the portal does by itself in the minutes after, without the minutes."""
        for _round in range(most):
            self.minutes_pass()
            deploying.deploy_due(datetime.now(UTC))
            db.session.expire_all()
            row = db.session.get_one(Delivery, delivery_id)
            if row.state == DeliveryState.DELIVERED:
                break
        return row

    def is_once(self, delivery_id: int) -> dict[str, Any]:
        """The job is there once, for a client that is there once, and the row says which it is."""
        db.session.expire_all()
        row = db.session.get_one(Delivery, delivery_id)
        assert row.state == DeliveryState.DELIVERED, f"{row.state}: {row.cause} {row.reason}"
        assert row.lease_by is None
        found = self.jobs(row.mark)
        assert len(found) == 1, f"{len(found)} jobs there with this mark"
        client = db.session.get_one(Client, row.client_id)
        assert self.called(client.name) == 1, f"{client.name} is there {self.called(client.name)} times"
        assert outgoing.for_client(client) == []
        assert (row.remote_id, row.remote_number) == (found[0]["uuid"], found[0]["number"])
        assert found[0]["client"] == self.world.link(client).remote_id
        return found[0]
