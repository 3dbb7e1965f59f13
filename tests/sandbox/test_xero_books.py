"""Reading an organisation's contacts: shapes, pages, filters, dates, XML, and the short lists around them."""

from __future__ import annotations

import re
from typing import Any
from xml.etree import ElementTree as ET

import pytest
import requests

from tests.sandbox.books import ADVISORY, Books, connected

DATE = re.compile(r"/Date\(-?\d+\+0000\)/")
ZERO = "00000000-0000-0000-0000-000000000000"


def milliseconds(contact: dict[str, Any]) -> int:
    return int(contact["UpdatedDateUTC"].removeprefix("/Date(").removesuffix("+0000)/"))


def test_a_page_has_the_envelope_and_whole_contacts(books: Books) -> None:
    answer = books.ask("GET", "Contacts?page=1&pageSize=5")
    body = answer.json()
    assert [*body] == ["Id", "Status", "ProviderName", "DateTimeUTC", "pagination", "Contacts"]
    assert body["Status"] == "OK"
    assert re.fullmatch(r"/Date\(\d+\)/", body["DateTimeUTC"])
    count = body["pagination"]["itemCount"]
    assert body["pagination"] == {"page": 1, "pageSize": 5, "pageCount": -(-count // 5), "itemCount": count}
    for contact in body["Contacts"]:
        assert DATE.fullmatch(contact["UpdatedDateUTC"])
        assert [one["AddressType"] for one in contact["Addresses"]] == ["STREET", "POBOX"]
        assert [one["PhoneType"] for one in contact["Phones"]] == ["DDI", "DEFAULT", "FAX", "MOBILE"]
        assert {"ContactPersons", "ContactGroups", "HasAttachments", "IsSupplier"} <= set(contact)
        assert contact["HasValidationErrors"] is False


def test_the_slashes_of_dates_arrive_escaped(books: Books) -> None:
    text = books.ask("GET", "Contacts?page=1&pageSize=1").text
    assert '"DateTimeUTC":"\\/Date(' in text
    assert re.search(r'"UpdatedDateUTC":"\\/Date\(\d+\+0000\)\\/"', text)


def test_addresses_and_phones_are_padded_with_empty_texts(books: Books) -> None:
    made = books.create(Name="Bare Ltd")
    assert made["Addresses"] == [
        {"AddressType": kind, "City": "", "Region": "", "PostalCode": "", "Country": ""} for kind in ("STREET", "POBOX")
    ]
    assert made["Phones"][0] == {"PhoneType": "DDI", "PhoneNumber": "", "PhoneAreaCode": "", "PhoneCountryCode": ""}
    assert made["EmailAddress"] == ""


def test_without_an_accept_header_the_answer_is_xml(books: Books) -> None:
    for accept in (None, "*/*", "application/xml"):
        wanted = {**books.headers, "Accept": accept}
        answer = requests.get(f"{books.root}/Contacts?page=1&pageSize=2", headers=wanted, timeout=20)
        assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
        root = ET.fromstring(answer.content)
        assert root.tag == "Response"
        first = root.findall("Contacts/Contact")[0]
        assert len(first.findall("Phones/Phone")) == 4
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}", str(first.findtext("UpdatedDateUTC")))


def test_errors_are_xml_too_when_nobody_asked_for_json(books: Books) -> None:
    answer = requests.put(
        f"{books.root}/Contacts",
        data=b"<Contacts><Contact><EmailAddress>nobody</EmailAddress></Contact></Contacts>",
        headers={**books.headers, "Accept": None},
        timeout=20,
    )
    root = ET.fromstring(answer.content)
    assert (answer.status_code, root.tag, root.findtext("ErrorNumber")) == (400, "ApiException", "10")
    messages = root.findall("Elements/DataContractBase/ValidationErrors/ValidationError/Message")
    assert next(message.text for message in messages) == "Email address must be valid"


def test_xml_can_be_sent_as_well(books: Books) -> None:
    sent = (
        "<Contacts><Contact><Name>Quay &amp; Sons</Name><Phones><Phone><PhoneType>MOBILE</PhoneType>"
        "<PhoneNumber>555 0101</PhoneNumber></Phone></Phones></Contact></Contacts>"
    )
    answer = requests.put(f"{books.root}/Contacts", data=sent.encode(), headers=books.headers, timeout=20)
    (made,) = answer.json()["Contacts"]
    assert (made["Name"], made["Phones"][3]["PhoneNumber"]) == ("Quay & Sons", "555 0101")


def test_an_unpaged_list_leaves_out_what_only_pages_have(books: Books) -> None:
    body = books.json("GET", "Contacts")
    assert "pagination" not in body
    for only_paged in ("ContactPersons", "ContactGroups", "Balances", "PaymentTerms", "HasAttachments", "Website"):
        assert all(only_paged not in contact for contact in body["Contacts"])
    assert {"Addresses", "Phones", "IsSupplier", "IsCustomer"} <= set(body["Contacts"][0])
    assert len(body["Contacts"]) == books.json("GET", "Contacts?page=1")["pagination"]["itemCount"]
    books.sandbox.control.state(xero_pagination_on_unpaged_lists=True)
    assert books.json("GET", "Contacts")["pagination"]["itemCount"] == len(body["Contacts"])


def test_a_summary_is_paged_and_short(books: Books) -> None:
    body = books.json("GET", "Contacts?summaryOnly=true")
    assert body["pagination"]["pageSize"] == 100
    dropped = {"Addresses", "Balances", "ContactGroups", "ContactPersons", "IsCustomer", "IsSupplier"}
    assert all(not dropped & set(contact) for contact in body["Contacts"])
    assert "Phones" in body["Contacts"][0]
    refused = books.ask("GET", "Contacts?summaryOnly=true&where=IsSupplier==true")
    assert (refused.status_code, refused.json()["Type"]) == (400, "QueryParseException")


@pytest.mark.parametrize(("asked", "given"), [("0", 1), ("-4", 1), ("1", 1), ("7", 7), ("5000", 1000), ("", 100)])
def test_a_page_size_outside_the_range_is_clamped(books: Books, asked: str, given: int) -> None:
    assert books.json("GET", f"Contacts?page=1&pageSize={asked}")["pagination"]["pageSize"] == given


def test_a_page_size_alone_does_not_page_unless_switched(books: Books) -> None:
    assert "pagination" not in books.json("GET", "Contacts?pageSize=2")
    books.sandbox.control.state(xero_page_size_pages_by_itself=True)
    assert books.json("GET", "Contacts?pageSize=2")["pagination"]["page"] == 1


def test_the_pages_together_hold_every_contact_once(books: Books) -> None:
    every = [contact["ContactID"] for contact in books.contacts()]
    pages = books.json("GET", "Contacts?page=1&pageSize=7")["pagination"]["pageCount"]
    found = [c["ContactID"] for n in range(1, pages + 1) for c in books.contacts(f"?page={n}&pageSize=7")]
    assert found == every
    assert books.contacts(f"?page={pages + 1}&pageSize=7") == []


def test_the_order_is_by_change_and_may_be_another(books: Books) -> None:
    stamps = [milliseconds(contact) for contact in books.contacts()]
    assert stamps == sorted(stamps)
    names = books.names("?order=Name")
    assert books.names("?order=Name%20DESC") == names[::-1]
    ids = [contact["ContactID"] for contact in books.contacts("?order=ContactID%20ASC")]
    assert ids == sorted(ids)
    refused = books.ask("GET", "Contacts?order=Name%3B%20DROP")
    assert (refused.status_code, refused.json()["ErrorNumber"]) == (400, 16)


def test_a_changed_contact_moves_to_the_end(books: Books) -> None:
    first = books.contacts()[0]
    books.other_side("PATCH", f"contacts/{first['ContactID']}", {"phone": "09 555 7777"})
    last = books.contacts()[-1]
    assert last["ContactID"] == first["ContactID"]
    assert last["Phones"][1]["PhoneNumber"] == "555 7777"


def test_archived_contacts_are_listed_only_on_request_and_found_by_id(books: Books) -> None:
    every, current = books.names("?includeArchived=true"), books.names()
    assert set(every) > set(current)
    archived = [c for c in books.contacts("?includeArchived=true") if c["ContactStatus"] == "ARCHIVED"]
    assert len(archived) == 5
    assert books.contact(archived[0]["ContactID"])["ContactStatus"] == "ARCHIVED"
    assert books.contacts(f"?IDs={archived[0]['ContactID']}") == []
    books.sandbox.control.state(xero_ids_find_archived=True)
    assert len(books.contacts(f"?IDs={archived[0]['ContactID']}")) == 1


def test_an_archived_contact_may_share_its_name_with_an_active_one(books: Books) -> None:
    every = books.names("?includeArchived=true")
    assert len(set(every)) < len(every)
    assert len(set(books.names())) == len(books.names())


def test_a_merged_contact_says_where_it_went_on_pages_and_alone(books: Books) -> None:
    (merged,) = [c for c in books.contacts("?includeArchived=true&page=1") if "MergedToContactID" in c]
    assert merged["ContactStatus"] == "ARCHIVED"
    assert books.contact(merged["MergedToContactID"])["ContactStatus"] == "ACTIVE"
    assert books.contact(merged["ContactID"])["MergedToContactID"] == merged["MergedToContactID"]
    assert all("MergedToContactID" not in contact for contact in books.contacts("?includeArchived=true"))


def test_a_list_of_ids_is_paged(books: Books) -> None:
    one, two = books.contacts()[:2]
    body = books.json("GET", f"Contacts?IDs={one['ContactID']},{two['ContactID'].upper()},{ZERO}")
    assert [contact["ContactID"] for contact in body["Contacts"]] == [one["ContactID"], two["ContactID"]]
    assert body["pagination"]["itemCount"] == 2
    assert "ContactPersons" in body["Contacts"][0]
    books.sandbox.control.state(xero_ids_force_paging=False)
    assert "pagination" not in books.json("GET", f"Contacts?IDs={one['ContactID']}")


def test_a_search_term_looks_into_names_numbers_and_email(books: Books) -> None:
    books.create(Name="Zebra Ltd", FirstName="Quentin", EmailAddress="q@stripe.example", ContactNumber="ZB-9")
    for term in ("zeb", "QUENTIN", "stripe", "zb-9"):
        assert books.names(f"?searchTerm={term}") == ["Zebra Ltd"]
    assert books.names("?SearchTerm=nothing%20of%20the%20kind") == []


def named(books: Books, where: str) -> list[str]:
    return [contact["Name"] for contact in books.json("GET", "Contacts", params={"where": where})["Contacts"]]


def test_where_finds_by_name_email_and_state_whatever_case_and_accents(books: Books) -> None:
    books.create(Name="Kōwhai Crafts Ltd", EmailAddress="Shop@Kowhai.example", AccountNumber="KW 1", FirstName="Ana")
    other = books.create(Name="Plain Ltd", ContactNumber="P-1")
    for where in (
        'Name=="kowhai crafts ltd"', 'Name = "KŌWHAI CRAFTS LTD"', 'EmailAddress=="shop@kowhai.example"',
        'AccountNumber=="kw 1"', 'FirstName=="Ana"', 'Name.Contains("whai C")', 'Name.ToLower().StartsWith("kōwhai")',
        'Name.EndsWith("Crafts Ltd") AND ContactStatus=="ACTIVE"', 'Name!=null&&Name=="Kōwhai Crafts Ltd"',
        '(Name=="nobody" OR Name=="kowhai crafts ltd") and IsSupplier==false', '"kowhai crafts ltd"==Name',
    ):  # fmt: skip
        assert named(books, where) == ["Kōwhai Crafts Ltd"], where
    assert named(books, f'ContactID==guid("{other["ContactID"]}")') == ["Plain Ltd"]
    assert named(books, 'ContactNumber=="P-1"') == ["Plain Ltd"]
    assert named(books, 'ContactStatus=="ARCHIVED"') == []
    assert len(books.contacts('?includeArchived=true&where=ContactStatus=="ARCHIVED"')) == 5
    suppliers = named(books, "IsSupplier==true AND IsCustomer==false")
    assert "Pukeko Couriers Ltd" in suppliers


def test_where_compares_dates(books: Books) -> None:
    books.sandbox.control.clock(set="2027-03-01T10:00:00")
    books.token = books.sandbox.control.tokens(tenants=["Marlow & Co Ltd"])
    books.create(Name="Late Ltd")
    assert named(books, "UpdatedDateUTC>=DateTime(2027,03,01)") == ["Late Ltd"]
    assert named(books, 'UpdatedDateUTC>DateTime.Parse("2027-03-01T10:30:00")') == []
    assert "Late Ltd" not in named(books, "UpdatedDateUTC<DateTime(2027,3,1,9,0,0)")


@pytest.mark.parametrize(
    "where",
    ["Name==", "Name", '(Name=="a"', 'Name=="a" Name=="b"', "Name~1", "Name.Frobnicate()", "DateTime(2027,13,1)==Name",
     'guid(Name)=="x"', "(" * 200 + 'Name=="a"' + ")" * 200, 'json_extract(fields)=="x"'],
)  # fmt: skip
def test_a_filter_that_makes_no_sense_is_refused(books: Books, where: str) -> None:
    answer = books.ask("GET", "Contacts", params={"where": where})
    assert answer.status_code == 400
    assert (answer.json()["ErrorNumber"], answer.json()["Type"]) == (16, "QueryParseException")


def test_if_modified_since_shows_later_changes_only(books: Books) -> None:
    control = books.sandbox.control
    control.clock(set="2027-02-01T00:00:00", freeze=True)
    books.token = control.tokens(tenants=["Marlow & Co Ltd"])
    made = books.create(Name="New Ltd")
    for since in ("2027-01-31T23:59:59", "2027-01-31T23:59:59.5Z", "Sun, 31 Jan 2027 23:59:59 GMT"):
        assert books.names(headers={"If-Modified-Since": since}) == ["New Ltd"]
    later = {"If-Modified-Since": "2027-02-01T00:00:01"}
    assert books.names(headers=later) == []
    control.clock(advance_seconds=60)
    books.other_side("PATCH", f"contacts/{made['ContactID']}", {"IsSupplier": True, "Balances": {"owed": "5"}})
    assert books.names(headers=later) == []  # totals and flags do not count as changes
    books.other_side("POST", f"contacts/{made['ContactID']}/archive")
    assert books.names("?includeArchived=true", headers=later) == ["New Ltd"]


def test_nothing_changed_is_an_empty_list_or_304_and_a_wrong_stamp_412(books: Books) -> None:
    later = {"If-Modified-Since": "2099-01-01T00:00:00"}
    assert books.contacts("?page=1", headers=later) == []
    books.sandbox.control.state(xero_unchanged_answers_304=True)
    assert books.ask("GET", "Contacts?page=1", headers=later).status_code == 304
    assert books.ask("GET", "Contacts", headers=later).status_code == 304
    assert books.ask("GET", "Contacts", headers={"If-Modified-Since": "/Date(1)/"}).status_code == 412


def test_too_many_records_for_one_slow_question_are_refused(books: Books) -> None:
    books.sandbox.control.state(xero_high_volume_from=3)
    refused = books.ask("GET", "Contacts")
    assert (refused.status_code, refused.json()["Type"], refused.json()["ErrorNumber"]) == (
        400, "HighVolumeException", 51,
    )  # fmt: skip
    assert books.ask("GET", 'Contacts?page=1&where=Name.Contains("a")').status_code == 400
    assert books.ask("GET", "Contacts?page=1&order=FirstName").status_code == 400
    assert books.ask("GET", 'Contacts?page=1&where=Name=="a"').status_code == 200
    assert books.ask("GET", "Contacts?page=1&order=Name%20DESC").status_code == 200


def test_an_unknown_contact_is_a_404_in_plain_text(books: Books) -> None:
    for path in ("Contacts/" + ZERO, "Contacts/no-such-number", f"Contacts/{ZERO}/History", "Users/" + ZERO):
        answer = books.ask("GET", path)
        assert answer.status_code == 404
        assert answer.text == "The resource you're looking for cannot be found"
        assert "json" not in answer.headers["Content-Type"]


def test_one_contact_answers_to_its_number_too(books: Books) -> None:
    made = books.create(Name="Numbered Ltd", ContactNumber="CODE 7")
    assert books.contact("CODE%207")["ContactID"] == made["ContactID"]
    assert books.contact(made["ContactID"].upper())["ContactNumber"] == "CODE 7"


def test_some_contacts_only_sell_to_the_organisation(books: Books) -> None:
    kinds = {(contact["IsCustomer"], contact["IsSupplier"]) for contact in books.contacts()}
    assert {(True, False), (False, True)} <= kinds


def test_two_organisations_share_names_and_no_identifier(books: Books) -> None:
    other = connected(books.sandbox, ADVISORY)
    mine, theirs = books.contacts(), other.contacts()
    assert len(theirs) < len(mine) + 40
    assert {c["Name"] for c in mine} & {c["Name"] for c in theirs}
    assert not {c["ContactID"] for c in mine} & {c["ContactID"] for c in theirs}
    assert other.ask("GET", f"Contacts/{mine[0]['ContactID']}").status_code == 404


def test_the_organisation_says_where_it_is(books: Books) -> None:
    (found,) = books.json("GET", "Organisation")["Organisations"]
    assert (found["Name"], found["BaseCurrency"], found["CountryCode"]) == ("Marlow & Co Ltd", "NZD", "NZ")
    assert (found["Timezone"], found["OrganisationID"]) == ("NEWZEALANDSTANDARDTIME", books.tenant)
    assert (found["FinancialYearEndDay"], found["FinancialYearEndMonth"]) == (31, 3)
    assert books.json("GET", "Organisations")["Organisations"] == [found]
    assert connected(books.sandbox, ADVISORY).json("GET", "Organisation")["Organisations"][0]["Name"] == ADVISORY
    books.sandbox.control.state(xero_organisation_id_is_tenant_id=False)
    assert books.json("GET", "Organisation")["Organisations"][0]["OrganisationID"] != books.tenant


def test_the_organisation_cannot_be_written(books: Books) -> None:
    assert books.ask("POST", "Organisation", {"Name": "Mine"}).status_code == 501
    assert {one["Status"] for one in books.json("GET", "Organisation/Actions")["Actions"]} == {"ALLOWED"}


def test_the_short_lists_are_those_of_a_new_zealand_company(books: Books) -> None:
    rates = {one["TaxType"]: one for one in books.json("GET", "TaxRates")["TaxRates"]}
    assert rates["OUTPUT2"]["EffectiveRate"] == 15
    assert rates["OUTPUT2"]["CanApplyToRevenue"] and not rates["INPUT2"]["CanApplyToRevenue"]
    accounts = books.json("GET", "Accounts")["Accounts"]
    assert {one["Class"] for one in accounts} == {"ASSET", "EQUITY", "EXPENSE", "LIABILITY", "REVENUE"}
    categories = books.json("GET", "TrackingCategories")["TrackingCategories"]
    assert [(one["Name"], len(one["Options"])) for one in categories] == [("Office", 3), ("Service line", 3)]
    assert books.json("GET", "Currencies")["Currencies"][0] == {"Code": "NZD", "Description": "New Zealand Dollar"}
    assert [one["Name"] for one in books.json("GET", "BrandingThemes")["BrandingThemes"]] == ["Standard", "Advisory"]
    users = books.json("GET", "Users")["Users"]
    assert [one["IsSubscriber"] for one in users].count(True) == 1
    assert books.json("GET", f"Users/{users[1]['UserID']}")["Users"] == [users[1]]


def test_the_short_lists_can_be_filtered_and_ordered(books: Books) -> None:
    banks = books.json("GET", 'Accounts?where=Status=="ACTIVE" AND Type=="BANK"&order=Code DESC')["Accounts"]
    assert [one["Code"] for one in banks] == ["091", "090"]
    revenue = books.json("GET", "TaxRates?where=CanApplyToRevenue==true")["TaxRates"]
    assert {one["TaxType"] for one in revenue} == {"OUTPUT2", "NONE", "ZERORATED"}
    assert books.json("GET", "Users", headers={"If-Modified-Since": "2099-01-01T00:00:00"})["Users"] == []
