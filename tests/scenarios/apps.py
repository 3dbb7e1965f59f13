"""How to be somebody at each app: where its records are, how its calls are named, what its answers look like.

Scenarios that hold for every app are told once and run for every app in `EACH`; a new app adds one entry to `SIDES`.
Paths are regular expressions over what the sandbox records; `control` knows the other side of each vendor under
`records`.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

from tests.databases import chosen_database

JSON, XML = "application/json; charset=utf-8", "text/xml; charset=utf-8"


def _refused(said: str) -> dict[str, Any]:
    return {"kind": "business_error", "message": said}


@dataclass(frozen=True, repr=False)
class Side:
    """One app, as tests have to know it. `write` makes a record's text, `listing` the answers that list such texts."""

    slug: str
    records: str  # under /control/
    vendor: str  # whose calls they are, as the sandbox counts them
    sign_in: str  # and those of its sign-in
    token_path: str
    lists: str  # calls that read records
    writes: str  # calls that change or create records
    write: Callable[..., str]
    listing: Callable[..., list[str]]
    refusal: str  # an answer to a read that refuses although its status is 200
    refuse_write: Callable[[str], dict[str, Any]] = _refused  # the fault that answers a write so, with these words
    media: str = JSON
    small_pages: tuple[tuple[str, Any], ...] = ()  # what to set in the adapter so that a page holds two
    old_refresh_token_lives: bool = True  # the vendor takes a refresh token once more whose answer was lost
    counts_days: bool = False  # the vendor has a daily limit
    deletes_show: bool = True  # a record that is archived or gone is known to be so from a list
    odd: tuple[tuple[str, str], ...] = ()  # records that make no sense, and the reason that is shown
    lived_with: tuple[tuple[str, str], ...] = ()  # odd ones that come in, and the name they come in under
    stamps: tuple[tuple[str, datetime | None], ...] = ()  # a record's text, and when it was changed by that
    totals: tuple[tuple[str, str], ...] = ()  # what a list of five says of its length, and what it says wrongly
    vanishes: str = "delete"  # how a record can leave a list, if at all


def _json_record(identifier: str, name: str) -> Callable[..., str]:
    """Further fields come as raw JSON text, so that a test can write what no program would."""

    def write(remote_id: str, called: str, **more: str) -> str:
        known = {identifier: json.dumps(remote_id), name: json.dumps(called)} | more
        return "{" + ", ".join(f"{json.dumps(key)}: {value}" for key, value in known.items()) + "}"

    return write


def _xpm_record(remote_id: str, called: str, **more: str) -> str:
    known = {"UUID": remote_id, "Name": called} | more
    return f"<Client>{''.join(f'<{key}>{value}</{key}>' for key, value in known.items())}</Client>"


def _xpm_list(*records: str) -> list[str]:
    return [f"<Response><Status>OK</Status><Clients>{''.join(records)}</Clients></Response>"]


def _xero_list(*records: str) -> list[str]:
    pages = f'{{"page": 1, "pageSize": 1000, "pageCount": 1, "itemCount": {len(records)}}}'
    return [f'{{"pagination": {pages}, "Contacts": [{", ".join(records)}]}}']


def _quickbooks_list(*records: str) -> list[str]:
    """How many there are is asked first."""
    return [
        f'{{"QueryResponse": {{"totalCount": {len(records)}}}}}',
        f'{{"QueryResponse": {{"Customer": [{", ".join(records)}], "startPosition": 1}}}}',
    ]


def _digits_list(*records: str) -> list[str]:
    return [f'{{"parties": [{", ".join(records)}], "next": {{"cursor": "", "more": false}}}}']


XPM = Side(
    slug="xpm", records="clients", vendor="xpm", sign_in="xero-identity", token_path="/connect/token$",
    lists=r"client\.api/list$", writes=r"client\.api/(add|update)", write=_xpm_record, listing=_xpm_list, media=XML,
    refusal="<Response><Status>ERROR</Status><ErrorDescription>The list is locked</ErrorDescription></Response>",
    counts_days=True,
    odd=(
        ("<Client><Name>No Identifier Ltd</Name></Client>", "no identifier"),
        ("<Client><UUID>odd-1</UUID><Name> </Name></Client>", "no name"),
        ("<Client><UUID>odd-2</UUID><Name>Odd Two</Name><IsArchived>Perhaps</IsArchived></Client>", "neither Yes nor"),
    ),
    lived_with=(
        ("<Client><New><Field>1</Field></New><UUID>12</UUID><Name>12345</Name><Phone /></Client>", "12345"),
        ("<Client><UUID>13</UUID><Name>Kauri Co-op</Name><BusinessStructure>Guild</BusinessStructure></Client>",
         "Kauri Co-op"),
    ),
)  # fmt: skip

_contact = _json_record("ContactID", "Name")
XERO = Side(
    slug="xero", records="xero/contacts", vendor="xero", sign_in="xero-identity", token_path="/connect/token$",
    lists=r"/Contacts$", writes=r"/Contacts$", write=_contact, listing=_xero_list, counts_days=True,
    refusal='{"ErrorNumber": 10, "Type": "ValidationException", "Message": "The list is locked"}',
    small_pages=(("portal.adapters.xero.paging.LARGEST_PAGE", 2),), vanishes="archive",
    totals=(('"pageCount":3', '"pageCount":9'), ('"pageCount":3', '"pageCount":2'), ('"itemCount":5', '"itemCount":7')),
    odd=(
        ('{"Name": "No Identifier Ltd"}', "no identifier"),
        (_contact("odd-1", "x", Name="null"), "no name"),
        (_contact("odd-2", "Odd Two", ContactStatus='"HIBERNATING"'), "nobody has heard of"),
        (_contact("odd-3", "Odd Three", Addresses='"Main Street"'), "not a list"),
        (_contact("odd-4", "x", Name='{"first": "Odd"}'), "not a text"),
    ),
    lived_with=(
        (_contact("12", "x", Name="12345", Brand='{"new": [1]}', Phones="null", Website="null"), "12345"),
        ('{"ContactID": "13", "Name": "Kauri Co-op"}', "Kauri Co-op"),
    ),
    stamps=(
        (_contact("s-1", "Tawa Ltd", UpdatedDateUTC='"/Date(1793491200000+1300)/"'), datetime(2026, 11, 1, tzinfo=UTC)),
        (_contact("s-2", "Rata Ltd", UpdatedDateUTC='"/Date(1793491200000)/"'), datetime(2026, 11, 1, tzinfo=UTC)),
        (_contact("s-3", "Miro Ltd", UpdatedDateUTC='"2026-11-01T00:00:00.1234567"'),
         datetime(2026, 11, 1, 0, 0, 0, 123456, tzinfo=UTC)),
        (_contact("s-4", "Titoki Ltd", UpdatedDateUTC='"/Date(-62135596800000+0000)/"'), None),  # the year 1
        (_contact("s-5", "Kowhai Ltd", UpdatedDateUTC='"/Date(253402300799999+0000)/"'), None),  # the year 9999
        (_contact("s-6", "Karaka Ltd", UpdatedDateUTC='"0001-01-01T00:00:00+13:00"'), None),
        (_contact("s-7", "Matai Ltd", UpdatedDateUTC='"9999-12-31T23:59:59-11:00"'), None),
        (_contact("s-8", "Puriri Ltd", UpdatedDateUTC='"/Date(999999999999999)/"'), None),
        (_contact("s-9", "Hinau Ltd", UpdatedDateUTC='"yesterday"'), None),
        (_contact("s-10", "Nikau Ltd", UpdatedDateUTC="1793491200"), None),
    ),
)  # fmt: skip

_customer = _json_record("Id", "DisplayName")


def _stamped(number: int, called: str, stamp: str) -> str:
    return _customer(str(number), called, MetaData=f'{{"LastUpdatedTime": {stamp}}}')


QUICKBOOKS = Side(
    slug="quickbooks", records="quickbooks/customers", vendor="quickbooks", sign_in="quickbooks",
    token_path="/tokens/bearer$", lists=r"/(query|cdc)$", writes=r"/(customer|batch)$", write=_customer,
    listing=_quickbooks_list,
    refusal='{"Fault": {"Error": [{"Message": "The list is locked", "code": "6000"}], "type": "ValidationFault"}}',
    old_refresh_token_lives=False,
    small_pages=(
        ("portal.adapters.quickbooks.queries.PAGE", 2),
        ("portal.adapters.quickbooks.queries.PAGING", "STARTPOSITION {} MAXRESULTS 2"),
    ),
    totals=(('"totalCount":5', '"totalCount":9'), ('"totalCount":5', '"totalCount":3')),
    odd=(
        ('{"DisplayName": "No Identifier Ltd"}', "no identifier"),
        (_customer("91", "x", DisplayName="null"), "no name"),
        (_customer("92", "Odd Two", Active='"perhaps"'), "neither true nor false"),
        (_customer("93", "Odd Three", BillAddr='"Main Street"'), "not an address"),
        (_customer("94", "x", DisplayName='{"first": "Odd"}'), "not a text"),
    ),
    lived_with=(
        (_customer("12", "x", Id="12", DisplayName="12345", Brand='{"new": [1]}', PrimaryPhone="null"), "12345"),
        ('{"Id": "13", "DisplayName": "Kauri Co-op", "PrimaryPhone": "09 555 0100"}', "Kauri Co-op"),
    ),
    stamps=(
        (_stamped(701, "Rewarewa Ltd", '"2026-11-01T13:00:00+13:00"'), datetime(2026, 11, 1, tzinfo=UTC)),
        (_stamped(702, "Rata Ltd", '"2026-10-31T17:00:00-07:00"'), datetime(2026, 11, 1, tzinfo=UTC)),
        (_stamped(703, "Miro Ltd", '"2026-11-01T00:00:00"'), None),  # no zone: nobody knows which
        (_stamped(704, "Titoki Ltd", '"0001-01-01T00:00:00+13:00"'), None),
        (_stamped(705, "Kowhai Ltd", '"9999-12-31T23:59:59-08:00"'), None),
        (_stamped(706, "Tawa Ltd", '"yesterday"'), None),
        (_stamped(707, "Nikau Ltd", "1793491200"), None),
    ),
)  # fmt: skip

_party = _json_record("id", "name")
DIGITS = Side(
    slug="digits", records="digits/clients", vendor="digits", sign_in="digits", token_path="/oauth/token$",
    lists=r"/ledger/parties$", writes=r"/source/parties$", write=_party, listing=_digits_list,
    refusal='{"error": {"code": "INVALID", "message": "The list is locked"}}',
    refuse_write=lambda said: {"kind": "status", "status": 200, "headers": {"Content-Type": JSON},
                               "body": json.dumps({"error": {"code": "INVALID", "message": said}})},
    deletes_show=False,
    small_pages=(("portal.adapters.digits.wire.MOST", 2),),
    totals=(('"more": false', '"more": true'), ('"cursor": ""', '"cursor": "OTk="')),
    odd=(
        ('{"name": "No Identifier Ltd"}', "no identifier"),
        (_party("odd-1", "x", name="null"), "no name"),
        (_party("odd-2", "x", name='["Odd"]'), "not a text"),
    ),
    lived_with=(
        (_party("12", "x", name="12345", roles='["Astronaut"]', extra='{"new": [1]}', email="null"), "12345"),
        ('{"partyId": "13", "name": "Kauri Co-op"}', "Kauri Co-op"),
    ),
)  # fmt: skip

XPM_IN_JSON = replace(
    XPM, write=_json_record("uuid", "name"), media=JSON,
    listing=lambda *records: [f'{{"status": "OK", "clients": [{", ".join(records)}]}}'],
)  # fmt: skip

SIDES = {side.slug: side for side in (XPM, XERO, QUICKBOOKS, DIGITS)}
# Which of them a test of every app goes through. What tells apps apart towards PostgreSQL is only whether they take one
# record a call or many; the rest is between the adapter and the wire, and shown on SQLite.
EACH = tuple(sorted(SIDES)) if chosen_database() == "sqlite" else (QUICKBOOKS.slug, XPM.slug)
