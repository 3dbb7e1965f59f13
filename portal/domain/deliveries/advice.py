"""What to do about a failed delivery, kind by kind (behaviour reference IN-13). PURE."""

from __future__ import annotations

from typing import NamedTuple


class Advice(NamedTuple):
    """`fix` names the screen that mends it: client, mapping, connection, invoice; empty: somewhere in the app."""

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


def advice_for(cause: str, app: str) -> Advice:
    """Advice for this cause; for one nobody has heard of, what always holds."""
    text, fix = ADVICE.get(cause, OTHER)
    return Advice(text.format(app=app), fix)
