"""What every client adapter promises, whatever its vendor. A test class for one vendor inherits this.

It gives: `door` (its `adapter` and `session()`), `somebody` (the identifier of a client there that has contacts),
`rename(uuid, name)`, `archive(uuid)`, `name_there(uuid)` and `spoil(kind)` on the vendor's side, `MISSING` (an
identifier nobody has), `CHANGE` (what an update is tried with) and `NEW` (what a creation is tried with).
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest

from portal.adapters.base import AdapterError, Flow, NotThere, Rejected
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.records import (
    Address,
    ClientChange,
    ClientRecord,
    ContactRecord,
    NewRecord,
    RecordChange,
    RecordState,
    client_from_json,
)

NEW_STREET = Address("1 New Street\nLevel 3", "Nelson", "", "7010", "New Zealand")


def update(door: Any, remote_id: str, change: ClientChange, key: str = "u1-1") -> ClientRecord:
    """One change, made to the record as it stands; the record afterwards. Raises what came instead."""
    record = door.adapter.fetch_client(door.session(), remote_id)
    (after,) = door.adapter.update_clients(door.session(), [RecordChange(record, change, key)])
    if isinstance(after, AdapterError):
        raise after
    return after


def create(door: Any, record: ClientRecord, key: str = "c1-1") -> ClientRecord:
    """One creation; the record afterwards. Raises what came instead."""
    (after,) = door.adapter.create_clients(door.session(), [NewRecord(record, key)])
    if isinstance(after, AdapterError):
        raise after
    return after


class AdapterContract:
    app = ""  # the slug
    MISSING = "00000000-0000-4000-8000-000000000000"
    CHANGE: ClassVar[dict[str, Any]] = {"name": "Ōtara & Sons <Ltd>", "address": NEW_STREET, "phone": ""}
    NEW = ClientRecord("", "Ngaio & Daughters Ltd", address=NEW_STREET, phone="09 555 0177")

    def test_it_says_all_that_screens_need_to_know(self, door: Any) -> None:
        info = door.adapter.info
        assert info.slug == self.app
        assert info.name
        assert info.account_kinds
        assert info.intakes
        assert info.directions
        assert info.levels
        assert info.new_clients
        assert set(info.client_fields) <= set(CLIENT_FIELDS)
        assert set(info.contact_fields) <= set(CONTACT_FIELDS)
        assert len({one.name for one in info.settings}) == len(info.settings)
        assert all(said.endswith(".") for said in info.limits_said + info.tips)
        assert door.adapter.consent_origin.startswith("http")

    def test_every_client_comes_once_with_an_identifier_and_a_name(self, door: Any) -> None:
        records = self.all(door)
        assert len(records) == len({one.remote_id for one in records}) > 0
        assert all(one.name and one.remote_id for one in records)

    def test_a_record_survives_being_kept(self, door: Any) -> None:
        for record in self.all(door)[:5]:
            kept = client_from_json(record.as_json())
            assert kept == record
            assert kept.digest() == record.digest()

    def test_one_client_reads_as_it_does_in_the_list(self, door: Any, somebody: str) -> None:
        from_list = next(one for one in self.all(door) if one.remote_id == somebody)
        alone = door.adapter.fetch_client(door.session(), somebody)
        assert alone.digest() == from_list.digest()

    def test_what_changed_since_comes_when_asked_so(self, door: Any, somebody: str) -> None:
        self.rename(somebody, "Renamed Since Ltd")
        since = datetime.now(UTC) - timedelta(minutes=5)
        names = [one.name for one in door.adapter.fetch_clients(door.session(), since)]
        assert "Renamed Since Ltd" in names

    def test_an_app_that_stamps_its_records_stamps_each_of_them(self, door: Any, somebody: str) -> None:
        stamps = {one.changed_at for one in self.all(door)}
        if not door.adapter.info.tells_change_times:
            assert stamps == {None}
            return
        assert all(stamp.utcoffset() == timedelta(0) for stamp in stamps)
        before = door.adapter.fetch_client(door.session(), somebody).changed_at
        self.rename(somebody, "Renamed Since Ltd")
        assert door.adapter.fetch_client(door.session(), somebody).changed_at >= before

    def test_archived_clients_are_in_the_list_and_say_so(self, door: Any, somebody: str) -> None:
        self.archive(somebody)
        state = {one.remote_id: one.state for one in self.all(door)}[somebody]
        assert state == RecordState.ARCHIVED

    def test_a_client_that_is_not_there_is_said_not_to_be(self, door: Any) -> None:
        with pytest.raises(NotThere):
            door.adapter.fetch_client(door.session(), self.MISSING)

    def test_an_update_changes_what_is_named_and_nothing_else(self, door: Any, somebody: str) -> None:
        before = door.adapter.fetch_client(door.session(), somebody)
        if not door.adapter.info.writes_clients:
            with pytest.raises(Rejected):
                update(door, somebody, ClientChange({"name": "Another Ltd"}))
            return
        after = update(door, somebody, ClientChange(dict(self.CHANGE)))
        expected = replace(before, **self.CHANGE, revision=after.revision)
        assert after.digest() == expected.digest()
        assert self.name_there(somebody) == self.CHANGE["name"]
        assert door.adapter.fetch_client(door.session(), somebody).digest() == expected.digest()

    def test_several_updates_end_each_in_its_own_way_in_the_order_asked(self, door: Any, somebody: str) -> None:
        info = door.adapter.info
        if not info.writes_clients or info.batch < 2:
            return  # the outcome of one is looked at above
        records = [one for one in self.all(door) if one.state == RecordState.ACTIVE][:4]
        records[2] = replace(records[2], remote_id=self.MISSING)
        news = [f"Number {number} Ltd" for number in range(len(records))]
        changes = [
            RecordChange(one, ClientChange({"name": name}), f"u{name}") for one, name in zip(records, news, strict=True)
        ]
        session = door.session()
        outcomes = door.adapter.update_clients(session, changes)
        assert session.calls_made <= 2
        assert isinstance(outcomes[2], Rejected)
        for number in (0, 1, 3):
            assert (outcomes[number].remote_id, outcomes[number].name) == (records[number].remote_id, news[number])
            assert self.name_there(records[number].remote_id) == news[number]

    def test_a_new_contact_is_added_and_an_old_one_changed(self, door: Any, somebody: str) -> None:
        if Flow.TWO_WAY not in door.adapter.info.contact_fields.values() or not door.adapter.info.writes_clients:
            return  # people do not travel to it
        before = door.adapter.fetch_client(door.session(), somebody)
        old = replace(before.contacts[0], email="new@example.com")
        new = ContactRecord("", "Wiremu Nobody-Else", "wiremu@example.com", "09 1", "021 1", "Wiremu")
        after = update(door, somebody, ClientChange({}, contacts=((old, False), (new, True))))
        by_name = {one.name: one for one in after.contacts}
        assert by_name[old.name].email == "new@example.com"
        assert by_name[old.name].position == old.position
        assert by_name[old.name].is_primary == old.is_primary
        added = by_name["Wiremu Nobody-Else"]
        assert added.remote_id
        assert (added.email, added.mobile) == ("wiremu@example.com", "021 1")
        assert len(after.contacts) == len(before.contacts) + 1

    def test_a_client_is_found_by_its_name(self, door: Any, somebody: str) -> None:
        if not door.adapter.info.finds_clients:
            with pytest.raises(Rejected):
                door.adapter.find_clients(door.session(), "Findable Ltd")
            return
        for name in ("Findable & Sons (2026) Ltd", 'Tāne "TK" O\'Brien'):
            self.rename(somebody, name)
            assert somebody in {one.remote_id for one in door.adapter.find_clients(door.session(), name)}
        assert door.adapter.find_clients(door.session(), "Nobody Is Called This Ltd") == []

    def test_a_created_client_is_there_with_what_it_was_given(self, door: Any) -> None:
        if not door.adapter.info.creates_clients:
            with pytest.raises(Rejected):
                create(door, self.NEW)
            return
        made = create(door, self.NEW)
        assert made.remote_id
        assert self.name_there(made.remote_id) == self.NEW.name
        again = door.adapter.fetch_client(door.session(), made.remote_id)
        assert again.digest() == made.digest()
        for field in self.created_fields():
            assert getattr(made, field) == getattr(self.NEW, field), field

    def test_reference_lists_come_with_names(self, door: Any) -> None:
        session = door.session()
        found = door.adapter.fetch_reference(session)
        assert session.calls_made <= 3
        lists = [*found.lists.values(), found.staff, *(one.options for one in found.choices)]
        assert all(one.remote_id and one.name for entries in lists for one in entries)
        assert all(name and value for name, value in found.facts.items())

    @pytest.mark.parametrize("kind", ["status", "hang_up", "rate_limited", "html", "revoked"])
    def test_whatever_goes_wrong_has_one_of_the_names_we_act_on(self, door: Any, kind: str) -> None:
        self.spoil(kind)
        with pytest.raises(AdapterError) as caught:
            self.all(door)
        assert caught.value.message.endswith(".")

    def all(self, door: Any) -> list[ClientRecord]:
        return list(door.adapter.fetch_clients(door.session(), None))

    def created_fields(self) -> tuple[str, ...]:
        """Fields of `NEW` that the vendor keeps."""
        return ("name", "address", "phone")

    def rename(self, uuid: str, name: str) -> None:
        raise NotImplementedError

    def archive(self, uuid: str) -> None:
        raise NotImplementedError

    def name_there(self, uuid: str) -> str:
        raise NotImplementedError

    def spoil(self, kind: str) -> None:
        raise NotImplementedError
