"""Lists of QuickBooks that change, repeat, come short or never end while they are read (fault row 26)."""

from __future__ import annotations

import io
import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.adapters.base import UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.quickbooks import queries
from portal.domain.records import ClientRecord, Quarantined, RecordState

START = datetime(2026, 11, 3, 9, 30, tzinfo=UTC)
EARLIER = START - timedelta(days=400)


class Company:
    """Customers in memory, asked as a session asks. `after` says what happens once so many calls were answered."""

    account_id = "9341453172846301"

    def __init__(self, count: int, *, page: int = 1000) -> None:
        self.rows = [self.row(number) for number in range(1, count + 1)]
        self.page = page
        self.asked: list[str] = []
        self.after: dict[int, Callable[[], None]] = {}
        self.says: Callable[[int], int] = lambda count: count
        self.changed: list[dict[str, Any]] = []
        self.repeats = False

    def row(self, number: int, changed: datetime = EARLIER, created: datetime = EARLIER) -> dict[str, Any]:
        stamps = {"CreateTime": created.isoformat(), "LastUpdatedTime": changed.isoformat()}
        return {"Id": str(number), "DisplayName": f"Client {number}", "SyncToken": "0", "MetaData": stamps}

    def add(self, number: int, created: datetime) -> None:
        self.rows.append(self.row(number, created, created))
        self.rows.sort(key=lambda row: int(row["Id"]))

    def touch(self, number: int, moment: datetime) -> None:
        found = next(row for row in self.rows if row["Id"] == str(number))
        found["MetaData"] = {**found["MetaData"], "LastUpdatedTime": moment.isoformat()}

    def drop(self, number: int) -> None:
        self.rows = [row for row in self.rows if row["Id"] != str(number)]

    def get(self, path: str, params: dict[str, str], *, check: Callable[[Reply], None], **_: Any) -> Reply:
        assert params["minorversion"] == "75"
        assert path.startswith(f"/v3/company/{self.account_id}/")
        if path.endswith("/cdc"):
            self.asked.append(f"cdc {params['changedSince']}")
            body: dict[str, Any] = {"CDCResponse": [{"QueryResponse": [{"Customer": self.changed}, {}]}]}
        else:
            self.asked.append(params["query"])
            body = {"QueryResponse": self.answer(params["query"])}
        data = json.dumps(body | {"time": START.isoformat()}).encode()
        reply = Reply(200, {"content-type": "application/json"}, io.BytesIO(data), len(data))
        check(reply)
        self.after.get(len(self.asked), lambda: None)()
        return reply

    def answer(self, asked: str) -> dict[str, Any]:
        assert "Active IN (true, false)" in asked
        rows = self.rows
        if since := re.search(r"LastUpdatedTime >= '([^']+)'", asked):
            moment = datetime.fromisoformat(since[1])
            rows = sorted((one for one in rows if _changed(one) >= moment), key=_changed)
        if wanted := re.search(r"Id IN \(([^)]*)\)", asked):
            rows = [one for one in rows if f"'{one['Id']}'" in wanted[1]]
        if "COUNT(*)" in asked:
            return {"totalCount": self.says(len(rows))}
        found = re.search(r"STARTPOSITION (\d+) MAXRESULTS (\d+)$", asked)
        assert found, asked
        start = 1 if self.repeats else int(found[1])
        page = rows[start - 1 : start - 1 + min(int(found[2]), self.page)]
        return {"Customer": page, "startPosition": start, "maxResults": len(page)} if page else {}


def _changed(row: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(row["MetaData"]["LastUpdatedTime"])


def everybody(company: Company) -> list[str]:
    return [one.remote_id for one in queries.all_customers(company)]


def changes(company: Company) -> list[ClientRecord | Quarantined]:
    return list(queries.changed_customers(company, START))


def numbers(first: int, last: int) -> list[str]:
    return [str(number) for number in range(first, last + 1)]


@pytest.mark.parametrize(("count", "calls"), [(0, 1), (1, 2), (999, 2), (1000, 2), (1001, 3), (10_000, 11)])
def test_a_list_takes_its_count_and_as_many_calls_as_it_has_pages(count: int, calls: int) -> None:
    company = Company(count)
    assert everybody(company) == numbers(1, count)
    assert len(company.asked) == calls


def test_pages_are_asked_for_in_order_with_the_inactive_ones() -> None:
    company = Company(1001)
    everybody(company)
    assert company.asked == [
        "SELECT COUNT(*) FROM Customer WHERE Active IN (true, false)",
        "SELECT * FROM Customer WHERE Active IN (true, false) ORDERBY Id STARTPOSITION 1 MAXRESULTS 1000",
        "SELECT * FROM Customer WHERE Active IN (true, false) ORDERBY Id STARTPOSITION 1001 MAXRESULTS 1000",
    ]


def test_records_are_given_as_pages_come() -> None:
    company = Company(3000)
    stream = queries.all_customers(company)
    next(stream)
    assert len(company.asked) == 2


def test_pages_that_come_short_are_followed() -> None:
    company = Company(450, page=100)
    assert everybody(company) == numbers(1, 450)
    assert len(company.asked) == 6


def test_nobody_is_lost_when_a_customer_is_merged_away_between_pages() -> None:
    company = Company(1500)
    company.after[2] = lambda: company.drop(5)
    assert sorted(everybody(company), key=int) == numbers(1, 1500)


def test_nobody_comes_twice_when_one_is_added_in_front() -> None:
    company = Company(1500)
    company.after[2] = lambda: company.add(0, START + timedelta(seconds=3))
    found = everybody(company)
    assert len(found) == len(set(found))
    assert set(found) >= set(numbers(1, 1500))


def test_nobody_is_lost_when_one_is_added_in_front_before_the_first_page() -> None:
    company = Company(1000)
    company.after[1] = lambda: company.add(0, START + timedelta(seconds=3))
    assert set(everybody(company)) == set(numbers(0, 1000))


@pytest.mark.parametrize("wrong", [-690, -1, 1, 40])
def test_a_wrong_count_loses_nobody_and_ends(wrong: int) -> None:
    company = Company(1700)
    company.says = lambda count: count + wrong
    assert everybody(company) == numbers(1, 1700)
    assert len(company.asked) <= 8


def test_a_list_that_repeats_for_ever_is_refused() -> None:
    company = Company(5000)
    company.repeats = True
    with pytest.raises(UnexpectedReply, match="same part"):
        everybody(company)
    assert len(company.asked) == 3


def test_a_list_that_brings_one_new_record_a_page_for_ever_is_refused() -> None:
    company = Company(0)
    company.says = lambda count: 1
    company.answer = lambda asked: (
        {"totalCount": 2000} if "COUNT" in asked else {"Customer": [company.row(len(company.asked))]}
    )
    with pytest.raises(UnexpectedReply, match="does not end"):
        everybody(company)
    assert len(company.asked) < 100


def test_a_list_that_never_holds_still_is_given_up() -> None:
    company = Company(3000)
    company.after = dict.fromkeys(range(1, 100), lambda: company.drop(int(company.rows[len(company.asked) % 3]["Id"])))
    with pytest.raises(UnexpectedReply, match="kept changing"):
        everybody(company)


def test_entries_without_identifier_are_kept_aside_and_counted() -> None:
    company = Company(3)
    company.rows += [{"DisplayName": "Nobody"}, {"DisplayName": "No one"}]
    found = list(queries.all_customers(company))
    assert [type(one) for one in found] == [ClientRecord] * 3 + [Quarantined] * 2
    assert len(company.asked) == 2


@pytest.mark.parametrize("total", [None, "many", True, -1, 1.5])
def test_a_count_that_is_none_is_no_answer(total: object) -> None:
    company = Company(3)
    company.says = lambda count: total
    with pytest.raises(UnexpectedReply, match="how many"):
        everybody(company)


def test_changes_take_one_call_that_asks_a_second_further_back() -> None:
    company = Company(0)
    company.changed = [company.row(7, START), company.row(7, START), company.row(9, START)]
    assert [one.remote_id for one in changes(company)] == ["7", "9"]
    assert company.asked == ["cdc 2026-11-03T09:29:59Z"]


def test_nothing_new_is_no_element_at_all() -> None:
    company = Company(5)
    assert changes(company) == []
    assert len(company.asked) == 1


def test_what_is_told_as_deleted_is_looked_up_because_it_may_only_be_inactive() -> None:
    company = Company(10)
    company.rows[3]["Active"] = False
    company.changed = [{"domain": "QBO", "status": "Deleted", "Id": number} for number in ("4", "77")]
    found = {one.remote_id: getattr(one, "state", None) for one in changes(company)}
    assert found == {"4": RecordState.ARCHIVED, "77": RecordState.DELETED}
    assert len(company.asked) == 2


def full_of_changes(count: int, *, of: int = 3000, every: timedelta = timedelta(seconds=1)) -> Company:
    """A company of which the last `count` changed since; the vendor's answer about changes is cut at a thousand."""
    company = Company(of)
    for index, row in enumerate(company.rows[of - count :]):
        row["MetaData"]["LastUpdatedTime"] = (START + index * every).isoformat()
    company.changed = [*company.rows[of - count :][:999], {"domain": "QBO", "status": "Deleted", "Id": "9999"}]
    return company


def test_more_changes_than_one_answer_holds_are_read_by_time() -> None:
    company = full_of_changes(2500)
    found = [one.remote_id for one in changes(company)]
    assert found == ["9999", *numbers(501, 3000)]
    assert company.asked[3] == (
        "SELECT * FROM Customer WHERE MetaData.LastUpdatedTime >= '2026-11-03T09:30:00Z' AND Active IN (true, false)"
        " ORDERBY MetaData.LastUpdatedTime STARTPOSITION 1 MAXRESULTS 1000"
    )
    assert len(company.asked) == 6


def test_thousands_changed_in_the_same_second_are_all_read() -> None:
    company = full_of_changes(2500, every=timedelta(0))
    assert {one.remote_id for one in changes(company)} == {"9999", *numbers(501, 3000)}


def test_short_pages_of_one_second_are_followed_too() -> None:
    company = full_of_changes(1200, every=timedelta(0))
    company.page = 100
    for row in company.rows[1800:]:
        row["MetaData"]["LastUpdatedTime"] = (START + timedelta(seconds=9)).isoformat()
    assert {one.remote_id for one in changes(company)} == {"9999", *numbers(1801, 3000)}


def test_what_changes_again_while_changes_are_read_pushes_nobody_out() -> None:
    company = full_of_changes(2500)
    later = START + timedelta(hours=2)
    company.after[4] = lambda: [company.touch(number, later) for number in range(510, 600)] and None
    assert {one.remote_id for one in changes(company)} >= set(numbers(501, 3000))


def test_changes_that_repeat_for_ever_are_refused() -> None:
    company = full_of_changes(2500)
    company.repeats = True
    plain = company.answer
    company.answer = lambda asked: plain(re.sub(">= '[^']+'", ">= '2026-11-03T09:30:00Z'", asked))
    with pytest.raises(UnexpectedReply, match="again and again"):
        changes(company)
    assert len(company.asked) < 20
