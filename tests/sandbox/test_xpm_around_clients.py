"""Contacts, groups, relationships, staff and jobs of a practice."""

from __future__ import annotations

from xml.etree import ElementTree as ET

from tests.sandbox.practice import Practice


def text(element: ET.Element, path: str) -> str:
    found = element.findtext(path)
    assert found is not None, path
    return found


def uuid_of(element: ET.Element) -> str:
    return text(element, "UUID")


def contacts_of(practice: Practice, client: str) -> list[ET.Element]:
    return practice.xml("GET", f"client.api/get/{client}").findall("Client/Contacts/Contact")


def add_contact(practice: Practice, client: str, name: str = "Ana Moana", more: str = "") -> str:
    body = f"<Contact><Client><UUID>{client}</UUID></Client><Name>{name}</Name>{more}</Contact>"
    return text(practice.xml("POST", "client.api/contact", body), "Contact/UUID")


def now(practice: Practice) -> str:
    practice.sandbox.box.clock.advance(60)
    return practice.sandbox.box.clock.now().strftime("%Y-%m-%dT%H:%M:%S")


def test_a_contact_is_added_changed_and_read_at_its_client(practice: Practice) -> None:
    client = uuid_of(practice.first())
    contact = add_contact(practice, client, more="<Position>Director</Position><IsPrimary>Yes</IsPrimary>")
    shown = {uuid_of(one): one for one in contacts_of(practice, client)}
    assert (text(shown[contact], "Position"), text(shown[contact], "IsPrimary")) == ("Director", "Yes")
    assert [text(one, "IsPrimary") for one in shown.values()].count("Yes") == 1
    body = "<Contact><Mobile>021 555 0000</Mobile></Contact>"
    after = practice.xml("PUT", f"client.api/contact/{contact}?clientUuid={client}", body)
    assert (text(after, "Contact/Mobile"), text(after, "Contact/Name")) == ("021 555 0000", "Ana Moana")


def test_position_and_primary_belong_to_the_tie_and_change_only_when_the_client_is_named(practice: Practice) -> None:
    client = uuid_of(practice.first())
    contact = add_contact(practice, client, more="<Position>Director</Position>")
    path = f"client.api/contact/{contact}?clientUuid={client}"
    practice.xml("PUT", path, "<Contact><Position>Owner</Position></Contact>")
    assert text(practice.xml("GET", path), "Contact/Position") == "Director"
    named = f"<Contact><Client><UUID>{client}</UUID></Client><Position>Owner</Position></Contact>"
    assert text(practice.xml("PUT", path, named), "Contact/Position") == "Owner"
    assert text(practice.xml("GET", f"client.api/contact/{contact}"), "Contact/Position") == ""


def test_one_person_may_belong_to_several_clients(practice: Practice) -> None:
    one, two = (uuid_of(client) for client in practice.clients()[:2])
    contact = add_contact(practice, one)
    body = (
        f"<Client><Contacts><Contact><UUID>{contact}</UUID><Position>Trustee</Position><IsPrimary>No</IsPrimary>"
        "</Contact></Contacts></Client>"
    )
    linked = practice.xml("POST", f"client.api/client/{two}/contacts", body)
    assert contact in [uuid_of(tie) for tie in linked.findall("Client/Contacts/Contact")]
    practice.xml("PUT", f"client.api/contact/{contact}", "<Contact><Name>Ana Changed</Name></Contact>")
    for client in (one, two):
        assert "Ana Changed" in [text(person, "Name") for person in contacts_of(practice, client)]


def test_no_more_than_ten_people_are_tied_at_once(practice: Practice) -> None:
    ties = "<Contact><UUID>x</UUID></Contact>" * 11
    client = uuid_of(practice.first())
    answer = practice.xml(
        "POST", f"client.api/client/{client}/contacts", f"<Client><Contacts>{ties}</Contacts></Client>"
    )
    assert text(answer, "Status") == "ERROR"


def test_deleting_a_contact_answers_with_it_and_takes_it_from_its_clients(practice: Practice) -> None:
    client = uuid_of(practice.first())
    contact = add_contact(practice, client)
    gone = practice.xml("DELETE", f"client.api/contact/{contact}?clientUuid={client}").find("Contact")
    assert gone is not None
    assert text(gone, "IsDeleted") == "Yes"
    assert gone.find("IsPrimary") is None
    assert gone.find("Position") is None
    assert contact not in [uuid_of(one) for one in contacts_of(practice, client)]
    assert practice.ask("GET", f"client.api/contact/{contact}").status_code == 404


def test_deleting_a_shared_contact_may_only_untie_it(practice: Practice) -> None:
    practice.sandbox.control.state(contact_delete="unlink")
    one, two = (uuid_of(client) for client in practice.clients()[:2])
    contact = add_contact(practice, one)
    body = f"<Client><Contacts><Contact><UUID>{contact}</UUID></Contact></Contacts></Client>"
    practice.xml("POST", f"client.api/client/{two}/contacts", body)
    practice.xml("DELETE", f"client.api/contact/{contact}?clientUuid={one}")
    assert contact not in [uuid_of(person) for person in contacts_of(practice, one)]
    assert contact in [uuid_of(person) for person in contacts_of(practice, two)]


def test_all_contacts_come_in_pages(practice: Practice) -> None:
    root = practice.xml("GET", "client.api/contacts?pageSize=10")
    assert len(root.findall("Contacts/Contact")) == 10
    following = text(root, "Pagination/Links/Next").removeprefix(practice.root + "/")
    first = {uuid_of(one) for one in root.findall("Contacts/Contact")}
    assert not first & {uuid_of(one) for one in practice.xml("GET", following).findall("Contacts/Contact")}


def test_a_change_of_contact_moves_the_client_in_the_feed_unless_switched_off(practice: Practice) -> None:
    client = uuid_of(practice.first())
    since = now(practice)
    add_contact(practice, client)
    assert [uuid_of(one) for one in practice.clients(f"?modifiedsince={since}")] == [client]
    practice.sandbox.control.state(contact_change_bumps_client=False)
    later = now(practice)
    add_contact(practice, client, "Somebody Else")
    assert practice.clients(f"?modifiedsince={later}") == []
    assert len(contacts_of(practice, client)) >= 2


def test_groups_gain_and_lose_members_by_attribute(practice: Practice) -> None:
    one, two = (uuid_of(client) for client in practice.clients()[5:7])
    body = f"<Group><Name>Harbour Group</Name><Taxable>Yes</Taxable><ClientUUID>{one}</ClientUUID></Group>"
    group = practice.xml("POST", "clientgroup.api/add", body).find("Group")
    assert group is not None
    change = f'<Group><UUID>{uuid_of(group)}</UUID><add uuid="{two}"/><remove uuid="{one}"/></Group>'
    after = practice.xml("PUT", "clientgroup.api/members", change)
    assert [uuid_of(member) for member in after.findall("Group/Clients/Client")] == [two]
    listed = practice.xml("GET", "clientgroup.api/list").findall("Groups/Group")
    assert all(entry.find("Clients") is None for entry in listed)
    full = {uuid_of(client): client for client in practice.clients("?detailed=true")}
    assert text(full[two], "Groups/Group/Name") == "Harbour Group"
    practice.xml("POST", "clientgroup.api/delete", f"<Group><UUID>{uuid_of(group)}</UUID></Group>")
    assert practice.ask("GET", f"clientgroup.api/get/{uuid_of(group)}").status_code == 404


def test_a_change_of_group_leaves_the_feed_alone_unless_switched_on(practice: Practice) -> None:
    client = uuid_of(practice.first())
    body = f"<Group><Name>G</Name><ClientUUID>{client}</ClientUUID></Group>"
    since = now(practice)
    practice.xml("POST", "clientgroup.api/add", body)
    assert practice.clients(f"?modifiedsince={since}") == []
    practice.sandbox.control.state(group_change_bumps_client=True)
    practice.xml("POST", "clientgroup.api/add", body)
    assert len(practice.clients(f"?modifiedsince={since}")) == 1


def test_relationships_show_at_the_client_and_follow_a_rename(practice: Practice) -> None:
    one, two = (uuid_of(client) for client in practice.clients()[:2])
    body = (
        f"<Relationship><ClientUUID>{one}</ClientUUID><RelatedClientUUID>{two}</RelatedClientUUID><Type>Shareholder"
        "</Type><NumberOfShares>100</NumberOfShares></Relationship>"
    )
    made = practice.xml("POST", "client.api/addrelationship", body)
    practice.sandbox.control.rename(two, "Renamed Ltd")
    shown = practice.xml("GET", f"client.api/get/{one}").find("Client/Relationships/Relationship")
    assert shown is not None
    assert (text(shown, "RelatedClient/Name"), text(shown, "NumberOfShares")) == ("Renamed Ltd", "100")
    uuid = text(made, "ClientRelationship/UUID")
    practice.xml("POST", "client.api/deleterelationship", f"<Relationship><UUID>{uuid}</UUID></Relationship>")
    assert practice.xml("GET", f"client.api/get/{one}").find("Client/Relationships/Relationship") is None


def test_the_staff_of_the_practice_are_listed(practice: Practice) -> None:
    staff = practice.xml("GET", "staff.api/list").findall("StaffList/Staff")
    assert [text(one, "Name") for one in staff[:3]] == ["Priya Sharma", "Jo Partner", "Sam Lee"]
    assert len(staff) == 12
    assert all(text(one, "Email").endswith("@marlow.example") for one in staff)
    assert text(practice.xml("GET", f"staff.api/get/{uuid_of(staff[0])}"), "Staff/Name") == "Priya Sharma"


def test_disabled_staff_leave_the_list_unless_the_switch_keeps_them(practice: Practice) -> None:
    first = practice.xml("GET", "staff.api/list").findall("StaffList/Staff")[0]
    practice.xml("POST", "staff.api/disable", f"<Staff><UUID>{uuid_of(first)}</UUID></Staff>")
    assert len(practice.xml("GET", "staff.api/list").findall("StaffList/Staff")) == 11
    practice.sandbox.control.state(staff_list_shows_disabled=True)
    assert len(practice.xml("GET", "staff.api/list").findall("StaffList/Staff")) == 12


def test_categories_templates_states_and_tasks_are_listed(practice: Practice) -> None:
    for path, entries in (
        ("category.api/list", "Categories/Category"), ("template.api/list", "Templates/Template"),
        ("jobstate.api/list", "JobStates/JobState"), ("task.api/list", "TaskList/Task"),
    ):  # fmt: skip
        found = practice.xml("GET", path).findall(entries)
        assert found, path
        assert uuid_of(found[0])
        assert text(found[0], "Name")


def test_invoices_and_quotes_are_empty_but_well_formed(practice: Practice) -> None:
    for path, tag in (
        ("invoice.api/current", "Invoices"), ("invoice.api/list?from=20260101&to=20261231", "Invoices"),
        ("quote.api/current", "Quotes"), ("job.api/current", "Jobs"),
    ):  # fmt: skip
        root = practice.xml("GET", path)
        found = root.find(tag)
        assert found is not None
        assert len(found) == 0
    assert text(practice.xml("GET", "invoice.api/list"), "Status") == "ERROR"


def test_a_job_goes_from_template_to_done(practice: Practice) -> None:
    client = uuid_of(practice.first())
    template = practice.xml("GET", "template.api/list").findall("Templates/Template")[0]
    staff = practice.xml("GET", "staff.api/list").findall("StaffList/Staff")[1]
    body = (
        f"<Job><Name>Annual accounts</Name><ClientUUID>{client}</ClientUUID><StartDate>20261101</StartDate>"
        f"<DueDate>20261130</DueDate><TemplateUUID>{uuid_of(template)}</TemplateUUID></Job>"
    )
    job = practice.xml("POST", "job.api/add", body)
    number = text(job, "Job/ID")
    assert number == "J000001"
    assert text(job, "Job/StartDate") == "2026-11-01T00:00:00"
    assert len(job.findall("Job/Tasks/Task")) == 3
    assign = f'<Job><ID>{number}</ID><add-manager uuid="{uuid_of(staff)}"/><add uuid="{uuid_of(staff)}"/></Job>'
    assert text(practice.xml("PUT", "job.api/assign", assign), "Job/Manager/Name") == "Jo Partner"
    wrong = practice.xml("PUT", "job.api/state", f"<Job><ID>{number}</ID><State>Completed</State></Job>")
    assert text(wrong, "ErrorDescription") == "Invalid state code"
    assert len(practice.xml("GET", f"job.api/client/{client}").findall("Jobs/Job")) == 1
    practice.xml("PUT", "job.api/state", f"<Job><ID>{number}</ID><State>COMPLETED</State></Job>")
    assert practice.xml("GET", "job.api/current").findall("Jobs/Job") == []
    assert text(practice.xml("GET", f"job.api/get/{number}"), "Job/State") == "Completed"
    assert text(practice.xml("GET", "job.api/get/J999999"), "ErrorDescription") == "Invalid job identifier"


def test_a_client_with_jobs_cannot_be_deleted_unless_switched_off(practice: Practice) -> None:
    client = uuid_of(practice.first())
    dates = "<StartDate>20261101</StartDate><DueDate>20261130</DueDate>"
    practice.xml("POST", "job.api/add", f"<Job><Name>J</Name><ClientUUID>{client}</ClientUUID>{dates}</Job>")
    body = f"<Client><UUID>{client}</UUID></Client>"
    assert text(practice.xml("POST", "client.api/delete", body), "Status") == "ERROR"
    practice.sandbox.control.state(delete_refuses_clients_with_jobs=False)
    assert text(practice.xml("POST", "client.api/delete", body), "Status") == "OK"
