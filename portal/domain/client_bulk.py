"""One act done to many clients: asked for at once, carried out client by client, each with its own result (CL-15).

A `BulkRun` says what is to be done, its items to whom. Whoever carries it out holds a lease and commits after every
client, so that one client's trouble costs no other's and a process that ends costs at most the client in hand.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import ForeignKey, Index, UniqueConstraint, insert, or_, select, update
from sqlalchemy.orm import Mapped, mapped_column

from portal.db import UtcDateTime, db
from portal.domain import clients
from portal.domain.activity import Actor, Origin
from portal.domain.apps import IllegalMove
from portal.domain.clients import Client
from portal.domain.people import User

LEASE = timedelta(minutes=5)  # longer than the longest wait for one client's apps
PATIENCE = timedelta(seconds=20)  # before a run nobody took up is held for forgotten
MANY = 500
PAGE = 50


class BulkAct(StrEnum):
    ARCHIVE = "archive"
    UNARCHIVE = "unarchive"
    MANAGER = "manager"
    PARTNER = "partner"
    SYNC = "sync"

    @property
    def assigns(self) -> bool:
        return self in (BulkAct.MANAGER, BulkAct.PARTNER)

    @property
    def opposite(self) -> BulkAct | None:
        """What takes it back; None when nothing does."""
        swapped = {BulkAct.ARCHIVE: BulkAct.UNARCHIVE, BulkAct.UNARCHIVE: BulkAct.ARCHIVE}
        return self if self.assigns else swapped.get(self)


class BulkState(StrEnum):
    WAITING = "waiting"
    RUNNING = "running"
    DONE = "done"
    STOPPED = "stopped"  # by a person; what was done stays done

    @property
    def is_open(self) -> bool:
        return self in (BulkState.WAITING, BulkState.RUNNING)


class ItemState(StrEnum):
    WAITING = "waiting"
    DONE = "done"
    UNCHANGED = "unchanged"  # there was nothing to do
    FAILED = "failed"


class BulkRun(db.Model):
    """`value_id` is the user an assignment is about, None: nobody. Counts are kept as items are settled."""

    __table_args__ = (Index("ix_bulk_run_state", "state"), UniqueConstraint("undoes_id"))

    id: Mapped[int] = mapped_column(primary_key=True)
    act: Mapped[BulkAct]
    value_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    value_name: Mapped[str] = mapped_column(default="")
    state: Mapped[BulkState] = mapped_column(default=BulkState.WAITING)
    by_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    by_name: Mapped[str]
    asked_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    total: Mapped[int]
    done: Mapped[int] = mapped_column(default=0)
    unchanged: Mapped[int] = mapped_column(default=0)
    failed: Mapped[int] = mapped_column(default=0)
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("bulk_run.id"))
    stop_asked: Mapped[bool] = mapped_column(default=False)
    lease_by: Mapped[str | None]
    lease_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    @property
    def settled(self) -> int:
        return self.done + self.unchanged + self.failed

    @property
    def by(self) -> Actor:
        return Actor(self.by_name, Origin.SCREEN, self.by_id)

    def is_interrupted(self, now: datetime) -> bool:
        """It was begun and nobody carries it on: its process ended. It goes on by itself, or when asked."""
        return self.state == BulkState.RUNNING and (self.lease_until is None or self.lease_until < now)


class BulkItem(db.Model):
    """One client of a run. `wanted_id` is the user to assign, `before_id` the one there was."""

    __table_args__ = (
        Index("ix_bulk_item_run_state", "run_id", "state", "id"),
        Index("ix_bulk_item_run_id", "run_id", "id"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("bulk_run.id", ondelete="CASCADE"))
    client_id: Mapped[int] = mapped_column(ForeignKey("client.id"))
    name: Mapped[str]
    state: Mapped[ItemState] = mapped_column(default=ItemState.WAITING)
    reason: Mapped[str] = mapped_column(default="")
    wanted_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    before_id: Mapped[int | None] = mapped_column(ForeignKey("user.id"))
    undoes_id: Mapped[int | None] = mapped_column(ForeignKey("bulk_item.id"))


class NothingChosen(ValueError):
    """No client there is was named."""


def request(act: BulkAct, client_ids: Sequence[int], *, by: Actor, now: datetime, value: User | None = None) -> BulkRun:
    """A run over these clients in the caller's transaction; ids that are no client's are left out.

    Raises `NothingChosen` when none is left.
    """
    run = BulkRun(
        act=act, value_id=value.id if value else None, value_name=value.name if value else "", by_id=by.user_id,
        by_name=by.name, asked_at=now, total=0,
    )  # fmt: skip
    db.session.add(run)
    db.session.flush()
    wanted = list(dict.fromkeys(client_ids))
    for start in range(0, len(wanted), MANY):
        chosen = select(Client.id, Client.name).where(Client.id.in_(wanted[start : start + MANY]))
        rows = [
            {"run_id": run.id, "client_id": client_id, "name": name, "wanted_id": run.value_id}
            for client_id, name in db.session.execute(chosen.order_by(Client.name_key, Client.id))
        ]
        if rows:
            db.session.execute(insert(BulkItem), rows)
            run.total += len(rows)
    if not run.total:
        raise NothingChosen("none of the clients chosen is here any more")
    return run


def undo(run: BulkRun, *, by: Actor, now: datetime) -> BulkRun:
    """A run that puts back what this one changed, except where somebody has changed it again since.

    Raises `IllegalMove` for a run that is under way, was undone already, or cannot be undone.
    """
    opposite = run.act.opposite
    if opposite is None or run.state.is_open or undone_by(run) is not None:
        raise IllegalMove(f"the run {run.id} cannot be undone")
    back = BulkRun(act=opposite, by_id=by.user_id, by_name=by.name, asked_at=now, total=run.done, undoes_id=run.id)
    if not back.total:
        raise IllegalMove(f"the run {run.id} changed nothing")
    db.session.add(back)
    db.session.flush()
    changed = select(BulkItem).where(BulkItem.run_id == run.id, BulkItem.state == ItemState.DONE).order_by(BulkItem.id)
    rows = [
        {
            "run_id": back.id, "client_id": one.client_id, "name": one.name, "wanted_id": one.before_id,
            "undoes_id": one.id,
        }
        for one in db.session.scalars(changed)
    ]  # fmt: skip
    db.session.execute(insert(BulkItem), rows)
    return back


def undone_by(run: BulkRun) -> BulkRun | None:
    return db.session.scalar(select(BulkRun).where(BulkRun.undoes_id == run.id))


def may_be_undone(run: BulkRun) -> bool:
    return bool(run.act.opposite and run.done and not run.state.is_open and undone_by(run) is None)


def get(run_id: int, *, lock: bool = False) -> BulkRun | None:
    """`lock` holds its row until the transaction ends (PostgreSQL; SQLite locks the file)."""
    return db.session.get(BulkRun, run_id, with_for_update=lock or None)


@dataclass(frozen=True)
class ItemPage:
    """`previous` and `next` are what `after` is for the pages beside this one; None where there is none."""

    items: list[BulkItem]
    previous: int | None
    next: int | None


def items(run: BulkRun, state: ItemState | None = None, *, after: int = 0, limit: int = PAGE) -> ItemPage:
    """A page of a run's clients in the order they are carried out."""
    of_run = [BulkItem.run_id == run.id] + ([] if state is None else [BulkItem.state == state])
    found = list(
        db.session.scalars(select(BulkItem).where(*of_run, BulkItem.id > after).order_by(BulkItem.id).limit(limit + 1))
    )
    before = select(BulkItem.id).where(*of_run, BulkItem.id <= after).order_by(BulkItem.id.desc()).limit(limit + 1)
    earlier = list(db.session.scalars(before)) if after else []
    previous = None if not earlier else earlier[limit] if len(earlier) > limit else 0
    return ItemPage(found[:limit], previous, found[limit - 1].id if len(found) > limit else None)


def names(client_ids: Sequence[int], limit: int = 5) -> list[str]:
    """The first few by name, for a question."""
    query = select(Client.name).where(Client.id.in_(client_ids[:MANY])).order_by(Client.name_key, Client.id)
    return list(db.session.scalars(query.limit(limit)))


# Carrying out


def take(run_id: int, holder: str, now: datetime) -> BulkRun | None:
    """Make the run this holder's for a while, or for a while longer; None when it is over or somebody else has it."""
    free = or_(BulkRun.lease_until.is_(None), BulkRun.lease_until < now, BulkRun.lease_by == holder)
    taken = db.session.execute(
        update(BulkRun)
        .where(BulkRun.id == run_id, BulkRun.state.in_((BulkState.WAITING, BulkState.RUNNING)), free)
        .values(state=BulkState.RUNNING, lease_by=holder, lease_until=now + LEASE)
    )
    if not taken.rowcount:  # type: ignore[attr-defined]  # an UPDATE's result has a rowcount
        return None
    return db.session.get(BulkRun, run_id, populate_existing=True)


def give_back(run: BulkRun) -> None:
    """Let somebody else go on at once: this process is going down."""
    run.lease_by = run.lease_until = None


def next_item(run: BulkRun) -> BulkItem | None:
    query = select(BulkItem).where(BulkItem.run_id == run.id, BulkItem.state == ItemState.WAITING)
    return db.session.scalar(query.order_by(BulkItem.id).limit(1))


def settle(run: BulkRun, item: BulkItem, state: ItemState, reason: str = "") -> None:
    """What came of this client. The first to say so is right: a holder that lost its lease may come late."""
    if item.state != ItemState.WAITING:
        return
    item.state, item.reason = state, reason
    setattr(run, state.value, getattr(run, state.value) + 1)


def end(run: BulkRun, *, now: datetime) -> None:
    run.state = BulkState.STOPPED if next_item(run) is not None else BulkState.DONE
    run.ended_at = now
    give_back(run)


def ask_to_stop(run: BulkRun) -> bool:
    """After the client in hand. False when it is over already."""
    if not run.state.is_open:
        return False
    run.stop_asked = True
    return True


def unfinished(now: datetime) -> list[int]:
    """Runs nobody carries on although they are not over: their process ended, or their nudge was lost with it."""
    forgotten = BulkRun.lease_until.is_(None) & (BulkRun.asked_at < now - PATIENCE)
    lost = or_(BulkRun.lease_until < now, forgotten)
    query = select(BulkRun.id).where(BulkRun.state.in_((BulkState.WAITING, BulkState.RUNNING)), lost)
    return list(db.session.scalars(query.order_by(BulkRun.id)))


def carry_out(run: BulkRun, item: BulkItem, *, by: Actor, now: datetime) -> list[int]:
    """Do it to this client and settle it. Gives the links whose app is to be told.

    A sync is not settled here: what comes of it shows when the links have been sent.
    """
    client = clients.get(item.client_id, lock=True)
    if client is None:
        settle(run, item, ItemState.FAILED, "This client is not here any more.")
        return []
    return _DO[run.act](run, item, client, by, now)


def _archive(run: BulkRun, item: BulkItem, client: Client, by: Actor, now: datetime) -> list[int]:
    changed = clients.archive(client, by=by, now=now)
    settle(run, item, ItemState.DONE if changed else ItemState.UNCHANGED, "" if changed else "Was archived already.")
    return []


def _unarchive(run: BulkRun, item: BulkItem, client: Client, by: Actor, now: datetime) -> list[int]:
    if clients.unarchive(client, by=by, now=now):
        settle(run, item, ItemState.DONE, f"Back as {client.status.value}.")
    else:
        settle(run, item, ItemState.UNCHANGED, "Was not archived.")
    return []


def _assign(run: BulkRun, item: BulkItem, client: Client, by: Actor, now: datetime) -> list[int]:
    field = f"{run.act.value}_id"
    user = db.session.get(User, item.wanted_id) if item.wanted_id else None
    original = db.session.get(BulkItem, item.undoes_id) if item.undoes_id else None
    who = user.name if user else "nobody"
    if original is not None and getattr(client, field) != original.wanted_id:
        settle(run, item, ItemState.UNCHANGED, "Somebody has changed it since; left as it is.")
    elif user is not None and not user.is_active and original is None:
        settle(run, item, ItemState.FAILED, f"{who} is switched off and cannot be given clients.")
    else:
        item.before_id = getattr(client, field)
        if clients.edit(client, {field: item.wanted_id}, by=by, now=now):
            settle(run, item, ItemState.DONE, f"{run.act.value.capitalize()} is now {who}.")
            return [link.id for link in client.links if link.push_next_at == now]
        settle(run, item, ItemState.UNCHANGED, f"{run.act.value.capitalize()} was {who} already.")
    return []


def _sync(run: BulkRun, item: BulkItem, client: Client, by: Actor, now: datetime) -> list[int]:
    asked = clients.ask_for_push(client, now)
    if not asked:
        why = "Linked to an app that takes no changes from here." if client.links else "Linked to no app."
        settle(run, item, ItemState.UNCHANGED, why)
    return [link.id for link in asked]


_DO: dict[BulkAct, Callable[[BulkRun, BulkItem, Client, Actor, datetime], list[int]]] = {
    BulkAct.ARCHIVE: _archive,
    BulkAct.UNARCHIVE: _unarchive,
    BulkAct.MANAGER: _assign,
    BulkAct.PARTNER: _assign,
    BulkAct.SYNC: _sync,
}
