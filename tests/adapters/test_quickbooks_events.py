"""Webhooks as QuickBooks signs and words them: both forms, several companies, and what is not to be believed."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.adapters.ledger import WebhookRefused
from portal.adapters.quickbooks import events
from portal.domain.records import LedgerEvent

# From the tests of the vendor's own libraries.
VECTORS = [
    (
        "b5771f19b12ddb4bcdb9f08bdc50bc63878a",
        '{"eventNotifications":[{"realmId":"1185883450","dataChangeEvent":{"entities":[{"name":"Customer","id":"1",'
        '"operation":"Create","lastUpdated":"2015-10-05T14:42:19-0700"}]}}]}',
        "JC2GUwciPmRBwEO7WvrRmKqu9tGOKL8FFallocTFi8Q=",
    ),
    (
        "00faeec4-08d0-4996-bb37-698ae19f0149",
        '{"eventNotifications":[{"realmId":"1269959970","dataChangeEvent":{"entities":[{"name":"Vendor","id":"40",'
        '"operation":"Update","lastUpdated":"2016-10-05T03:09:04.000Z"},{"name":"Customer","id":"43","operation":'
        '"Create","lastUpdated":"2016-10-05T03:07:04.000Z"}]}}]}',
        "6q+xGyMirJupwKTh2/WBl2NcdxzxqdIbk3sneKTxLWM=",
    ),
]
SECRET = "verifier-token"
CLOUD = {
    "specversion": "1.0", "id": "88cd52aa-33b6-4351-9aa4-47572edbd068", "source": "intuit.dsnBgbse=",
    "type": "qbo.invoice.updated.v1", "datacontenttype": "application/json", "time": "2025-12-04T15:25:05Z",
    "intuitentityid": "123", "intuitaccountid": "310687", "data": {},
}  # fmt: skip


def read(told: Any, secret: str = SECRET) -> list[LedgerEvent]:
    body = (told if isinstance(told, str) else json.dumps(told)).encode()
    return events.read({"Intuit-Signature": events.signature(body, secret)}, body, SECRET)


@pytest.mark.parametrize(("token", "body", "signature"), VECTORS)
def test_the_vendors_own_examples_fit_their_signatures(token: str, body: str, signature: str) -> None:
    found = events.read({"intuit-signature": signature}, body.encode(), token)
    assert [one.kind for one in found][-1] == "client"
    assert {one.what for one in found} <= {"created", "updated"}
    assert all(one.happened_at and one.happened_at.tzinfo is UTC for one in found)


def test_the_older_form_names_company_record_and_time() -> None:
    token, body, signature = VECTORS[0]
    (found,) = events.read({"INTUIT-SIGNATURE": signature}, body.encode(), token)
    assert (found.account_id, found.remote_id, found.what) == ("1185883450", "1", "created")
    assert found.happened_at == datetime(2015, 10, 5, 21, 42, 19, tzinfo=UTC)


@pytest.mark.parametrize(("token", "body", "signature"), VECTORS)
def test_a_wrong_secret_or_signature_or_one_changed_byte_is_refused(token: str, body: str, signature: str) -> None:
    """Fault row 47."""
    data = body.encode()
    for headers, text, secret in (
        ({"intuit-signature": signature}, data, token + "x"),
        ({"intuit-signature": signature}, data, ""),
        ({"intuit-signature": signature}, data.replace(b"1", b"2", 1), token),
        ({"intuit-signature": signature}, data + b"\n", token),
        ({"intuit-signature": signature.lower()}, data, token),
        ({"intuit-signature": "ünsinn"}, data, token),
        ({"intuit-signature": ""}, data, token),
        ({"x-xero-signature": signature}, data, token),
        ({}, data, token),
    ):
        with pytest.raises(WebhookRefused):
            events.read(headers, text, secret)


def test_one_post_may_tell_of_several_companies() -> None:
    """Fault row 49."""
    other = {**CLOUD, "id": "2", "intuitaccountid": "999", "type": "QBO.Payment.Created.V1", "intuitentityid": 7}
    first, second = read([CLOUD, other])
    assert (first.account_id, first.kind, first.what, first.remote_id) == ("310687", "invoice", "updated", "123")
    assert (second.account_id, second.kind, second.what, second.remote_id) == ("999", "payment", "created", "7")
    assert first.event_id == CLOUD["id"]


def test_unknown_kinds_come_out_by_their_own_names() -> None:
    """Fault row 49."""
    strange = [{**CLOUD, "type": "qbo.purchaseorder.emailed.v1"}, {**CLOUD, "type": "hello"}, {**CLOUD, "type": 5}]
    assert [(one.kind, one.what) for one in read(strange)] == [("purchaseorder", "emailed"), ("hello", ""), ("5", "")]


def test_the_same_event_has_the_same_name_whenever_it_comes() -> None:
    """Fault rows 42 and 48."""
    _, body, _ = VECTORS[1]
    again = read(body)
    assert [one.event_id for one in read(body)] == [one.event_id for one in again]
    assert len({one.event_id for one in again}) == 2
    later = read(body.replace("03:09:04", "03:09:05"))
    assert later[0].event_id != again[0].event_id and later[1].event_id == again[1].event_id
    nameless = {key: value for key, value in CLOUD.items() if key != "id"}
    assert read([nameless])[0].event_id == read([nameless])[0].event_id != ""


def test_a_merge_is_news_about_both() -> None:
    merged = {**CLOUD, "type": "qbo.customer.merged.v1", "data": {"deletedid": "27"}}
    survivor, gone = read([merged])
    assert (survivor.remote_id, survivor.what) == ("123", "merged")
    assert (gone.remote_id, gone.what) == ("27", "deleted")
    assert survivor.event_id != gone.event_id
    entity = {
        "name": "Customer",
        "id": "1",
        "operation": "Merge",
        "lastUpdated": "2026-01-01T00:00:00Z",
        "deletedId": "2",
    }
    older = read({"eventNotifications": [{"realmId": "5", "dataChangeEvent": {"entities": [entity]}}]})
    assert [(one.remote_id, one.what) for one in older] == [("1", "merged"), ("2", "deleted")]


@pytest.mark.parametrize(
    ("when", "moment"),
    [
        ("2025-12-04T15:25:05.123456789Z", datetime(2025, 12, 4, 15, 25, 5, 123456, tzinfo=UTC)),
        ("2025-12-04T15:25:05", None),
        ("yesterday", None),
        ("0001-01-01T00:00:00Z", None),
        ("", None),
    ],
)
def test_times_are_read_where_they_can_be_meant(when: str, moment: datetime | None) -> None:
    """Fault row 25."""
    (found,) = read([{**CLOUD, "time": when}])
    assert found.happened_at == moment


def test_optional_parts_may_be_absent() -> None:
    short = {key: CLOUD[key] for key in ("id", "type", "intuitentityid", "intuitaccountid")}
    assert len(read([short, {**short, "data": None}, {**short, "data": {"alternative_ids": ["1"]}}])) == 3
    assert read([]) == []
    assert read([{**CLOUD, "intuitaccountid": None}, "text", None]) == []
    assert (
        read({"eventNotifications": [{"realmId": "1"}, {"realmId": "1", "dataChangeEvent": {"entities": None}}]}) == []
    )


@pytest.mark.parametrize(
    "body", ["", "{", "{}", "null", '"text"', '{"eventNotifications": 5}', "[NaN]", '[{"a":1,"a":2}]', "[" * 100_000]
)
def test_a_signed_body_that_makes_no_sense_is_refused(body: str) -> None:
    """Fault row 22."""
    with pytest.raises(WebhookRefused):
        read(body)


def test_bodies_are_capped() -> None:
    with pytest.raises(WebhookRefused):
        read("[" + " " * events.LARGEST + "]")
    with pytest.raises(WebhookRefused):
        read([{"id": str(n), "type": "a.b.c", "intuitentityid": "1", "intuitaccountid": "2"} for n in range(6000)])
