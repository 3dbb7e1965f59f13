"""Uploaded files: what is taken for a CSV file and what is sent back, with the sentence that says why."""

from __future__ import annotations

import codecs
import csv
import io
import zipfile

import pytest

from portal.domain.client_csv_columns import HEADINGS
from portal.domain.client_csv_file import MAX_BYTES, MAX_ROWS, REASON_HEADING, UnreadableFile, column_letter, read
from portal.domain.client_csv_rows import understand
from portal.domain.csv_cells import safe_cell


def file(*rows: dict[str, str], delimiter: str = ",", header: tuple[str, ...] = HEADINGS) -> str:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter)
    writer.writerow(header)
    for row in rows:
        writer.writerow([row.get(heading, "") for heading in header])
    return out.getvalue()


ZOE = {"Client Name": "Café Zoë", "Contact Name": "Zoë", "Contact Email": "zoe@cafe.example"}


def cell(table, heading: str, row: int = 0) -> str:
    return table.rows[row].cells[HEADINGS.index(heading)]


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-16-le", "utf-16-be", "cp1252"])
def test_every_way_a_spreadsheet_saves_csv_is_read_alike(encoding: str, delimiter: str) -> None:
    table = read(file(ZOE, delimiter=delimiter).encode(encoding))
    assert cell(table, "Client Name") == "Café Zoë"
    assert table.delimiter == delimiter
    assert table.rows[0].number == 2


def test_the_separator_hint_of_a_spreadsheet_is_understood_and_not_counted() -> None:
    table = read(("sep=;\r\n" + file(ZOE, delimiter=";")).encode())
    assert (table.delimiter, table.rows[0].number) == (";", 2)


def test_rows_keep_the_number_the_spreadsheet_shows_beside_them() -> None:
    text = file(ZOE | {"Address Street": "1 Road\nUnit 2"}) + "\r\n" + ",".join([""] * len(HEADINGS)) + "\r\n"
    text += file(ZOE).split("\r\n")[1] + "\r\n"
    assert [row.number for row in read(text.encode()).rows] == [2, 5]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda names: names[1:], "Column A: “Client Name” stands where “Client ID” belongs, which is missing"),
        (lambda names: names[:-1], "“Default Contact” is missing"),
        (lambda names: (*names, "Xero"), "is one too many"),
        (
            lambda names: (names[0], "client name", *names[2:]),
            "Column B is headed “client name” and should be “Client Name”",
        ),
        (lambda names: (names[1], names[0], *names[2:]), "Column A: “Client Name” comes earlier than it should"),
        (lambda names: (names[0], "", *names[2:]), "Column B has no heading and should be “Client Name”"),
    ],
)
def test_a_changed_header_is_refused_naming_the_first_column_that_is_off(change, said: str) -> None:
    with pytest.raises(UnreadableFile) as refusal:
        read(file(ZOE, header=tuple(change(HEADINGS))).encode())
    assert said in str(refusal.value)


def test_a_file_without_the_header_says_so_rather_than_naming_a_column() -> None:
    with pytest.raises(UnreadableFile, match="first row is not the header"):
        read(b"Acme,acme@example.com\r\nBeta,beta@example.com\r\n")


def test_empty_columns_a_spreadsheet_leaves_behind_the_header_do_no_harm() -> None:
    text = "\r\n".join(line + ",," for line in file(ZOE).strip().split("\r\n"))
    assert cell(read(text.encode()), "Client Name") == "Café Zoë"


def test_the_file_of_refused_rows_can_be_uploaded_again_with_its_column_of_reasons() -> None:
    table = read(file(ZOE | {REASON_HEADING: "no email"}, header=(*HEADINGS, REASON_HEADING)).encode())
    assert table.rows[0].problem == ""
    assert len(table.rows[0].cells) == len(HEADINGS)


def workbook() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w") as archive:
        archive.writestr("[Content_Types].xml", "<Types/>")
        archive.writestr("xl/workbook.xml", "<workbook/>")
    return held.getvalue()


def bomb() -> bytes:
    held = io.BytesIO()
    with zipfile.ZipFile(held, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("clients.csv", "0" * 20_000_000)
    return held.getvalue()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (workbook(), "Excel workbook (.xlsx)"),
        (bomb(), "compressed file (.zip)"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + b"\0" * 600, "older Excel workbook"),
        (b"%PDF-1.7\n...", "PDF"),
        (b"\x89PNG\r\n\x1a\n....", "picture"),
        (b"<!DOCTYPE html><html></html>", "web page"),
        (b'{"clients": []}', "JSON"),
        (b"\x7fELF\x01\x00\x00\x00" * 50, "not a text file"),
        (b"", "empty"),
        (b"\r\n  \r\n", "empty"),
        (b"\x00" * 5000, "empty"),
    ],
)
def test_other_kinds_of_files_are_recognised_by_their_content(data: bytes, said: str) -> None:
    """Fault row 96: the name and the type the browser claims are never asked."""
    with pytest.raises(UnreadableFile) as refusal:
        read(data)
    assert said in str(refusal.value)


def test_a_file_that_is_too_large_is_refused_before_it_is_read() -> None:
    """Fault row 96."""
    with pytest.raises(UnreadableFile, match="10 MB"):
        read(b"a" * (MAX_BYTES + 1))


def test_more_rows_than_the_limit_are_refused() -> None:
    """Fault row 96."""
    line = ",Acme" + "," * (len(HEADINGS) - 2) + "\r\n"
    with pytest.raises(UnreadableFile, match="50,000 rows"):
        read((file() + line * (MAX_ROWS + 1)).encode())


def test_a_header_without_rows_says_that_nothing_would_be_imported() -> None:
    with pytest.raises(UnreadableFile, match="no rows under it"):
        read(file().encode())


def test_an_unclosed_quotation_mark_swallows_no_rows() -> None:
    text = file(ZOE, ZOE).replace("Café Zoë", '"Café Zoë', 1)
    with pytest.raises(UnreadableFile, match="quotation mark"):
        read(text.encode())


def test_a_row_with_slipped_cells_is_refused_and_the_others_are_read() -> None:
    text = file(ZOE) + ",Smith, Jones" + "," * len(HEADINGS) + "x\r\n" + ",Short,row\r\n"
    good, wide, short = read(text.encode()).rows
    assert good.problem == ""
    assert "quotation marks" in wide.problem
    assert "missing" in short.problem
    assert understand(short).problems == (short.problem,)


def test_unstorable_characters_refuse_their_row_naming_the_column() -> None:
    """Fault row 84: NUL, control characters, lone surrogates and broken UTF-8 in a cell."""
    rows = [ZOE | {"Phone": "09\x00555"}, ZOE | {"Fax": "1\x07"}, ZOE]
    data = file(*rows).encode() + file(ZOE | {"Salutation": "Zo"}).encode().split(b"\r\n")[1].replace(
        b"Zo,", b"Zo\xff,"
    )
    nul, bell, good, broken = (understand(row).problems for row in read(data).rows)
    assert nul == ("Phone: this holds a character that cannot be stored (NUL). Type it again.",)
    assert "Fax" in bell[0]
    assert "07" in bell[0]
    assert good == ()
    assert "half a character" in broken[0]


@pytest.mark.parametrize("text", ["=1+1", "+64 9 555", "-x", "@home", "'=1", "''+x", "＝1"])
def test_cells_guarded_against_formulas_are_read_back_as_they_were(text: str) -> None:
    """Fault row 95."""
    table = read(file(ZOE | {"Client Name": safe_cell(text)}).encode())
    assert understand(table.rows[0]).name == text


@pytest.mark.parametrize(
    "name", ["𝔄cme 🥝", "شركة\u202e المثال", "e\u0301clair", "a\u200bb", "<script>alert(1)</script>", "';--"]
)
def test_unusual_names_are_kept_letter_by_letter(name: str) -> None:
    """Fault row 84: what can be stored is stored, composed (NFC) and otherwise untouched."""
    import unicodedata

    row = understand(read(file(ZOE | {"Client Name": name}).encode()).rows[0])
    assert row.problems == ()
    assert row.name == unicodedata.normalize("NFC", name)


def test_ids_flags_and_lengths_are_checked_with_the_name_of_their_column() -> None:
    row = understand(
        read(
            file(
                ZOE
                | {
                    "Client ID": "seven",
                    "Tax Registered": "maybe",
                    "Phone": "1" * 51,
                    "Contact Email": "zoe at cafe",
                    "Contact ID": "12.0",
                }
            ).encode()
        ).rows[0]
    )
    assert [problem.split(":")[0] for problem in row.problems] == [
        "Client ID", "Phone", "Tax Registered", "Contact Email",
    ]  # fmt: skip
    assert row.contact_id == 12


def test_read_only_columns_are_read_past() -> None:
    row = understand(read(file(ZOE | {"Status": "Active", "Groups": "Ngata family"}).encode()).rows[0])
    assert "status" not in row.client
    assert "groups" not in row.client


def test_columns_are_named_as_spreadsheets_name_them() -> None:
    assert [column_letter(place) for place in (0, 25, 26, 27, 701, 702)] == ["A", "Z", "AA", "AB", "ZZ", "AAA"]


def test_a_byte_order_mark_of_any_kind_is_no_part_of_the_header() -> None:
    for mark, encoding in ((codecs.BOM_UTF16_BE, "utf-16-be"), (codecs.BOM_UTF32_LE, "utf-32-le")):
        assert cell(read(mark + file(ZOE).encode(encoding)), "Client Name") == "Café Zoë"
