"""Importing a CSV file: previewed, chosen, carried out client by client, stopped and resumed, taken back."""

from __future__ import annotations

import csv
import io
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import func, select

from portal.domain import activity, client_csv, clients
from portal.domain.activity import Activity, Actor, Origin, Verb
from portal.domain.client_csv import CsvRow, CsvUpload, NotNow, RowResult, UploadState
from portal.domain.client_csv.uploads import Lease
from portal.domain.client_csv_columns import HEADINGS
from portal.domain.clients import Client, ClientStatus, Contact
from tests.cast import make_client, make_connection, make_link, person

NOW = datetime(2026, 11, 2, 23, 0, tzinfo=UTC)
PRIYA = Actor("Priya", Origin.CSV)
JO = {"Contact Name": "Jo", "Contact Email": "jo@acme.example"}
KAI = {"Contact Name": "Kai", "Contact Email": "kai@acme.example"}


class FakeApp:
    """Stands for `AppInfo`."""

    name, short_name = "Practice Manager", "PM"
    client_fields = {"name": "two-way", "website": "pull", "groups": "pull", "tax_registered": "pull"}


APPS = {"xpm": FakeApp()}


def file(*rows: dict[str, str]) -> bytes:
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(HEADINGS)
    for row in rows:
        writer.writerow([row.get(heading, "") for heading in HEADINGS])
    return out.getvalue().encode()


def preview(database, *rows: dict[str, str], clears: bool = False) -> CsvUpload:
    upload = client_csv.read_file(file(*rows), "clients.csv", by=PRIYA, now=NOW, clears=clears)
    client_csv.plan(upload, apps=APPS)
    database.commit()
    return upload


def apply(upload: CsvUpload, **more) -> client_csv.Done:
    return client_csv.apply(upload, by=PRIYA, now=NOW, **more)


def how_many(database, table) -> int:
    return database.scalar(select(func.count()).select_from(table))


def results(upload: CsvUpload) -> list[str]:
    return [row.result for row in client_csv.rows(upload)]


def test_a_preview_writes_nothing(database) -> None:
    upload = preview(database, {"Client Name": "Acme", **JO})
    assert upload.counts == {"create": 1}
    assert how_many(database, Client) == 0


def test_an_import_makes_what_the_preview_showed_and_is_on_record(database) -> None:
    upload = preview(
        database,
        {"Client Name": "Acme", "Phone": "09 1", "Tax Registered": "yes", **JO},
        {"Client Name": "Acme", "Default Contact": "Yes", **KAI},
        {"Client Name": "No contact"},
    )
    done = apply(upload)
    client = database.scalar(select(Client))
    assert (client.name, client.phone, client.tax_registered, client.status) == (
        "Acme",
        "09 1",
        True,
        ClientStatus.LEAD,
    )
    assert [(one.name, one.is_default) for one in client.contacts] == [("Jo", False), ("Kai", True)]
    assert done.results == {"created": 1, "contact_added": 1, "refused": 1}
    assert client.origin_of("phone")["how"] == "csv"
    last = activity.log(limit=1)[0]
    assert activity.sentence(last) == "CSV file clients.csv imported: 1 created, 1 changed"
    assert {one.origin for one in activity.log(client_id=client.id)} == {Origin.CSV}


def test_a_file_on_disk_is_read_like_an_upload(database, tmp_path: Path) -> None:
    path = tmp_path / "clients.csv"
    path.write_bytes(file({"Client Name": "Acme", **JO}))
    assert client_csv.read_file(path, path.name, by=PRIYA, now=NOW).rows == 1


def test_the_same_file_twice_creates_nothing_twice_and_is_recognised(database) -> None:
    """Fault row 96, CL-44."""
    rows = ({"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI})
    first = preview(database, *rows)
    apply(first)
    again = preview(database, *rows)
    assert client_csv.same_file(again) is not None
    assert again.counts == {"choice": 2}
    with pytest.raises(NotNow, match="would change anything"):
        apply(again)
    assert client_csv.choose_all(again, "edit", apps=APPS) == 2
    assert again.counts == {"unchanged": 2}
    assert how_many(database, Client) == 2


def test_choices_are_made_one_by_one_or_for_all_and_can_be_taken_back(database) -> None:
    """CL-44."""
    acme = make_client("Acme", phone="1")
    make_client("Beta")
    make_client("Gamma Limited")
    upload = preview(database, {"Client Name": "Acme", "Phone": "2", **JO}, {"Client Name": "Beta", **KAI},
                     {"Client Name": "gamma", **JO})  # fmt: skip
    client_csv.choose(upload, 2, f"edit:{acme.id}", apps=APPS)
    row = client_csv.row(upload, 2)
    assert (row.outcome, row.client_id) == ("add_contact", acme.id)
    assert {"label": "Phone", "old": "1", "new": "2"} in row.changes
    client_csv.choose(upload, 2, "", apps=APPS)
    assert client_csv.row(upload, 2).outcome == "choice"
    assert client_csv.choose_all(upload, "edit", apps=APPS) == 2  # the near name stays to be looked at
    assert client_csv.row(upload, 4).outcome == "choice"
    assert client_csv.choose_all(upload, "create", apps=APPS) == 1
    with pytest.raises(ValueError):
        client_csv.choose(upload, 4, "edit:999", apps=APPS)


def test_two_rows_that_come_to_one_client_by_choice_are_planned_again_together(database) -> None:
    acme = make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    upload = preview(database, {"Client ID": str(acme.id), "Client Name": "Acme", "Phone": "1", **JO},
                     {"Client Name": "Acme", "Phone": "2", **KAI})  # fmt: skip
    client_csv.choose(upload, 3, f"edit:{acme.id}", apps=APPS)
    assert client_csv.row(upload, 3).reason == "Row 2 gives this client another Phone."
    client_csv.choose(upload, 3, "skip", apps=APPS)
    assert client_csv.row(upload, 2).outcome == "edit"


def test_rows_without_a_choice_stay_out(database) -> None:
    make_client("Acme")
    upload = preview(database, {"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI})
    apply(upload)
    assert results(upload) == ["undecided", "created"]
    assert [row.number for row in client_csv.not_imported(upload)] == [2]


def test_a_client_changed_after_the_preview_is_held_back_and_the_row_says_by_whom(database) -> None:
    acme = make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    upload = preview(database, {"Client ID": str(acme.id), "Client Name": "Acme", "Phone": "2", **JO},
                     {"Client Name": "Beta", **KAI})  # fmt: skip
    clients.edit(acme, {"phone": "1"}, by=Actor("Bob", Origin.SCREEN), now=NOW)
    database.commit()
    apply(upload)
    row = client_csv.row(upload, 2)
    assert row.result == RowResult.HELD
    assert row.why.startswith("Acme was changed after the preview, by Bob.")
    assert acme.phone == "1"
    assert client_csv.row(upload, 3).result == RowResult.CREATED


def test_a_client_made_under_that_name_after_the_preview_is_not_doubled(database) -> None:
    """CL-44."""
    upload = preview(database, {"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI})
    make_client("Acme")
    apply(upload)
    assert results(upload) == ["held", "created"]
    assert database.scalar(select(func.count()).where(Client.name == "Acme")) == 1


def test_an_import_killed_half_way_goes_on_without_doubling(database) -> None:
    """CL-44: every row carries its result in the transaction that did it."""
    rows = [{"Client Name": f"Client {number}", **JO} for number in range(6)]
    upload = preview(database, *rows)

    class Killed(BaseException):
        pass

    def stop_after_three(done: int, _total: int) -> None:
        if done == 3:
            raise Killed

    with pytest.raises(Killed):
        apply(upload, progress=stop_after_three)
    assert (upload.state, upload.done, how_many(database, Client)) == (UploadState.APPLYING, 3, 3)
    seen: list[tuple[int, int]] = []
    done = apply(upload, progress=lambda *figures: seen.append(figures))
    assert seen == [(4, 6), (5, 6), (6, 6)]
    assert done.results == {"created": 6}
    assert how_many(database, Client) == 6
    assert activity.sentence(activity.log(limit=1)[0]) == "CSV file clients.csv imported: 6 created, 0 changed"


def test_one_client_that_cannot_be_saved_does_not_stop_the_rest(database, monkeypatch: pytest.MonkeyPatch) -> None:
    """AP-16 for files: the row says that it failed, and the log why."""
    upload = preview(database, {"Client Name": "Acme", **JO}, {"Client Name": "Beta", **KAI})
    make = clients.create

    def refuse_acme(name: str, **more):
        if name == "Acme":
            raise RuntimeError("disk full")
        return make(name, **more)

    monkeypatch.setattr(clients, "create", refuse_acme)
    apply(upload)
    assert results(upload) == ["failed", "created"]
    assert "could not save" in client_csv.row(upload, 2).why
    assert upload.state == UploadState.DONE


def test_a_second_process_keeps_off_while_the_first_is_at_it(database) -> None:
    upload = preview(database, {"Client Name": "Acme", **JO})
    client_csv.begin(upload, by=PRIYA, now=NOW)
    with Lease(upload.id) as lease:
        assert lease.keep(NOW)
        assert apply(upload).finished is False
        assert how_many(database, Client) == 0
        assert not upload.is_stopped(NOW)
        assert upload.is_stopped(NOW + timedelta(minutes=3))
        assert client_csv.stopped(NOW + timedelta(minutes=3)) == [upload.id]
    assert apply(upload).finished is True


def test_an_import_is_done_once(database) -> None:
    upload = preview(database, {"Client Name": "Acme", **JO})
    apply(upload)
    with pytest.raises(NotNow, match="imported already"):
        apply(upload)


def test_linked_clients_are_asked_to_be_sent_and_fields_of_the_app_stay(database) -> None:
    """CL-35, CL-36."""
    acme = make_client("Acme", website="old.example", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    link = make_link(acme, make_connection())
    upload = preview(
        database, {"Client ID": str(acme.id), "Client Name": "Acme", "Phone": "2", "Website": "new.example", **JO}
    )
    assert client_csv.row(upload, 2).notes == ["Website is kept by Practice Manager and stays as it is."]
    done = apply(upload)
    assert done.link_ids == [link.id]
    assert (acme.phone, acme.website) == ("2", "old.example")


def test_undoing_archives_new_clients_and_puts_old_values_back(database) -> None:
    acme = make_client("Acme", phone="1", contacts=[{"name": "Jo", "email": "jo@acme.example", "mobile": "021"}])
    jo = acme.contacts[0]
    upload = preview(
        database,
        {
            "Client ID": str(acme.id),
            "Client Name": "Acme",
            "Phone": "2",
            "Address City": "Ōtaki",
            "Contact ID": str(jo.id),
            "Contact Mobile": "022",
            **JO,
        },
        {"Client ID": str(acme.id), "Client Name": "Acme", "Default Contact": "Yes", **KAI},
        {"Client Name": "Beta", **KAI},
    )
    apply(upload)
    assert (acme.phone, acme.address.city, acme.default_contact.name) == ("2", "Ōtaki", "Kai")
    client_csv.undo(upload, by=PRIYA, now=NOW)
    assert (acme.phone, acme.address.city, acme.contacts[0].mobile) == ("1", "", "021")
    assert [(one.name, one.is_default) for one in acme.contacts] == [("Jo", True)]
    beta = database.scalar(select(Client).where(Client.name == "Beta"))
    assert beta.is_archived
    assert [row.undone for row in client_csv.rows(upload)] == ["Put back.", "Put back.", "Archived."]
    assert upload.state == UploadState.UNDONE
    assert (
        activity.sentence(activity.log(limit=1)[0]) == "Import of the CSV file clients.csv undone: 3 of 3 rows put back"
    )


def test_undoing_leaves_alone_what_somebody_changed_since(database) -> None:
    acme = make_client("Acme", phone="1", fax="1", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    upload = preview(database, {"Client ID": str(acme.id), "Client Name": "Acme", "Phone": "2", "Fax": "2", **JO},
                     {"Client Name": "Beta", **KAI}, {"Client Name": "Gamma", **KAI})  # fmt: skip
    apply(upload)
    bob = Actor("Bob", Origin.SCREEN)
    clients.edit(acme, {"phone": "3"}, by=bob, now=NOW)
    beta, gamma = (database.scalar(select(Client).where(Client.name == name)) for name in ("Beta", "Gamma"))
    clients.edit(beta, {"phone": "3"}, by=bob, now=NOW)
    make_link(gamma, make_connection())
    client_csv.undo(upload, by=PRIYA, now=NOW)
    assert (acme.phone, acme.fax) == ("3", "1")
    assert not beta.is_archived
    assert not gamma.is_archived
    assert [row.undone for row in client_csv.rows(upload)] == [
        "Put back, but for what was changed since: Phone.",
        "Left as it is: Beta has been changed since.",
        "Left as it is: Gamma has been linked to an app since.",
    ]


def test_only_a_finished_import_can_be_undone(database) -> None:
    upload = preview(database, {"Client Name": "Acme", **JO})
    with pytest.raises(NotNow):
        client_csv.undo(upload, by=PRIYA, now=NOW)


def test_uploads_are_forgotten_after_their_time_and_clients_are_not(database) -> None:
    looked_at = preview(database, {"Client Name": "Acme", **JO})
    imported = preview(database, {"Client Name": "Beta", **JO})
    apply(imported)
    later = NOW + timedelta(days=8)
    assert client_csv.find(looked_at.id, later) is None
    assert client_csv.find(imported.id, later) is imported
    assert client_csv.forget_expired(later) == 1
    assert how_many(database, CsvRow) == 1
    assert client_csv.forget_expired(NOW + timedelta(days=91)) == 1
    assert how_many(database, Client) == 1


def test_a_dropped_preview_leaves_no_rows(database) -> None:
    upload = preview(database, {"Client Name": "Acme", **JO})
    client_csv.drop(upload)
    database.commit()
    assert how_many(database, CsvRow) == how_many(database, CsvUpload) == 0


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("C:\\fakepath\\clients.csv", "clients.csv"),
        ("a\r\nSet-Cookie: x=1.csv", "aSet-Cookie: x=1.csv"),
        ("", "unnamed file"),
    ],
)
def test_file_names_are_kept_as_one_plain_line(database, name: str, kept: str) -> None:
    """Fault row 105."""
    assert client_csv.read_file(file({"Client Name": "Acme", **JO}), name, by=PRIYA, now=NOW).file_name == kept


def test_rows_are_paged_by_number_and_filtered_by_outcome(database) -> None:
    upload = preview(database, *({"Client Name": f"C{n}", **(JO if n % 2 else {})} for n in range(6)))
    refused = client_csv.rows(upload, outcome="refused", limit=2)
    assert [row.number for row in refused] == [2, 4, 6]  # one more than asked, so there is another page
    assert [row.number for row in client_csv.rows(upload, outcome="refused", after=4)] == [6]
    assert [row.number for row in client_csv.rows(upload, before=5, limit=2)] == [2, 3, 4]


def test_managers_are_set_by_the_email_of_a_person_who_is_switched_on(database) -> None:
    bob, sue = person("member"), person("support")
    sue.is_active = False
    upload = preview(database, {"Client Name": "Acme", "Manager Email": bob.email.upper(), **JO},
                     {"Client Name": "Beta", "Partner Email": sue.email, **JO})  # fmt: skip
    apply(upload)
    assert database.scalar(select(Client)).manager is bob
    assert results(upload) == ["created", "refused"]


def test_a_cell_with_nul_is_refused_and_still_shown(database) -> None:
    """Fault row 84."""
    upload = preview(database, {"Client Name": "Acme", "Phone": "0\x009", **JO})
    row = client_csv.row(upload, 2)
    assert row.reason == "Phone: this holds a character that cannot be stored (NUL). Type it again."
    assert "0\ufffd9" in row.cells


def test_an_edit_by_import_is_recorded_with_old_and_new_values(database) -> None:
    """CL-25."""
    acme = make_client("Acme", phone="1", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    apply(preview(database, {"Client ID": str(acme.id), "Client Name": "Acme", "Phone": "2", **JO}))
    one = database.scalar(select(Activity).where(Activity.verb == Verb.CLIENT_CHANGED))
    assert one.changes == [{"field": "phone", "label": "Phone", "old": "1", "new": "2"}]
    assert (one.actor_name, one.origin) == ("Priya", Origin.CSV)


def test_a_contact_taken_away_after_the_preview_holds_its_row_back(database) -> None:
    acme = make_client("Acme", contacts=[{"name": "Jo", "email": "jo@acme.example"}])
    jo = acme.contacts[0]
    upload = preview(database, {"Client ID": str(acme.id), "Client Name": "Acme", "Contact ID": str(jo.id),
                                "Contact Mobile": "1", **JO})  # fmt: skip
    clients.remove_contact(jo, by=PRIYA, now=NOW)
    database.commit()
    apply(upload)
    assert results(upload) == ["held"]
    assert how_many(database, Contact) == 0
