"""The SQL of the list. Every statement is built once for a kind of view and kept, and only filled in afterwards.

There are two ways to a page, and which is taken depends on how many clients a view holds:

* few (at most `CAP`): collect them by whatever index finds them, then sort those;
* many: walk an index that is already in the order wanted and test one client after another until the page is full.

Both read about as much for page 1,000 as for the first. Testing for words is either looking into the client's text,
when so many hold them that the page is soon full, or asking whether the trigram index gives the client.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Date,
    FromClause,
    Integer,
    Select,
    Text,
    and_,
    bindparam,
    case,
    cast,
    exists,
    func,
    literal_column,
    or_,
    select,
    tuple_,
    type_coerce,
    union_all,
)

from portal.db import UtcDateTime, db
from portal.domain import client_search
from portal.domain.apps import ClientLink, Finding, LinkState, PushState
from portal.domain.client_list.filters import EVERYTHING, NEAR_MATCH, NOBODY, Filters, Sort
from portal.domain.client_search import Terms
from portal.domain.clients import Client, ClientGroup, ClientStatus, Group
from portal.domain.schedule import IS_OPEN, BillingItem

CAP = 1000  # counts stop here
Statement = Select[*tuple[Any, ...]]
# Kinds of status in a shape, beside "" and EVERYTHING.
ANY, PRESENT_ONE, ARCHIVED_ONE = "any", "one", ClientStatus.ARCHIVED.value
ONE: ColumnElement[int] = literal_column("1")
client = Client.__table__.c
link = ClientLink.__table__.c
member = ClientGroup.__table__.c
group = Group.__table__.c
finding = Finding.__table__.c
item = BillingItem.__table__.c

# Words instead of enumerations: fifty rows of two conversions each are a tenth of what the page may cost.
STATUS = type_coerce(client.status, Text).label("status")
SYNC_STATE = type_coerce(client.sync_state, Text).label("sync_state")
COLUMNS = (client.id, client.name, client.name_key, STATUS, client.manager_id, SYNC_STATE, client.changed_at)
PLACE = {Sort.STATUS: client.status, Sort.SYNC: client.sync_state, Sort.MANAGER: client.manager_id}
ARCHIVED = client.status == literal_column(f"'{ClientStatus.ARCHIVED.value}'")
PRESENT = (ClientStatus.LEAD, ClientStatus.ACTIVE, ClientStatus.INACTIVE)  # what is not archived


@dataclass(frozen=True, slots=True)
class Shape:
    """A kind of view: what of it changes the text of a statement, and not the values filled in."""

    dialect: str
    words: tuple[int, int, int]
    status: str
    manager: str
    partner: str
    in_group: bool
    app: str
    sync: str
    sort: Sort
    forwards: bool
    has_key: bool = False
    size: int = 50
    bucket: str = ""  # "", "value" or "nothing": the one gathering walked through
    ranks: tuple[Any, ...] = ()  # the gatherings in their order, where a statement sorts by them itself
    counted: bool = False
    overdue: bool = False
    is_dense: bool = True  # words: so many clients hold them that looking into one text after another is quickest

    @property
    def terms(self) -> Terms:
        """As many words as were typed; their texts do not matter to a statement."""
        indexed, short, scanned = self.words
        return Terms(("",) * indexed, ("",) * short, ("",) * scanned)


def shape_of(view: Filters) -> Shape:
    sought = view.terms
    status = view.status if view.status in ("", EVERYTHING, ClientStatus.ARCHIVED) else PRESENT_ONE
    app = "" if view.app is None else "linked" if view.is_linked else "not linked"
    sync = view.sync if view.sync in ("", NEAR_MATCH) else "one"
    return Shape(
        db.engine.dialect.name,
        (len(sought.indexed), len(sought.short), len(sought.scanned)),
        status, _kind(view.manager), _kind(view.partner), view.group is not None, app, sync,
        view.sort, not view.descending, overdue=view.overdue is not None,
    )  # fmt: skip


def _kind(person: int | None) -> str:
    return "" if person is None else "nobody" if person == NOBODY else "one"


def values_of(view: Filters) -> dict[str, Any]:
    """What is filled in for the filters."""
    found: dict[str, Any] = dict(view.terms.values())
    for name in ("manager", "partner", "group", "app"):
        if held := getattr(view, name):
            found[f"the_{name}"] = held
    if view.status not in ("", EVERYTHING):
        found["the_status"] = view.status
    if view.sync not in ("", NEAR_MATCH):
        found["the_sync"] = view.sync
    if view.overdue is not None:
        found["the_overdue"] = view.overdue
    return found


def conditions(shape: Shape) -> list[ColumnElement[bool]]:
    """Every filter but the words looked for.

    The indexes of people and sync states leave archived clients out, so everything is said in two halves.
    """
    if shape.status == EVERYTHING and (shape.manager or shape.partner or shape.sync == "one"):
        rest = conditions(replace(shape, status=ANY))
        return [or_(and_(client.archived_at.is_(None), *rest), and_(ARCHIVED, *rest))]
    found: list[ColumnElement[bool]] = []
    if shape.status == "":
        found.append(client.archived_at.is_(None))
    elif shape.status in (PRESENT_ONE, ARCHIVED_ONE):
        found.append(client.status == bindparam("the_status"))
        if shape.status == PRESENT_ONE and (shape.manager or shape.partner or shape.sync):
            found.append(client.archived_at.is_(None))  # says nothing new, and opens their indexes
    if shape.manager:
        found.append(_is_person(client.manager_id, shape.manager, "the_manager"))
    if shape.partner:
        found.append(_is_person(client.partner_id, shape.partner, "the_partner"))
    if shape.in_group:
        found.append(client.id.in_(select(member.client_id).where(member.group_id == bindparam("the_group"))))
    if shape.app:
        linked = exists(select(ONE).where(link.client_id == client.id, link.connection_id == bindparam("the_app")))
        found.append(linked if shape.app == "linked" else ~linked)
    if shape.sync == "one":
        found.append(client.sync_state == bindparam("the_sync"))
    elif shape.sync == NEAR_MATCH:
        found.append(client.id.in_(select(finding.client_id).where(*_near())))
    if shape.overdue:
        late = (IS_OPEN, item.is_automatic.is_(False), item.due_on < bindparam("the_overdue", type_=Date))
        found.append(client.id.in_(select(item.client_id).where(*late)))
    return found


def _is_person(column: ColumnElement[Any], kind: str, name: str) -> ColumnElement[bool]:
    return column.is_(None) if kind == "nobody" else column == bindparam(name)


def _near() -> tuple[ColumnElement[bool], ...]:
    return finding.state == literal_column("'open'"), finding.kind == literal_column("'near_match'")


def matching(shape: Shape, *columns: Any) -> Statement:
    """The clients of a view in no order, found by whatever index serves best."""
    found = select(*columns).select_from(Client.__table__).where(*conditions(shape))
    if shape.terms.everywhere:
        hits = client_search.SEARCH
        found = found.select_from(hits.join(Client.__table__, client.id == hits.c.rowid))
        found = found.where(*client_search.hit_conditions(shape.terms, shape.dialect))
    if shape.terms.short:
        found = found.where(client_search.short_words_in(shape.terms, client.name_key))
    return found


@lru_cache(maxsize=256)
def all_ids(shape: Shape) -> Statement:
    return matching(shape, client.id).order_by(client.id)


@lru_cache(maxsize=256)
def count(shape: Shape, cap: int | None) -> Statement:
    """How many clients a view holds, counting no further than `cap`."""
    found = _counting(shape)
    return select(func.count()).select_from((found.limit(cap) if cap else found).subquery("counted"))


@lru_cache(maxsize=256)
def probe(shape: Shape) -> Statement:
    """Whether a view holds few clients: how many, counting to one more than `CAP`, and the highest id among them."""
    found = matching(shape, client.id).limit(CAP + 1)
    if shape.terms.short and not shape.terms.everywhere:
        found = found.order_by(client.name_key, client.id)  # so that the index of names is read, not the table
    counted = found.subquery("counted")
    return select(func.count(), func.max(counted.c.id)).select_from(counted)


def _counting(shape: Shape) -> Statement:
    """As `matching`, from an index alone where one holds all that is asked."""
    if shape.status or shape.manager or shape.partner or shape.sync or shape.overdue or any(shape.words):
        return matching(shape, ONE)
    present: list[ColumnElement[str]] = [
        literal_column(f"'{one.value}'") for one in PRESENT
    ]  # says the same as not having been archived
    return matching(replace(shape, status=ANY), ONE).where(STATUS.in_(present))


@lru_cache(maxsize=512)
def few(shape: Shape) -> Statement:
    """A page of a view with at most `CAP` clients.

    They are collected first and sorted then; "MATERIALIZED" keeps the planners from turning that around.
    """
    if shape.terms.short and not shape.terms.everywhere:  # found in the index of names alone, then looked up
        ids = matching(shape, client.id).order_by(client.name_key, client.id).limit(CAP + 1).cte("ids")
        ids = ids.prefix_with("MATERIALIZED")
        collected = select(*COLUMNS).select_from(ids.join(Client.__table__, client.id == ids.c.id))
    else:
        collected = matching(shape, *COLUMNS).limit(CAP + 1)
    found = collected.cte("found").prefix_with("MATERIALIZED")
    order = _order(shape, found.c)
    page = select(found).order_by(*_directed(shape, order)).limit(shape.size + 1)
    if shape.has_key:
        page = page.where(_beyond(shape, order))
    return _shown(shape, page)


@lru_cache(maxsize=512)
def many(shape: Shape) -> Statement:
    """A page, or its part within one gathering, of a view of any size; reads in the order of an index."""
    extra = [count(replace(shape, counted=False), CAP + 1).scalar_subquery().label("total")] if shape.counted else []
    branches = [_walk(shape, condition) for condition in _branches(shape)]
    if len(branches) == 1:  # in the order of one index: what stands beside a row is looked up as it is met
        return branches[0].add_columns(*extra, *_beside(Client.__table__))
    parts = [select(one.subquery(f"part_{place}")) for place, one in enumerate(branches)]
    merged = union_all(*parts).subquery("merged")
    page = select(merged).order_by(*_directed(shape, _order(shape, merged.c))).limit(shape.size + 1)
    return _shown(shape, page, *extra)


def _branches(shape: Shape) -> list[list[ColumnElement[bool]]]:
    """The conditions of each index range a page is merged from; one range in most cases."""
    if shape.status != EVERYTHING or shape.sort is Sort.STATUS:
        return [conditions(shape)]
    rest = conditions(replace(shape, status=ANY))
    return [[client.archived_at.is_(None), *rest], [ARCHIVED, *rest]]


def _walk(shape: Shape, wanted: list[ColumnElement[bool]]) -> Statement:
    order = (client.changed_at if shape.sort is Sort.CHANGED else client.name_key, client.id)
    page = select(*COLUMNS).where(*wanted).order_by(*_directed(shape, order)).limit(shape.size + 1)
    if shape.bucket:
        column = PLACE[shape.sort]
        page = page.where(column.is_(None) if shape.bucket == "nothing" else column == bindparam("bucket"))
    if shape.terms.everywhere and shape.is_dense:
        page = page.where(client_search.holds(shape.terms, client.id))
    elif shape.terms.everywhere:  # the plus keeps the planners from starting there and sorting everything found
        page = page.where(literal_column("+client.id").in_(client_search.hits(shape.terms)))
    if shape.terms.short:
        page = page.where(client_search.short_words_in(shape.terms, client.name_key))
    return page.where(_beyond(shape, order)) if shape.has_key else page


def _order(shape: Shape, columns: Any) -> tuple[ColumnElement[Any], ...]:
    if shape.sort is Sort.CHANGED:
        return columns.changed_at, columns.id
    if shape.sort is Sort.NAME or not shape.ranks:
        return columns.name_key, columns.id
    column = columns[PLACE[shape.sort].name]
    places: dict[Any, ColumnElement[int]] = {
        value: literal_column(str(place)) for place, value in enumerate(shape.ranks) if value is not None
    }
    last: ColumnElement[int] = literal_column(
        str(len(shape.ranks) - 1)
    )  # where nobody has a place of its own, it is the last
    rank = case(places, value=column, else_=last) if places else literal_column("0")
    return rank, columns.name_key, columns.id


def _directed(shape: Shape, order: tuple[ColumnElement[Any], ...]) -> tuple[ColumnElement[Any], ...]:
    return order if shape.forwards else tuple(one.desc() for one in order)


def _beyond(shape: Shape, order: tuple[ColumnElement[Any], ...]) -> ColumnElement[bool]:
    kind = UtcDateTime() if shape.sort is Sort.CHANGED else Text()
    here = [bindparam("key", type_=kind), bindparam("key_id", type_=Integer)]
    if len(order) == 3:
        here.insert(0, bindparam("key_rank", type_=Integer))
    return tuple_(*order) > tuple_(*here) if shape.forwards else tuple_(*order) < tuple_(*here)


def _shown(shape: Shape, page: Any, *extra: Any) -> Statement:
    """The page's rows with all that is shown beside them, looked up for these rows only."""
    page = page.subquery("page")
    order = _directed(shape, _order(shape, page.c))
    return select(page, *extra, *_beside(page)).order_by(*order)


def _beside(page: FromClause) -> list[ColumnElement[Any]]:
    states = case(
        (link.state == literal_column(f"'{LinkState.BROKEN.value}'"), literal_column("'broken'")),
        (link.push_state == literal_column(f"'{PushState.FAILED.value}'"), literal_column("'failed'")),
        (link.open_conflicts > 0, literal_column("'conflict'")),
        (link.push_state == literal_column(f"'{PushState.NONE.value}'"), literal_column("'in_step'")),
        else_=literal_column("'pending'"),
    )
    each = cast(link.connection_id, Text) + literal_column("':'", Text) + cast(states, Text)
    comma, line = literal_column("','", Text), literal_column("'\n'", Text)
    apps = select(_joined(each, comma)).where(link.client_id == page.c.id)
    in_group = and_(member.client_id == page.c.id, group.id == member.group_id)
    groups = select(_joined(group.name, line)).where(in_group)
    near = exists(select(ONE).where(finding.client_id == page.c.id, *_near()))
    return [
        apps.correlate(page).scalar_subquery().label("apps"),
        groups.correlate(page).scalar_subquery().label("groups"),
        near.correlate(page).label("is_near"),
    ]


def _joined(texts: ColumnElement[Any], between: ColumnElement[Any]) -> ColumnElement[Any]:
    if db.engine.dialect.name == "sqlite":
        return func.group_concat(texts, between, type_=Text)
    return func.string_agg(texts, between, type_=Text)
