"""Sources, parties and transactions that an app writes into Digits, and what the ledger makes of them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.sandbox.ledger_app import SOURCE, LedgerApp, ext, invoice

NEW = {"externalId": ext("cust-77"), "name": "Northwind Dental", "email": "ap@northwind.example", "kind": "Business"}
BILLS = {"externalId": ext("bills"), "name": "Portal bills"}


def listed(app: LedgerApp) -> list[str]:
    answer = app.get("connections/sources")
    assert answer["next"] == {"cursor": "", "more": False}
    return [one["externalId"]["id"] for one in answer["sources"]]


def refusal(app: LedgerApp, path: str, body: Any) -> str:
    answer = app.ask("POST", path, json=body)
    assert answer.status_code == 400, answer.text
    return str(answer.json()["error"]["message"])


def test_sources_are_declared_as_a_complete_set(ledger_app: LedgerApp) -> None:
    answer = ledger_app.declare(SOURCE, BILLS)
    assert [(one["externalId"], one["name"]) for one in answer["sources"]] == [
        ("invoices", "Portal invoices"), ("bills", "Portal bills"),
    ]  # fmt: skip
    assert listed(ledger_app) == ["invoices", "bills"]
    again = ledger_app.declare({**SOURCE, "name": "Renamed"}, BILLS)
    assert again["sources"][0] == {**answer["sources"][0], "name": "Renamed"}
    (one, _) = ledger_app.get("connections/sources")["sources"]
    assert one["labels"] == SOURCE["labels"]


def test_a_source_left_out_goes_with_its_parties_and_transactions(ledger_app: LedgerApp) -> None:
    ledger_app.declare(SOURCE, BILLS)
    ledger_app.write(NEW, {**NEW, "name": "Paper Mill", "externalId": ext("sup-1"), "sourceId": ext("bills")})
    ledger_app.bill("cust-77")
    ledger_app.post(
        "source/transactions", "transactions",
        {**invoice("sup-1", "bill-1", sourceId=ext("bills")),
         "entries": [{**line, "category": {"id": 7}} for line in invoice("sup-1")["entries"]]},
    )  # fmt: skip
    assert {"Northwind Dental", "Paper Mill"} <= set(ledger_app.parties())
    ledger_app.declare(BILLS)
    assert "Northwind Dental" not in ledger_app.parties()
    assert "Paper Mill" in ledger_app.parties()
    assert [one["externalId"] for one in ledger_app.get("source/parties")["parties"]] == ["sup-1"]
    assert listed(ledger_app) == ["bills"]


def test_an_empty_sync_deletes_every_source_unless_a_switch_refuses_it(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    ledger_app.sandbox.control.state(digits_empty_sources="refused")
    assert "At least one source" in refusal(ledger_app, "connection/sources", {"sources": []})
    assert listed(ledger_app) == ["invoices"]
    ledger_app.sandbox.control.state(digits_empty_sources="deletes")
    ledger_app.post("connection/sources", "sources")
    assert listed(ledger_app) == []


def test_sources_are_listed_where_the_switch_says(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    assert ledger_app.ask("GET", "connection/sources").status_code == 404
    ledger_app.sandbox.control.state(digits_sources_path="connection")
    assert ledger_app.ask("GET", "connections/sources").status_code == 404
    assert len(ledger_app.get("connection/sources")["sources"]) == 1
    ledger_app.sandbox.control.state(digits_sources_path="both")
    assert ledger_app.get("connection/sources") == ledger_app.get("connections/sources")


@pytest.mark.parametrize(
    ("source", "says"),
    [({"name": "No id"}, "externalId is required"), ({"externalId": ext("x")}, "needs a name"),
     ({**SOURCE, "type": "Income tax"}, "not a type of category"), ({"externalId": {"id": 7}, "name": "n"}, "string")],
)  # fmt: skip
def test_a_source_that_makes_no_sense_is_refused(ledger_app: LedgerApp, source: dict[str, Any], says: str) -> None:
    assert says in refusal(ledger_app, "connection/sources", {"sources": [source]})


def test_parties_need_a_source_first(ledger_app: LedgerApp) -> None:
    answer = ledger_app.ask("POST", "source/parties", json={"parties": [NEW]})
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "FAILED_PRECONDITION")


def test_a_written_party_comes_back_with_a_bare_external_id_and_an_id_of_digits(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    (made,) = ledger_app.write(NEW)
    assert set(made) == {"digitsId", "externalId", "name"}
    assert (made["externalId"], made["name"]) == ("cust-77", "Northwind Dental")
    assert ledger_app.write({**NEW, "name": "Northwind Dental LLC"})[0]["digitsId"] == made["digitsId"]
    (kept,) = ledger_app.get("source/parties")["parties"]
    assert (kept["name"], kept["email"], kept["kind"]) == ("Northwind Dental LLC", "ap@northwind.example", "Business")


def test_a_bare_external_id_and_the_object_mean_the_same_party(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    (one,) = ledger_app.write(NEW)
    (two,) = ledger_app.write({**NEW, "externalId": "cust-77"})
    assert one == two


@pytest.mark.parametrize(("form", "refused"), [("object", "cust-77"), ("bare", ext("cust-77"))])
def test_the_form_of_external_ids_is_a_switch(ledger_app: LedgerApp, form: str, refused: Any) -> None:
    ledger_app.declare()
    ledger_app.sandbox.control.state(digits_party_external_id=form)
    assert "externalId must be" in refusal(ledger_app, "source/parties", {"parties": [{**NEW, "externalId": refused}]})
    fine = ext("cust-77") if form == "object" else "cust-77"
    assert len(ledger_app.write({**NEW, "externalId": fine})) == 1


def test_a_party_appears_in_the_ledger_with_its_first_transaction_only(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    (made,) = ledger_app.write(NEW)
    assert "Northwind Dental" not in ledger_app.parties()
    assert ledger_app.ask("GET", f"ledger/party/{made['digitsId']}").status_code == 404
    ledger_app.sandbox.control.state(digits_lists_unused_parties=True)
    assert "Northwind Dental" in ledger_app.parties()
    ledger_app.sandbox.control.state(digits_lists_unused_parties=False)
    ledger_app.bill("cust-77")
    assert ledger_app.parties()["Northwind Dental"]["id"] == made["digitsId"]
    ledger_app.post("source/transactions", "transactions", {"externalId": ext("inv-1"), "sourceId": ext("invoices"),
                    "action": "Delete"})  # fmt: skip
    assert "Northwind Dental" not in ledger_app.parties()


def test_a_party_of_the_name_of_one_in_the_books_becomes_that_one(ledger_app: LedgerApp) -> None:
    name, held = next(iter(ledger_app.parties().items()))
    ledger_app.declare()
    (made,) = ledger_app.write({"externalId": ext("c"), "name": f"  {name.upper()} ", "email": "new@there.example"})
    assert made["digitsId"] == held["id"]
    merged = ledger_app.get(f"ledger/party/{held['id']}")["party"]
    assert merged["email"] == "new@there.example"
    assert [party["name"] for party in ledger_app.parties().values() if party["id"] == held["id"]] == [merged["name"]]
    ledger_app.sandbox.control.state(digits_sync_tells_ledger_id=False)
    (own,) = ledger_app.write({"externalId": ext("c"), "name": name})
    assert own["digitsId"] != held["id"]


def test_two_parties_of_one_name_in_one_source_stay_two(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    one, two = ledger_app.write(NEW, {**NEW, "externalId": ext("cust-78")})
    assert one["digitsId"] != two["digitsId"]


def test_a_renamed_party_parts_from_the_others_of_its_old_name(ledger_app: LedgerApp) -> None:
    name, held = next(iter(ledger_app.parties().items()))
    ledger_app.declare()
    (joined,) = ledger_app.write({"externalId": ext("c"), "name": name})
    ledger_app.bill("c")
    (parted,) = ledger_app.write({"externalId": ext("c"), "name": "Somebody Else"})
    assert (joined["digitsId"], parted["digitsId"] == held["id"]) == (held["id"], False)
    parties = ledger_app.parties()
    assert parties[name]["id"] == held["id"]
    assert parties["Somebody Else"]["id"] == parted["digitsId"]


def test_one_external_id_in_two_sources_means_two_parties(ledger_app: LedgerApp) -> None:
    ledger_app.declare(SOURCE, BILLS)
    one, two = ledger_app.write(NEW, {**NEW, "name": "Paper Mill", "sourceId": ext("bills")})
    assert (one["name"], two["name"]) == ("Northwind Dental", "Paper Mill")
    assert one["digitsId"] != two["digitsId"]


@pytest.mark.parametrize(
    ("switch", "mark"),
    [("action", {"action": "Delete"}), ("deleted", {"deleted": True}), ("delete", {"delete": True}),
     ("any", {"deleted": True})],
)  # fmt: skip
def test_a_party_is_deleted_by_the_mark_of_the_switch(ledger_app: LedgerApp, switch: str, mark: dict[str, Any]) -> None:
    ledger_app.sandbox.control.state(digits_party_delete=switch)
    ledger_app.declare()
    ledger_app.write(NEW)
    ledger_app.bill("cust-77")
    assert ledger_app.write({"externalId": ext("cust-77"), **mark}) == []
    assert "Northwind Dental" not in ledger_app.parties()
    assert ledger_app.get("source/parties")["parties"] == []


def test_what_an_upsert_leaves_out_is_cleared_unless_the_switch_keeps_it(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    ledger_app.write(NEW)
    ledger_app.sandbox.control.state(digits_upsert_clears_omitted=False)
    ledger_app.write({"externalId": ext("cust-77"), "name": "Northwind Dental"})
    assert ledger_app.get("source/parties")["parties"][0]["email"] == "ap@northwind.example"
    ledger_app.sandbox.control.state(digits_upsert_clears_omitted=True)
    ledger_app.write({"externalId": ext("cust-77"), "name": "Northwind Dental"})
    assert "email" not in ledger_app.get("source/parties")["parties"][0]


def test_a_batch_is_written_whole_or_not_at_all_and_holds_a_hundred(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    many = [{"externalId": ext(f"c-{n}"), "name": f"Client {n}"} for n in range(101)]
    assert "At most 100" in refusal(ledger_app, "source/parties", {"parties": many})
    assert "kind is one of" in refusal(ledger_app, "source/parties", {"parties": [NEW, {**NEW, "kind": "Trust"}]})
    assert ledger_app.get("source/parties")["parties"] == []
    assert len(ledger_app.write(*many[:100])) == 100


@pytest.mark.parametrize("body", [[], {"parties": {}}, {"parties": ["x"]}, {}])
def test_a_body_of_another_shape_is_refused(ledger_app: LedgerApp, body: Any) -> None:
    ledger_app.declare()
    assert "list of parties" in refusal(ledger_app, "source/parties", body)


def test_unknown_fields_are_passed_over_unless_the_switch_refuses_them(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    assert len(ledger_app.write({**NEW, "phone": "09 555 0100"})) == 1
    ledger_app.sandbox.control.state(digits_refuses_unknown_fields=True)
    assert "Unknown field phone" in refusal(ledger_app, "source/parties", {"parties": [{**NEW, "phone": "1"}]})
    assert len(ledger_app.write(NEW)) == 1


def _unbalanced(deal: dict[str, Any]) -> None:
    deal["entries"][0]["amount"]["amount"] = 49999


def _fractional(deal: dict[str, Any]) -> None:
    deal["entries"][0]["amount"]["amount"] = 500.5


def _mixed(deal: dict[str, Any]) -> None:
    deal["entries"][0]["amount"]["code"] = "NZD"


def _stranger(deal: dict[str, Any]) -> None:
    deal["entries"][0]["counterparty"]["externalId"]["id"] = "nobody"


def _bare(deal: dict[str, Any]) -> None:
    deal["entries"][0]["counterparty"]["externalId"] = "cust-77"


def _undeclared(deal: dict[str, Any]) -> None:
    deal["entries"][0]["category"]["label"] = "gifts"


def _one_line(deal: dict[str, Any]) -> None:
    del deal["entries"][1]


def _elsewhere(deal: dict[str, Any]) -> None:
    deal["sourceId"]["id"] = "elsewhere"


@pytest.mark.parametrize(
    ("spoil", "says"),
    [(_unbalanced, "must balance"), (_fractional, "whole number"), (_mixed, "must balance"), (_stranger, "no party"),
     (_bare, "an object"), (_undeclared, "label gifts"), (_one_line, "two entries"), (_elsewhere, "no source")],
)  # fmt: skip
def test_a_transaction_that_makes_no_sense_is_refused(
    ledger_app: LedgerApp, spoil: Callable[[dict[str, Any]], None], says: str
) -> None:
    ledger_app.declare()
    ledger_app.write(NEW)
    deal = invoice("cust-77")
    spoil(deal)
    assert says in refusal(ledger_app, "source/transactions", {"transactions": [deal]})


@pytest.mark.parametrize(("switch", "refused"), [("sourceId", "accountId"), ("accountId", "sourceId")])
def test_a_transaction_names_its_source_as_the_switch_says(ledger_app: LedgerApp, switch: str, refused: str) -> None:
    ledger_app.declare()
    ledger_app.write(NEW)
    ledger_app.sandbox.control.state(digits_transaction_source=switch)
    deal = invoice("cust-77")
    del deal["sourceId"]
    body = {"transactions": [{**deal, refused: ext("invoices")}]}
    assert f"needs {switch}" in refusal(ledger_app, "source/transactions", body)
    ledger_app.post("source/transactions", "transactions", {**deal, switch: ext("invoices")})


def test_the_same_transaction_again_replaces_the_first(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    ledger_app.write(NEW, {"externalId": ext("other"), "name": "Other Client"})
    first = ledger_app.bill("cust-77")
    assert ledger_app.bill("other") == first
    assert "Northwind Dental" not in ledger_app.parties()
    assert "Other Client" in ledger_app.parties()
    (kept,) = ledger_app.sandbox.control.ask("GET", "digits/transactions")
    assert kept["entries"][0]["counterparty"] == {"externalId": ext("other")}


def test_sync_answers_can_be_empty(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.state(digits_sync_answers="empty")
    assert ledger_app.declare() == {}
    assert len(ledger_app.write(NEW)) == 1, "the answer for parties is documented"
    assert ledger_app.bill("cust-77") == {}


def test_listing_written_parties_can_be_impossible(ledger_app: LedgerApp) -> None:
    ledger_app.sandbox.control.state(digits_lists_source_parties=False)
    assert ledger_app.ask("GET", "source/parties").status_code == 404


def test_a_write_that_was_done_and_not_answered_is_there_once(ledger_app: LedgerApp) -> None:
    ledger_app.declare()
    ledger_app.sandbox.control.fault("accept_then_drop", vendor="digits", path="source/parties", method="POST", times=1)
    with pytest.raises(OSError):
        ledger_app.write(NEW)
    (kept,) = ledger_app.get("source/parties")["parties"]
    assert ledger_app.write(NEW)[0]["digitsId"] == kept["digitsId"]
    assert len(ledger_app.get("source/parties")["parties"]) == 1


def test_apps_see_their_own_sources_and_parties_only(ledger_app: LedgerApp) -> None:
    control = ledger_app.sandbox.control
    control.ask("POST", "digits/apps", {"client_id": "other", "client_secret": "s"})
    other = LedgerApp(ledger_app.sandbox, control.tokens(vendor="digits", client_id="other")["access_token"])
    ledger_app.declare()
    ledger_app.write(NEW)
    assert listed(other) == []
    assert other.get("source/parties")["parties"] == []
    other.declare(BILLS)
    assert listed(ledger_app) == ["invoices"]
