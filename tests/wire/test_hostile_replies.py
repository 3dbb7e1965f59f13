"""What a vendor may send by mistake or on purpose, and what becomes of it (fault section 5.B)."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Callable
from typing import Any

import psutil
import pytest

from portal.adapters.base import AdapterError, Unavailable, UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.xpm import Xpm, xml_form
from portal.domain.records import ClientRecord, Quarantined, RecordState
from tests.adapters.conftest import Door

MEBIBYTE = 1024 * 1024


def spoil(door: Door, garbage: str, **values: Any) -> None:
    door.sandbox.control.fault("garbage", vendor="xpm", garbage=garbage, **values)


def read(door: Door) -> list[ClientRecord | Quarantined]:
    return list(door.adapter.fetch_clients(door.session(), None))


@pytest.mark.parametrize(
    "garbage",
    ["malformed_xml", "wrong_encoding", "doctype", "billion_laughs_small", "billion_laughs_large", "quadratic",
     "external_entity", "deep_tags"],
)  # fmt: skip
def test_broken_and_hostile_xml_is_refused_quickly_in_little_memory(door: Door, garbage: str) -> None:
    """Fault row 23."""
    spoil(door, garbage)
    process = psutil.Process()
    before, began = process.memory_info().rss, time.process_time()
    with pytest.raises(UnexpectedReply) as caught:
        read(door)
    assert process.memory_info().rss - before < 100 * MEBIBYTE
    assert time.process_time() - began < 2
    assert caught.value.vendor_text
    assert len(door.calls()) == 1, "broken XML is no passing trouble, and a look outside would be a call"
    assert not door.sandbox.control.calls(path="trap")


@pytest.mark.parametrize("garbage", ["html", "empty", "truncated"])
def test_what_is_no_answer_at_all_is_tried_again_and_then_kept_as_evidence(door: Door, garbage: str) -> None:
    """Fault row 21."""
    spoil(door, garbage)
    with pytest.raises(UnexpectedReply):
        read(door)
    assert len(door.calls()) == 4


@pytest.mark.parametrize("garbage", ["html", "empty", "truncated", "cut", "wrong_length"])
def test_one_bad_answer_is_made_good_by_the_next(door: Door, garbage: str) -> None:
    """Fault row 21."""
    spoil(door, garbage, times=1)
    assert len(read(door)) == 20
    assert len(door.calls()) == 2


@pytest.mark.parametrize("garbage", ["cut", "wrong_length"])
def test_a_connection_that_is_always_cut_is_unavailable_and_gives_no_record(door: Door, garbage: str) -> None:
    """Fault row 21."""
    spoil(door, garbage)
    with pytest.raises(Unavailable):
        read(door)


def test_a_bomb_is_refused(door: Door) -> None:
    """Fault row 20."""
    spoil(door, "gzip_bomb", size_mb=32)
    process = psutil.Process()
    before = process.memory_info().rss
    with pytest.raises(UnexpectedReply, match="attack"):
        read(door)
    assert process.memory_info().rss - before < 100 * MEBIBYTE


def test_two_gigabytes_are_refused_before_they_are_read(door: Door) -> None:
    """Fault row 20."""
    spoil(door, "huge", size_mb=2048)
    with pytest.raises(UnexpectedReply, match="far more"):
        read(door)


def test_a_byte_order_mark_does_no_harm(make_door: Callable[..., Door]) -> None:
    """Fault row 22."""
    for wire_format in ("xml", "json"):
        door = make_door(Xpm, XPM_WIRE_FORMAT=wire_format)
        spoil(door, "bom", times=1)
        assert len(read(door)) == 20


@pytest.mark.parametrize("garbage", ["nan_json", "duplicate_keys_json", "deep_json"])
def test_json_that_cannot_be_trusted_is_refused(make_door: Callable[..., Door], garbage: str) -> None:
    """Fault row 22."""
    door = make_door(Xpm, XPM_WIRE_FORMAT="json")
    spoil(door, garbage)
    with pytest.raises(UnexpectedReply):
        read(door)


def test_json_that_ends_early_is_refused(make_door: Callable[..., Door]) -> None:
    """Fault row 22."""
    door = make_door(Xpm, XPM_WIRE_FORMAT="json")
    spoil(door, "malformed_json")
    with pytest.raises(UnexpectedReply):
        read(door)


def test_half_a_character_puts_one_record_aside(make_door: Callable[..., Door]) -> None:
    """Fault row 22."""
    door = make_door(Xpm, XPM_WIRE_FORMAT="json")
    spoil(door, "lone_surrogate_json")
    (only,) = read(door)
    assert isinstance(only, Quarantined)
    assert only.remote_id == "1"
    assert json.dumps(only.raw).encode()


def answer(door: Door, clients: str, **values: Any) -> None:
    body = f"<Response><Status>OK</Status><Clients>{clients}</Clients></Response>"
    headers = {"Content-Type": "text/xml; charset=utf-8"}
    door.sandbox.control.fault("status", vendor="xpm", status=200, body=body, headers=headers, **values)


GOOD = "<Client><UUID>good</UUID><Name>Good Ltd</Name></Client>"


@pytest.mark.parametrize(
    ("odd", "reason"),
    [
        ("<Client><Name>No identifier</Name></Client>", "no identifier"),
        ("<Client><UUID>odd</UUID><Name> </Name></Client>", "no name"),
        ("<Client><UUID>odd</UUID></Client>", "no name"),
        ("<Client><UUID>odd</UUID><Name>X</Name><IsArchived>Perhaps</IsArchived></Client>", "neither Yes nor No"),
        ("<Client><UUID>odd</UUID><Name>X</Name><Contacts><Contact><Name>Sam</Name></Contact></Contacts></Client>",
         "contacts has no identifier"),
        ("<Client><UUID>odd</UUID><Name>X</Name><Groups><Group><Name>G</Name></Group></Groups></Client>",
         "groups has no identifier"),
    ],
)  # fmt: skip
def test_a_record_that_makes_no_sense_is_put_aside_and_the_rest_goes_on(door: Door, odd: str, reason: str) -> None:
    """Fault row 24."""
    answer(door, GOOD.replace("good", "first") + odd + GOOD)
    first, aside, last = read(door)
    assert (first.remote_id, last.remote_id) == ("first", "good")
    assert isinstance(aside, Quarantined)
    assert reason in aside.reason
    assert json.loads(aside.raw)


def test_new_fields_missing_fields_and_unknown_words_are_lived_with(door: Door) -> None:
    """Fault row 24."""
    answer(
        door,
        "<Client><Name>Odd Ltd</Name><Brand><New>1</New></Brand><GSTRegistered>Pending</GSTRegistered>"
        "<UUID>odd</UUID><BusinessStructure>Co-operative</BusinessStructure><Phone /><JobManager /></Client>",
    )
    (record,) = read(door)
    assert isinstance(record, ClientRecord)
    assert (record.name, record.tax_registered, record.structure) == ("Odd Ltd", None, "Co-operative")
    assert (record.phone, record.manager, record.groups, record.contacts) == ("", None, None, ())
    assert record.state == RecordState.ACTIVE


def test_a_control_character_in_one_name_does_not_make_the_list_unreadable(door: Door) -> None:
    """Software that writes XML by hand lets them through; strict parsers refuse the whole document."""
    answer(door, "<Client><UUID>1</UUID><Name>Tab&#xB;bed &#38; &#x1F;Co&#10;Ltd</Name></Client>" + GOOD)
    first, second = read(door)
    assert (first.name, second.name) == ("Tabbed & Co Ltd", "Good Ltd")


def test_a_single_record_that_never_ends_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    """Fault row 20: the list may be long, one client may not fill the memory."""
    monkeypatch.setattr(xml_form, "HEAVIEST", 1_000_000)
    note = b"<Note>word</Note>"
    light, heavy = (
        b"<Client><UUID>1</UUID><Name>One</Name><Notes>" + note * count + b"</Notes></Client>"
        for count in (6000, 60_000)
    )
    for client, is_taken in ((light * 30, True), (heavy, False)):
        body = b"<Response><Status>OK</Status><Clients>" + client + b"</Clients></Response>"
        reply = Reply(200, {"content-type": "text/xml"}, io.BytesIO(body), len(body))
        entries = xml_form.Entries(reply, "Clients", "Client")
        if is_taken:
            assert len(list(entries)) == 30
        else:
            with pytest.raises(UnexpectedReply, match="larger than"):
                list(entries)


@pytest.mark.parametrize(
    "body",
    [
        "<Response><Clients /></Response>",
        "<Response><Status>OK</Status></Response>",
        "<Other><Status>OK</Status></Other>",
        "<Response><Status>PERHAPS</Status><Clients /></Response>",
    ],
)
def test_an_envelope_that_is_not_xpms_is_not_taken_for_an_empty_list(door: Door, body: str) -> None:
    """Fault row 27."""
    door.sandbox.control.fault("status", vendor="xpm", status=200, body=body, headers={"Content-Type": "text/xml"})
    with pytest.raises(AdapterError):
        read(door)


@pytest.mark.parametrize("wire_format", ["xml", "json"])
def test_a_status_of_error_after_the_list_still_counts(make_door: Callable[..., Door], wire_format: str) -> None:
    """The order of elements is not fixed."""
    door = make_door(Xpm, XPM_WIRE_FORMAT=wire_format)
    body = {
        "xml": "<Response><Clients /><ErrorDescription>No</ErrorDescription><Status>ERROR</Status></Response>",
        "json": '{"clients": [], "errorDescription": "No", "status": "ERROR"}',
    }[wire_format]
    headers = {"Content-Type": f"application/{wire_format}"}
    door.sandbox.control.fault("status", vendor="xpm", status=200, body=body, headers=headers)
    with pytest.raises(AdapterError, match="refused: No"):
        read(door)


def test_a_redirect_to_another_host_is_not_followed(door: Door) -> None:
    """Fault row 30."""
    door.sandbox.control.fault("redirect", vendor="xpm", url="https://elsewhere.example/steal")
    with pytest.raises(UnexpectedReply, match="did not go"):
        read(door)
    assert len(door.calls()) == 1


def test_packed_lists_are_read(door: Door) -> None:
    door.sandbox.control.state(gzip=True, xml_declaration=True)
    assert len(read(door)) == 20
    door.sandbox.control.state(gzip=False, xml_declaration=False)
