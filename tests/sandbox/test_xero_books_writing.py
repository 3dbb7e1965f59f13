"""Writing contacts: create, update, what is refused and how, batches, idempotency, history."""

from __future__ import annotations

import threading
from typing import Any

import pytest
import requests

from tests.sandbox.books import ADVISORY, Books, connected

ZERO = "00000000-0000-0000-0000-000000000000"
TAKEN = "is already assigned to another contact. The contact name must be unique across all active contacts."


def test_put_creates_a_contact_with_everything(books: Books) -> None:
    made = books.create(
        Name="Whole Ltd", FirstName="Ana", LastName="Leota", EmailAddress="ana@whole.example", TaxNumber="071-138-054",
        ContactNumber="W-1", AccountNumber="A-1", CompanyNumber="123", DefaultCurrency="NZD",
        Addresses=[{"AddressType": "STREET", "AddressLine1": "1 High St", "City": "Raglan", "Country": "New Zealand"}],
        Phones=[{"PhoneType": "DEFAULT", "PhoneAreaCode": "07", "PhoneNumber": "555 0100", "PhoneCountryCode": "64"}],
        ContactPersons=[{"FirstName": "Sam", "LastName": "Lee", "EmailAddress": "s@x.nz", "IncludeInEmails": True}],
        PaymentTerms={"Sales": {"Day": 20, "Type": "OFFOLLOWINGMONTH"}}, IsSupplier=True, Nonsense="ignored",
    )  # fmt: skip
    assert made == books.contact(made["ContactID"])
    assert made["Addresses"][0] == {
        "AddressType": "STREET", "AddressLine1": "1 High St", "City": "Raglan", "Region": "", "PostalCode": "",
        "Country": "New Zealand",
    }  # fmt: skip
    assert made["Phones"][1]["PhoneCountryCode"] == "64"
    assert made["ContactPersons"][0]["IncludeInEmails"] is True
    assert made["PaymentTerms"] == {"Sales": {"Day": 20, "Type": "OFFOLLOWINGMONTH"}}
    assert made["IsSupplier"] is False  # set by bills only
    assert "Nonsense" not in made
    assert made["ContactStatus"] == "ACTIVE"


def test_a_single_bare_object_is_taken_as_well_as_a_list(books: Books) -> None:
    (made,) = books.json("PUT", "Contacts", {"Name": "Bare Object Ltd"})["Contacts"]
    assert books.contact(made["ContactID"])["Name"] == "Bare Object Ltd"


def test_what_is_left_out_or_null_stays(books: Books) -> None:
    made = books.create(Name="Kept Ltd", EmailAddress="a@kept.example", FirstName="Ana",
                        Phones=[{"PhoneType": "MOBILE", "PhoneNumber": "021 555 0100"}])  # fmt: skip
    body = {"Contacts": [{"ContactID": made["ContactID"], "LastName": "New", "FirstName": None}]}
    (changed,) = books.json("POST", "Contacts", body)["Contacts"]
    assert (changed["Name"], changed["FirstName"], changed["LastName"]) == ("Kept Ltd", "Ana", "New")
    assert changed["Phones"][3]["PhoneNumber"] == "021 555 0100"
    assert changed["UpdatedDateUTC"] >= made["UpdatedDateUTC"]


def test_contact_persons_are_replaced_as_a_list(books: Books) -> None:
    people = [{"FirstName": "Sam", "LastName": "Lee"}, {"FirstName": "Kim", "LastName": "Park"}]
    made = books.create(Name="People Ltd", ContactPersons=people)
    path = f"Contacts/{made['ContactID']}"
    assert len(books.json("POST", path, {"FirstName": "Jo"})["Contacts"][0]["ContactPersons"]) == 2
    (changed,) = books.json("POST", path, {"ContactPersons": people[1:]})["Contacts"]
    assert [person["FirstName"] for person in changed["ContactPersons"]] == ["Kim"]
    (changed,) = books.json("POST", path, {"ContactPersons": []})["Contacts"]
    assert changed["ContactPersons"] == []
    assert books.refusals("POST", path, {"ContactPersons": people * 3}) == [
        "A contact can have up to 5 contact persons"
    ]


def test_addresses_and_phones_change_by_type_and_by_part(books: Books) -> None:
    street = {"AddressType": "STREET", "AddressLine1": "1 High St", "City": "Hamilton"}
    made = books.create(Name="Parts Ltd", Addresses=[street, {"AddressType": "POBOX", "AddressLine1": "PO Box 1"}])
    path = f"Contacts/{made['ContactID']}"
    (changed,) = books.json("POST", path, {"Addresses": [{"AddressType": "STREET", "City": "Raglan"}]})["Contacts"]
    assert changed["Addresses"][0]["AddressLine1"] == "1 High St"
    assert changed["Addresses"][0]["City"] == "Raglan"
    assert changed["Addresses"][1]["AddressLine1"] == "PO Box 1"
    books.sandbox.control.state(xero_parts_replace_address_and_phone=True)
    (changed,) = books.json("POST", path, {"Addresses": [{"AddressType": "STREET", "City": "Huntly"}]})["Contacts"]
    assert "AddressLine1" not in changed["Addresses"][0]
    assert changed["Addresses"][1]["AddressLine1"] == "PO Box 1"


def test_a_delivery_address_is_dropped_in_silence(books: Books) -> None:
    made = books.create(Name="Delivered Ltd", Addresses=[{"AddressType": "DELIVERY", "City": "Hamilton"}])
    assert [one["AddressType"] for one in made["Addresses"]] == ["STREET", "POBOX"]
    assert made["Addresses"][0]["City"] == ""


def test_an_empty_text_clears_a_field_or_not(books: Books) -> None:
    made = books.create(Name="Clear Ltd", EmailAddress="a@clear.example", TaxNumber="1")
    path = f"Contacts/{made['ContactID']}"
    assert books.json("POST", path, {"EmailAddress": ""})["Contacts"][0]["EmailAddress"] == ""
    books.sandbox.control.state(xero_empty_text_clears=False)
    assert books.json("POST", path, {"TaxNumber": ""})["Contacts"][0]["TaxNumber"] == "1"


def test_post_with_a_known_name_updates_and_put_refuses(books: Books) -> None:
    made = books.create(Name="Known Ltd")
    (again,) = books.json("POST", "Contacts", {"Contacts": [{"Name": "KNOWN ltd", "FirstName": "Ana"}]})["Contacts"]
    assert (again["ContactID"], again["Name"], again["FirstName"]) == (made["ContactID"], "KNOWN ltd", "Ana")
    assert books.refusals("PUT", "Contacts", {"Name": "known LTD"}) == [f"The contact name known LTD {TAKEN}"]
    books.sandbox.control.state(xero_names_unique_in_any_case=False)
    assert books.create(Name="known LTD")["ContactID"] != made["ContactID"]


def test_numbers_are_unique_and_match_before_names(books: Books) -> None:
    one = books.create(Name="One Ltd", ContactNumber="N-1")
    two = books.create(Name="Two Ltd")
    (changed,) = books.json("POST", "Contacts", {"ContactNumber": "N-1", "FirstName": "Ana"})["Contacts"]
    assert changed["ContactID"] == one["ContactID"]
    assert books.refusals("PUT", "Contacts", {"Name": "Three Ltd", "ContactNumber": "N-1"}) == [
        "Another contact has this contact number. Please enter a different contact number."
    ]
    assert books.refusals("POST", "Contacts", {"ContactNumber": "N-1", "Name": "Two Ltd"}) == [
        f"The contact name Two Ltd {TAKEN}"
    ]
    books.sandbox.control.state(xero_match_order="name_first")
    both = {"ContactNumber": "N-2", "Name": "Two Ltd"}
    assert books.json("POST", "Contacts", both)["Contacts"][0]["ContactID"] == two["ContactID"]


def test_account_numbers_are_unique_too(books: Books) -> None:
    books.create(Name="One Ltd", AccountNumber="ACC")
    (message,) = books.refusals("PUT", "Contacts", {"Name": "Two Ltd", "AccountNumber": "acc"})
    assert message.startswith("The Account Number already exists")


def test_a_contact_has_to_be_identified(books: Books) -> None:
    (message,) = books.refusals("POST", "Contacts", {"FirstName": "Ana"})
    assert message.startswith("The Contact must contain at least 1 of the following elements")
    assert books.refusals("POST", "Contacts", {"ContactNumber": "unknown"}) == ["A contact needs a Name"]
    unknown = "12345678-1234-1234-1234-123456789abc"
    assert len(books.refusals("POST", "Contacts", {"ContactID": unknown, "Name": "X Ltd"})) == 1
    assert books.ask("POST", f"Contacts/{unknown}", {"Name": "X Ltd"}).status_code == 404
    made = books.json("POST", "Contacts", {"ContactID": ZERO, "Name": "X Ltd"})["Contacts"][0]
    assert made["ContactID"] != ZERO


def test_archiving_hides_a_contact_and_frees_its_name(books: Books) -> None:
    made = books.create(Name="Gone Ltd")
    body = {"Contacts": [{"ContactID": made["ContactID"], "ContactStatus": "ARCHIVED"}]}
    assert books.json("POST", "Contacts", body)["Contacts"][0]["ContactStatus"] == "ARCHIVED"
    assert "Gone Ltd" not in books.names()
    again = books.json("POST", "Contacts", {"Name": "Gone Ltd"})["Contacts"][0]
    assert again["ContactID"] != made["ContactID"]
    back = {"ContactID": made["ContactID"], "ContactStatus": "ACTIVE"}
    assert books.refusals("POST", "Contacts", back) == [f"The contact name Gone Ltd {TAKEN}"]
    books.json("POST", "Contacts", {"ContactID": again["ContactID"], "ContactStatus": "ARCHIVED"})
    books.sandbox.control.state(xero_unarchive_by_api=False)
    assert len(books.refusals("POST", "Contacts", back)) == 1
    books.sandbox.control.state(xero_unarchive_by_api=True)
    assert books.json("POST", "Contacts", back)["Contacts"][0]["ContactStatus"] == "ACTIVE"


ODD = ["A <b> Ltd", "Doubled  Space Ltd", " Leading Ltd", "Trailing Ltd ", "x" * 256]


@pytest.mark.parametrize("name", ODD)
def test_an_odd_name_is_not_saved_although_the_answer_is_200(books: Books, name: str) -> None:
    before = len(books.contacts())
    body = books.json("PUT", "Contacts?summarizeErrors=true", {"Contacts": [{"Name": name}, {"Name": "Fine Ltd"}]})
    odd, fine = body["Contacts"]
    assert (odd["ContactID"], odd["Name"], odd["HasValidationErrors"]) == (ZERO, name, True)
    assert odd["ValidationErrors"][0]["Message"]
    assert fine["HasValidationErrors"] is False
    assert len(books.contacts()) == before + 1
    books.sandbox.control.state(xero_odd_names="refused")
    assert len(books.refusals("PUT", "Contacts", {"Name": name})) == 1


def test_an_odd_name_leaves_a_known_contact_as_it_was(books: Books) -> None:
    made = books.create(Name="Steady Ltd", FirstName="Ana")
    body = {"Name": "Un  steady Ltd", "FirstName": "Jo"}
    (answer,) = books.json("POST", f"Contacts/{made['ContactID']}", body)["Contacts"]
    assert (answer["ContactID"], answer["HasValidationErrors"]) == (made["ContactID"], True)
    assert books.contact(made["ContactID"])["FirstName"] == "Ana"


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"EmailAddress": "not an address"}, "Email address must be valid"),
        ({"EmailAddress": "jörg@example.com"}, "Email address must be valid"),
        ({"ContactPersons": [{"FirstName": "S", "EmailAddress": "nope"}]}, "Email address must be valid"),
        ({"FirstName": "x" * 256}, "FirstName must not be longer than 255 characters"),
        ({"ContactNumber": "x" * 51}, "ContactNumber must not be longer than 50 characters"),
        ({"Phones": [{"PhoneType": "DDI", "PhoneAreaCode": "x" * 11}]},
         "PhoneAreaCode must not be longer than 10 characters"),
        ({"Addresses": [{"AddressType": "STREET", "Country": "Area 51"}]}, "Country must contain letters only"),
    ],
)  # fmt: skip
def test_values_that_break_a_rule_are_refused(books: Books, fields: dict[str, Any], message: str) -> None:
    assert books.refusals("PUT", "Contacts", {"Name": "Rule Ltd", **fields}) == [message]
    assert "Rule Ltd" not in books.names()


@pytest.mark.parametrize(
    "body",
    [
        {"Contacts": [{"Name": "X", "ContactStatus": "GONE"}]},
        {"Contacts": [{"Name": "X", "Phones": [{"PhoneType": "CARRIER PIGEON", "PhoneNumber": "1"}]}]},
        {"Contacts": [{"Name": "X", "Addresses": "1 High St"}]},
        {"Contacts": [{"Name": {"first": "X"}}]},
        {"Contacts": [{"ContactID": "not a guid", "Name": "X"}]},
        {"Contacts": [{"Name": "X", "PaymentTerms": {"Sales": {"Day": 40, "Type": "OFCURRENTMONTH"}}}]},
        {"Contacts": []},
        {"Contacts": ["X"]},
        [],
        {},
    ],
)
def test_a_body_that_cannot_be_read_is_error_14(books: Books, body: Any) -> None:
    answer = books.ask("POST", "Contacts", body)
    assert (answer.status_code, answer.json()["ErrorNumber"], answer.json()["Type"]) == (
        400, 14, "PostDataInvalidException",
    )  # fmt: skip


def test_rubbish_in_the_body_is_error_14(books: Books) -> None:
    for data in (b"", b"{", b"<Contacts>", b'<!DOCTYPE a [<!ENTITY b "c">]><Contacts/>', b"\xff\xfe"):
        answer = requests.post(f"{books.root}/Contacts", data=data, headers=books.headers, timeout=20)
        assert (answer.status_code, answer.json()["ErrorNumber"]) == (400, 14)


def test_one_bad_element_spoils_a_summarized_batch(books: Books) -> None:
    batch = [{"Name": "Good Ltd"}, {"Name": "Bad Ltd", "EmailAddress": "nope"}]
    for query in ("", "?summarizeErrors=true"):
        assert books.refusals("POST", f"Contacts{query}", *batch) == ["Email address must be valid"]
    assert "Good Ltd" not in books.names()
    books.sandbox.control.state(xero_bad_batch_saves_the_good=True)
    assert books.refusals("POST", "Contacts", *batch) == ["Email address must be valid"]
    assert "Good Ltd" in books.names()


def test_without_the_summary_every_element_tells_its_own_fate(books: Books) -> None:
    books.create(Name="Taken Ltd")
    batch = {"Contacts": [{"Name": "Good Ltd"}, {"Name": "taken ltd"}, {"Name": "Better Ltd"}]}
    body = books.json("PUT", "Contacts?summarizeErrors=false", batch)["Contacts"]
    assert [one["StatusAttributeString"] for one in body] == ["OK", "ERROR", "OK"]
    assert body[1]["ContactID"] == ZERO
    assert body[1]["ValidationErrors"] == [{"Message": f"The contact name taken ltd {TAKEN}"}]
    assert {"Good Ltd", "Better Ltd"} <= set(books.names())
    books.sandbox.control.state(xero_summarize_errors_when_omitted=False)
    assert books.json("PUT", "Contacts", batch)["Contacts"][0]["StatusAttributeString"] == "ERROR"


def test_fifty_at_once_are_saved_in_order(books: Books) -> None:
    names = [f"Number {n} Ltd" for n in range(50)]
    body = books.json("PUT", "Contacts", {"Contacts": [{"Name": name} for name in names]})
    assert [one["Name"] for one in body["Contacts"]] == names
    twice = {"Contacts": [{"Name": "Twin Ltd"}, {"Name": "Twin Ltd", "FirstName": "Ana"}]}
    one, two = books.json("POST", "Contacts", twice)["Contacts"]
    assert one["ContactID"] == two["ContactID"]
    assert len(books.refusals("PUT", "Contacts", {"Name": "Pair Ltd"}, {"Name": "PAIR Ltd"})) == 1


def keyed(books: Books, key: str, body: Any, method: str = "POST", path: str = "Contacts") -> requests.Response:
    return books.ask(method, path, body, headers={"Idempotency-Key": key})


def test_a_key_gives_the_same_answer_again_for_six_minutes(books: Books) -> None:
    body = {"Contacts": [{"Name": "Once Ltd"}]}
    first, again = keyed(books, "k-1", body, "PUT"), keyed(books, "k-1", body, "PUT")
    assert (first.status_code, first.content) == (again.status_code, again.content)
    assert int(again.headers["X-MinLimit-Remaining"]) < int(first.headers["X-MinLimit-Remaining"])
    books.sandbox.control.clock(advance_seconds=361)
    assert keyed(books, "k-1", body, "PUT").status_code == 400  # counts as new, and the name is taken now


def test_a_key_cannot_be_used_for_something_else(books: Books) -> None:
    keyed(books, "k-2", {"Name": "First Ltd"})
    for body, method, path in (
        ({"Name": "Second Ltd"}, "POST", "Contacts"),
        ({"Name": "First Ltd"}, "PUT", "Contacts"),
        ({"Name": "First Ltd"}, "POST", "Contacts?summarizeErrors=false"),
    ):
        answer = keyed(books, "k-2", body, method, path)
        assert answer.status_code == 400
        assert answer.json()["Message"] == "Idempotency Key: k-2 is used with a different request."
    assert "Second Ltd" not in books.names()
    assert keyed(books, "k" * 129, {"Name": "Third Ltd"}).status_code == 400


def test_refusals_are_remembered_as_well(books: Books) -> None:
    made = books.create(Name="Occupied Ltd")
    assert keyed(books, "k-3", {"Name": "Occupied Ltd"}, "PUT").status_code == 400
    books.other_side("POST", f"contacts/{made['ContactID']}/archive")
    assert keyed(books, "k-3", {"Name": "Occupied Ltd"}, "PUT").status_code == 400
    assert keyed(books, "k-4", {"Name": "Occupied Ltd"}, "PUT").status_code == 200


def test_reading_ignores_keys_and_other_apps_have_their_own(books: Books) -> None:
    assert books.ask("GET", "Contacts", headers={"Idempotency-Key": "k-5"}).status_code == 200
    assert keyed(books, "k-5", {"Name": "Mine Ltd"}).status_code == 200
    books.sandbox.control.ask("POST", "apps", {"client_id": "other", "client_secret": "s"})
    other = connected(books.sandbox, client_id="other")
    assert keyed(other, "k-5", {"Name": "Theirs Ltd"}).json()["Contacts"][0]["Name"] == "Theirs Ltd"


def test_a_dropped_answer_can_be_asked_for_again_with_its_key(books: Books) -> None:
    books.sandbox.control.fault("accept_then_drop", vendor="xero", method="PUT", times=1)
    body = {"Name": "Cut Ltd"}
    with pytest.raises(requests.ConnectionError):
        keyed(books, "k-6", body, "PUT")
    assert books.names("?searchTerm=Cut%20Ltd") == ["Cut Ltd"]
    again = keyed(books, "k-6", body, "PUT")
    assert (again.status_code, again.json()["Contacts"][0]["Name"]) == (200, "Cut Ltd")
    assert books.names("?searchTerm=Cut%20Ltd") == ["Cut Ltd"]


def test_two_at_once_with_one_key_act_once(books: Books) -> None:
    answers: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: answers.append(keyed(books, "k-7", {"Name": "Race Ltd"}, "PUT").content))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(answers) == 4 and len(set(answers)) == 1
    assert books.names("?searchTerm=Race") == ["Race Ltd"]


def test_the_same_name_lives_in_both_organisations(books: Books) -> None:
    mine = books.create(Name="Both Ltd", ContactNumber="B-1")
    theirs = connected(books.sandbox, ADVISORY).create(Name="Both Ltd", ContactNumber="B-1")
    assert mine["ContactID"] != theirs["ContactID"]


def test_history_tells_what_happened_and_takes_notes(books: Books) -> None:
    made = books.create(Name="Story Ltd")
    path = f"Contacts/{made['ContactID']}/History"
    noted = {"HistoryRecords": [{"Details": "Called them"}]}
    assert books.json("PUT", path, noted)["HistoryRecords"][0]["Details"] == "Called them"
    books.json("POST", f"Contacts/{made['ContactID']}", {"FirstName": "Ana"})
    lines = books.json("GET", path)["HistoryRecords"]
    assert [line["Changes"] for line in lines] == ["Edited", "Note", "Created"]
    assert {line["User"] for line in lines} == {"System Generated"}
    assert lines[0]["DateUTC"].startswith("/Date(")
    assert books.ask("PUT", path, {"HistoryRecords": [{"Details": "x" * 2501}]}).status_code == 400


def test_text_of_every_kind_comes_back_as_it_was_sent(books: Books) -> None:
    for name in (
        "Nguyễn Văn Thành",
        "李氏貿易 Trading",
        "Café 🚀 Ltd",
        'Quote " Ltd',
        "Back\\slash Ltd",
        "=SUM(A1:A9)",
    ):
        made = books.create(Name=name)
        assert books.contact(made["ContactID"])["Name"] == name
        assert name in books.names(f"?IDs={made['ContactID']}")
    sent = b'{"Contacts":[{"Name":"Half \\ud83d face"}]}'
    answer = requests.put(f"{books.root}/Contacts", data=sent, headers=books.headers, timeout=20)
    assert answer.json()["Contacts"][0]["HasValidationErrors"] is True  # two spaces are left of it
