"""CL-45: the last columns of the clients' file name the tracking options their invoices carry in a ledger."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime
from typing import Any

import pytest

from portal.domain import client_csv, client_list
from portal.domain import client_csv_tracking as tracking
from portal.domain.activity import Activity, Actor, Origin, Verb
from portal.domain.apps import Connection
from portal.domain.client_csv import CsvUpload, UnreadableFile
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.client_list import Filters
from portal.domain.client_list.export import csv_parts
from portal.domain.clients import Client
from tests.cast import make_client, make_connection, make_link

NOW = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)
PRIYA = Actor("Priya", Origin.CSV)
OFFICE = {"remote_id": "t-office", "name": "Office", "options": [
    {"remote_id": "o-akl", "name": "Auckland"}, {"remote_id": "o-ham", "name": "Hamilton"}]}  # fmt: skip
LINE = {"remote_id": "t-line", "name": "Service line", "options": [{"remote_id": "o-adv", "name": "=Advisory"}]}
WIDE = (*HEADINGS, "Tracking Office", "Tracking Service line")


@pytest.fixture
def ledger(database: Any) -> Connection:
    connection = make_connection("xero")
    connection.reference = {"choices": [OFFICE, LINE]}
    database.commit()
    return connection


@pytest.fixture
def acme(database: Any, ledger: Connection) -> Client:
    client = make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    make_link(client, ledger, "customer-7", choices={"t-office": "o-akl"})
    database.commit()
    return client


def exported() -> list[list[str]]:
    text = "".join(csv_parts(Filters(), client_list.choices())).removeprefix("\ufeff")
    return list(csv.reader(io.StringIO(text)))


def upload_of(lines: list[list[str]], *, clears: bool = False) -> CsvUpload:
    out = io.StringIO()
    csv.writer(out).writerows(lines)
    upload = client_csv.read_file(out.getvalue().encode(), "clients.csv", by=PRIYA, now=NOW, clears=clears)
    client_csv.plan(upload, apps={})
    return upload


def with_office(lines: list[list[str]], office: str) -> list[list[str]]:
    header, *rows = lines
    place = header.index("Tracking Office")
    return [header, *([*row[:place], office, *row[place + 1 :]] for row in rows)]


def carries(database: Any, client: Client) -> dict[str, str]:
    database.expire_all()
    return dict(client.links[0].choices)


def the_row(upload: CsvUpload) -> client_csv.CsvRow:
    return client_csv.rows(upload)[0]


def test_the_export_ends_with_what_each_client_carries_and_comes_back_unchanged(
    database: Any, ledger: Connection, acme: Client
) -> None:
    """CL-45."""
    make_client("Beta", contacts=[{"name": "Kai", "email": "kai@beta.example"}])
    database.commit()
    header, *rows = exported()
    assert tuple(header) == WIDE
    assert [row[-2:] for row in rows] == [["Auckland", ""], ["", ""]]
    assert upload_of([header, *rows]).counts == {"unchanged": 2}


def test_an_option_is_chosen_by_its_name_put_on_record_and_taken_back(
    database: Any, ledger: Connection, acme: Client
) -> None:
    lines = with_office(exported(), " hamilton ")
    lines[1][-1] = "'=Advisory"
    upload = upload_of(lines)
    assert the_row(upload).changes == [
        {"label": "Tracking Office", "old": "Auckland", "new": "Hamilton"},
        {"label": "Tracking Service line", "old": "", "new": "=Advisory"},
    ]
    database.commit()
    client_csv.apply(upload, by=PRIYA, now=NOW)
    assert carries(database, acme) == {"t-office": "o-ham", "t-line": "o-adv"}
    assert database.query(Activity).filter(Activity.verb == Verb.OPTIONS_CHOSEN).count() == 2
    client_csv.undo(upload, by=PRIYA, now=NOW)
    assert carries(database, acme) == {"t-office": "o-akl"}
    assert the_row(upload).undone == "Put back."


def test_what_somebody_chose_since_is_left_alone_by_undoing(database: Any, ledger: Connection, acme: Client) -> None:
    upload = upload_of(with_office(exported(), "Hamilton"))
    database.commit()
    client_csv.apply(upload, by=PRIYA, now=NOW)
    acme.links[0].choices = {}
    database.commit()
    client_csv.undo(upload, by=PRIYA, now=NOW)
    assert carries(database, acme) == {}
    assert the_row(upload).undone == "Put back, but for what was changed since: Tracking Office."


def test_an_unknown_option_is_refused_with_those_there_are(ledger: Connection, acme: Client) -> None:
    upload = upload_of(with_office(exported(), "Paris"))
    assert upload.counts == {"refused": 1}
    assert the_row(upload).reason == (
        "Tracking Office: “Paris” is no option in Xero. It has Auckland, Hamilton."
    )  # fmt: skip


def test_an_option_archived_between_looking_and_importing_holds_the_row_back(
    database: Any, ledger: Connection, acme: Client
) -> None:
    upload = upload_of(with_office(exported(), "Hamilton"))
    ledger.reference = {"choices": [OFFICE | {"options": OFFICE["options"][:1]}, LINE]}
    database.commit()
    client_csv.apply(upload, by=PRIYA, now=NOW)
    assert the_row(upload).why == "What was chosen is no option in Xero any more. Upload the row again."
    assert carries(database, acme) == {"t-office": "o-akl"}


def test_an_empty_cell_leaves_the_choice_unless_empty_cells_clear(
    database: Any, ledger: Connection, acme: Client
) -> None:
    assert upload_of(with_office(exported(), "")).counts == {"unchanged": 1}
    upload = upload_of(with_office(exported(), ""), clears=True)
    database.commit()
    client_csv.apply(upload, by=PRIYA, now=NOW)
    assert carries(database, acme) == {}


def test_a_client_who_is_not_linked_there_is_told_of_and_imported_all_the_same(ledger: Connection) -> None:
    row = dict.fromkeys(WIDE, "") | {
        "Client Name": "Newcomer", "Contact Name": "Jo", "Contact Email": "jo@n.example", "Tracking Office": "Auckland"
    }  # fmt: skip
    upload = upload_of([list(WIDE), list(row.values())])
    assert upload.counts == {"create": 1}
    assert the_row(upload).notes[0].startswith("Tracking Office stays out: Newcomer is not linked in Xero yet")


def test_files_from_before_the_ledger_was_connected_still_come_in(ledger: Connection, acme: Client) -> None:
    lines = [row[: len(HEADINGS)] for row in exported()]
    assert upload_of(lines).counts == {"unchanged": 1}


def test_a_column_of_another_list_is_no_column_of_ours(ledger: Connection, acme: Client) -> None:
    header, *rows = exported()
    with pytest.raises(UnreadableFile, match="is headed “Tracking Region” and should be “Tracking Office”"):
        upload_of([[*HEADINGS, "Tracking Region", "Tracking Service line"], *rows])
    ledger.reference = {}
    with pytest.raises(UnreadableFile, match="“Tracking Office”, is one too many"):
        upload_of([header, *rows])


def test_two_rows_of_one_client_must_not_say_different_options(ledger: Connection, acme: Client) -> None:
    header, row = exported()
    other = [*row]
    other[header.index("Contact ID")], other[header.index("Contact Email")] = "", "kai@acme.example"
    row[-2], other[-2] = "Hamilton", ""
    assert upload_of([header, row, other]).counts == {"edit": 1, "add_contact": 1}
    other[-2] = "Auckland"
    assert upload_of([header, row, other]).counts == {"edit": 1, "add_contact": 1}, "as it is here is no other wish"


def test_each_of_two_ledgers_has_columns_of_its_own(database: Any, ledger: Connection) -> None:
    other = make_connection("xero", account_name="Second Co", enabled_at=NOW, reference={"choices": [OFFICE]})
    ledger.enabled_at = NOW
    database.commit()
    assert other.id > ledger.id
    names = [column.heading for column in tracking.columns()]
    assert len(names) == len(set(names)) == 3
    assert names[2] == "Tracking Office, Xero (Second Co)"
