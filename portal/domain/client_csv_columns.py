"""The columns of the clients' CSV file, the same for the export, the template and the import. PURE.

One row per contact; a client without contacts has one row. The order and the headings are what firms keep in their own
spreadsheets: a heading is never renamed, a new column goes to the end of its half. Where a ledger offers lists of which
each client carries an option, a column for each list follows as the last (CL-45).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

OPTION = "option:"  # how fields of columns begin whose cells name an option
SHOWN = 12  # options named in a sentence


@dataclass(frozen=True, slots=True)
class Column:
    """`field` is the attribute of the client or, when `of_contact`, of the contact.

    `options`: (id, name) of what a cell may name, in the account that is called `app`.

    Read-only columns are written by the export so that one can see them; the import leaves them alone.
    """

    heading: str
    field: str
    of_contact: bool = False
    is_read_only: bool = False
    holds: str = ""  # what to write there, where the heading does not say it
    options: tuple[tuple[str, str], ...] = ()
    app: str = ""

    def option_named(self, text: str) -> str | None:
        """The id of what a cell names, capitals aside if need be; None for no option."""
        exact = [one for one, name in self.options if name == text]
        alike = exact or [one for one, name in self.options if name.casefold() == text.casefold()]
        return alike[0] if len(alike) == 1 else None

    def name_of(self, option: object) -> str:
        """What an option is called; empty for none, and for one that is no longer offered."""
        return next((name for one, name in self.options if one == option), "")

    @property
    def offered(self) -> str:
        """The options in a sentence."""
        names = [name for _id, name in self.options]
        return ", ".join(names[:SHOWN]) + (f" and {len(names) - SHOWN} more" if len(names) > SHOWN else "")


COLUMNS: tuple[Column, ...] = (
    Column("Client ID", "id", holds="empty for a new client"),
    Column("Client Name", "name"),
    Column("Status", "status", is_read_only=True, holds="follows from the work agreed with the client"),
    Column("Company Structure", "structure"),
    Column("Address Street", "address_street"),
    Column("Address City", "address_city"),
    Column("Address Region", "address_region"),
    Column("Address Postcode", "address_postcode"),
    Column("Address Country", "address_country"),
    Column("Postal Street", "postal_street"),
    Column("Postal City", "postal_city"),
    Column("Postal Region", "postal_region"),
    Column("Postal Postcode", "postal_postcode"),
    Column("Postal Country", "postal_country"),
    Column("Phone", "phone"),
    Column("Fax", "fax"),
    Column("Website", "website"),
    Column("Tax Registered", "tax_registered", holds="Yes, No or empty"),
    Column("Manager Email", "manager_email", holds="the email of a person in your team"),
    Column("Partner Email", "partner_email", holds="the email of a person in your team"),
    Column("Groups", "groups", is_read_only=True, holds="kept by the practice app, separated by semicolons"),
    Column("Contact ID", "id", of_contact=True, holds="empty for a new contact"),
    Column("Contact Name", "name", of_contact=True),
    Column("Contact Email", "email", of_contact=True),
    Column("Contact Phone", "phone", of_contact=True),
    Column("Contact Mobile", "mobile", of_contact=True),
    Column("Salutation", "salutation", of_contact=True),
    Column("Addressee", "addressee", of_contact=True),
    Column("Position", "position", of_contact=True),
    Column("Default Contact", "is_default", of_contact=True, holds="Yes for one contact of each client"),
)

HEADINGS: tuple[str, ...] = tuple(column.heading for column in COLUMNS)


def option_column(
    heading: str, connection_id: int, list_id: str, options: tuple[tuple[str, str], ...], app: str
) -> Column:
    """A column whose cells name an option of this list of this connection."""
    column = Column(heading, f"{OPTION}{connection_id}:{list_id}", options=options, app=app)
    return replace(column, holds=f"an option of {app}: {column.offered}")


def place_of(field: str) -> tuple[int, str]:
    """The connection and the list of such a column's field."""
    connection, _, list_id = field.removeprefix(OPTION).partition(":")
    return int(connection), list_id
