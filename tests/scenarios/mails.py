"""A portal that sends its mail to a mailbox on a real port.

`post = mail_world(make_app, mailbox)` inside `with listening(Mailbox()) as mailbox`; `post.invoice(…)` is one with a
message put down, `post.send()` does what the job does, `post.states()` says how the messages stand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal import integrations
from portal.config import MailServer, mail_server
from portal.db import db
from portal.domain import activity, mail
from portal.domain.invoices.sending import payment_token
from portal.domain.mail import MailKind, MailState, OutgoingMail, Recipient
from portal.sandbox.mailbox import Mailbox
from tests import cast
from tests.cast_invoices import make_invoice

FROM = "billing@marlow.example"
AROHA = Recipient("Aroha Ngata", "aroha@example.nz")
PUBLIC = "https://portal.example"


@dataclass
class Post:
    app: Flask
    box: Mailbox

    def letter(self, to: Recipient = AROHA, event: str = "a test", **details: Any) -> int:
        """A message put down and committed; its id. About a new invoice unless one is given."""
        invoice = details.pop("invoice", None) or make_invoice(cast.make_client())
        values: dict[str, Any] = {
            "kind": MailKind.INVOICE, "key": mail.key_of(f"{event}:{invoice.id}", to.address), "to": to,
            "subject": f"Invoice {invoice.number}", "message": "Dear Acme Corp,\n\nplease see the invoice.",
            "invoice": invoice, "by": cast.COMMAND, "now": cast.now(),
        } | details  # fmt: skip
        row = mail.put_down(**values)
        db.session.commit()
        return row.id

    def linked(self, to: Recipient = AROHA, **details: Any) -> tuple[int, str]:
        """As `letter`, with the private link of its invoice; both."""
        invoice = make_invoice(cast.make_client())
        link = f"/pay/{payment_token(invoice, by=cast.COMMAND, now=cast.now())}"
        return self.letter(to, invoice=invoice, link=link, **details), link

    def send(self, after: timedelta = timedelta(0)) -> int:
        """Everything due by then, here and now; how many were taken."""
        from portal import mailer

        taken = mailer.send_due(cast.now() + after)
        db.session.expire_all()
        return taken

    def tick(self) -> None:
        """What the job does before it sends."""
        from portal.domain.mail import moves

        moves.give_up_lost(cast.now(), by=cast.COMMAND)
        db.session.commit()
        db.session.expire_all()

    def row(self, mail_id: int) -> OutgoingMail:
        return db.session.get_one(OutgoingMail, mail_id, populate_existing=True)

    def states(self) -> list[MailState]:
        return list(db.session.scalars(select(OutgoingMail.state).order_by(OutgoingMail.id)))

    def told_of(self, mail_id: int) -> list[str]:
        """Sentences of its invoice's log, oldest first."""
        found = activity.log(invoice_id=self.row(mail_id).invoice_id)
        return [activity.sentence(one) for one in reversed(found)]


@contextmanager
def mail_world(make_app: Callable[..., Flask], box: Mailbox, **settings: Any) -> Iterator[Post]:
    """The portal, its app context pushed, sending to this mailbox."""
    who = f"{box.user}:{box.password}@" if box.user else ""
    server = mail_server(f"smtp://{who}127.0.0.1:{box.port}", FROM)
    app = make_app(mail=server, public_url=PUBLIC, **settings)
    with app.app_context():
        cast.make_firm(email="hello@marlow.example")
        db.session.commit()
        yield Post(app, box)
        db.session.rollback()


def rewire(post: Post, server: MailServer) -> None:
    """Another mail server for the same portal."""
    integrations.configure(replace(post.app.extensions["settings"], mail=server))
