"""Replies as the vendor's documentation and recordings show them, and the records they must become.

A pair is golden/<name>.xml and golden/<name>.json. The same clients in the vendor's JSON must become the same records.
"""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from portal.adapters.http import Reply
from portal.adapters.xpm import reading, writing
from portal.adapters.xpm.reading import Form
from portal.domain.records import ClientRecord

FOLDER = Path(__file__).parent / "golden"
PAIRS = sorted(path.stem for path in FOLDER.glob("*.xml"))


def records(body: bytes, wire_format: str = "xml") -> list[dict[str, Any]]:
    kind = {"xml": "text/xml; charset=utf-8", "json": "application/json"}[wire_format]
    made = list(reading.clients(Form(wire_format), Reply(200, {"content-type": kind}, io.BytesIO(body), len(body))))
    assert all(isinstance(one, ClientRecord) for one in made)
    return [one.as_json() for one in made]  # type: ignore[union-attr]  # just checked


@pytest.mark.parametrize("name", PAIRS)
def test_a_reply_becomes_these_records(name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    assert records((FOLDER / f"{name}.xml").read_bytes()) == expected


@pytest.mark.parametrize("name", PAIRS)
def test_the_vendors_json_becomes_the_same_records(name: str) -> None:
    expected = json.loads((FOLDER / f"{name}.json").read_text(encoding="utf-8"))
    clients = ElementTree.parse(FOLDER / f"{name}.xml").getroot().find("Clients")
    assert clients is not None
    body = json.dumps({"clients": [as_json(one) for one in clients], "status": "OK"}, ensure_ascii=False)
    assert records(body.encode(), "json") == expected


def as_json(element: ElementTree.Element) -> Any:
    if element.tag in ("Contacts", "Groups", "Notes", "Relationships"):
        return [as_json(child) for child in element]
    if len(element):
        return {writing.json_name(child.tag): as_json(child) for child in element}
    return element.text or ""


@pytest.mark.parametrize("size", [7, 64, 1000])
def test_a_reply_reads_the_same_however_it_is_cut_into_pieces(size: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("portal.adapters.xpm.json_form.PIECE", size)
    many = [{"uuid": str(number), "name": f"Client {number} ā\U0001f600", "phone": number} for number in range(50)]
    body = json.dumps({"note": 123456, "clients": many, "status": "OK"}, ensure_ascii=False).encode()
    assert [one["name"] for one in records(body, "json")] == [one["name"] for one in many]
    assert [one["phone"] for one in records(body, "json")] == [str(number) for number in range(50)]


def test_references_to_forbidden_characters_vanish_wherever_a_piece_ends() -> None:
    body = b"<Response><Status>OK</Status><Clients><Client><UUID>1</UUID><Name>"
    for padding in range(64):
        name = b"x" * padding + b"A&#xB;&#11;&amp;&#x0001f;B" + b"y" * 33_000
        whole = body + name + b"</Name></Client></Clients></Response>"
        assert records(whole)[0]["name"] == "x" * padding + "A&B" + "y" * 33_000


def test_a_record_goes_back_under_the_names_it_is_written_by() -> None:
    raw = {
        "Name": "A", "Website": "https://a.example", "GSTPeriod": "2 Monthly", "BalanceMonth": "Mar",
        "DateOfBirth": "1980-02-03T00:00:00", "TaxNumber": "***789", "IsArchived": "No", "Notes": [], "Groups": [],
        "AccountManager": {"UUID": "staff", "Name": "Jo"}, "JobManager": None, "Type": {"Name": "x"}, "Phone": None,
    }  # fmt: skip
    assert writing.as_written(raw) == {
        "Name": "A", "WebSite": "https://a.example", "GSTPeriod": "2", "BalanceMonth": "Mar",
        "DateOfBirth": "1980-02-03", "AccountManagerUUID": "staff",
    }  # fmt: skip
