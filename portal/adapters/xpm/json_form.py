"""XPM's JSON as the same plain values as its XML, under XML's names. Off unless the setting asks for it.

A long list is read piece by piece: the standard library's decoder takes one value at a time from a growing buffer.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator
from typing import Any

from portal.adapters.base import UnexpectedReply
from portal.adapters.http import Reply
from portal.adapters.http.reply import finite, no_twins
from portal.adapters.xpm.xml_form import HEAVIEST, NAME, Plain

PIECE = 256 * 1024
SPACE = re.compile(r"[ \t\r\n]*")
MONTHS = ("", "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
ELEMENTS = (
    "UUID", "ID", "Name", "Title", "Gender", "FirstName", "LastName", "OtherName", "Email", "DateOfBirth", "Address",
    "City", "Region", "PostCode", "Country", "PostalAddress", "PostalCity", "PostalRegion", "PostalPostCode",
    "PostalCountry", "Phone", "Fax", "Website", "ReferralSource", "ExportCode", "IsArchived", "IsDeleted",
    "AccountManager", "JobManager", "BillingClient", "Type", "Contacts", "TaxNumber", "CompanyNumber",
    "BusinessNumber", "BusinessStructure", "BalanceMonth", "PrepareGST", "GSTRegistered", "GSTPeriod", "GSTBasis",
    "ProvisionalTaxBasis", "ProvisionalTaxRatio", "SignedTaxAuthority", "TaxAgent", "AgencyStatus", "ReturnType",
    "PrepareActivityStatement", "PrepareTaxReturn", "ActiveAtoClient", "ClientCode", "BranchNumber",
    "AutoBasOptInCriteria", "Groups", "Salutation", "Addressee", "Mobile", "Position", "IsPrimary", "WebUrl", "Client",
    "Contact", "Status", "ErrorDescription", "Job", "Jobs", "Description", "State", "ClientOrderNumber", "Manager",
    "Partner", "Assigned",
)  # fmt: skip
XML_NAMES = {name.lower(): name for name in ELEMENTS}
DECODER = json.JSONDecoder(
    parse_float=finite, parse_constant=lambda name: _refuse(f"{name} is not a number"), object_pairs_hook=no_twins
)


def document(reply: Reply) -> Plain:
    """A small reply as plain values. Raises `UnexpectedReply`."""
    found = reply.json()
    if not isinstance(found, dict):
        raise _broken(reply)
    made = plain(found)
    client = made.get("Client")
    if isinstance(client, dict) and "WebUrl" in client:
        made["WebUrl"] = client["WebUrl"]
    return made


def plain(value: Any) -> Any:
    """Keys by XML's names, whatever their casing; months as XML writes them."""
    if isinstance(value, list):
        return [plain(one) for one in value]
    if not isinstance(value, dict):
        return value
    made = {XML_NAMES.get(key.lower(), key): plain(one) for key, one in value.items()}
    month = made.get("BalanceMonth")
    if isinstance(month, int) and 0 < month < len(MONTHS):
        made["BalanceMonth"] = MONTHS[month]
    return made


class Entries:
    """The entries of one list, in order; read `status`, `error_text` and `has_list` after the last one."""

    def __init__(self, reply: Reply, many: str) -> None:
        self.status: str | None = None
        self.error_text: str | None = None
        self.has_list = False
        self._reply = reply
        self._many = many.lower()
        self._text = ""
        self._at = 0
        self._body = reply.rewound()
        self._decode = codecs.getincrementaldecoder("utf-8-sig")()
        self._is_all = False

    def __iter__(self) -> Iterator[Plain]:
        try:
            yield from self._object()
        except (ValueError, RecursionError) as error:
            raise _broken(self._reply) from error

    def _object(self) -> Iterator[Plain]:
        self._take("{")
        if self._peek() == "}":
            return
        while True:
            key = self._value()
            self._take(":")
            if str(key).lower() == self._many and self._peek() == "[":
                self.has_list = True
                yield from self._array()
            else:
                self._note(str(key).lower(), self._value())
            if self._take(",}") == "}":
                break
        if self._peek():
            raise ValueError("there is more after the end")

    def _array(self) -> Iterator[Plain]:
        self._take("[")
        if self._peek() == "]":
            self._take("]")
            return
        while True:
            entry = self._value()
            if not isinstance(entry, dict):
                raise ValueError("an entry is not an object")
            yield plain(entry)
            if self._take(",]") == "]":
                return

    def _note(self, key: str, value: Any) -> None:
        if key == "status":
            self.status = str(value)
        elif key == "errordescription":
            self.error_text = str(value)

    def _value(self) -> Any:
        """The next value; reads on while what is there does not make a whole one."""
        self._peek()
        while True:
            try:
                value, end = DECODER.raw_decode(self._text, self._at)
            except json.JSONDecodeError:
                if not self._more():
                    raise
                continue
            if end == len(self._text) and self._more():
                continue  # a number may go on in the next piece
            self._at = end
            return value

    def _peek(self) -> str:
        """The next character that is not space; empty at the end."""
        while True:
            found = SPACE.match(self._text, self._at)
            self._at = found.end() if found else self._at
            if self._at < len(self._text):
                return self._text[self._at]
            if not self._more():
                return ""

    def _take(self, wanted: str) -> str:
        character = self._peek()
        if not character or character not in wanted:
            raise ValueError(f"expected {wanted}")
        self._at += 1
        return character

    def _more(self) -> bool:
        if self._is_all:
            return False
        data = self._body.read(max(PIECE, len(self._text) - self._at))
        self._is_all = not data
        self._text = self._text[self._at :] + self._decode.decode(data, final=self._is_all)
        self._at = 0
        if len(self._text) > HEAVIEST:
            raise ValueError("one entry is too large")
        return True


def _refuse(why: str) -> Any:
    raise ValueError(why)


def _broken(reply: Reply) -> UnexpectedReply:
    return UnexpectedReply(f"{NAME} sent JSON that is broken.", status=reply.status, vendor_text=reply.start())
