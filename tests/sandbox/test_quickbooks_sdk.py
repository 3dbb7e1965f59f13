"""The vendor's own sign-in library and the best known client talk to the sandbox unchanged."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import requests
from intuitlib.client import AuthClient
from intuitlib.enums import Scopes
from intuitlib.exceptions import AuthClientError
from quickbooks import QuickBooks
from quickbooks.batch import batch_create, batch_update
from quickbooks.cdc import change_data_capture
from quickbooks.exceptions import (
    AuthorizationException,
    ObjectNotFoundException,
    QuickbooksException,
    ValidationException,
)
from quickbooks.objects.base import Address, EmailAddress, PhoneNumber
from quickbooks.objects.customer import Customer
from quickbooks.objects.detailline import SalesItemLine, SalesItemLineDetail
from quickbooks.objects.employee import Employee
from quickbooks.objects.invoice import Invoice
from quickbooks.objects.item import Item
from quickbooks.objects.payment import Payment, PaymentLine
from quickbooks.objects.preferences import Preferences
from quickbooks.objects.taxcode import TaxCode
from quickbooks.objects.term import Term
from quickbooks.objects.vendor import Vendor

from portal.sandbox.server import Running
from tests.sandbox.test_quickbooks_sign_in import BACK, press

MARLOW = "9341453172846301"


@pytest.fixture
def client(sandbox: Running, monkeypatch: pytest.MonkeyPatch) -> Iterator[QuickBooks]:
    """Signed in through the consent page; only the addresses point here."""
    sandbox.control.limits(second=10_000)
    monkeypatch.setenv("OAUTHLIB_INSECURE_TRANSPORT", "1")  # its session wants https otherwise
    monkeypatch.setattr(QuickBooks, "api_url_v3", f"{sandbox.url}/quickbooks/v3")
    auth = auth_client(sandbox)
    page = requests.get(auth.get_authorization_url([Scopes.ACCOUNTING, Scopes.OPENID, Scopes.EMAIL]), timeout=10)
    back = press(sandbox, page.text, "allow")
    auth.get_bearer_token(back["code"], realm_id=back["realmId"])
    made = QuickBooks(auth_client=auth, refresh_token=auth.refresh_token, company_id=auth.realm_id, minorversion=75)
    yield made
    made.session.close()
    auth.close()


def auth_client(sandbox: Running) -> AuthClient:
    discovery = f"{sandbox.url}/quickbooks/.well-known/openid_sandbox_configuration/"
    return AuthClient("counterpart-sandbox", "sandbox-secret", BACK, discovery)


def customer(name: str, **values: Any) -> Customer:
    made = Customer()
    made.DisplayName = name
    for key, value in values.items():
        setattr(made, key, value)
    return made


def test_signing_in_checks_the_id_token_and_tells_who_it_was(client: QuickBooks) -> None:
    auth = client.auth_client
    assert auth.id_token  # only kept when its signature, issuer and audience are right
    assert auth.realm_id == MARLOW
    assert auth.get_user_info().json()["email"] == "jo@marlow.example"


def test_refreshing_brings_another_token_and_the_old_one_is_dead(client: QuickBooks, sandbox: Running) -> None:
    auth, old = client.auth_client, client.auth_client.refresh_token
    auth.refresh()
    assert auth.refresh_token != old
    with pytest.raises(AuthClientError) as refused:
        auth_client(sandbox).refresh(old)
    assert refused.value.status_code == 400
    assert auth.revoke() is True
    with pytest.raises(AuthClientError):
        auth.refresh()


def test_customers_are_made_read_changed_and_found(client: QuickBooks) -> None:
    made = customer("Adam's Candy Shop", CompanyName="Candy")
    made.BillAddr = Address()
    made.BillAddr.Line1, made.BillAddr.City = "1 Quay Street", "Auckland"
    made.PrimaryEmailAddr, made.PrimaryPhone = EmailAddress(), PhoneNumber()
    made.PrimaryEmailAddr.Address, made.PrimaryPhone.FreeFormNumber = "adam@candy.example", "09 555 0100"
    made = made.save(qb=client, request_id="sdk-1")
    assert made.Id
    read = Customer.get(made.Id, qb=client)
    assert (read.DisplayName, read.BillAddr.City, read.SyncToken) == ("Adam's Candy Shop", "Auckland", "0")
    read.Notes = "Sweet"
    changed = read.save(qb=client)
    assert (changed.Notes, changed.SyncToken) == ("Sweet", "1")
    assert changed.PrimaryEmailAddr.Address == "adam@candy.example"
    (found,) = Customer.filter(DisplayName="adam's candy shop", Active=True, qb=client)
    assert found.Id == made.Id
    assert [one.Id for one in Customer.choose([made.Id, "999999"], qb=client)] == [made.Id]
    (asked,) = Customer.query(f"SELECT * FROM Customer WHERE Id = '{made.Id}'", qb=client)
    assert asked.DisplayName == "Adam's Candy Shop"


def test_lists_are_paged_and_counted(client: QuickBooks, sandbox: Running) -> None:
    sandbox.control.load(25, vendor="quickbooks")
    assert Customer.count(qb=client) == 25
    assert len(Customer.all(qb=client)) == 25
    pages = [Customer.all(order_by="Id", start_position=start, max_results=10, qb=client) for start in (1, 11, 21)]
    assert [len(page) for page in pages] == [10, 10, 5]
    assert len({one.Id for page in pages for one in page}) == 25
    assert Customer.where("Active = true", order_by="DisplayName", start_position=26, max_results=10, qb=client) == []


def test_a_taken_name_has_its_code(client: QuickBooks) -> None:
    supplier = Vendor()
    supplier.DisplayName = "Copper Pipes Ltd"
    supplier.save(qb=client)
    with pytest.raises(QuickbooksException) as refused:
        customer("COPPER  pipes ltd").save(qb=client)
    assert refused.value.error_code == 6240
    assert "already exists" in refused.value.detail


def test_other_refusals_arrive_as_what_they_are(client: QuickBooks, sandbox: Running) -> None:
    with pytest.raises(ObjectNotFoundException):
        Customer.get("987654", qb=client)
    with pytest.raises(ValidationException) as refused:
        customer("Colon: Ltd").save(qb=client)
    assert refused.value.error_code == 2040
    with pytest.raises(ValidationException):
        Customer.where("Notes = 'x'", qb=client)
    old = customer("Stale Ltd").save(qb=client)
    sandbox.control.ask("PATCH", f"quickbooks/customers/{old.Id}", {"phone": "1"})
    with pytest.raises(QuickbooksException) as stale:
        old.save(qb=client)
    assert stale.value.error_code == 5010
    sandbox.control.clock(advance_seconds=3601)
    with pytest.raises(AuthorizationException):
        Customer.all(qb=client)


def test_a_fault_inside_a_200_is_noticed(client: QuickBooks, sandbox: Running) -> None:
    sandbox.control.state(quickbooks_faults_in_200=True)
    with pytest.raises(QuickbooksException) as refused:
        Customer.get("987654", qb=client)
    assert refused.value.error_code == 610


def test_batches_bring_successes_and_faults(client: QuickBooks) -> None:
    customer("Held Ltd").save(qb=client)
    done = batch_create([customer(f"Batch {n}") for n in range(32)] + [customer("held ltd")], qb=client)
    assert (len(done.successes), len(done.faults)) == (32, 1)
    assert [error.code for error in done.faults[0].Error] == ["6240"]
    for one in done.successes:
        one.Notes = "again"
    assert {one.SyncToken for one in batch_update(done.successes, qb=client).successes} == {"1"}


def test_changes_are_told(client: QuickBooks, sandbox: Running) -> None:
    since = datetime.fromtimestamp(sandbox.box.clock.seconds(), UTC)
    sandbox.control.clock(advance_seconds=5)
    made = customer("Changed Ltd").save(qb=client)
    found = change_data_capture([Customer, Vendor], since.isoformat(timespec="seconds"), qb=client)
    assert [one.Id for one in found.Customer] == [made.Id]
    assert not hasattr(found, "Vendor")


def invoice(client: QuickBooks, number: str, amount: float) -> Invoice:
    """For somebody new, of the first product, at the standard rate; not sent yet."""
    made, line = Invoice(), SalesItemLine()
    line.Amount, line.Description = amount, "Annual accounts"
    line.SalesItemLineDetail = SalesItemLineDetail()
    line.SalesItemLineDetail.Qty, line.SalesItemLineDetail.UnitPrice = 1, amount
    line.SalesItemLineDetail.ItemRef = Item.all(qb=client)[0].to_ref()
    line.SalesItemLineDetail.TaxCodeRef = TaxCode.filter(Name="15% GST", qb=client)[0].to_ref()
    made.CustomerRef = customer(f"Customer of {number}").save(qb=client).to_ref()
    made.DocNumber, made.PrivateNote, made.Line = number, "from the SDK", [line]
    return made


def test_invoices_are_made_paid_voided_and_deleted(client: QuickBooks, sandbox: Running) -> None:
    sandbox.control.limits(second=10_000)
    made = invoice(client, "SDK-1", 200.5).save(qb=client, request_id="sdk-i-1")
    assert (made.TotalAmt, made.Balance, made.DocNumber) == (230.58, 230.58, "SDK-1")
    paid, part = Payment(), PaymentLine()
    part.Amount, part.LinkedTxn = 30.58, [made.to_linked_txn()]
    paid.CustomerRef, paid.TotalAmt, paid.Line = made.CustomerRef, 30.58, [part]
    paid = paid.save(qb=client)
    assert paid.UnappliedAmt == 0
    (read,) = Invoice.filter(DocNumber="SDK-1", qb=client)
    assert (read.Balance, [link.TxnId for link in read.LinkedTxn]) == (200, [paid.Id])
    paid.void(qb=client)
    read = Invoice.get(made.Id, qb=client)
    assert (read.Balance, read.LinkedTxn) == (230.58, [])
    read.void(qb=client)
    voided = Invoice.get(made.Id, qb=client)
    assert (voided.TotalAmt, voided.PrivateNote) == (0, "Voided - from the SDK")
    voided.delete(qb=client)
    with pytest.raises(ObjectNotFoundException):
        Invoice.get(made.Id, qb=client)


def test_invoices_travel_in_batches_and_among_the_changes(client: QuickBooks, sandbox: Running) -> None:
    sandbox.control.limits(second=10_000)
    since = datetime.fromtimestamp(sandbox.box.clock.seconds() - 60, UTC)
    done = batch_create([invoice(client, f"SDK-{number}", 100 + number) for number in range(4)], qb=client)
    assert [one.DocNumber for one in done.successes] == ["SDK-0", "SDK-1", "SDK-2", "SDK-3"]
    found = change_data_capture([Invoice], since.isoformat(timespec="seconds"), qb=client)
    assert {one.Id for one in found.Invoice} == {one.Id for one in done.successes}
    assert Term.all(qb=client)[2].DueDays == 30


def test_employees_and_preferences_can_be_read(client: QuickBooks) -> None:
    assert len(Employee.all(qb=client)) > 5
    assert Preferences.get(qb=client).CurrencyPrefs.HomeCurrency.value == "NZD"
