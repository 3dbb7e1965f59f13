"""XPM's two languages. XML unless the caller asked for strict types and JSON; handlers only ever see elements.

A JSON body is turned into the elements it stands for, and a JSON answer is made from the elements of the XML one.
"""

from __future__ import annotations

import json
import re
import zlib
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Any
from xml.etree import ElementTree as ET

from flask import Response, request

from portal.sandbox.context import here

XML_TYPE = "text/xml; charset=utf-8"
JSON_TYPE = "application/json; charset=utf-8"
STRICT = "practice-strict-content-type"
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")

# List element -> the element of one entry.
LISTS = {
    "Clients": "Client",
    "Contacts": "Contact",
    "Notes": "Note",
    "Groups": "Group",
    "Relationships": "Relationship",
    "StaffList": "Staff",
    "Jobs": "Job",
    "JobStates": "JobState",
    "Categories": "Category",
    "Templates": "Template",
    "TaskList": "Task",
    "Tasks": "Task",
    "Assigned": "Staff",
    "Milestones": "Milestone",
    "Invoices": "Invoice",
    "Quotes": "Quote",
    "Times": "Time",
    "Documents": "Document",
    "CustomFields": "CustomField",
    "Payments": "Payment",
    "CustomFieldDefinitions": "CustomFieldDefinition",
    "Costs": "Cost",
}
WHOLE = frozenset({"NumberOfShares", "PaymentDay", "EstimatedMinutes", "ActualMinutes", "AllocatedMinutes"})
DECIMAL = frozenset({"ProvisionalTaxRatio", "CostMarkup", "Percentage", "Budget"})
TRUTH = frozenset({"Completed", "Billable"})
UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


class BusinessError(Exception):
    """What XPM answers with status 200 and `Status` ERROR."""


class BadBody(Exception):
    """The request body cannot be read."""


def clean(text: str) -> str:
    """Without the characters XML cannot carry."""
    return UNFIT.sub("", text)


def escape(text: str) -> str:
    """For element text."""
    if "&" in text or "<" in text or ">" in text:
        return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return text


def element(tag: str, *children: ET.Element | None, text: str | None = None) -> ET.Element:
    """An element; None children are left out."""
    made = ET.Element(tag)
    made.text = text
    made.extend(child for child in children if child is not None)
    return made


def leaves(tag: str, values: dict[str, str | None]) -> ET.Element:
    """An element of plain values; None leaves one out, an empty text stays as an empty element."""
    return element(tag, *(element(name, text=value) for name, value in values.items() if value is not None))


def wants_json() -> bool:
    """Whether this request asked for JSON in the only way that counts."""
    return _strict() and "application/json" in request.headers.get("Accept", "")


def unacceptable() -> bool:
    """Strict types asked for, and neither XML nor JSON would do."""
    accept = request.headers.get("Accept", "*/*")
    return _strict() and not any(word in accept for word in ("json", "xml", "*/*"))


def api_method() -> str:
    """The path word after the family, as the envelope spells it."""
    word = request.path.split(".api/", 1)[-1].split("/", 1)[0]
    return {"applytemplate": "ApplyTemplate", "paged-list": "PagedList"}.get(word, word[:1].upper() + word[1:])


def answer(*parts: ET.Element) -> Response:
    """The envelope around these elements."""
    if wants_json():
        return _json({"status": "OK", **_json_parts(parts)})
    return xml_reply(ET.tostring(part, encoding="unicode") for part in parts)


def error(message: str, status: int = 200) -> Response:
    """XPM's own way of saying no."""
    if wants_json():
        return _json({"status": "ERROR", "errorDescription": message}, status)
    body = f"{_opening()}<Status>ERROR</Status><ErrorDescription>{escape(message)}</ErrorDescription></Response>"
    return Response(body, status, content_type=XML_TYPE)


def xml_reply(parts: Iterable[str]) -> Response:
    """A complete XML answer from rendered parts."""
    return Response(f"{_opening()}<Status>OK</Status>{''.join(parts)}</Response>", content_type=XML_TYPE)


def streamed(tag: str, blocks: Iterator[str]) -> Response:
    """A long list, sent as it is read. Blocks hold whole rendered entries."""
    as_json = wants_json()
    body = _json_stream(tag, blocks) if as_json else _xml_stream(tag, blocks, f"{_opening()}<Status>OK</Status>")
    response = Response(content_type=JSON_TYPE if as_json else XML_TYPE)
    if here().switches["gzip"] and "gzip" in request.headers.get("Accept-Encoding", ""):
        body = _squeezed(body)
        response.headers["Content-Encoding"] = "gzip"
    response.response = body
    return response


def body_element(root: str) -> ET.Element:
    """The request body as `root`; raises BadBody."""
    data = request.get_data()
    if _strict() and "json" in request.headers.get("Content-Type", ""):
        try:
            return _from_json(root, json.loads(data))
        except (ValueError, AttributeError) as reason:
            raise BadBody("The JSON body cannot be read.") from reason
    if b"<!DOCTYPE" in data:
        raise BadBody("A document type is not accepted.")
    try:
        found = ET.fromstring(data)
    except ET.ParseError as reason:
        raise BadBody(f"The XML body cannot be read: {reason}.") from reason
    if found.tag != root:
        raise BadBody(f"Expected a {root} element.")
    return found


def value(parent: ET.Element, path: str) -> str | None:
    """Text of a child, trimmed and fit for XML; None when the element was not sent."""
    child = parent.find(path)
    return None if child is None else clean((child.text or "").strip())


def to_json(node: ET.Element) -> Any:
    """What one element is in JSON."""
    if node.tag in LISTS:
        return [to_json(child) for child in node]
    text = node.text or ""
    if len(node):
        return {json_name(child.tag): to_json(child) for child in node}
    if node.tag == "BalanceMonth":
        return MONTHS.index(text) + 1 if text in MONTHS else None
    if node.tag in WHOLE:
        return int(text) if text else None
    if node.tag in DECIMAL:
        return float(text) if text else None
    return text == "true" if node.tag in TRUTH else text


@lru_cache(maxsize=1000)
def json_name(tag: str) -> str:
    """UUID -> uuid, AccountManagerUUID -> accountManagerUuid, GSTPeriod -> gstPeriod."""
    known = {"UUID": "uuid", "ID": "id", "URL": "url", "Opt-Out": "opt-out", "InternalID": "internalId"}
    if tag in known:
        return known[tag]
    plain = tag.replace("UUID", "Uuid").replace("GST", "Gst")
    return plain[:1].lower() + plain[1:]


def xml_name(key: str) -> str:
    """The other way round."""
    known = {"uuid": "UUID", "id": "ID", "opt-out": "Opt-Out"}
    if key in known or "-" in key or key in ("add", "remove"):
        return known.get(key, key)
    plain = key[:1].upper() + key[1:]
    return re.sub("Uuid$", "UUID", re.sub("Gst", "GST", plain))


def _from_json(tag: str, found: Any) -> ET.Element:
    made = ET.Element(tag)
    if not isinstance(found, dict):
        made.text = None if found is None else str(found)
        return made
    if tag in ("add", "remove") or tag.startswith(("add-", "remove-")):
        made.attrib.update({key: str(item) for key, item in found.items()})
        return made
    for key, item in found.items():
        name = xml_name(key)
        if isinstance(item, list) and name in LISTS:
            made.append(element(name, *(_from_json(LISTS[name], entry) for entry in item)))
        elif isinstance(item, list):
            made.extend(_from_json(name, entry) for entry in item)
        else:
            made.append(_from_json(name, item))
    return made


def _json_parts(parts: Iterable[ET.Element]) -> dict[str, Any]:
    """One key for each part; the web address moves inside the entity, where JSON has it."""
    made: dict[str, Any] = {}
    single: dict[str, Any] | None = None
    for part in parts:
        if part.tag == "WebUrl" and single is not None:
            single["webUrl"] = part.text or ""
            continue
        made[json_name(part.tag)] = found = to_json(part)
        single = found if isinstance(found, dict) else None
    return made


def _xml_stream(tag: str, blocks: Iterator[str], opening: str) -> Iterator[bytes]:
    first = next(blocks, None)
    if first is None:
        yield f"{opening}<{tag} /></Response>".encode()
        return
    yield f"{opening}<{tag}>{first}".encode()
    for block in blocks:
        yield block.encode()
    yield f"</{tag}></Response>".encode()


def _squeezed(blocks: Iterator[bytes]) -> Iterator[bytes]:
    """gzip, as quick as it gets."""
    squeeze = zlib.compressobj(1, zlib.DEFLATED, 31)
    for block in blocks:
        if packed := squeeze.compress(block):
            yield packed
    yield squeeze.flush()


def _json_stream(tag: str, blocks: Iterator[str]) -> Iterator[bytes]:
    yield b'{"status":"OK","' + json_name(tag).encode() + b'":['
    comma = ""
    for block in blocks:
        entries = to_json(ET.fromstring(f"<{tag}>{block}</{tag}>"))
        text = ",".join(json.dumps(entry, ensure_ascii=False, separators=(",", ":")) for entry in entries)
        yield (comma + text).encode()
        comma = ","
    yield b"]}"


def _json(body: dict[str, Any], status: int = 200) -> Response:
    text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
    return Response(text, status, content_type=JSON_TYPE)


def _opening() -> str:
    declaration = '<?xml version="1.0" encoding="utf-8"?>' if here().switches["xml_declaration"] else ""
    return f'{declaration}<Response api-method="{api_method()}">'


def _strict() -> bool:
    return STRICT in request.headers.get("Xero-Features", "")
