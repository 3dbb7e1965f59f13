"""Clients in and out of CSV files from the command line."""

from __future__ import annotations

import csv
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.db import db
from portal.domain.client_csv import CsvUpload
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.clients import Client
from tests.cast import make_client
from tests.commands.conftest import Run

Story = Callable[[], AbstractContextManager[Any]]


@pytest.fixture
def held(story: Story) -> None:
    with story():
        for name in ("Acme Corp", "Beta Limited", "=cmd|'/c calc'!A1"):
            make_client(name, contacts=[{"name": "Pat Lee", "email": "pat@example.com"}])


def _file(path: Path, *rows: dict[str, str]) -> Path:
    with path.open("w", newline="", encoding="utf-8") as target:
        writer = csv.DictWriter(target, HEADINGS, restval="")
        writer.writeheader()
        writer.writerows(rows)
    return path


def _row(name: str, **more: str) -> dict[str, str]:
    return {"Client Name": name, "Contact Name": "Pat Lee", "Contact Email": "pat@example.com"} | more


def _count(app: Flask) -> int:
    with app.app_context():
        return db.session.scalar(select(func.count()).select_from(Client)) or 0


@pytest.mark.usefixtures("held")
def test_an_export_can_be_imported_again_and_changes_nothing(app: Flask, run: Run, tmp_path: Path) -> None:
    written = run("clients", "export", tmp_path / "clients.csv")
    assert written.output == f"3 rows are in {tmp_path / 'clients.csv'}.\n"
    again = run("clients", "import", tmp_path / "clients.csv")
    assert again.exit_code == 0, again.output
    assert "3 rows would change nothing" in again.output


@pytest.mark.usefixtures("held")
def test_no_cell_of_an_export_is_a_formula(run: Run, tmp_path: Path) -> None:
    """Fault row 95."""
    run("clients", "export", tmp_path / "clients.csv")
    data = (tmp_path / "clients.csv").read_bytes()
    assert data.startswith(b"\xef\xbb\xbf")
    assert b"\r\n" in data
    rows = list(csv.reader(data.decode("utf-8-sig").splitlines()))
    assert "'=cmd|'/c calc'!A1" in {cell for row in rows for cell in row}
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


@pytest.mark.usefixtures("held")
def test_an_export_can_be_narrowed_as_on_the_screen(run: Run) -> None:
    assert "Beta Limited" not in run("clients", "export", "--search", "acme").output
    assert "Beta Limited" in run("clients", "export", "--view", "?q=beta&status=lead").output
    refused = run("clients", "export", "--status", "asleep")
    assert refused.exit_code == 2


def test_a_preview_leaves_nothing_behind(app: Flask, run: Run, tmp_path: Path) -> None:
    shown = run("clients", "import", _file(tmp_path / "new.csv", _row("New Limited")))
    assert shown.exit_code == 0, shown.output
    assert "1 rows would create a client" in shown.output
    assert _count(app) == 0
    with app.app_context():
        assert db.session.scalar(select(CsvUpload)) is None


def test_an_import_creates_clients_once_and_says_when_the_file_comes_again(
    app: Flask, run: Run, tmp_path: Path
) -> None:
    """Fault row 96: the same file twice."""
    file = _file(tmp_path / "new.csv", _row("New Limited"), _row("Newer Limited"))
    done = run("clients", "import", "--apply", file)
    assert done.exit_code == 0, done.output
    assert "2 rows created a client" in done.output
    again = run("clients", "import", "--apply", file)
    assert again.exit_code == 1
    assert "This very file was imported on" in again.output
    assert _count(app) == 2


@pytest.mark.usefixtures("held")
def test_rows_whose_name_is_there_wait_for_a_choice_or_take_the_one_given(app: Flask, run: Run, tmp_path: Path) -> None:
    file = _file(tmp_path / "new.csv", _row("Acme Corp", Phone="09 555 0199"), _row("New Limited"))
    undecided = run("clients", "import", file)
    assert undecided.exit_code == 1
    assert "row 2, Acme Corp:" in undecided.output
    edited = run("clients", "import", "--apply", "--same-name", "edit", file)
    assert edited.exit_code == 0, edited.output
    assert _count(app) == 4
    with app.app_context():
        assert db.session.scalar(select(Client.phone).where(Client.name == "Acme Corp")) == "09 555 0199"


def test_rows_that_cannot_be_imported_are_named_with_their_reason(app: Flask, run: Run, tmp_path: Path) -> None:
    file = _file(tmp_path / "new.csv", _row("Good Limited"), _row(""))
    done = run("clients", "import", "--apply", file)
    assert done.exit_code == 1
    assert "row 3, without a name:" in done.output
    assert _count(app) == 1


@pytest.mark.parametrize("content", [b"PK\x03\x04rubbish", b"%PDF-1.4", b"Name,Phone\r\nAcme,1\r\n", b""])
def test_a_file_that_is_no_client_list_is_refused_with_what_to_do(run: Run, tmp_path: Path, content: bytes) -> None:
    """Fault row 96: wrong type."""
    (tmp_path / "odd.csv").write_bytes(content)
    refused = run("clients", "import", "--apply", tmp_path / "odd.csv")
    assert refused.exit_code == 2
    assert refused.output.rstrip().endswith(".")


def test_a_file_of_two_hundred_megabytes_is_refused_unread(run: Run, tmp_path: Path) -> None:
    """Fault row 96."""
    with (tmp_path / "huge.csv").open("wb") as file:
        file.truncate(200_000_000)
    refused = run("clients", "import", tmp_path / "huge.csv")
    assert refused.exit_code == 2
    assert "larger than 10 MB" in refused.output
