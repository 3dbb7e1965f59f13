"""A CSV file as it was uploaded: what it really is, in which letters, cut how, and whether its header is ours. PURE.

The invariant: either every row is given back as it stands in the file, under its spreadsheet row number, or
`UnreadableFile` says in one sentence what to do. Nothing is guessed silently.
"""

from __future__ import annotations

import codecs
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

from portal.domain.client_csv_columns import HEADINGS

MAX_BYTES = 10_000_000
MAX_ROWS = 50_000
REASON_HEADING = "Why it was not imported"  # the one extra column we write, and read past when it comes back
DELIMITERS = (",", ";", "\t")

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)
_OTHER_KINDS = (
    (b"\xd0\xcf\x11\xe0", "an older Excel workbook (.xls)"),
    (b"%PDF", "a PDF"),
    (b"\x1f\x8b", "a compressed file (.gz)"),
    (b"7z\xbc\xaf", "a compressed file (.7z)"),
    (b"Rar!", "a compressed file (.rar)"),
    (b"\x89PNG", "a picture"),
    (b"\xff\xd8\xff", "a picture"),
    (b"GIF8", "a picture"),
    (b"{\\rtf", "a text document (.rtf)"),
    (b"SQLite format", "a database"),
)
SAVE_AS_CSV = "Open it in your spreadsheet, choose “Save as” and the type “CSV UTF-8”, and upload that file."


class UnreadableFile(Exception):
    """The file cannot be imported; the text says why and what to do."""


@dataclass(frozen=True, slots=True)
class FileRow:
    """One row; `number` is what a spreadsheet shows beside it. `problem` is set when it does not fit the header."""

    number: int
    cells: tuple[str, ...]
    problem: str = ""


@dataclass(frozen=True, slots=True)
class Table:
    rows: tuple[FileRow, ...]
    encoding: str
    delimiter: str


def read(data: bytes, headings: Sequence[str] = HEADINGS, last: Sequence[str] = ()) -> Table:
    """The rows under the header, which may end with `last`, all of them or none. Raises `UnreadableFile`."""
    check_kind(data)
    text, encoding = decode(data)
    text = text.removeprefix("\ufeff")
    delimiter = find_delimiter(text, headings)
    if text[:4].lower() == "sep=":  # a hint spreadsheets write for themselves and do not count as a row
        text = text.partition("\n")[2]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    rows: list[FileRow] = []
    try:
        header = next(reader, [])
        headings = (*headings, *last) if _goes_on(header, headings) else headings
        has_reasons = check_header(header, headings)
        for number, cells in enumerate(reader, 2):
            if not any(cell.strip() for cell in cells):
                continue
            if len(rows) == MAX_ROWS:
                raise UnreadableFile(f"The file has more than {MAX_ROWS:,} rows. Split it and upload the parts.")
            rows.append(_row(number, cells, len(headings), has_reasons))
    except csv.Error as error:
        raise UnreadableFile(_csv_sentence(reader.line_num, str(error))) from error
    if not rows:
        raise UnreadableFile("The file has the header and no rows under it. Nothing would be imported.")
    return Table(tuple(rows), encoding, delimiter)


def check_kind(data: bytes) -> None:
    """Say no to what is no CSV file, by its content and whatever its name. Raises `UnreadableFile`."""
    if len(data) > MAX_BYTES:
        raise UnreadableFile(
            f"The file is larger than {MAX_BYTES // 1_000_000} MB. Split it and upload the parts one by one."
        )
    if not data.strip(b"\x00 \t\r\n"):
        raise UnreadableFile("The file is empty.")
    if data.startswith(b"PK"):
        is_workbook = b"[Content_Types].xml" in data[:4000] or b"xl/" in data
        kind = "an Excel workbook (.xlsx)" if is_workbook else "a compressed file (.zip)"
        raise UnreadableFile(f"This is {kind}, not a CSV file. {SAVE_AS_CSV if is_workbook else 'Unpack it first.'}")
    for start, kind in _OTHER_KINDS:
        if data.startswith(start):
            raise UnreadableFile(f"This is {kind}, not a CSV file. {SAVE_AS_CSV}")
    beginning = data[:400].lstrip(codecs.BOM_UTF8 + b" \t\r\n").lower()
    if beginning.startswith((b"<!doctype", b"<html", b"<?xml", b"<workbook", b"<table")):
        raise UnreadableFile(f"This is a web page or XML, not a CSV file. {SAVE_AS_CSV}")
    if beginning.startswith((b"{", b"[")):
        raise UnreadableFile(f"This is JSON, not a CSV file. {SAVE_AS_CSV}")


def decode(data: bytes) -> tuple[str, str]:
    """The text and the name of its encoding: what its mark says, else UTF-8, else Windows-1252.

    A few broken characters in a file that is plainly UTF-8 stay as lone surrogates, so that only their rows are
    refused. Raises `UnreadableFile`.
    """
    for mark, name in _BYTE_ORDER_MARKS:
        if data.startswith(mark):
            try:
                return data.decode(name, "surrogateescape" if name == "utf-8-sig" else "strict"), name
            except UnicodeDecodeError as error:
                raise _strange_letters(name) from error
    wide = _unmarked_utf16(data)
    if wide:
        return data.decode(wide, "replace"), wide
    try:
        return data.decode("utf-8"), "utf-8"
    except UnicodeDecodeError:
        text = data.decode("utf-8", "surrogateescape")
    broken = sum(1 for character in text if "\udc80" <= character <= "\udcff")
    meant = sum(1 for character in text if character > "\x7f") - broken
    if meant > broken:
        return text, "utf-8"
    try:
        return data.decode("cp1252"), "windows-1252"
    except UnicodeDecodeError as error:
        raise _strange_letters("UTF-8, UTF-16 or Windows-1252") from error


def _unmarked_utf16(data: bytes) -> str | None:
    """UTF-16 without its mark: every other byte of plain text is zero."""
    beginning = data[:2000]
    half = len(beginning) // 2
    if half < 4:
        return None
    if beginning[1::2].count(0) > 0.7 * half:
        return "utf-16-le"
    if beginning[0::2].count(0) > 0.7 * half:
        return "utf-16-be"
    if beginning.count(0) > len(beginning) // 20:
        raise UnreadableFile(f"This is not a text file, so it cannot be a CSV file. {SAVE_AS_CSV}")
    return None


def _strange_letters(name: str) -> UnreadableFile:
    return UnreadableFile(f"The letters in this file cannot be read as {name}. {SAVE_AS_CSV}")


def find_delimiter(text: str, headings: Sequence[str] = HEADINGS) -> str:
    """The separator under which the first line shows most of our headings; a comma when none does."""
    if text[:4].lower() == "sep=" and text[4:5] in DELIMITERS:
        return text[4]
    line = text.partition("\n")[0].rstrip("\r")
    wanted = set(headings)

    def fit(delimiter: str) -> tuple[int, int]:
        cells = [cell.strip().strip('"') for cell in line.split(delimiter)]
        return sum(1 for cell in cells if cell in wanted), len(cells)

    return max(DELIMITERS, key=fit)


def _goes_on(header: Sequence[str], headings: Sequence[str]) -> bool:
    """Whether more columns follow than these and the one of reasons."""
    return any(cell.strip() and cell != REASON_HEADING for cell in header[len(headings) :])


def check_header(header: Sequence[str], headings: Sequence[str] = HEADINGS) -> bool:
    """Whether the column of reasons follows ours. Raises `UnreadableFile` naming the first wrong column (CL-41)."""
    cells = list(header)
    while len(cells) > len(headings) and not cells[-1].strip():
        cells.pop()  # spreadsheets like to keep empty columns at the end
    has_reasons = len(cells) == len(headings) + 1 and cells[-1] == REASON_HEADING
    if has_reasons:
        cells.pop()
    if cells == list(headings):
        return has_reasons
    raise UnreadableFile(f"{_what_is_off(cells, headings)} The header must be the one of the template, unchanged.")


def _what_is_off(cells: list[str], headings: Sequence[str]) -> str:
    if not any(cell in headings for cell in cells):
        return "The first row is not the header of the template."
    for position, wanted in enumerate(headings):
        if position >= len(cells):
            return f"The column “{wanted}” is missing at the end."
        found = cells[position]
        if found == wanted:
            continue
        place = f"Column {column_letter(position)}"
        if found in headings:
            missing = f"stands where “{wanted}” belongs, which is missing"
            what = "comes earlier than it should" if wanted in cells else missing
            return f"{place}: “{found}” {what}."
        if not found.strip():
            return f"{place} has no heading and should be “{wanted}”."
        return f"{place} is headed “{_short(found)}” and should be “{wanted}”."
    return f"Column {column_letter(len(headings))}, “{_short(cells[len(headings)])}”, is one too many."


def column_letter(position: int) -> str:
    """The letters a spreadsheet puts over the column; 0 is A."""
    letters = ""
    position += 1
    while position:
        position, rest = divmod(position - 1, 26)
        letters = chr(65 + rest) + letters
    return letters


def _row(number: int, cells: list[str], width: int, has_reasons: bool) -> FileRow:
    whole = width + 1 if has_reasons else width
    extra = [cell for cell in cells[whole:] if cell.strip()]
    problem = ""
    if extra:
        problem = f"It has {len(cells)} cells, the header {whole}. A text with a separator needs quotation marks."
    elif len(cells) < width:
        problem = f"It has {len(cells)} cells, the header {whole}. A cell or a separator is missing."
    kept = cells[:width] + [""] * (width - len(cells))
    return FileRow(number, tuple(kept), problem)


def _csv_sentence(line: int, words: str) -> str:
    if "field larger" in words:
        return f"A cell near line {line} is longer than any text of a client could be. Is a quotation mark missing?"
    return (
        f"The file cannot be read further than line {line}: a quotation mark is opened and not closed, "
        "or is followed by more text. Mend that line and upload the file again."
    )


def _short(text: str) -> str:
    return text if len(text) <= 40 else text[:39] + "…"
