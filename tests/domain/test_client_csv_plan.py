"""What each row of a CSV file would do: CL-40 to CL-44, decided without a database."""

from __future__ import annotations

from typing import Any

from portal.domain.client_csv_columns import COLUMNS, HEADINGS
from portal.domain.client_csv_file import FileRow
from portal.domain.client_csv_known import RowOutcome
from portal.domain.client_csv_plan import Known, KnownClient, KnownContact, RowPlan, leads, near_in_file, plan_rows
from portal.domain.client_csv_rows import AskedRow, understand

CREATE, EDIT, ADD = RowOutcome.CREATE, RowOutcome.EDIT, RowOutcome.ADD_CONTACT
UNCHANGED, CHOICE, SKIP, REFUSED = RowOutcome.UNCHANGED, RowOutcome.CHOICE, RowOutcome.SKIP, RowOutcome.REFUSED
JO = {"Contact Name": "Jo", "Contact Email": "jo@acme.example"}
KAI = {"Contact Name": "Kai", "Contact Email": "kai@acme.example"}
BLANK_CLIENT = {c.field: "" for c in COLUMNS if not c.of_contact and not c.is_read_only and c.field != "id"}
BLANK_CONTACT = {c.field: "" for c in COLUMNS if c.of_contact and c.field not in ("id", "is_default")}


def asked(*rows: dict[str, str]) -> list[AskedRow]:
    return [
        understand(FileRow(number, tuple(row.get(heading, "") for heading in HEADINGS)))
        for number, row in enumerate(rows, 2)
    ]


def here(client_id: int, name: str, *contacts: KnownContact, **more: Any) -> KnownClient:
    values = {**BLANK_CLIENT, "tax_registered": None, "name": name, **more.pop("values", {})}
    return KnownClient(client_id, more.pop("version", 1), values, contacts, **more)


def contact(contact_id: int, name: str, email: str, is_default: bool = False, **values: str) -> KnownContact:
    return KnownContact(contact_id, {**BLANK_CONTACT, "name": name, "email": email, **values}, is_default)


def plan(*rows: dict[str, str], known: tuple[KnownClient, ...] = (), people: tuple[str, ...] = (),
         choices: dict[int, str] | None = None, clears: bool = False) -> list[RowPlan]:  # fmt: skip
    firm = Known(people={email: number for number, email in enumerate(people, 1)})
    for client in known:
        firm.add(client)
    asked_rows = asked(*rows)
    return plan_rows(asked_rows, leads(asked_rows), choices or {}, firm, clears=clears)


def outcomes(plans: list[RowPlan]) -> list[RowOutcome]:
    return [one.outcome for one in plans]


def test_a_row_without_ids_creates_a_client_with_its_contact() -> None:
    (row,) = plan({"Client Name": "Acme", "Phone": "09 1", "Address City": "Ōtaki", **JO})
    assert row.outcome == CREATE
    assert row.client_values == {"name": "Acme", "address": ["", "Ōtaki", "", "", ""], "phone": "09 1"}
    assert row.contact_values == {"name": "Jo", "email": "jo@acme.example"}


def test_client_name_contact_name_and_contact_email_are_each_required() -> None:
    """CL-40."""
    rows = plan(JO, {"Client Name": "A", "Contact Email": "a@a.example"}, {"Client Name": "B", "Contact Name": "Bo"})
    assert outcomes(rows) == [REFUSED] * 3
    assert [row.reason.split(" is empty")[0] for row in rows] == ["Client Name", "Contact Name", "Contact Email"]


def test_one_refused_row_does_not_stop_the_others() -> None:
    assert outcomes(plan({"Client Name": "A"}, {"Client Name": "B", **JO})) == [REFUSED, CREATE]


def test_two_rows_of_exactly_one_name_make_one_client_with_two_contacts() -> None:
    """CL-43."""
    first, second = plan({"Client Name": "Acme", **JO}, {"Client Name": "Acme", **KAI})
    assert (first.outcome, second.outcome) == (CREATE, ADD)
    assert second.lead == first.number
    assert second.client_values == {}


def test_names_that_differ_in_capitals_are_two_clients_and_each_row_says_so() -> None:
    rows = asked({"Client Name": "Acme Ltd", **JO}, {"Client Name": "ACME Limited", **KAI})
    assert outcomes(plan({"Client Name": "Acme Ltd", **JO}, {"Client Name": "ACME Limited", **KAI})) == [CREATE, CREATE]
    assert near_in_file(rows) == {
        2: "Row 3 has nearly the same name, “ACME Limited”. Are they two clients?",
        3: "Row 2 has nearly the same name, “Acme Ltd”. Are they two clients?",
    }


def test_rows_of_a_new_client_that_contradict_each_other_are_refused_from_the_second_on() -> None:
    first, second = plan({"Client Name": "Acme", "Phone": "1", **JO}, {"Client Name": "Acme", "Phone": "2", **KAI})
    assert first.outcome == CREATE
    assert (second.outcome, second.reason) == (REFUSED, "Row 2 gives this client another Phone.")


def test_when_the_first_row_is_refused_the_next_of_that_name_creates() -> None:
    first, second = plan({"Client Name": "Acme", "Contact Name": "Jo"}, {"Client Name": "Acme", **KAI})
    assert (first.outcome, second.outcome) == (REFUSED, CREATE)
    assert second.lead == first.number


def test_the_same_row_twice_adds_nothing_twice() -> None:
    rows = plan({"Client Name": "Acme", **JO}, {"Client Name": "Acme", **JO})
    assert outcomes(rows) == [CREATE, UNCHANGED]
    assert rows[1].reason == "Row 2 says the same."


def test_filled_ids_edit_exactly_what_differs() -> None:
    """CL-42."""
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), values={"phone": "1", "fax": "2"}, version=4)
    (row,) = plan(
        {"Client ID": "7", "Client Name": "Acme Corp", "Phone": "1", "Contact ID": "9", "Contact Mobile": "021", **JO},
        known=(known,),
    )
    assert row.outcome == EDIT
    assert row.client_values == {"name": "Acme Corp"}
    assert row.contact_values == {"mobile": "021"}
    assert (row.client_id, row.client_version, row.contact_id) == (7, 4, 9)
    assert row.changes == [
        {"label": "Client Name", "old": "Acme", "new": "Acme Corp"},
        {"label": "Contact Mobile", "old": "", "new": "021"},
    ]


def test_a_blank_contact_id_adds_a_contact_to_the_client() -> None:
    """CL-42."""
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True))
    (row,) = plan({"Client ID": "7", "Client Name": "Acme", **KAI}, known=(known,))
    assert (row.outcome, row.contact_id) == (ADD, None)


def test_a_blank_contact_id_does_not_double_a_contact_that_is_there() -> None:
    known = here(7, "Acme", contact(9, "Jo", "Jo@Acme.example", True))
    (row,) = plan({"Client ID": "7", "Client Name": "Acme", **JO, "Contact Email": "jo@acme.example"}, known=(known,))
    assert row.outcome == EDIT  # the capitals of the email, and nothing else
    assert row.contact_values == {"email": "jo@acme.example"}


def test_ids_that_are_not_here_are_refused() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True))
    rows = plan(
        {"Client ID": "8", "Client Name": "Acme", **JO},
        {"Client ID": "7", "Client Name": "Acme", "Contact ID": "10", **JO},
        {"Client Name": "Beta", "Contact ID": "9", **JO},
        known=(known,),
    )
    assert outcomes(rows) == [REFUSED] * 3
    assert "no client with the Client ID 8" in rows[0].reason
    assert "no contact with the Contact ID 10" in rows[1].reason
    assert "Client ID is empty" in rows[2].reason


def test_an_export_uploaded_unchanged_changes_nothing() -> None:
    """CL-13: also for clients without contacts and contacts without email, whose cells are empty in the export."""
    bare = here(1, "Bare")
    silent = here(2, "Silent", contact(5, "Sy", "", True))
    rows = plan(
        {"Client ID": "1", "Client Name": "Bare", "Status": "Lead"},
        {"Client ID": "2", "Client Name": "Silent", "Contact ID": "5", "Contact Name": "Sy", "Default Contact": "Yes"},
        known=(bare, silent),
    )
    assert outcomes(rows) == [UNCHANGED, UNCHANGED]


def test_an_emptied_email_is_refused_where_the_contact_has_one() -> None:
    """CL-40."""
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True))
    (row,) = plan({"Client ID": "7", "Client Name": "Acme", "Contact ID": "9", "Contact Name": "Jo"}, known=(known,))
    assert (row.outcome, row.reason) == (REFUSED, "Contact Email is empty; every row needs one.")


def test_empty_cells_leave_values_alone_unless_asked_to_clear_them() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True, mobile="021"),
                 values={"phone": "1", "tax_registered": True, "manager_email": "priya@firm.example"})  # fmt: skip
    row = {"Client ID": "7", "Client Name": "Acme", "Contact ID": "9", **JO}
    assert plan(row, known=(known,))[0].outcome == UNCHANGED
    (cleared,) = plan(row, known=(known,), clears=True)
    assert cleared.client_values == {"phone": "", "tax_registered": None, "manager_id": None}
    assert cleared.contact_values == {"mobile": ""}


def test_an_address_is_one_thing_so_a_new_street_does_not_keep_the_old_region() -> None:
    known = here(
        7,
        "Acme",
        contact(9, "Jo", "jo@acme.example", True),
        values={"address_street": "1 Old", "address_city": "Hamilton", "address_region": "Waikato"},
    )
    (row,) = plan({"Client ID": "7", "Client Name": "Acme", "Address Street": "2 New", "Address City": "Auckland",
                   "Contact ID": "9", **JO}, known=(known,))  # fmt: skip
    assert row.client_values == {"address": ["2 New", "Auckland", "", "", ""]}
    assert {"label": "Address Region", "old": "Waikato", "new": ""} in row.changes


def test_a_name_that_exists_needs_a_choice_and_says_which_client_it_is() -> None:
    """CL-44."""
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True))
    (row,) = plan({"Client Name": "Acme", **KAI}, known=(known,))
    assert (row.outcome, row.reason) == (CHOICE, "A client of exactly this name exists already.")
    assert row.candidates == [{"id": 7, "name": "Acme", "exact": True, "archived": False, "email": "jo@acme.example"}]


def test_a_nearly_equal_name_needs_a_choice_too() -> None:
    """CL-44."""
    (row,) = plan({"Client Name": "ACME Ltd", **KAI}, known=(here(7, "Acme Limited"),))
    assert row.outcome == CHOICE
    assert row.reason == "A client of nearly this name exists already: “Acme Limited”."
    assert row.candidates[0]["exact"] is False


def test_an_archived_client_of_that_name_counts() -> None:
    """CL-44."""
    (row,) = plan({"Client Name": "Acme", **KAI}, known=(here(7, "Acme", is_archived=True),))
    assert row.candidates[0]["archived"] is True


def test_each_choice_does_what_it_says() -> None:
    """CL-44."""
    known = (here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), values={"phone": "1"}),)
    rows = ({"Client Name": "Acme", "Phone": "2", **JO}, {"Client Name": "Acme", **KAI})
    assert outcomes(plan(*rows, known=known)) == [CHOICE, CHOICE]
    assert outcomes(plan(*rows, known=known, choices={2: "create"})) == [CREATE, ADD]
    assert outcomes(plan(*rows, known=known, choices={2: "skip"})) == [SKIP, SKIP]
    edited = plan(*rows, known=known, choices={2: "edit:7"})
    assert outcomes(edited) == [EDIT, ADD]
    assert [one.client_id for one in edited] == [7, 7]
    assert edited[0].client_values == {"phone": "2"}


def test_a_choice_of_a_client_that_is_not_offered_is_no_choice() -> None:
    """Fault row 107."""
    assert outcomes(
        plan({"Client Name": "Acme", **JO}, known=(here(7, "Acme"), here(8, "Beta")), choices={2: "edit:8"})
    ) == [CHOICE]


def test_choosing_the_existing_client_for_a_file_imported_before_changes_nothing() -> None:
    """Fault row 96: the same file twice."""
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), values={"phone": "1"})
    assert outcomes(plan({"Client Name": "Acme", "Phone": "1", **JO}, known=(known,), choices={2: "edit:7"})) == [
        UNCHANGED
    ]


def test_a_row_with_the_id_and_a_row_with_the_name_of_one_client_are_planned_together() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True))
    by_id, by_name = plan(
        {"Client ID": "7", "Client Name": "Acme", "Phone": "1", "Contact ID": "9", **JO},
        {"Client Name": "Acme", "Phone": "2", **KAI},
        known=(known,), choices={3: "edit:7"},
    )  # fmt: skip
    assert by_id.outcome == EDIT
    assert (by_name.outcome, by_name.reason) == (REFUSED, "Row 2 gives this client another Phone.")


def test_rows_of_one_client_may_repeat_its_old_values_while_one_of_them_changes_it() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), contact(10, "Kai", "kai@acme.example"),
                 values={"phone": "1"})  # fmt: skip
    rows = plan(
        {"Client ID": "7", "Client Name": "Acme", "Phone": "2", "Contact ID": "9", **JO},
        {"Client ID": "7", "Client Name": "Acme", "Phone": "1", "Contact ID": "10", **KAI},
        known=(known,),
    )
    assert outcomes(rows) == [EDIT, UNCHANGED]


def test_fields_an_app_keeps_are_left_alone_and_the_row_says_whose_they_are() -> None:
    """CL-36."""
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), values={"website": "acme.example"},
                 read_only={"website": "Practice Manager", "tax_registered": "Practice Manager"})  # fmt: skip
    (row,) = plan({"Client ID": "7", "Client Name": "Acme", "Website": "other.example", "Phone": "5", "Contact ID": "9",
                   **JO}, known=(known,))  # fmt: skip
    assert row.client_values == {"phone": "5"}
    assert row.notes == ["Website is kept by Practice Manager and stays as it is."]


def test_people_are_named_by_email_and_must_be_in_the_team() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), values={"partner_email": "gone@firm.example"})
    base = {"Client ID": "7", "Client Name": "Acme", "Contact ID": "9", **JO}
    (row,) = plan(base | {"Manager Email": "Priya@Firm.example", "Partner Email": "gone@firm.example"}, known=(known,),
                  people=("priya@firm.example",))  # fmt: skip
    assert row.client_values == {"manager_id": 1}
    (row,) = plan(base | {"Manager Email": "nobody@firm.example"}, known=(known,), people=("priya@firm.example",))
    assert row.outcome == REFUSED
    assert "nobody in your team has the email nobody@firm.example" in row.reason


def test_one_row_a_client_may_name_the_default_contact() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), contact(10, "Kai", "kai@acme.example"))
    base = {"Client ID": "7", "Client Name": "Acme"}
    rows = plan(
        base | {"Contact ID": "9", "Default Contact": "No", **JO},
        base | {"Contact ID": "10", "Default Contact": "Yes", **KAI},
        base | {"Contact Name": "Lee", "Contact Email": "lee@acme.example", "Default Contact": "Yes"},
        known=(known,),
    )
    assert outcomes(rows) == [UNCHANGED, EDIT, REFUSED]
    assert rows[1].makes_default
    assert "Row 3 already says Yes" in rows[2].reason


def test_a_refused_row_leaves_no_trace_in_the_plan_of_its_client() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True))
    base = {"Client ID": "7", "Client Name": "Acme"}
    rows = plan(base | {"Phone": "1", "Manager Email": "x@y.example", "Contact ID": "9", **JO},
                base | {"Phone": "2", "Contact ID": "9", **JO}, known=(known,))  # fmt: skip
    assert outcomes(rows) == [REFUSED, EDIT]
    assert rows[1].client_values == {"phone": "2"}


def test_renaming_to_a_name_that_exists_is_pointed_out() -> None:
    known = (here(7, "Acme", contact(9, "Jo", "jo@acme.example", True)), here(8, "Beta"))
    (row,) = plan({"Client ID": "7", "Client Name": "Beta", "Contact ID": "9", **JO}, known=known)
    assert row.outcome == EDIT
    assert row.notes == ["Another client has this name already."]


def test_editing_an_archived_client_says_that_it_stays_archived() -> None:
    known = here(7, "Acme", contact(9, "Jo", "jo@acme.example", True), is_archived=True)
    (row,) = plan({"Client ID": "7", "Client Name": "Acme", "Phone": "1", "Contact ID": "9", **JO}, known=(known,))
    assert row.notes == ["This client is archived, and stays so."]
