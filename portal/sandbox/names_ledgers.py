"""The part of a practice's clients that a ledger knows as well, and those only the ledger knows.

Every ledger draws its own part from the same made-up practice, so that the stand-ins overlap as a firm's own apps do.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from portal.sandbox.names import generate_clients
from portal.sandbox.names_practice import stable_uuid

Record = dict[str, Any]
NEAR, OTHER_PHONE = 30, 80  # of a thousand shared ones: spelled otherwise, reached by another number
ONLY_THERE = 0.15  # of the shared ones, as many again that nobody else knows


def ledger_side(app: str, count: int, seed: int, *, percent: int) -> Iterator[Record]:
    """About `percent` of a practice's current clients, of `count`, then some of its own; the same for the same seed.

    Records are those of `names.generate_clients`, with identifiers of their own and a word in `twin`: exact, near,
    phone (another number), or none.
    """
    shared = 0
    taken: set[str] = set()
    for record in generate_clients(count, seed):
        name = record["Name"]
        if record["archived"] or record["deleted"] or name in taken:
            continue
        draw = zlib.crc32(f"{app} {seed} {name}".encode()) % 1000
        if draw >= percent * 10:
            continue
        taken.add(name)
        shared += 1
        yield _as_there(app, seed, record, zlib.crc32(f"{name} {app}".encode()) % 1000)
    for record in generate_clients(int(shared * ONLY_THERE), seed + 1, salt=app):
        if record["Name"] not in taken:
            yield record | {"twin": "none"}


def _as_there(app: str, seed: int, record: Record, draw: int) -> Record:
    own = record | {"uuid": stable_uuid(app, seed, record["Name"]), "twin": "exact"}
    if draw < NEAR:
        other = _spelled_otherwise(record["Name"])
        return own | {"Name": other, "twin": "near" if other != record["Name"] else "exact"}
    if draw < OTHER_PHONE:
        return own | {"Phone": f"0800 555 {draw:04d}", "twin": "phone"}
    return own


def _spelled_otherwise(name: str) -> str:
    for long, short in ((" Limited", " Ltd"), (" Ltd", " Limited"), (" & ", " and ")):
        if long in name:
            return name.replace(long, short, 1)
    return name.upper()
