"""The vendor's own Python SDK, unchanged, takes the sandbox for the real thing: only its address is configured."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest

from tests.sandbox.books import Books

xero = pytest.importorskip("xero_python.accounting", reason="xero-python is not installed: see requirements-dev.txt")

from xero_python.api_client import ApiClient  # noqa: E402  # only when it is installed
from xero_python.api_client.configuration import Configuration  # noqa: E402  # as above
from xero_python.api_client.oauth2 import OAuth2Token  # noqa: E402  # as above
from xero_python.exceptions import AccountingBadRequestException, NotFoundException  # noqa: E402  # as above
from xero_python.exceptions.http_status_exceptions import RateLimitException  # noqa: E402  # as above


@pytest.fixture
def api(books: Books) -> Any:
    """The accounting API as the SDK's readme sets it up, at another address."""
    held = {"token": {**books.token, "scope": books.token["scope"].split(), "expires_at": 4_102_444_800.0}}
    client = ApiClient(
        Configuration(oauth2_token=OAuth2Token(client_id="counterpart-sandbox", client_secret="sandbox-secret")),
        oauth2_token_getter=lambda: held["token"],
        oauth2_token_saver=lambda token: held.update(token=token),
    )
    return xero.AccountingApi(client, base_url=books.root)


def test_it_lists_contacts_by_page(api: Any, books: Books) -> None:
    found = api.get_contacts(books.tenant, page=1, page_size=7, order="Name ASC")
    assert (found.pagination.page, found.pagination.page_size) == (1, 7)
    names = [contact.name for contact in found.contacts]
    assert names == books.names("?order=Name")[:7]
    first = found.contacts[0]
    assert isinstance(first.updated_date_utc, datetime) and first.updated_date_utc.tzinfo is not None
    assert {address.address_type for address in first.addresses} == {"STREET", "POBOX"}
    assert {phone.phone_type for phone in first.phones} == {"DDI", "DEFAULT", "FAX", "MOBILE"}


def test_every_contact_is_read_archived_ones_too(api: Any, books: Books) -> None:
    found = api.get_contacts(books.tenant, include_archived="true", page=1, page_size=1000)
    assert len(found.contacts) == found.pagination.item_count == len(books.contacts("?includeArchived=true"))
    (merged,) = [contact for contact in found.contacts if contact.merged_to_contact_id]
    assert api.get_contact(books.tenant, merged.contact_id).contacts[0].contact_status == "ARCHIVED"


def test_it_filters_searches_and_asks_for_changes(api: Any, books: Books) -> None:
    made = books.create(Name="Sought Ltd", EmailAddress="a@sought.example")
    found = api.get_contacts(books.tenant, where='EmailAddress=="a@sought.example"')
    assert [contact.contact_id for contact in found.contacts] == [made["ContactID"]]
    assert len(api.get_contacts(books.tenant, search_term="sought").contacts) == 1
    assert len(api.get_contacts(books.tenant, i_ds=[made["ContactID"]]).contacts) == 1
    now = datetime.now(UTC)
    recent = api.get_contacts(books.tenant, if_modified_since=now - timedelta(minutes=1)).contacts
    assert [contact.name for contact in recent] == ["Sought Ltd"]
    assert api.get_contacts(books.tenant, if_modified_since=now + timedelta(hours=1)).contacts == []


def test_it_creates_a_contact_with_people_phones_and_addresses(api: Any, books: Books) -> None:
    contact = xero.Contact(
        name="From The SDK Ltd",
        email_address="sdk@example.com",
        phones=[xero.Phone(phone_type="MOBILE", phone_number="555 0100", phone_area_code="021")],
        addresses=[xero.Address(address_type="STREET", address_line1="1 High St", city="Hamilton")],
        contact_persons=[xero.ContactPerson(first_name="Ana", last_name="Leota", include_in_emails=True)],
        payment_terms=xero.PaymentTerm(sales=xero.Bill(day=20, type=xero.PaymentTermType.OFFOLLOWINGMONTH)),
    )
    (made,) = api.create_contacts(books.tenant, xero.Contacts(contacts=[contact]), summarize_errors=True).contacts
    assert made.contact_status == "ACTIVE"
    assert made.has_validation_errors is False
    seen = books.contact(made.contact_id)
    assert (seen["Phones"][3]["PhoneAreaCode"], seen["Addresses"][0]["AddressLine1"]) == ("021", "1 High St")
    assert seen["ContactPersons"][0]["IncludeInEmails"] is True
    assert made.payment_terms.sales.day == 20


def test_it_updates_a_contact_and_leaves_the_rest(api: Any, books: Books) -> None:
    made = books.create(Name="Changing Ltd", EmailAddress="a@changing.example")
    changed = xero.Contacts(contacts=[xero.Contact(first_name="Ana")])
    (answer,) = api.update_contact(books.tenant, made["ContactID"], changed).contacts
    assert (answer.first_name, answer.email_address) == ("Ana", "a@changing.example")
    both = xero.Contacts(contacts=[xero.Contact(name="Changing Ltd", last_name="Leota"), xero.Contact(name="New Ltd")])
    one, two = api.update_or_create_contacts(books.tenant, both, summarize_errors=True).contacts
    assert (one.contact_id, one.last_name) == (made["ContactID"], "Leota")
    assert two.contact_id not in (None, made["ContactID"])


def test_a_refusal_becomes_the_sdks_own_exception(api: Any, books: Books) -> None:
    books.create(Name="Taken Ltd")
    taken = xero.Contacts(contacts=[xero.Contact(name="taken ltd"), xero.Contact(name="Fine Ltd")])
    with pytest.raises(AccountingBadRequestException) as caught:
        api.create_contacts(books.tenant, taken, summarize_errors=True)
    assert "must be unique across all active contacts" in str(caught.value)
    bad, good = api.create_contacts(books.tenant, taken, summarize_errors=False).contacts
    assert (bad.status_attribute_string, good.status_attribute_string) == ("ERROR", "OK")
    assert "must be unique" in bad.validation_errors[0].message


def test_unknown_contacts_and_spent_limits_become_exceptions_too(api: Any, books: Books) -> None:
    with pytest.raises(NotFoundException):
        api.get_contact(books.tenant, "12345678-1234-1234-1234-123456789abc")
    # A spent minute comes with Retry-After, and the SDK's pool would sit that out; too many at once comes without.
    books.sandbox.control.limits(concurrent=0, tenant=books.tenant)
    with pytest.raises(RateLimitException) as caught:
        api.get_contacts(books.tenant)
    assert caught.value.rate_limit == "concurrent"


def test_a_key_makes_a_repeated_creation_harmless(api: Any, books: Books) -> None:
    one = xero.Contacts(contacts=[xero.Contact(name="Once Ltd")])
    first = api.create_contacts(books.tenant, one, idempotency_key="sdk-1")
    again = api.create_contacts(books.tenant, one, idempotency_key="sdk-1")
    assert first.contacts[0].contact_id == again.contacts[0].contact_id


def an_invoice(books: Books, number: str, **more: Any) -> Any:
    line = xero.LineItem(
        description="Annual accounts", quantity=3.0, unit_amount=33.3333, account_code="200", tax_type="OUTPUT2"
    )
    who = xero.Contact(contact_id=books.contacts("?page=1")[0]["ContactID"])
    return xero.Invoice(
        type="ACCREC", contact=who, line_items=[line], date=date(2026, 11, 20), due_date=date(2026, 12, 20),
        invoice_number=number, status="AUTHORISED", line_amount_types=xero.LineAmountTypes.EXCLUSIVE,
        currency_code=xero.CurrencyCode.NZD, **more,
    )  # fmt: skip


def test_it_creates_an_invoice_and_reads_it(api: Any, books: Books) -> None:
    both = xero.Invoices(invoices=[an_invoice(books, "SDK-1", reference="PO 1"), an_invoice(books, "SDK-1")])
    good, bad = api.create_invoices(books.tenant, both, summarize_errors=False, unitdp=4).invoices
    assert (good.status_attribute_string, bad.status_attribute_string) == ("OK", "ERROR")
    assert bad.validation_errors[0].message == "Invoice # must be unique."
    (seen,) = api.get_invoice(books.tenant, good.invoice_id, unitdp=4).invoices
    assert (seen.invoice_number, seen.reference, seen.status) == ("SDK-1", "PO 1", "AUTHORISED")
    assert (seen.sub_total, seen.total_tax, seen.total, seen.amount_due) == (100, 15, 115, 115)
    assert (seen.date, seen.due_date) == (date(2026, 11, 20), date(2026, 12, 20))
    assert seen.line_items[0].unit_amount == Decimal("33.3333")
    (listed,) = api.get_invoices(books.tenant, invoice_numbers=["SDK-1"], where='Type=="ACCREC"', page=1).invoices
    assert listed.invoice_id == seen.invoice_id
    since = datetime.now(UTC) - timedelta(minutes=1)
    assert len(api.get_invoices(books.tenant, if_modified_since=since, statuses=["AUTHORISED"]).invoices) == 1


def payment_values(payment: Any) -> dict[str, Any]:
    return {name: getattr(payment, name) for name in ("invoice", "account", "date", "amount", "reference")}


def test_it_pays_an_invoice_and_takes_the_payment_back(api: Any, books: Books) -> None:
    made = xero.Invoices(invoices=[an_invoice(books, "SDK-1")])
    (invoice,) = api.create_invoices(books.tenant, made, summarize_errors=True, unitdp=4).invoices
    bank = api.get_accounts(books.tenant, where='Type=="BANK"').accounts[0]
    payment = xero.Payment(
        invoice=xero.Invoice(invoice_id=invoice.invoice_id), account=xero.Account(account_id=bank.account_id),
        date=date(2026, 11, 21), amount=115.0, reference="by card",
    )  # fmt: skip
    too_much = xero.Payments(payments=[xero.Payment(**{**payment_values(payment), "amount": 115.01})])
    with pytest.raises(AccountingBadRequestException, match="exceeds the amount outstanding"):
        api.create_payments(books.tenant, too_much, summarize_errors=True)
    (paid,) = api.create_payments(books.tenant, xero.Payments(payments=[payment])).payments
    assert (paid.status, paid.payment_type, paid.amount) == ("AUTHORISED", "ACCRECPAYMENT", 115)
    (now,) = api.get_invoice(books.tenant, invoice.invoice_id).invoices
    assert (now.status, now.amount_due, now.fully_paid_on_date) == ("PAID", 0, date(2026, 11, 21))
    where = f'Invoice.InvoiceID==guid("{invoice.invoice_id}")'
    assert len(api.get_payments(books.tenant, where=where).payments) == 1
    api.delete_payment(books.tenant, paid.payment_id, xero.PaymentDelete(status="DELETED"))
    assert api.get_payment(books.tenant, paid.payment_id).payments[0].status == "DELETED"
    assert api.get_invoice(books.tenant, invoice.invoice_id).invoices[0].status == "AUTHORISED"


def test_it_voids_an_invoice_and_reads_items(api: Any, books: Books) -> None:
    made = xero.Invoices(invoices=[an_invoice(books, "SDK-1")])
    (invoice,) = api.create_invoices(books.tenant, made, summarize_errors=True).invoices
    change = xero.Invoices(invoices=[xero.Invoice(status="VOIDED")])
    assert api.update_invoice(books.tenant, invoice.invoice_id, change).invoices[0].status == "VOIDED"
    assert {item.code for item in api.get_items(books.tenant).items} >= {"ADVICE", "ANNUAL"}


def test_it_reads_the_organisation_and_the_short_lists(api: Any, books: Books) -> None:
    (organisation,) = api.get_organisations(books.tenant).organisations
    assert (organisation.name, organisation.base_currency.value) == ("Marlow & Co Ltd", "NZD")
    assert organisation.timezone.value == "NEWZEALANDSTANDARDTIME"
    assert str(organisation.period_lock_date) == "2025-03-31"
    assert len(api.get_accounts(books.tenant, where='Type=="BANK"').accounts) == 2
    assert {rate.tax_type for rate in api.get_tax_rates(books.tenant).tax_rates} >= {"OUTPUT2", "INPUT2"}
    assert len(api.get_tracking_categories(books.tenant).tracking_categories) == 2
    assert api.get_branding_themes(books.tenant).branding_themes[0].name == "Standard"
    assert api.get_currencies(books.tenant).currencies[0].code.value == "NZD"
    assert api.get_users(books.tenant).users[0].is_subscriber is True


def test_it_reads_and_writes_history(api: Any, books: Books) -> None:
    made = books.create(Name="Story Ltd")
    note = xero.HistoryRecords(history_records=[xero.HistoryRecord(details="Called them")])
    api.create_contact_history(books.tenant, made["ContactID"], note)
    lines = api.get_contact_history(books.tenant, made["ContactID"]).history_records
    assert [line.changes for line in lines] == ["Note", "Created"]
    assert isinstance(lines[0].date_utc, datetime)
