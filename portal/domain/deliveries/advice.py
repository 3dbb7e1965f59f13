"""What to do about a failed delivery, kind by kind (behaviour reference IN-13). PURE."""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """`fix` names the screen that mends it: client (its apps), client_edit (its details), archive (its page), mapping,
    connection, invoice; empty: somewhere in the app."""

    text: str
    fix: str


ADVICE: dict[str, tuple[str, str]] = {
    "tax_not_allowed": (
        "Allow this tax rate for the account in {app}, or choose another account for the service in the mapping.",
        "mapping",
    ),
    "account_not_valid": ("Choose a sales account of {app} for the service in the mapping.", "mapping"),
    "customer_gone": (
        "The customer this client is linked to was deleted or made inactive in {app}. Make it active again there, or "
        "link the client to another record; then create the invoice again.",
        "client",
    ),
    "client_name_characters": (
        "{app} takes no {detail} in a customer’s name. Change the name here, then create the invoice again. If "
        "{app} knows the client already, under a name without it, link the client to that record instead.",
        "client_edit",
    ),
    "client_name_spaces": (
        "{app} takes no two spaces in a row in a customer’s name. Make them one here, then create the invoice again.",
        "client_edit",
    ),
    "client_name_long": (
        "{app} takes names of at most {detail} characters. Shorten the name here, then create the invoice again.",
        "client_edit",
    ),
    "client_name_empty": (
        "{app} takes no customer without a name. Give the client one here, then create the invoice again.",
        "client_edit",
    ),
    "client_refused": (
        "{app} did not take the client’s details as they are. Change what it names, on the client or its contact "
        "here, then create the invoice again. If {app} knows the client already, link it to that record instead.",
        "client_edit",
    ),
    "client_under_way": (
        "The client is on its way to {app} once more; the invoice follows by itself when it has arrived.",
        "",
    ),
    "client_archived": (
        "Bring the client back from the archive, then create the invoice again; or void the invoice.",
        "archive",
    ),
    "client_link_broken": (
        "Make the customer active again in {app}, or link the client to another record; then create the invoice again.",
        "client",
    ),
    "client_by_hand": (
        "{app} takes no new customers from here. Make the customer there, link the client to it, then create the "
        "invoice again.",
        "client",
    ),
    "name_taken": (
        "Another customer, supplier or employee of {app} has this name. Link the client to that record, or rename one "
        "of the two.",
        "client",
    ),
    "tax_missing": ("Map the tax rates of these lines to those of {app}; they may have changed there.", "mapping"),
    "period_locked": (
        "The books of {app} are locked for this day. Unlock them there, or void this invoice and bill it on a later "
        "day.",
        "",
    ),
    "amount_not_allowed": (
        "{app} does not take this quantity, price or total. Void the invoice and bill it with amounts it takes.",
        "invoice",
    ),
    "number_used": (
        "Another invoice in {app} has this number. Give that one another number there, then create this one again.",
        "",
    ),
    "currency": (
        "{app} does not keep this currency for this customer. Switch it on there, or bill in the customer's own.",
        "client",
    ),
    "customer": (
        "Sync now to link them by their exact name, or settle under Matches who is who; then create the invoice again "
        "from here.",
        "client",
    ),
    "mapping": ("Choose what is missing in the mapping of {app}; the invoice then goes by itself.", "mapping"),
    "connection": ("Connect {app} again; what waits goes out by itself then.", "connection"),
    "unknown": (
        "Nothing is to be done: it is looked for in {app} and either linked or sent once more. Nothing is sent twice.",
        "",
    ),
}
OTHER = ("Mend it in {app} or here, then create the invoice again.", "")
# A payment that was not recorded: what is said of invoices would be wrong of it.
OF_PAYMENTS: dict[str, tuple[str, str]] = {
    "mapping": ("Choose the account payments go to in {app}; the payment then goes by itself.", "mapping"),
    "account_not_valid": ("Choose an account of {app} that takes payments, then record the payment again.", "mapping"),
    "period_locked": (
        "The books of {app} are locked for this day. Unlock them there and record it again, or record it in {app} by "
        "hand: it is then matched, not counted twice.",
        "",
    ),
    "connection": ADVICE["connection"],
    "unknown": ADVICE["unknown"],
}
OTHER_PAYMENT = (
    "Mend it in {app} and record the payment again from here, or record it there by hand: it is then matched, not "
    "counted twice.",
    "",
)


def advice_for(cause: str, app: str, detail: str = "") -> Advice:
    """Advice for this cause; for one nobody has heard of, what always holds. `detail` is what a name rule is about."""
    text, fix = ADVICE.get(cause, OTHER)
    return Advice(text.format(app=app, detail=detail), fix)


def payment_advice(cause: str, app: str) -> Advice:
    """The same for a payment that is not in the ledger."""
    text, fix = OF_PAYMENTS.get(cause, OTHER_PAYMENT)
    return Advice(text.format(app=app), fix)
