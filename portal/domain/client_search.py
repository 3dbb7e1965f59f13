"""Finding clients by any part of a name, contact, email, phone or external id.

One text per client, without case and accents, in a trigram index: FTS5 on SQLite, pg_trgm on PostgreSQL where the
extension can be had (a plain scan of the one narrow table where it cannot).

A trigram index cannot find fewer than three letters. Such short words are looked for in names only, which stand in a
narrow index of their own; a word in a script that writes whole words in two characters is looked for everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

from sqlalchemy import (
    ColumnElement,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    column,
    exists,
    func,
    literal_column,
    select,
    table,
    text,
)

from portal.db import db
from portal.domain.text import BadText, clean_line, fold

SEARCH = table("client_search", column("rowid", Integer), column("body", Text))
# How the search text of a client is put together. Written in SQL so that one statement serves one client or a hundred.
_PARTS = """
SELECT c.id, c.name, c.phone,
  (SELECT group_concat(k.name || ' ' || k.email || ' ' || k.phone || ' ' || k.mobile, ' ')
     FROM contact k WHERE k.client_id = c.id) AS people,
  (SELECT group_concat(l.remote_id || ' ' || l.remote_name, ' ') FROM client_link l WHERE l.client_id = c.id) AS ids
FROM client c WHERE c.id IN :ids
"""
MANY = 400
MOST_WORDS = 8
LONGEST_WORD = 60
_PHONE = re.compile(r"\+?\d[\d \-()./]{5,}\d")


def create_statements(dialect: str, *, with_trigrams: bool = True) -> list[str]:
    """What a migration runs to make the search table."""
    if dialect == "sqlite":
        return ["CREATE VIRTUAL TABLE client_search USING fts5(body, tokenize='trigram', detail='full')"]
    statements = [
        "CREATE TABLE client_search (rowid integer PRIMARY KEY REFERENCES client (id) ON DELETE CASCADE,"
        " body text NOT NULL)"
    ]
    if with_trigrams:
        statements.append("CREATE INDEX ix_client_search_body ON client_search USING gin (body gin_trgm_ops)")
    return statements


def body(name: str, phone: str, people: str, ids: str) -> str:
    """The text searched for one client. Phone numbers are there as typed and as bare digits."""
    folded = fold(" ".join((name, phone, people, ids)).replace("\n", " "))
    digits = " ".join(re.sub(r"\D", "", run) for run in _PHONE.findall(folded))
    return f"{folded} {digits}".strip()


def index(client_ids: Iterable[int]) -> None:
    """Write these clients' search texts anew."""
    ids = list(client_ids)
    db.session.flush()
    for start in range(0, len(ids), MANY):
        _index_some(ids[start : start + MANY])


def index_missing() -> int:
    """Index clients that have no search text: an import writes these in batches, and may have been killed before one.

    Gives how many there were.
    """
    sql = "SELECT c.id FROM client c WHERE NOT EXISTS (SELECT 1 FROM client_search s WHERE s.rowid = c.id)"
    missing = list(db.session.scalars(text(sql)))
    index(missing)
    return len(missing)


def _index_some(ids: list[int]) -> None:
    sql = _PARTS if db.engine.dialect.name == "sqlite" else _PARTS.replace("group_concat", "string_agg")
    rows = db.session.execute(text(sql).bindparams(bindparam("ids", expanding=True)), {"ids": ids})
    bodies = [{"id": row.id, "body": body(row.name, row.phone, row.people or "", row.ids or "")} for row in rows]
    forget(ids)
    if bodies:
        db.session.execute(text("INSERT INTO client_search (rowid, body) VALUES (:id, :body)"), bodies)


def forget(ids: list[int]) -> None:
    statement = text("DELETE FROM client_search WHERE rowid IN :ids").bindparams(bindparam("ids", expanding=True))
    db.session.execute(statement, {"ids": ids})


@dataclass(frozen=True, slots=True)
class Terms:
    """What was typed, made ready. Each of these must be found; empty when there is nothing to look for."""

    indexed: tuple[str, ...] = ()  # at least three characters
    short: tuple[str, ...] = ()  # looked for in names
    scanned: tuple[str, ...] = ()  # short, and looked for everywhere

    def __bool__(self) -> bool:
        return bool(self.indexed or self.short or self.scanned)

    @property
    def everywhere(self) -> tuple[str, ...]:
        return self.indexed + self.scanned

    def values(self) -> dict[str, str]:
        """For the placeholders in `holds` and `hits`."""
        found = {f"word_{place}": f"%{_escaped(term)}%" for place, term in enumerate(self.everywhere)}
        found |= {f"short_{place}": term for place, term in enumerate(self.short)}
        if self.indexed:
            found["phrase"] = " AND ".join('"' + term.replace('"', '""') + '"' for term in self.indexed)
        return found


def terms(words: str) -> Terms:
    """What to look for. A phone number is looked for by its digits, however it was typed."""
    try:
        typed = clean_line(words)
    except BadText:  # half a character is in no client's text
        return Terms()
    if _PHONE.fullmatch(typed.removeprefix("(")):
        return Terms(indexed=(re.sub(r"\D", "", typed)[:LONGEST_WORD],))
    folded = [fold(word)[:LONGEST_WORD] for word in typed.split()[:MOST_WORDS]]
    found = [word for word in dict.fromkeys(folded) if word]
    return Terms(
        tuple(word for word in found if len(word) >= 3),
        tuple(word for word in found if len(word) < 3 and word.isascii()),
        tuple(word for word in found if len(word) < 3 and not word.isascii()),
    )


def hits(sought: Terms) -> Select[tuple[int]]:
    """Ids of clients whose text holds the words looked for everywhere, by the index, in no order."""
    return select(SEARCH.c.rowid).where(*hit_conditions(sought, db.engine.dialect.name))


def hit_conditions(sought: Terms, dialect: str) -> list[ColumnElement[bool]]:
    """What the search table is asked; the values are those of `Terms.values`."""
    if dialect != "sqlite" or not sought.indexed:
        return _likes(range(len(sought.everywhere)))
    matched: list[ColumnElement[bool]] = [text("client_search MATCH :phrase")]  # type: ignore[list-item]  # a condition
    return matched + _likes(range(len(sought.indexed), len(sought.everywhere)))


def holds(sought: Terms, client_id: ColumnElement[int]) -> ColumnElement[bool]:
    """The same as a test of one client after another: for words that very many clients hold."""
    words = _likes(range(len(sought.everywhere)))
    return exists(select(literal_column("1")).select_from(SEARCH).where(SEARCH.c.rowid == client_id, *words))


def _likes(places: Iterable[int]) -> list[ColumnElement[bool]]:
    return [SEARCH.c.body.like(bindparam(f"word_{place}"), escape="\\") for place in places]


def short_words_in(sought: Terms, name_key: ColumnElement[str]) -> ColumnElement[bool]:
    """A condition for names that hold every short word."""
    place_of = func.instr if db.engine.dialect.name == "sqlite" else func.strpos
    return and_(True, *(place_of(name_key, bindparam(f"short_{place}")) > 0 for place in range(len(sought.short))))


def matching(words: str, id_column: ColumnElement[int]) -> ColumnElement[bool] | None:
    """A condition for clients whose text holds every word, short ones too; None when there is nothing to look for."""
    sought = terms(words)
    if not sought:
        return None
    sought = Terms(sought.indexed, (), sought.short + sought.scanned)
    return id_column.in_(hits(sought).params(sought.values()))


def _escaped(term: str) -> str:
    return term.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
