"""How QuickBooks Online writes: JSON, or XML for whoever does not ask for JSON, and faults in two shapes."""

from __future__ import annotations

import json
import re
from datetime import datetime
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

from flask import Response, request

from portal.sandbox.context import Sandbox, here

Body = dict[str, Any]
PACIFIC = ZoneInfo("America/Los_Angeles")
NAMESPACE = "http://schema.intuit.com/finance/v3"
JSON_TYPE = "application/json;charset=UTF-8"
XML_TYPE = "application/xml;charset=UTF-8"
ATTRIBUTES = frozenset({"domain", "sparse", "status", "startPosition", "maxResults", "totalCount", "bId", "name"})
NOT_XML = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
THROTTLED = "message=ThrottleExceeded; errorCode=003001; statusCode=429"


class Fault(Exception):
    """What the vendor refuses. `gateway` faults come before the service and are always in the lower-case shape."""

    def __init__(
        self,
        code: str,
        message: str,
        detail: str | None = None,
        *,
        status: int = 400,
        kind: str = "ValidationFault",
        gateway: bool = False,
    ) -> None:
        super().__init__(f"{code} {message}")
        self.code, self.message, self.detail = code, message, detail
        self.status, self.kind, self.gateway = status, kind, gateway

    def as_dict(self) -> Body:
        """The usual shape, without the envelope."""
        error = {"Message": self.message, "Detail": self.detail, "code": self.code, "element": ""}
        return {"Error": [error], "type": self.kind}


def stamp(seconds: float) -> str:
    """A stored moment: whole seconds with the Pacific offset."""
    return datetime.fromtimestamp(int(seconds), PACIFIC).isoformat()


def stamp_now(box: Sandbox) -> str:
    """The envelope's time: milliseconds with the Pacific offset."""
    return datetime.fromtimestamp(box.clock.seconds(), PACIFIC).isoformat(timespec="milliseconds")


def moment(text: str) -> int:
    """Seconds since 1970 of a date or date-time; without an offset it is Pacific. Raises ValueError."""
    found = datetime.fromisoformat(text)
    return int((found if found.tzinfo else found.replace(tzinfo=PACIFIC)).timestamp())


def dump(value: Any) -> str:
    """Compact JSON, letters as they are."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def wants_json() -> bool:
    """Only whoever names JSON gets it."""
    return "json" in request.headers.get("Accept", "").lower()


def reply(body: Body, status: int = 200) -> Response:
    """An answer with the time, in the format the caller asked for."""
    return reply_text(dump({**body, "time": stamp_now(here())}), status)


def reply_text(text: str, status: int = 200) -> Response:
    """The same for JSON that is written already."""
    if wants_json():
        return Response(text, status, content_type=JSON_TYPE)
    return Response(as_xml(json.loads(text)), status, content_type=XML_TYPE)


def refuse(fault: Fault) -> Response:
    """A fault as an answer; the switches may put it inside a 200 or into the lower-case shape."""
    box = here()
    if fault.gateway or box.switches["quickbooks_fault_shape"] == "lower":
        status = fault.status
        body = lower_shape(box, fault)
    else:
        status = fault.status
        body = {"Fault": fault.as_dict(), "time": stamp_now(box)}
    if box.switches["quickbooks_faults_in_200"] and not fault.gateway:
        status = 200
    if wants_json():
        return Response(dump(body), status, content_type=JSON_TYPE)
    return Response(as_xml({"Fault": fault.as_dict(), "time": stamp_now(box)}), status, content_type=XML_TYPE)


def lower_shape(box: Sandbox, fault: Fault) -> Body:
    """What the gateway sends: other names, and the time in milliseconds since 1970."""
    error = {"message": fault.message, "detail": fault.detail, "code": fault.code, "element": None}
    return {
        "warnings": None,
        "intuitObject": None,
        "fault": {"error": [error], "type": fault.kind},
        "report": None,
        "queryResponse": None,
        "batchItemResponse": [],
        "attachableResponse": [],
        "syncErrorResponse": None,
        "requestId": None,
        "time": box.clock.milliseconds(),
        "status": None,
        "cdcresponse": [],
    }


def throttled(box: Sandbox) -> tuple[list[tuple[str, str]], bytes]:
    """Headers and body of a 429: XML although JSON was asked for, unless the switch says otherwise."""
    fault = Fault("3001", THROTTLED, "The request limit was reached.  Try again later", status=429, kind="SERVICE")
    headers = [("Retry-After", "60")] if box.switches["quickbooks_retry_after"] else []
    if box.switches["quickbooks_throttle_body"] == "json":
        body = {"Fault": fault.as_dict(), "time": stamp_now(box)}
        return [("Content-Type", JSON_TYPE), *headers], dump(body).encode()
    text = as_xml({"Fault": fault.as_dict(), "time": stamp_now(box)})
    return [("Content-Type", XML_TYPE), *headers], text


def as_xml(body: Body) -> bytes:
    """The same facts as an IntuitResponse."""
    root = ET.Element("IntuitResponse", {"xmlns": NAMESPACE, "time": str(body.get("time", ""))})
    for name, value in body.items():
        if name == "Fault":
            root.append(_fault(value))
        elif name != "time":
            _append(root, name, value)
    return b'<?xml version="1.0" encoding="UTF-8" standalone="yes"?>' + ET.tostring(root, encoding="utf-8")


def _fault(fault: Body) -> ET.Element:
    element = ET.Element("Fault", {"type": fault["type"]})
    for error in fault["Error"]:
        attributes = {"code": error["code"]} | ({"element": error["element"]} if error["element"] else {})
        inner = ET.SubElement(element, "Error", attributes)
        ET.SubElement(inner, "Message").text = NOT_XML.sub("", error["Message"])
        if error["Detail"] is not None:
            ET.SubElement(inner, "Detail").text = NOT_XML.sub("", error["Detail"])
    return element


def _append(parent: ET.Element, name: str, value: Any) -> None:
    if isinstance(value, list):
        for entry in value:
            _append(parent, name, entry)
    elif isinstance(value, dict):
        if name == "Fault":
            parent.append(_fault(value))
        elif "value" in value and set(value) <= {"value", "name", "type"}:
            reference = ET.SubElement(parent, name, {"name": str(value["name"])} if value.get("name") else {})
            reference.text = _text(value["value"])
        else:
            _entry(ET.SubElement(parent, name), value)
    else:
        ET.SubElement(parent, name).text = _text(value)


def _entry(element: ET.Element, value: Body) -> None:
    for name, inner in value.items():
        if name in ATTRIBUTES and not isinstance(inner, dict | list):
            element.set(name, _text(inner))
        else:
            _append(element, name, inner)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else NOT_XML.sub("", str(value))
