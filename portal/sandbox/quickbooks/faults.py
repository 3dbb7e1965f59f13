"""The refusals of the service, each with its code. Texts differ between versions and languages; codes do not."""

from __future__ import annotations

from portal.sandbox.quickbooks.wire import Fault

BUSINESS = "A business validation error has occurred while processing your request"
INACTIVE = (
    "Object Not Found : Something you're trying to use has been made inactive. Check the fields with accounts,"
    " customers, items, vendors or employees."
)


def not_found() -> Fault:
    """An Id that is not there: 400, never 404."""
    return Fault("610", "Object Not Found", INACTIVE)


def unsupported(what: str) -> Fault:
    """An operation this entity does not have."""
    return Fault("500", "Unsupported Operation", f"Operation {what} is not supported.")


def bad_property(name: str) -> Fault:
    """A field nobody knows, or of another type."""
    return Fault(
        "2010",
        "Request has invalid or unsupported property",
        f"Property Name:{name} specified is unsupported or invalid",
    )


def missing(name: str) -> Fault:
    """Something that must be sent was not."""
    return Fault(
        "2020",
        "Required param missing, need to supply the required value for the API",
        f"Required parameter {name} is missing in the request",
    )


def bad_id(text: str) -> Fault:
    """Not a number."""
    return Fault("2030", "Invalid ID", f"Id should be a valid number. Supplied value:{text}")


def bad_characters(name: str) -> Fault:
    """A colon, tab or new line in a name."""
    return Fault("2040", "Invalid character", f"Invalid character in {name}: colon, tab and new line are not allowed")


def wrong_length(most: int, found: int) -> Fault:
    """Too long."""
    return Fault(
        "2050",
        "String length is either shorter or longer than supported by specification",
        f"String length specified does not match the supported length. Min:0 Max:{most} supplied:{found}",
    )


def bad_date(text: str) -> Fault:
    """A date or date-time that cannot be read."""
    return Fault("2060", "Invalid Date", f"Date value specified is invalid. Supplied value:{text}")


def bad_choice(name: str, text: str) -> Fault:
    """A word that is not one of the list."""
    return Fault("2170", "Invalid Enumeration", f"Invalid Enumeration : {text} for {name}")


def bad_url(text: str) -> Fault:
    """A web address that is none."""
    return Fault("2200", "Invalid URL", f"Web address format is not valid. Supplied value:{text}")


def bad_email(text: str) -> Fault:
    """A mail address without @ or full stop."""
    return Fault(
        "2210", "Invalid Email Address format", f"Email Address does not conform to the RFC. Supplied value:{text}"
    )


def bad_reference(name: str, identifier: str) -> Fault:
    """A reference to something missing or inactive."""
    return Fault("2500", "Invalid Reference Id", f"Invalid Reference Id : {name} element id {identifier} not found")


def unreadable(detail: str) -> Fault:
    """A statement that does not follow the grammar."""
    return Fault("4000", "Error parsing query", f"QueryParserError: {detail}")


def not_queryable(detail: str) -> Fault:
    """A statement that reads well and asks for something impossible."""
    return Fault("4001", "Invalid query", f"QueryValidationError: {detail}")


def stale(who: str) -> Fault:
    """Somebody else was quicker."""
    return Fault(
        "5010",
        "Stale Object Error",
        f"Stale Object Error : You and {who} were working on this at the same time. {who} finished before you did,"
        " so your work was not saved.",
    )


def business(detail: str) -> Fault:
    """The catch-all."""
    return Fault("6000", BUSINESS, f"Business Validation Error: {detail}")


def gone_for_good() -> Fault:
    """Writing to what was merged away or made inactive."""
    return business("You cannot modify a list element that has been deleted.")


def no_name() -> Fault:
    """Neither a display name nor a part of a person's name."""
    return Fault(
        "6080", "No name provided", "At least one of Title, GivenName, MiddleName, FamilyName, Suffix is needed"
    )


def name_taken(variant: str, holder: str) -> Fault:
    """Some customer, vendor or employee has the name; the text comes in several forms."""
    details = {
        "null": "The name supplied already exists. : null",
        "id": f"The name supplied already exists. : Id={holder}",
        "sentence": "The name supplied already exists. : Another customer, vendor or employee is already using this"
        " name. Please use a different name.",
        "french": "Le nom fourni existe déjà. : null",
    }
    return Fault("6240", "Duplicate Name Exists Error", details[variant])


def bad_number(name: str, value: object) -> Fault:
    """No number, or one nobody can count with."""
    return Fault("2090", "Invalid Number", f"{name} is not a valid number. Supplied value:{value}")


def bad_amount(detail: str) -> Fault:
    """A line whose amount is not what it says it is made of."""
    return Fault(
        "6070", "Amount calculation incorrect in the request", f"Amount calculation incorrect in the request. {detail}"
    )


def bad_line_code(code: str) -> Fault:
    """Lines in the United States know two codes."""
    return Fault("6100", "Invalid line tax code", f"The line tax code should be TAX or NON. Supplied value:{code}")


def number_taken(number: str, holder: str) -> Fault:
    """Some invoice has it."""
    return Fault(
        "6140",
        "Duplicate Document Number Error",
        "Duplicate Document Number Error : You must specify a different number. This number has already been used."
        f" DocNumber={number} is assigned to TxnType=Invoice with TxnId={holder}",
    )


def closed(until: str, *, password: bool) -> Fault:
    """Before the day the books were closed on."""
    code = "6210" if password else "6200"
    return Fault(
        code, "Account Period Closed", f"Account Period Closed: The account period has closed on {until}; no changes."
    )


def customer_not_usable() -> Fault:
    """An inactive customer on a sale, in the words some versions have for it."""
    return Fault("6250", "Invalid sales customer", "The customer on this sale is not valid or was made inactive.")


def not_linkable(detail: str) -> Fault:
    """A payment for what it cannot pay."""
    return Fault("620", "Transaction ID cannot be linked", f"Transaction cannot be linked: {detail}")


def deleted_txn() -> Fault:
    """A transaction that is there no more."""
    return Fault("610", "Object Not Found", "Object Not Found : Another user has deleted this transaction.")
