"""Every fault does what it says, over a real connection."""

from __future__ import annotations

import gzip
import json
import socket
import time
import zlib
from email.utils import parsedate_to_datetime
from urllib.parse import urlsplit
from xml.etree import ElementTree as ET

import pytest
import requests

from portal.sandbox.client import ControlError
from portal.sandbox.garbage import KINDS
from tests.sandbox.practice import Practice

LIST = "client.api/list"
LATIN_E = b"\xe9"


def garbage(practice: Practice, kind: str, **values: object) -> requests.Response:
    """A list answer of this kind, not read yet."""
    practice.sandbox.control.fault("garbage", garbage=kind, vendor="xpm", **values)
    return practice.ask("GET", LIST, stream=True)


def named(practice: Practice, name: str) -> int:
    """How many clients of this name the practice really has."""
    return len([client for client in practice.sandbox.control.clients(name) if client["name"] == name])


def add(practice: Practice, name: str) -> requests.Response:
    return practice.ask("POST", "client.api/add", f"<Client><Name>{name}</Name></Client>")


def raw_answer(practice: Practice, path: str) -> bytes:
    """All bytes on the wire until the connection ends."""
    parts = urlsplit(f"{practice.root}/{path}")
    lines = [f"GET {parts.path} HTTP/1.1", f"Host: {parts.netloc}", *(f"{k}: {v}" for k, v in practice.headers.items())]
    with socket.create_connection((str(parts.hostname), parts.port or 0), timeout=10) as wire:
        wire.sendall(("\r\n".join(lines) + "\r\n\r\n").encode())
        found = b""
        while block := wire.recv(65_536):
            found += block
    return found


def test_a_status_fault_answers_without_doing_anything(practice: Practice) -> None:
    practice.sandbox.control.fault(
        "status", status=503, body="offline", headers={"X-Why": "test"}, path=r"client\.api/add"
    )
    answer = add(practice, "Never Ltd")
    assert (answer.status_code, answer.text, answer.headers["X-Why"]) == (503, "offline", "test")
    assert named(practice, "Never Ltd") == 0


def test_accepting_and_then_cutting_the_connection_does_the_work_once(practice: Practice) -> None:
    practice.sandbox.control.fault("accept_then_drop", method="POST", times=1)
    with pytest.raises(requests.ConnectionError):
        add(practice, "Cut Ltd")
    assert named(practice, "Cut Ltd") == 1
    (call,) = practice.sandbox.control.calls(path="client.api/add")
    assert (call["status"], call["fault"]) == (0, "accept_then_drop")
    assert add(practice, "Cut Ltd").status_code == 200
    assert named(practice, "Cut Ltd") == 2


def test_accepting_and_then_answering_500_does_the_work(practice: Practice) -> None:
    practice.sandbox.control.fault("accept_then_status", status=500, body="oops", path="client.api/add")
    assert add(practice, "Half Ltd").status_code == 500
    assert named(practice, "Half Ltd") == 1


def test_accepting_and_then_staying_silent_does_the_work(practice: Practice) -> None:
    practice.sandbox.control.fault("accept_then_hang", seconds=30, path="client.api/add")
    with pytest.raises(requests.ReadTimeout):
        requests.post(
            f"{practice.root}/client.api/add", b"<Client><Name>Quiet Ltd</Name></Client>",
            headers=practice.headers, timeout=0.4,
        )  # fmt: skip
    assert named(practice, "Quiet Ltd") == 1


def test_dropping_and_hanging_do_nothing(practice: Practice) -> None:
    practice.sandbox.control.fault("drop", nth=1, path="client.api/add")
    practice.sandbox.control.fault("hang", seconds=0.2, path="client.api/add")
    for _ in range(2):
        with pytest.raises(requests.ConnectionError):
            add(practice, "Nothing Ltd")
    assert named(practice, "Nothing Ltd") == 0


def test_slow_answers_come_late_and_the_work_is_done_before(practice: Practice) -> None:
    practice.sandbox.control.fault("latency", seconds=0.4, path="client.api")
    began = time.monotonic()
    assert add(practice, "Slow Ltd").status_code == 200
    assert time.monotonic() - began >= 0.4
    assert named(practice, "Slow Ltd") == 1


def test_rules_match_by_vendor_method_path_and_number(practice: Practice) -> None:
    control = practice.sandbox.control
    control.fault("status", status=500, vendor="xpm", method="get", path="client.api/list$", nth=2)
    control.fault("status", status=502, path="staff.api", after=1, times=1)
    control.fault("status", status=501, vendor="xero-identity", path="connections")
    assert [practice.ask("GET", LIST).status_code for _ in range(3)] == [200, 500, 200]
    assert [practice.ask("GET", "staff.api/list").status_code for _ in range(3)] == [200, 502, 200]
    assert practice.ask("GET", "category.api/list").status_code == 200
    fired = [rule["fired"] for rule in control.ask("GET", "faults")["rules"]]
    assert fired == [1, 1, 0]
    control.clear_faults()
    assert control.ask("GET", "faults")["rules"] == []


def test_chance_repeats_itself(practice: Practice) -> None:
    practice.sandbox.control.fault("status", status=500, probability=0.5, path="staff.api")
    first = [practice.ask("GET", "staff.api/list").status_code for _ in range(10)]
    assert set(first) == {200, 500}
    practice.sandbox.control.clear_faults()
    practice.sandbox.control.fault("status", status=500, probability=0.5, path="staff.api")
    assert [practice.ask("GET", "staff.api/list").status_code for _ in range(10)] == first


def test_a_rule_that_makes_no_sense_is_refused(practice: Practice) -> None:
    for wrong in ({"kind": "explode"}, {"kind": "garbage", "garbage": "sand"}, {"kind": "drop", "path": "("}):
        with pytest.raises(ControlError, match="400"):
            practice.sandbox.control.ask("POST", "faults", wrong)


def test_the_429_storm_speaks_every_dialect_of_retry_after(practice: Practice) -> None:
    control = practice.sandbox.control
    for sent, expected in (("2", "2"), ("3600", "3600"), ("absent", None), ("garbage", "soon, we hope")):
        control.clear_faults()
        control.fault("rate_limited", retry_after=sent, vendor="xpm")
        answer = practice.ask("GET", LIST)
        assert (answer.status_code, answer.content, answer.headers.get("Retry-After")) == (429, b"", expected)
        assert answer.headers["X-Rate-Limit-Problem"] == "minute"
    control.clear_faults()
    control.fault("rate_limited", retry_after="date", seconds=60, problem="day")
    answer = practice.ask("GET", LIST)
    assert parsedate_to_datetime(answer.headers["Retry-After"])
    assert answer.headers["X-Rate-Limit-Problem"] == "day"


def test_an_expired_token_once_and_then_all_is_well(practice: Practice) -> None:
    practice.sandbox.control.fault("token_expired", vendor="xpm", times=1)
    answer = practice.ask("GET", LIST)
    assert (answer.status_code, answer.headers["WWW-Authenticate"]) == (401, "Bearer error=invalid_token")
    assert answer.json()["Detail"].startswith("TokenExpired: token expired at ")
    assert practice.ask("GET", LIST).status_code == 200


def test_revoked_access_is_403_and_refreshing_fails(practice: Practice) -> None:
    practice.sandbox.control.fault("revoked")
    answer = practice.ask("GET", LIST)
    assert (answer.status_code, answer.json()["Detail"]) == (403, "AuthenticationUnsuccessful")
    form = {"grant_type": "refresh_token", "refresh_token": practice.token["refresh_token"]}
    reply = requests.post(
        f"{practice.sandbox.url}/xero/connect/token", form, auth=("counterpart-sandbox", "sandbox-secret"), timeout=5
    )
    assert (reply.status_code, reply.json()) == (400, {"error": "invalid_grant"})


def test_an_error_may_hide_in_a_200(practice: Practice) -> None:
    practice.sandbox.control.fault("business_error", message="Not today", path="client.api/update")
    root = practice.xml("PUT", "client.api/update", "<Client/>")
    assert (root.findtext("Status"), root.findtext("ErrorDescription")) == ("ERROR", "Not today")


def test_lists_may_suddenly_be_empty(practice: Practice) -> None:
    practice.sandbox.control.fault("empty_list", vendor="xpm")
    assert practice.clients() == []
    assert practice.xml("GET", "staff.api/list").findall("StaffList/Staff") == []
    assert practice.json(LIST) == {"status": "OK", "clients": []}


def test_a_page_may_repeat_itself_for_ever(practice: Practice) -> None:
    practice.sandbox.control.fault("repeat_page", path="paged-list")
    first = practice.xml("GET", "client.api/paged-list?pageSize=5")
    following = str(first.findtext("Pagination/Links/Next")).removeprefix(practice.root + "/")
    again = practice.xml("GET", following)
    assert again.findtext("Clients/Client/UUID") == first.findtext("Clients/Client/UUID")
    assert again.findtext("Pagination/Links/Next")


def test_stale_reads_do_not_see_the_last_seconds(practice: Practice) -> None:
    uuid = str(practice.first().findtext("UUID"))
    phone = practice.first().findtext("Phone")
    practice.sandbox.control.fault("stale", seconds=60, method="GET")
    add(practice, "Too New Ltd")
    practice.sandbox.control.change(uuid, phone="09 555 9999")
    assert len(practice.clients()) == 40
    assert practice.first().findtext("Phone") == phone
    assert practice.xml("GET", "client.api/search?query=too new").findall("Clients/Client") == []
    practice.sandbox.control.clock(advance_seconds=61)
    assert len(practice.clients()) == 41
    assert practice.first().findtext("Phone") == "09 555 9999"


def test_a_redirect_goes_where_it_is_told(practice: Practice) -> None:
    practice.sandbox.control.fault("redirect", url="http://elsewhere.example/steal", vendor="xpm")
    answer = practice.ask("GET", LIST, allow_redirects=False)
    assert (answer.status_code, answer.headers["Location"]) == (302, "http://elsewhere.example/steal")


def test_an_answer_may_be_rewritten(practice: Practice) -> None:
    practice.sandbox.control.fault("rewrite", replace=[["<Name>", "<Surprise>1</Surprise><Name>"]], path="staff.api")
    assert practice.xml("GET", "staff.api/list").findtext("StaffList/Staff/Surprise") == "1"


def test_a_proxys_html_page_comes_with_status_200(practice: Practice) -> None:
    answer = garbage(practice, "html")
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "text/html; charset=utf-8")


def test_an_answer_may_be_empty(practice: Practice) -> None:
    assert garbage(practice, "empty").content == b""


@pytest.mark.parametrize("kind", ["truncated", "malformed_xml"])
def test_broken_xml_does_not_parse(practice: Practice, kind: str) -> None:
    body = garbage(practice, kind).content
    assert body
    with pytest.raises(ET.ParseError):
        ET.fromstring(body)


def test_the_encoding_may_be_a_lie(practice: Practice) -> None:
    body = garbage(practice, "wrong_encoding").content
    assert LATIN_E in body
    with pytest.raises(UnicodeDecodeError):
        body.decode()


@pytest.mark.parametrize(
    ("kind", "largest"), [("doctype", 1000), ("billion_laughs_small", 2000), ("billion_laughs_large", 2000)]
)
def test_document_types_arrive(practice: Practice, kind: str, largest: int) -> None:
    body = garbage(practice, kind).content
    assert b"<!DOCTYPE" in body
    assert len(body) < largest
    assert (b"<!ENTITY" in body) == (kind != "doctype")


def test_small_laughs_stay_under_eight_mebibytes_and_large_ones_do_not(practice: Practice) -> None:
    small, large = garbage(practice, "billion_laughs_small").text, ""
    practice.sandbox.control.clear_faults()
    large = garbage(practice, "billion_laughs_large").text
    assert 3 * 10 ** (small.count("<!ENTITY") - 1) < 8 * 2**20
    assert 3 * 10 ** (large.count("<!ENTITY") - 1) > 10**9


def test_the_quadratic_bomb_grows_by_thousands(practice: Practice) -> None:
    body = garbage(practice, "quadratic").content
    assert len(body) < 200_000
    assert body.count(b"&a;") == 5000


def test_whoever_follows_the_external_entity_is_caught(practice: Practice) -> None:
    body = garbage(practice, "external_entity").text
    trap = f"{practice.sandbox.url}/control/trap"
    assert trap in body
    assert "file:///" in body
    assert practice.sandbox.control.calls(vendor="trap") == []
    requests.get(trap, timeout=5)
    assert len(practice.sandbox.control.calls(vendor="trap")) == 1


def test_elements_and_lists_may_nest_two_hundred_thousand_deep(practice: Practice) -> None:
    assert garbage(practice, "deep_tags").content.count(b"<a>") == 200_000
    practice.sandbox.control.clear_faults()
    body = garbage(practice, "deep_json").content
    assert body.count(b"[") == 200_000
    with pytest.raises(RecursionError):
        json.loads(body)


def test_a_gzip_bomb_unpacks_to_what_was_asked_for(practice: Practice) -> None:
    answer = garbage(practice, "gzip_bomb", size_mb=32)
    assert answer.headers["Content-Encoding"] == "gzip"
    packed = answer.raw.read(decode_content=False)
    assert len(packed) < 200_000
    assert len(gzip.decompress(packed)) == 32 * 2**20
    assert zlib.decompressobj(31).decompress(packed, 10) == b" " * 10


def test_an_endless_body_goes_on_until_the_caller_has_enough(practice: Practice) -> None:
    seen = 0
    with garbage(practice, "endless") as answer:
        for block in answer.iter_content(2**20):
            seen += len(block)
            if seen > 20 * 2**20:
                break
    assert seen > 20 * 2**20


def test_a_huge_body_has_the_length_it_announces(practice: Practice) -> None:
    answer = garbage(practice, "huge", size_mb=3)
    assert answer.headers["Content-Length"] == str(3 * 2**20)
    body = answer.content
    assert len(body) == 3 * 2**20
    assert ET.fromstring(body).findtext("Status") == "OK"


def test_bytes_may_drip(practice: Practice) -> None:
    practice.sandbox.control.fault("garbage", garbage="slow_bytes", interval=0.001, path="jobstate.api")
    began = time.monotonic()
    body = practice.ask("GET", "category.api/list").content
    quick = time.monotonic() - began
    assert ET.fromstring(body) is not None
    began = time.monotonic()
    body = practice.ask("GET", "jobstate.api/list").content
    assert ET.fromstring(body).findtext("Status") == "OK"
    assert time.monotonic() - began > max(quick, len(body) * 0.001)


@pytest.mark.parametrize("kind", ["wrong_length", "cut"])
def test_a_body_may_end_before_its_length(practice: Practice, kind: str) -> None:
    practice.sandbox.control.fault("garbage", garbage=kind, vendor="xpm")
    head, _, body = raw_answer(practice, "staff.api/list").partition(b"\r\n\r\n")
    promised = int(head.split(b"Content-Length: ")[1].split(b"\r\n")[0])
    assert 0 < len(body) < promised
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        practice.ask("GET", "staff.api/list")


def test_a_byte_order_mark_may_come_first(practice: Practice) -> None:
    assert garbage(practice, "bom").content.startswith(b"\xef\xbb\xbf<Response")


def test_json_may_be_odd_in_its_own_ways(practice: Practice) -> None:
    def body(kind: str) -> str:
        practice.sandbox.control.clear_faults()
        return garbage(practice, kind).text

    assert "NaN" in body("nan_json")
    assert body("duplicate_keys_json").count('"name"') == 2
    assert "\\ud83d" in body("lone_surrogate_json")
    with pytest.raises(json.JSONDecodeError):
        json.loads(body("malformed_json"))


def test_every_kind_of_garbage_is_offered(practice: Practice) -> None:
    asked_for = {
        "html", "empty", "truncated", "malformed_xml", "wrong_encoding", "doctype", "billion_laughs_small",
        "billion_laughs_large", "quadratic", "external_entity", "deep_tags", "gzip_bomb", "endless", "slow_bytes",
        "wrong_length", "huge", "bom", "nan_json", "duplicate_keys_json", "deep_json", "lone_surrogate_json",
    }  # fmt: skip
    assert asked_for <= set(KINDS)
    assert set(practice.sandbox.control.ask("GET", "faults")["garbage"]) == set(KINDS)


def test_faults_reach_the_token_endpoint_too(practice: Practice) -> None:
    practice.sandbox.control.fault("garbage", garbage="html", vendor="xero-identity", path="connect/token")
    answer = requests.post(f"{practice.sandbox.url}/xero/connect/token", {}, timeout=5)
    assert answer.headers["Content-Type"].startswith("text/html")


def test_a_409_can_be_injected(practice: Practice) -> None:
    practice.sandbox.control.fault("status", status=409, path="client.api/update", times=1)
    assert practice.ask("PUT", "client.api/update", "<Client/>").status_code == 409
