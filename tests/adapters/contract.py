"""What every client adapter promises, whatever its vendor. A test class for one vendor inherits this.

It gives: `door` (its `adapter` and `session()`), `somebody` (the identifier of a client there that has contacts),
`rename(uuid, name)`, `archive(uuid)`, `name_there(uuid)` on the vendor's side.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from portal.adapters.base import AdapterError, NotThere
from portal.domain.fields import CLIENT_FIELDS, CONTACT_FIELDS
from portal.domain.records import (
    Address,
    ClientChange,
    ClientRecord,
    ContactRecord,
    NamedRecord,
    RecordState,
    client_from_json,
)


class AdapterContract:
    def test_it_says_all_that_screens_need_to_know(self, door: Any) -> None:
        info = door.adapter.info
        assert info.slug
        assert info.name
        assert info.account_kinds
        assert set(info.client_fields) <= set(CLIENT_FIELDS)
        assert set(info.contact_fields) <= set(CONTACT_FIELDS)

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

    def test_only_what_changed_since_comes_when_asked_so(self, door: Any, somebody: str) -> None:
        self.rename(somebody, "Renamed Since Ltd")
        since = datetime.now(UTC) - timedelta(minutes=5)
        names = [one.name for one in door.adapter.fetch_clients(door.session(), since)]
        assert "Renamed Since Ltd" in names

    def test_archived_clients_are_in_the_list_and_say_so(self, door: Any, somebody: str) -> None:
        self.archive(somebody)
        state = {one.remote_id: one.state for one in self.all(door)}[somebody]
        assert state == RecordState.ARCHIVED

    def test_a_client_that_is_not_there_is_said_not_to_be(self, door: Any) -> None:
        with pytest.raises(NotThere):
            door.adapter.fetch_client(door.session(), "00000000-0000-4000-8000-000000000000")

    def test_an_update_changes_what_is_named_and_nothing_else(self, door: Any, somebody: str) -> None:
        before = door.adapter.fetch_client(door.session(), somebody)
        address = Address("1 New Street\nLevel 3", "Nelson", "", "7010", "New Zealand")
        change = ClientChange({"name": "Ōtara & Sons <Ltd>", "address": address, "phone": ""})
        after = door.adapter.update_client(door.session(), somebody, change)
        expected = replace(before, name="Ōtara & Sons <Ltd>", address=address, phone="")
        assert after.digest() == expected.digest()
        assert self.name_there(somebody) == "Ōtara & Sons <Ltd>"
        assert door.adapter.fetch_client(door.session(), somebody).digest() == expected.digest()

    def test_a_new_contact_is_added_and_an_old_one_changed(self, door: Any, somebody: str) -> None:
        before = door.adapter.fetch_client(door.session(), somebody)
        old = replace(before.contacts[0], email="new@example.com")
        new = ContactRecord("", "Wiremu Nobody-Else", "wiremu@example.com", "09 1", "021 1", "Wiremu")
        change = ClientChange({}, contacts=((old, False), (new, True)))
        after = door.adapter.update_client(door.session(), somebody, change)
        by_name = {one.name: one for one in after.contacts}
        assert by_name[old.name].email == "new@example.com"
        assert by_name[old.name].position == old.position
        assert by_name[old.name].is_primary == old.is_primary
        added = by_name["Wiremu Nobody-Else"]
        assert added.remote_id
        assert (added.email, added.mobile) == ("wiremu@example.com", "021 1")
        assert len(after.contacts) == len(before.contacts) + 1

    def test_reference_lists_come_with_names(self, door: Any) -> None:
        session = door.session()
        staff = door.adapter.fetch_staff(session)
        assert all(one.remote_id and one.name for one in staff)
        for one in door.adapter.fetch_categories(session) + door.adapter.fetch_templates(session):
            assert isinstance(one, NamedRecord)

    @pytest.mark.parametrize("kind", ["status", "hang_up", "rate_limited", "html", "revoked"])
    def test_whatever_goes_wrong_has_one_of_the_names_we_act_on(self, door: Any, kind: str) -> None:
        self.spoil(kind)
        with pytest.raises(AdapterError) as caught:
            self.all(door)
        assert caught.value.message.endswith(".")

    def all(self, door: Any) -> list[ClientRecord]:
        return list(door.adapter.fetch_clients(door.session(), None))

    def rename(self, uuid: str, name: str) -> None:
        raise NotImplementedError

    def archive(self, uuid: str) -> None:
        raise NotImplementedError

    def name_there(self, uuid: str) -> str:
        raise NotImplementedError

    def spoil(self, kind: str) -> None:
        raise NotImplementedError
