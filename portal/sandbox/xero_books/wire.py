"""How the Accounting API speaks: one envelope, in JSON when it was asked for and in XML otherwise.

Records are kept as rendered JSON. Its dates look like `\\/Date(1552326816230+0000)\\/`, slashes escaped; XML, which
hardly anybody asks for, is made from the JSON.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any
from xml.etree import ElementTree as ET

from flask import Response, g, request

from portal.sandbox.context import here

JSON_TYPE = "application/json; charset=utf-8"
XML_TYPE = "text/xml; charset=utf-8"
NO_GUID = "00000000-0000-0000-0000-000000000000"
UNFIT = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
PLAIN_DATE = re.compile(r'"/Date\((-?\d+(?:[-+]\d{4})?)\)/"')
DATE = re.compile(r"/Date\((-?\d+)(?:[-+]\d{4})?\)/")
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode  # made once: it prints every contact
# Around a decimal on its way into JSON, where it stands without quotes and with all its digits.
MONEY_OPENS, MONEY_ENDS = "\ue000", "\ue001"

# List element -> the element of one entry.
LISTS = {
    "Contacts": "Contact",
    "Addresses": "Address",
    "Phones": "Phone",
    "ContactPersons": "ContactPerson",
    "ContactGroups": "ContactGroup",
    "SalesTrackingCategories": "SalesTrackingCategory",
    "PurchasesTrackingCategories": "PurchasesTrackingCategory",
    "ValidationErrors": "ValidationError",
    "Warnings": "Warning",
    "HistoryRecords": "HistoryRecord",
    "Organisations": "Organisation",
    "Actions": "Action",
    "ExternalLinks": "ExternalLink",
    "Accounts": "Account",
    "TaxRates": "TaxRate",
    "TaxComponents": "TaxComponent",
    "TrackingCategories": "TrackingCategory",
    "Options": "Option",
    "BrandingThemes": "BrandingTheme",
    "Currencies": "Currency",
    "Users": "User",
    "Invoices": "Invoice",
    "LineItems": "LineItem",
    "Tracking": "TrackingCategory",
    "Payments": "Payment",
    "CreditNotes": "CreditNote",
    "Prepayments": "Prepayment",
    "Overpayments": "Overpayment",
    "Items": "Item",
    "Elements": "DataContractBase",
}
Item = dict[str, Any]


class ApiError(Exception):
    """Answered with this status and the vendor's error object."""

    def __init__(self, number: int, kind: str, message: str, elements: list[Item] | None = None) -> None:
        super().__init__(message)
        self.body: Item = {"ErrorNumber": number, "Type": kind, "Message": message}
        if elements is not None:
            self.body["Elements"] = elements


def bad_data(message: str) -> ApiError:
    """A body that cannot be read, or a value outside its list."""
    return ApiError(14, "PostDataInvalidException", message)


def bad_query(message: str) -> ApiError:
    """A `where` or `order` that cannot be understood."""
    return ApiError(16, "QueryParseException", message)


def invalid(elements: list[Item]) -> ApiError:
    """Some elements break a rule of the business."""
    return ApiError(10, "ValidationException", "A validation exception occurred", elements)


def stamp(milliseconds: int) -> str:
    """An instant inside rendered JSON, not escaped yet."""
    return f"/Date({milliseconds}+0000)/"


def render(item: Item) -> str:
    """Compact JSON, dates escaped as the vendor does."""
    text = encode(item)
    return PLAIN_DATE.sub(r'"\\/Date(\1)\\/"', text) if "/Date(" in text else text


def _marked(value: Any) -> str:
    if isinstance(value, Decimal):
        return f"{MONEY_OPENS}{value:f}{MONEY_ENDS}"
    raise TypeError(f"{type(value).__name__} cannot be printed")


_encode_exactly = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), default=_marked).encode


def render_exactly(item: Any) -> str:
    """As `render`; decimals are printed with exactly the digits they have."""
    text = _encode_exactly(item).replace(f'"{MONEY_OPENS}', "").replace(f'{MONEY_ENDS}"', "")
    return text.replace('"/Date(', '"\\/Date(').replace(')/"', ')\\/"')


def wants_json() -> bool:
    """Only when the Accept header says so."""
    accept = request.headers.get("Accept", "").lower()
    place = accept.find("json")
    return place >= 0 and not 0 <= accept.find("xml") < place


def answer(key: str, items: Iterable[str], pagination: Item | None = None) -> Response:
    """The envelope around rendered records; they are sent as they come unless they are all here in a list."""
    head: Item = {
        "Id": str(uuid.uuid4()),
        "Status": "OK",
        "ProviderName": g.access.client_id,
        "DateTimeUTC": f"/Date({here().clock.milliseconds()})/",
    }
    if pagination is not None:
        head["pagination"] = pagination
    if wants_json():
        stream = _json_stream(render(head)[:-1], key, items)
        return Response(b"".join(stream) if isinstance(items, list) else stream, content_type=JSON_TYPE)
    body = {**head, key: json.loads(f"[{','.join(items)}]", parse_float=str)}
    return Response(_xml("Response", body), content_type=XML_TYPE)


def error(reason: ApiError) -> Response:
    """Status 400 and the error object."""
    if wants_json():
        return Response(render_exactly(reason.body), 400, content_type=JSON_TYPE)
    return Response(_xml("ApiException", reason.body), 400, content_type=XML_TYPE)


def text(message: str, status: int) -> Response:
    """Some refusals are mere text."""
    return Response(message, status, content_type="text/plain; charset=utf-8")


def body_items(key: str, *, exact: bool = False) -> list[Item]:
    """The elements that were sent, alone or in their list; raises ApiError. `exact`: fractions come as decimals."""
    data = request.get_data()
    if data.lstrip()[:1] == b"<" and "json" not in request.headers.get("Content-Type", ""):
        found: Any = _from_xml(data)
    else:
        found = _from_json(data, Decimal if exact else float)
    if isinstance(found, dict) and isinstance(found.get(key), list):
        found = found[key]
    items = found if isinstance(found, list) and found else [found]
    if not all(isinstance(item, dict) and item for item in items):
        raise bad_data(f"The request body does not hold any {key}.")
    return items


def clean(value: str) -> str:
    """Without the characters XML cannot carry."""
    return UNFIT.sub("", value)


def as_datetime(value: str) -> datetime | None:
    """A `/Date()/` value as an aware datetime; None when it is something else."""
    found = DATE.fullmatch(value)
    return EPOCH + timedelta(milliseconds=int(found[1])) if found else None


def _json_stream(head: str, key: str, items: Iterable[str]) -> Iterator[bytes]:
    yield f'{head},"{key}":['.encode()
    comma = ""
    for item in items:
        yield (comma + item).encode()
        comma = ","
    yield b"]}"


def _from_json(data: bytes, fraction: type[Decimal] | type[float]) -> Any:
    try:
        return _cleaned(json.loads(data, parse_float=fraction))
    except (ValueError, RecursionError) as reason:
        raise bad_data(f"The JSON body cannot be read: {reason}.") from reason


def _cleaned(value: Any) -> Any:
    """Every text fit for XML, which also keeps lone surrogates out."""
    if isinstance(value, dict):
        return {clean(key): _cleaned(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return clean(value) if isinstance(value, str) else value


def _from_xml(data: bytes) -> Any:
    if b"<!DOCTYPE" in data:
        raise bad_data("A document type is not accepted.")
    try:
        root = ET.fromstring(data)
    except ET.ParseError as reason:
        raise bad_data(f"The XML body cannot be read: {reason}.") from reason
    return {root.tag: _value_of(root)} if root.tag in LISTS else _value_of(root)


def _value_of(node: ET.Element) -> Any:
    if node.tag in LISTS:
        return [_value_of(child) for child in node]
    if len(node):
        return {child.tag: _value_of(child) for child in node}
    return node.text or ""


def _xml(tag: str, body: Item) -> bytes:
    root = ET.Element(tag)
    _fill(root, body)
    return bytes(ET.tostring(root, encoding="utf-8"))


def _fill(parent: ET.Element, value: Any) -> None:
    if isinstance(value, dict):
        for key, inner in value.items():
            if inner is not None:
                _fill(ET.SubElement(parent, key), inner)
    elif isinstance(value, list):
        for inner in value:
            _fill(ET.SubElement(parent, LISTS.get(parent.tag, "Item")), inner)
    elif isinstance(value, bool):
        parent.text = "true" if value else "false"
    else:
        parent.text = _xml_text(str(value))


def _xml_text(value: str) -> str:
    """Dates become ISO 8601 without a zone."""
    moment = as_datetime(value)
    return moment.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] if moment else clean(value)
