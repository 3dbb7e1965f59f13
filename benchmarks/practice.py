"""An accounting practice with any number of believable clients, the same ones every time."""

from __future__ import annotations

import random
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert, text

from portal.db import db
from portal.domain import client_search
from portal.domain.apps import ClientLink, Connection, ConnectionState, Finding, LinkState, PushState
from portal.domain.clients import Client, ClientGroup, ClientStatus, Contact, Group, SyncState
from portal.domain.people import Firm, Role, User
from portal.domain.text import near_key, sort_key

NOW = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
STAFF = (
    "Priya Sharma", "Tom Henare", "Marlow Quist", "Ana Fifita", "Joonas Virtanen", "Grace O’Neill", "Wei Lin",
    "Ruth Adeyemi", "Sam Kowalski", "Leilani Tupou", "Dana Brook", "Hugo Marsh",
)  # fmt: skip
FIRST = (
    "Aroha", "Tama", "James", "Olivia", "Noah", "Mia", "Zoë", "Liam", "Chloé", "Ethan", "Sione", "Mele", "Raj",
    "Anjali", "Wiremu", "Hana", "Peter", "Helen", "Graham", "Susan", "Yuki", "Chen", "Fatima", "Omar",
    "Ingrid", "Lars", "Nina",
)  # fmt: skip
LAST = (
    "Ngata", "Smith", "Wilson", "Patel", "Fonoti", "Thompson", "O’Brien", "Müller", "Tanaka", "Williams", "Brown",
    "Singh", "Harrison", "Te Awa", "McKenzie", "Anderson", "Walker", "Kumar", "Campbell", "Robertson", "Nguyen",
    "Baker", "Hughes", "Edwards", "Clarke", "Petersen", "Rangi", "Ferguson", "Dalziel", "Whitcombe",
    "Sutherland", "Jamieson", "Moreau",
)  # fmt: skip
PLACES = (
    "Harbour", "Kauri", "Southern Cross", "Ridgeway", "Bluewater", "Tasman", "Pukeko", "Kowhai", "Northgate", "Rimu",
    "Riverside", "Summit", "Greenfield", "Coastal", "Mainland", "Waitematā", "Lakeside", "Central", "Parkview",
    "Totara",
)  # fmt: skip
TRADES = (
    "Plumbing", "Dental", "Builders", "Orchards", "Dairy Farms", "Motors", "Cafés", "Joinery", "Physio", "Electrical",
    "Landscaping", "Veterinary", "Bakery", "Logistics", "Design", "Roofing", "Consulting", "Property", "Surveyors",
    "Wines",
)  # fmt: skip
LONG_NAME = (
    "The Trustees of the Ngata Whānau Heritage, Education and Scholarship Endowment Trust (in memory of Hōne and "
    "Mereana Ngata of Tolaga Bay) No. 2"
)
APPS = (("xpm", "Marlow & Co"), ("xpm", "Marlow Bay"))
BATCH = 5000


def fill(clients: int) -> int:
    """Put the practice into an empty database; gives the id of its first admin. One transaction."""
    dice = random.Random(50_000)
    db.session.add(Firm(name="Marlow & Co", time_zone="Pacific/Auckland", created_at=NOW))
    people = [
        User(name=name, email=f"{name.split()[0].lower()}@marlow.example", role=Role.MEMBER if place else Role.ADMIN,
             created_at=NOW)
        for place, name in enumerate(STAFF)
    ]  # fmt: skip
    apps = [
        Connection(app=app, state=ConnectionState.CONNECTED, account_id=str(uuid.UUID(int=place + 1)),
                   account_name=account, state_changed_at=NOW, enabled_at=NOW)
        for place, (app, account) in enumerate(APPS)
    ]  # fmt: skip
    db.session.add_all([*people, *apps])
    db.session.flush()
    groups = [
        Group(connection_id=apps[0].id, remote_id=str(place), name=f"{dice.choice(LAST)} family {place}")
        for place in range(max(3, clients // 60))
    ]
    db.session.add_all(groups)
    db.session.flush()
    rows = _Rows(dice, [one.id for one in people], [one.id for one in apps], [one.id for one in groups])
    for start in range(1, clients + 1, BATCH):
        _write(rows.clients(start, min(start + BATCH, clients + 1)))
    db.session.commit()
    _analyse()
    return people[0].id


def _write(batch: dict[Any, list[dict[str, Any]]]) -> None:
    for model, rows in batch.items():
        if rows:
            db.session.execute(insert(model), rows)
    client_search.index([row["id"] for row in batch[Client]])


def _analyse() -> None:
    """What both databases do by themselves sooner or later."""
    db.session.execute(text("ANALYZE"))
    if db.engine.dialect.name == "postgresql":
        given = "SELECT setval(pg_get_serial_sequence('client', 'id'), (SELECT max(id) FROM client))"  # not drawn
        db.session.execute(text(given))
    db.session.commit()


class _Rows:
    def __init__(self, dice: random.Random, people: list[int], apps: list[int], groups: list[int]) -> None:
        self.dice = dice
        self.people = people
        self.apps = apps
        self.groups = groups

    def clients(self, start: int, stop: int) -> dict[Any, list[dict[str, Any]]]:
        batch: dict[Any, list[dict[str, Any]]] = {Client: [], Contact: [], ClientLink: [], ClientGroup: [], Finding: []}
        for number in range(start, stop):
            links = list(self._links(number))
            client = self._client(number, links)
            batch[Client].append(client)
            batch[ClientLink] += links
            batch[Contact] += self._contacts(number)
            if self.dice.random() < 0.2:
                batch[ClientGroup].append({"client_id": number, "group_id": self.dice.choice(self.groups)})
            if client["sync_state"] == SyncState.UNLINKED and self.dice.random() < 0.02:
                batch[Finding].append(self._near(number, client["name"]))
        return batch

    def _client(self, number: int, links: list[dict[str, Any]]) -> dict[str, Any]:
        dice = self.dice
        name = LONG_NAME if number == 7 else self._name(number)
        archived = dice.random() < 0.08
        status = ClientStatus.ARCHIVED if archived else dice.choices(
            [ClientStatus.ACTIVE, ClientStatus.LEAD, ClientStatus.INACTIVE], [70, 18, 12]
        )[0]  # fmt: skip
        changed = NOW - timedelta(minutes=dice.expovariate(1 / 90_000))
        return {
            "id": number, "name": name, "name_key": sort_key(name), "near_key": near_key(name), "status": status,
            "structure": dice.choice(["Company", "Trust", "Individual", "Partnership"]),
            "address_street": f"{dice.randint(1, 240)} {dice.choice(PLACES)} Road", "address_city": "Auckland",
            "phone": self._phone(), "manager_id": dice.choice([None, *self.people[1:], *self.people[1:]]),
            "partner_id": dice.choice([None, *self.people[:4]]), "archived_at": changed if archived else None,
            "origins": {"*": {"from": "XPM", "at": NOW.isoformat()}}, "sync_state": self._worst(links),
            "created_at": NOW - timedelta(days=900), "changed_at": changed,
        }  # fmt: skip

    def _name(self, number: int) -> str:
        dice = self.dice
        kind = dice.random()
        if kind < 0.35:
            return f"{dice.choice(FIRST)} {dice.choice(LAST)}"
        if kind < 0.5:
            return f"{dice.choice(FIRST)} & {dice.choice(FIRST)} {dice.choice(LAST)}"
        if kind < 0.62:
            return f"{dice.choice(LAST)} Family Trust"
        suffix = dice.choice(["Limited", "Ltd", "LP", ""])
        return f"{dice.choice(PLACES)} {dice.choice(TRADES)} {number % 97} {suffix}".strip()

    def _links(self, number: int) -> Iterator[dict[str, Any]]:
        for app, share in zip(self.apps, (0.85, 0.35), strict=True):
            if self.dice.random() < share:
                state, push, conflicts = self.dice.choices(
                    [(LinkState.LINKED, PushState.NONE, 0), (LinkState.LINKED, PushState.READY, 0),
                     (LinkState.LINKED, PushState.FAILED, 0), (LinkState.LINKED, PushState.NONE, 1),
                     (LinkState.BROKEN, PushState.NONE, 0)],
                    [95, 1, 1.5, 2, 0.5],
                )[0]  # fmt: skip
                yield {
                    "connection_id": app, "client_id": number, "remote_id": f"{26_000_000 + number * 3 + app}",
                    "remote_name": "", "state": state, "push_state": push, "open_conflicts": conflicts, "made_at": NOW,
                }  # fmt: skip

    @staticmethod
    def _worst(links: list[dict[str, Any]]) -> SyncState:
        if not links:
            return SyncState.UNLINKED
        if any(one["state"] == LinkState.BROKEN or one["push_state"] == PushState.FAILED for one in links):
            return SyncState.FAILED
        if any(one["open_conflicts"] for one in links):
            return SyncState.CONFLICT
        return SyncState.PENDING if any(one["push_state"] == PushState.READY for one in links) else SyncState.IN_STEP

    def _contacts(self, number: int) -> Iterator[dict[str, Any]]:
        for place in range(self.dice.choice((0, 1, 1, 1, 2))):
            first, last = self.dice.choice(FIRST), self.dice.choice(LAST)
            yield {
                "client_id": number, "name": f"{first} {last}", "is_default": place == 0, "phone": self._phone(),
                "email": f"{first}.{last}{number}@mail.example".lower().replace(" ", ""), "origins": {},
            }  # fmt: skip

    def _phone(self) -> str:
        return f"09 {self.dice.randint(200, 999)} {self.dice.randint(1000, 9999)}"

    def _near(self, number: int, name: str) -> dict[str, Any]:
        return {
            "connection_id": self.apps[0], "kind": "near_match", "remote_id": f"near-{number}",
            "remote_name": name.upper(), "client_id": number, "client_name": name,
            "reason": "They differ only in capital letters.", "candidates": [], "record": {},
            "first_seen": NOW, "last_seen": NOW,
        }  # fmt: skip
