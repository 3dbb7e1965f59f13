"""Clients as a CSV file: cells that spreadsheets leave alone, and everything a view shows."""

from __future__ import annotations

import pytest
from sqlalchemy import text

from portal.db import db
from portal.domain import client_list
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.client_list import Filters
from portal.domain.client_list.export import csv_parts
from portal.domain.csv_cells import plain_cell, safe_cell
from portal.domain.people import Role
from tests.cast import make_client, person


class TestCells:
    @pytest.mark.parametrize(
        "start", ["=", "+", "-", "@", "\t", "\r", "\n", "\x00", "＝", "＋", "－", "＠", " =", "\u00a0@"]
    )
    def test_a_cell_a_spreadsheet_would_calculate_becomes_text_and_comes_back(self, start: str) -> None:
        """Fault row 95."""
        for held in (start + "cmd()", "'" + start, "''" + start + "1"):
            assert safe_cell(held) == "'" + held
            assert plain_cell(safe_cell(held)) == held

    @pytest.mark.parametrize("held", ["Acme", "", "'tis", "O’Neil", "1-2", "a=b", "'", "''"])
    def test_other_texts_stay_as_they_are(self, held: str) -> None:
        assert safe_cell(held) == held
        assert plain_cell(held) == held

    def test_numbers_stay_numbers(self) -> None:
        assert [safe_cell(one) for one in (-5, -1.5, 0, None, True, False)] == ["-5", "-1.5", "0", "", "Yes", "No"]


@pytest.mark.usefixtures("database")
class TestExporting:
    def test_the_file_has_a_row_for_every_contact_and_one_for_a_client_without(self) -> None:
        bob = person(Role.MEMBER)
        contacts = [{"name": "Zoë", "email": "z@x.example", "position": "=Boss"}, {"name": "Tom"}]
        acme = make_client("Acme, “Ltd”", manager_id=bob.id, phone="+64 9", tax_registered=True, contacts=contacts)
        beta = make_client("Beta\nTrust")
        body = "".join(csv_parts(Filters(), client_list.choices()))
        lines = body.split("\r\n")
        assert lines[0] == "\ufeff" + ",".join(HEADINGS)
        assert lines[1].startswith(f'{acme.id},"Acme, “Ltd”",lead,')
        assert ",'+64 9,,,Yes,bob@marlow.example,," in lines[1]
        assert lines[1].endswith(",Zoë,z@x.example,,,,,'=Boss,Yes")
        assert lines[2].endswith(",Tom,,,,,,,No")
        assert lines[3].startswith(f'{beta.id},"Beta\nTrust",lead')
        assert lines[4:] == [""]

    def test_only_what_the_view_shows_is_exported_in_its_order_and_all_of_it(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("portal.domain.client_list.export.PART", 3)
        for number in range(8):
            make_client(f"Acme {number}")
        make_client("Beta")
        db.session.commit()  # between two parts the export lets go of its transaction
        lines = "".join(csv_parts(Filters("acme", descending=True), client_list.choices())).split("\r\n")[1:-1]
        assert [line.split(",")[1] for line in lines] == [f"Acme {number}" for number in range(7, -1, -1)]

    def test_nobody_matching_is_a_file_of_headings(self) -> None:
        person()
        assert "".join(csv_parts(Filters("nobody"), client_list.choices())).count("\r\n") == 1


@pytest.mark.usefixtures("database")
def test_the_search_table_is_the_one_the_migration_makes() -> None:
    client = make_client("Acme")
    assert db.session.scalar(text("SELECT count(*) FROM client_search WHERE rowid = :id"), {"id": client.id}) == 1
