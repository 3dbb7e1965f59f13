"""Importing clients from a CSV file, as a person does it: upload, look, choose, import, undo."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import func, select

from jobs import csv_imports, queue
from portal import sync
from portal.db import db
from portal.domain import client_csv
from portal.domain.activity import Actor, Origin
from portal.domain.client_csv import CsvRow, CsvUpload, UploadState
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.client_csv_file import REASON_HEADING
from portal.domain.clients import Client
from tests.cast import make_client, make_connection, make_link

JO = {"Contact Name": "Jo", "Contact Email": "jo@acme.example"}
KAI = {"Contact Name": "Kai", "Contact Email": "kai@acme.example"}
BOB = Actor("Bob", Origin.CSV)


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[list[int]]:
    calls: list[list[int]] = []
    monkeypatch.setattr(sync, "send_soon", lambda ids: calls.append(ids) if ids else None)
    return calls


@pytest.fixture(autouse=True)
def _quiet(sent) -> None:
    """Nothing is sent to anybody."""


@pytest.fixture
def background(monkeypatch: pytest.MonkeyPatch) -> list[tuple]:
    """What was handed to the background, not done yet."""
    handed: list[tuple] = []
    monkeypatch.setattr(queue, "submit", lambda *work: handed.append(work))
    return handed


def file(*rows: dict[str, str], header: tuple[str, ...] = HEADINGS) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(header)
    for row in rows:
        writer.writerow([row.get(heading, "") for heading in header])
    return out.getvalue().encode()


def upload(browser, *rows: dict[str, str], data: bytes | None = None, name: str = "clients.csv", **fields: str):
    content = file(*rows) if data is None else data
    return browser.post("/clients/imports", file=(io.BytesIO(content), name), **fields)


def does(page) -> list[str]:
    return [" ".join(cell.text_content().split()) for cell in page.all("//div[@class='does']")]


def names(story) -> list[str]:
    with story() as session:
        return list(session.scalars(select(Client.name).where(Client.archived_at.is_(None)).order_by(Client.id)))


def test_the_way_from_the_list_to_an_imported_client(story, sign_in_as) -> None:
    browser = sign_in_as("member")
    assert browser.get("/clients").click("Import").h1 == "Import clients"
    page = upload(browser, {"Client Name": "Acme", "Phone": "09 1", **JO}, {"Client Name": "Acme", **KAI},
                  {"Client Name": "No contact"})  # fmt: skip
    assert page.h1 == "Preview of clients.csv"
    assert does(page) == [
        "Creates a client",
        "Adds a contact",
        "Cannot be imported Contact Name is empty; every row needs one.",
    ]
    assert names(story) == []
    page = page.submit("Import 2 rows")
    assert page.h1 == "Import of clients.csv"
    assert does(page)[:2] == ["Client created", "Contact added"]
    assert page.links()["Acme"] == "/clients/1"
    assert names(story) == ["Acme"]
    assert "imported" in browser.get("/clients/imports").text


def test_the_template_has_the_header_and_can_be_uploaded(sign_in_as) -> None:
    """CL-41."""
    browser = sign_in_as("member")
    answer = browser.get("/clients/imports/template.csv")
    assert answer.headers["Content-Disposition"] == 'attachment; filename="clients-template.csv"'
    assert next(csv.reader([answer.body.removeprefix("\ufeff")])) == list(HEADINGS)
    assert "no rows under it" in upload(browser, data=answer.response.get_data()).text


def test_the_export_of_the_list_uploaded_again_changes_nothing(story, sign_in_as) -> None:
    """CL-13."""
    with story():
        make_client(
            "=Acme",
            phone="+64 9 1",
            tax_registered=False,
            contacts=[{"name": "Jo"}, {"name": "@Kai", "email": "k@a.nz"}],
        )
        make_client("Bare")
    browser = sign_in_as("member")
    export = browser.get("/clients/export.csv").response.get_data()
    page = upload(browser, data=export)
    assert set(does(page)) == {"Nothing to change Everything is as it is here."}
    assert "Nothing in this file would change anything" in page.text
    assert not [words for words in page.buttons() if words.startswith("Import ")]


def test_bulk_edit_changes_exactly_the_edited_cell(story, sign_in_as, sent) -> None:
    """CL-42, CL-35."""
    with story():
        client = make_client("Acme", phone="1", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
        make_link(client, make_connection())
        make_client("Beta", phone="1", contacts=[{"name": "Kai", "email": "kai@b.example"}])
    browser = sign_in_as("member")
    export = browser.get("/clients/export.csv").response.get_data(as_text=True)
    changed = export.replace(",1,,,", ",2,,,", 1)
    page = upload(browser, data=changed.encode())
    assert "Phone: 1 2" in page.text
    page.submit("Import 1 row")
    with story() as session:
        assert [one.phone for one in session.scalars(select(Client).order_by(Client.id))] == ["2", "1"]
    assert sent == [[1]]


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"PK\x03\x04 [Content_Types].xml xl/", "This is an Excel workbook (.xlsx), not a CSV file."),
        (b"", "The file is empty."),
        (file({}, header=HEADINGS[:-1]), "The column “Default Contact” is missing at the end."),
        (b"a,b\r\n1,2\r\n", "The first row is not the header of the template."),
    ],
)
def test_what_cannot_be_read_is_said_in_a_sentence(story, sign_in_as, data: bytes, said: str) -> None:
    """Fault row 96."""
    page = upload(sign_in_as("member"), data=data)
    assert page.status == 422
    assert said in page.text
    with story() as session:
        assert session.scalar(select(func.count()).select_from(CsvUpload)) == 0


def test_no_file_at_all_is_asked_for(sign_in_as) -> None:
    assert "Choose a file first." in sign_in_as("member").post("/clients/imports").text


def test_a_file_beyond_the_limit_is_refused_without_being_kept(story, sign_in_as) -> None:
    """Fault rows 96 and 108."""
    browser = sign_in_as("member")
    assert "larger than 10 MB" in upload(browser, data=b"a" * 10_050_000).text
    assert upload(browser, data=b"a" * 12_000_000).status == 413
    with story() as session:
        assert session.scalar(select(func.count()).select_from(CsvUpload)) == 0


def test_a_file_of_five_megabytes_is_let_in_here_and_nowhere_else(sign_in_as) -> None:
    browser = sign_in_as("member")
    assert upload(browser, data=b"a" * 5_000_000).status == 422
    big = (io.BytesIO(b"a" * 5_000_000), "x.csv")
    assert browser.post("/clients/new", name="Acme", file=big).status == 413


def test_the_same_file_twice_is_recognised_and_doubles_nothing(story, sign_in_as) -> None:
    """CL-44, fault row 96."""
    browser = sign_in_as("member")
    rows = ({"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI})
    upload(browser, *rows).submit("Import 2 rows")
    page = upload(browser, *rows)
    assert "This very file was imported before" in page.text
    assert does(page) == ["Needs a choice A client of exactly this name exists already."] * 2
    page = page.submit("Change the client of that very name")
    assert page.said == "2 rows are settled."
    assert set(does(page)) == {"Nothing to change Everything is as it is here."}
    assert names(story) == ["Acme", "Beta"]


def test_each_row_of_a_known_name_takes_its_own_choice(story, sign_in_as) -> None:
    """CL-44."""
    with story():
        make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
        make_client("Beta Limited")
        make_client("Gamma")
    browser = sign_in_as("member")
    page = upload(browser, {"Client Name": "Acme", "Phone": "5", **JO}, {"Client Name": "Beta", **KAI},
                  {"Client Name": "Gamma", **KAI})  # fmt: skip
    assert "A client of nearly this name exists already: “Beta Limited”." in page.text
    for row, choice in ((2, "edit:1"), (3, "create"), (4, "skip")):
        page = browser.post("/clients/imports/1/choices", row=str(row), choice=choice)
    assert [words.split(" ")[0] for words in does(page)] == ["Changes", "Creates", "Left"]
    page.submit("Import 2 rows")
    assert names(story) == ["Acme", "Beta Limited", "Gamma", "Beta"]


@pytest.mark.parametrize("choice", ["edit:2", "edit:99", "delete", "edit:x"])
def test_a_choice_that_was_not_offered_is_refused(story, sign_in_as, choice: str) -> None:
    """Fault row 107."""
    with story():
        make_client("Acme")
        make_client("Beta")
    browser = sign_in_as("member")
    upload(browser, {"Client Name": "Acme", **JO})
    page = browser.post("/clients/imports/1/choices", row="2", choice=choice)
    assert page.said == "Choose one of the answers offered."
    assert does(page)[0].startswith("Needs a choice")


def test_rows_without_a_choice_stay_out_and_the_button_says_so(story, sign_in_as) -> None:
    with story():
        make_client("Acme")
    page = upload(sign_in_as("member"), {"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI})
    assert "1 row still needs a choice and stays out. Import the other 1 row?" in page.text
    page = page.submit("Import them")
    assert does(page)[0].startswith("No choice was made")


def test_every_row_can_be_seen_page_by_page_and_by_what_it_would_do(sign_in_as) -> None:
    rows = [{"Client Name": f"Client {n:03}", **(JO if n % 2 else {})} for n in range(240)]
    page = upload(sign_in_as("member"), *rows)
    assert len(page.all("//tbody/tr")) == 100
    page = page.click("Next").click("Next")
    assert len(page.all("//tbody/tr")) == 40
    assert "Next" not in page.links()
    page = page.click("Previous")
    assert page.all("//tbody/tr")[0].get("id") == "row-102"
    page = page.click("Cannot be imported 120")
    assert page.all("//tbody/tr")[0].get("id") == "row-2"
    assert len(page.all("//tbody/tr")) == 100
    assert set(does(page)) == {"Cannot be imported Contact Name is empty; every row needs one."}


def test_refused_rows_come_back_as_a_file_that_can_be_mended_and_uploaded(story, sign_in_as) -> None:
    """Fault row 95: cells stay guarded."""
    browser = sign_in_as("member")
    page = upload(browser, {"Client Name": "=Acme", "Contact Name": "Jo"}, {"Client Name": "Beta", **KAI})
    page = page.submit("Import 1 row")
    answer = page.click("Download the rows that were not imported")
    header, row = csv.reader(answer.body.removeprefix("\ufeff").splitlines())
    assert header == [*HEADINGS, REASON_HEADING]
    assert (row[1], row[-1]) == ("'=Acme", "Contact Email is empty; every row needs one.")
    mended = answer.body.replace("Jo,,", "Jo,jo@acme.example,")
    upload(browser, data=mended.encode()).submit("Import 1 row")
    assert names(story) == ["Beta", "=Acme"]


def test_a_client_changed_since_the_preview_is_held_back(story, sign_in_as) -> None:
    """Fault row 89."""
    with story():
        make_client("Acme", phone="1", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    browser = sign_in_as("member")
    page = upload(browser, {"Client ID": "1", "Client Name": "Acme", "Phone": "2", **JO})
    browser.get("/clients/1/edit").submit("Save", phone="3")
    page = page.submit("Import 1 row")
    assert does(page)[0].startswith("Held back Acme was changed after the preview, by Bob Tamihana.")
    with story() as session:
        assert session.get(Client, 1).phone == "3"


def test_an_import_is_undone_from_its_page(story, sign_in_as) -> None:
    with story():
        make_client("Acme", phone="1", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    browser = sign_in_as("member")
    page = upload(
        browser, {"Client ID": "1", "Client Name": "Acme", "Phone": "2", **JO}, {"Client Name": "Beta", **KAI}
    )
    page = page.submit("Import 2 rows").submit("Undo the import")
    assert page.h1 == "Undone import of clients.csv"
    assert does(page) == ["Client changed Put back.", "Client created Archived."]
    assert names(story) == ["Acme"]
    with story() as session:
        assert session.get(Client, 1).phone == "1"
    assert "not an import that can be undone now" in browser.post("/clients/imports/1/reversals").said


def test_created_clients_can_be_archived_all_at_once(story, sign_in_as) -> None:
    page = upload(sign_in_as("member"), {"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI}).submit(
        "Import 2 rows"
    )
    assert page.submit("Archive them").said == "2 clients are archived here."
    assert names(story) == []


def test_pressing_import_twice_imports_once(story, sign_in_as) -> None:
    browser = sign_in_as("member")
    page = upload(browser, {"Client Name": "Acme", **JO})
    page.submit("Import 1 row")
    assert "has been imported already" in page.submit("Import 1 row").said
    assert names(story) == ["Acme"]


def test_a_large_import_goes_on_in_the_background_with_its_progress(story, sign_in_as, background, monkeypatch) -> None:
    monkeypatch.setattr(csv_imports, "AT_ONCE", 2)
    browser = sign_in_as("member")
    page = upload(browser, *({"Client Name": f"Client {n}", **JO} for n in range(3)))
    page = page.submit("Import 3 rows")
    assert page.h1 == "Importing clients.csv"
    assert "Importing: 0 of 3 rows" in page.text
    block = page.find("//*[@id='progress']")
    assert block.get("hx-trigger") == "load delay:1s"
    fragment = browser.get(block.get("hx-get"), block="progress")
    assert not fragment.is_whole
    assert "HX-Refresh" not in fragment.headers
    ((function, *args),) = background
    with story():
        function(*args)
    assert browser.get(block.get("hx-get"), block="progress").headers["HX-Refresh"] == "true"
    assert len(names(story)) == 3


def test_a_large_file_is_compared_in_the_background(story, sign_in_as, background, monkeypatch) -> None:
    monkeypatch.setattr(csv_imports, "COMPARED_AT_ONCE", 2)
    browser = sign_in_as("member")
    page = upload(browser, *({"Client Name": f"Client {n}", **JO} for n in range(3)))
    assert page.h1 == "Reading clients.csv"
    with story():
        csv_imports.work(*background[0][1:])
    assert does(browser.get("/clients/imports/1")) == ["Creates a client"] * 3


def test_work_that_was_cut_off_is_taken_up_again(story, sign_in_as, background, clock, monkeypatch) -> None:
    monkeypatch.setattr(csv_imports, "AT_ONCE", 2)
    browser = sign_in_as("member")
    upload(browser, *({"Client Name": f"Client {n}", **JO} for n in range(6))).submit("Import 6 rows")

    def die(done: int, _total: int) -> None:
        if done == 2:
            raise KeyboardInterrupt

    with story(), pytest.raises(KeyboardInterrupt):
        client_csv.apply(db.session.get(CsvUpload, 1), by=BOB, now=datetime.now(UTC), progress=die)
    clock.shift(timedelta(minutes=3))
    page = browser.get("/clients/imports/1")
    assert "The work has stopped" in page.text
    background.clear()
    page.submit("Go on now")
    with story():
        assert csv_imports.go_on(datetime.now(UTC)) == 1
    ((function, *args), _again) = background
    with story():
        function(*args)
    assert len(names(story)) == 6
    assert browser.get("/clients/imports/1").h1 == "Import of clients.csv"


def test_a_file_can_be_forgotten_before_it_is_imported_and_not_after(story, sign_in_as) -> None:
    browser = sign_in_as("member")
    page = upload(browser, {"Client Name": "Acme", **JO}).submit("Forget this file")
    assert page.said == "clients.csv is forgotten. No client was touched."
    assert browser.get("/clients/imports/1").status == 404
    upload(browser, {"Client Name": "Acme", **JO}).submit("Import 1 row")
    with story() as session:
        upload_id = session.scalar(select(CsvUpload.id))
    assert "imported already" in browser.post(f"/clients/imports/{upload_id}/removal").said
    with story() as session:
        assert session.scalar(select(CsvUpload.state)) == UploadState.DONE


def test_support_does_not_import(story, sign_in_as) -> None:
    """Fault row 98."""
    upload(sign_in_as("member"), {"Client Name": "Acme", **JO})
    browser = sign_in_as("support")
    for url in (
        "/clients/imports",
        "/clients/imports/1",
        "/clients/imports/template.csv",
        "/clients/imports/1/refused.csv",
    ):
        assert browser.get(url).status == 403
    for act in ("choices", "applications", "reversals", "resumptions", "archive", "removal"):
        assert browser.post(f"/clients/imports/1/{act}").status == 403
    assert upload(browser, {"Client Name": "Beta", **JO}).status == 403
    assert names(story) == []


def test_hostile_cells_and_file_names_stay_text(story, sign_in_as) -> None:
    """Fault rows 102, 103 and 105."""
    nasty = '<script>alert(1)</script>" hx-get="/x'
    with story():
        make_client(nasty, phone=nasty, contacts=[{"name": nasty, "email": "jo@acme.example"}])
    page = upload(
        sign_in_as("member"),
        {"Client Name": nasty, "Phone": "5", "Address Street": nasty, "Contact Name": nasty, "Contact Email": nasty},
        {"Client Name": nasty, **JO},
        name="<img src=x onerror=alert(1)>.csv",
    )
    assert not page.all("//script[not(@src)]")
    assert not page.all("//img")
    assert not page.all("//*[@hx-get='/x']")
    with story() as session:
        assert session.scalar(select(func.count()).select_from(CsvRow)) == 2
