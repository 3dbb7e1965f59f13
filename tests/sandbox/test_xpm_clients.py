"""The practice manager's clients: envelope, lists, reads and writes."""

from __future__ import annotations

from datetime import datetime, timedelta
from xml.etree import ElementTree as ET

from tests.sandbox.practice import STRICT, Practice

TAX_AND_PEOPLE = {"AccountManager", "JobManager", "BillingClient", "Type", "BusinessStructure", "BalanceMonth"}


def text(element: ET.Element, path: str) -> str | None:
    return element.findtext(path)


def update(practice: Practice, uuid: str | None, elements: str) -> ET.Element:
    return practice.xml("PUT", "client.api/update", f"<Client><UUID>{uuid}</UUID>{elements}</Client>")


def add(practice: Practice, elements: str) -> ET.Element:
    return practice.xml("POST", "client.api/add", f"<Client>{elements}</Client>")


def stamp(moment: datetime) -> str:
    return moment.strftime("%Y-%m-%dT%H:%M:%S")


def test_the_envelope_is_xml_whatever_is_accepted(practice: Practice) -> None:
    answer = practice.ask("GET", "client.api/list", headers={"Accept": "application/json"})
    assert answer.headers["Content-Type"] == "text/xml; charset=utf-8"
    root = ET.fromstring(answer.content)
    assert (root.tag, root.get("api-method"), text(root, "Status")) == ("Response", "List", "OK")
    assert len(root.findall("Clients/Client")) == 40


def test_normal_answers_carry_what_is_left_of_the_limits_and_a_correlation_id(practice: Practice) -> None:
    headers = practice.ask("GET", "client.api/list").headers
    assert headers["X-MinLimit-Remaining"] == "59"
    assert headers["X-DayLimit-Remaining"] == "4999"
    assert headers["X-AppMinLimit-Remaining"] == "9999"
    assert headers["Xero-Correlation-Id"]


def test_the_short_list_leaves_notes_groups_and_relationships_out(practice: Practice) -> None:
    short, full = practice.first(), practice.clients("?detailed=true")[0]
    extra = {"Notes", "Groups", "Relationships"}
    assert not extra & {child.tag for child in short}
    assert extra <= {child.tag for child in full}
    assert short.find("Contacts") is not None


def test_archived_and_deleted_clients_stay_in_the_list(practice: Practice) -> None:
    one, two = practice.clients()[:2]
    practice.xml("PUT", "client.api/archive", f"<Client><UUID>{text(one, 'UUID')}</UUID></Client>")
    practice.xml("POST", "client.api/delete", f"<Client><UUID>{text(two, 'UUID')}</UUID></Client>")
    found = {text(client, "UUID"): client for client in practice.clients()}
    assert len(found) == 40
    assert text(found[text(one, "UUID")], "IsArchived") == "Yes"
    assert text(found[text(two, "UUID")], "IsDeleted") == "Yes"


def test_the_list_since_a_moment_shows_only_what_changed_and_takes_any_casing(practice: Practice) -> None:
    box = practice.sandbox.box
    box.clock.advance(120)
    since = box.clock.now()
    assert practice.clients(f"?modifiedsince={stamp(since)}") == []
    uuid = text(practice.first(), "UUID")
    practice.sandbox.control.change(str(uuid), phone="09 555 0199")
    for name in ("modifiedsince", "modifiedSince", "ModifiedSince"):
        (found,) = practice.clients(f"?{name}={stamp(since)}&detailed=true")
        assert text(found, "Phone") == "09 555 0199"
    assert practice.clients(f"?modifiedsince={stamp(since + timedelta(hours=1))}") == []


def test_a_moment_that_cannot_be_read_is_a_business_error(practice: Practice) -> None:
    root = practice.xml("GET", "client.api/list?modifiedsince=yesterday")
    assert text(root, "Status") == "ERROR"
    assert text(root, "ErrorDescription")


def test_one_client_comes_with_its_web_address_beside_it(practice: Practice) -> None:
    uuid = text(practice.first(), "UUID")
    root = practice.xml("GET", f"client.api/get/{uuid}")
    assert text(root, "Client/UUID") == uuid
    assert str(text(root, "WebUrl")).startswith("https://")
    assert root.find("Client/WebUrl") is None


def test_an_unknown_client_is_404_or_a_polite_error_as_the_switch_says(practice: Practice) -> None:
    path = "client.api/get/00000000-0000-4000-a000-000000000000"
    answer = practice.ask("GET", path)
    assert answer.status_code == 404
    assert text(ET.fromstring(answer.content), "Status") == "ERROR"
    practice.sandbox.control.state(unknown_uuid_is_404=False)
    assert text(practice.xml("GET", path), "ErrorDescription") == "Invalid client identifier"


def test_a_new_client_needs_only_a_name_and_unset_things_are_left_out(practice: Practice) -> None:
    client = add(practice, "<Name>Brand &amp; New Ltd</Name>").find("Client")
    assert client is not None
    assert text(client, "Name") == "Brand & New Ltd"
    tags = {child.tag for child in client}
    assert not tags & {*TAX_AND_PEOPLE, "Email", "TaxNumber", "GSTPeriod"}
    assert {"Address", "Phone", "Fax", "Website", "IsArchived"} <= tags
    assert (text(client, "Phone"), len(client.findall("Contacts/Contact"))) == ("", 0)


def test_a_client_without_a_name_is_refused(practice: Practice) -> None:
    assert text(add(practice, "<Phone>1</Phone>"), "Status") == "ERROR"
    assert len(practice.clients()) == 40


def test_nothing_stops_the_same_client_from_being_added_twice(practice: Practice) -> None:
    first, second = (add(practice, "<Name>Twice Ltd</Name>") for _ in range(2))
    assert text(first, "Client/UUID") != text(second, "Client/UUID")
    assert len(practice.xml("GET", "client.api/search?query=twice").findall("Clients/Client")) == 2


def test_contacts_come_with_a_new_client_and_the_last_primary_wins(practice: Practice) -> None:
    people = "".join(
        f"<Contact><Name>{name}</Name><IsPrimary>Yes</IsPrimary><Position>Owner</Position></Contact>" for name in "AB"
    )
    client = add(practice, f"<Name>Two People Ltd</Name><Contacts>{people}</Contacts>")
    found = {text(one, "Name"): text(one, "IsPrimary") for one in client.findall("Client/Contacts/Contact")}
    assert found == {"A": "No", "B": "Yes"}


def test_writing_uses_other_names_than_reading(practice: Practice) -> None:
    uuid = text(practice.first(), "UUID")
    staff = practice.xml("GET", "staff.api/list").findall("StaffList/Staff")[2]
    update(practice, uuid, "<Website>https://ignored.example</Website>")
    after = update(
        practice,
        uuid,
        f"<WebSite>https://new.example</WebSite><AccountManagerUUID>{text(staff, 'UUID')}</AccountManagerUUID>"
        "<GSTRegistered>Yes</GSTRegistered><GSTPeriod>6</GSTPeriod><BalanceMonth>6</BalanceMonth>",
    ).find("Client")
    assert after is not None
    assert text(after, "Website") == "https://new.example"
    assert text(after, "AccountManager/Name") == text(staff, "Name") == "Sam Lee"
    assert text(after, "GSTPeriod") == "6 Monthly"
    assert text(after, "BalanceMonth") == "Jun"
    cleared = update(practice, uuid, "<AccountManagerUUID></AccountManagerUUID>")
    assert cleared.find("Client/AccountManager") is None


def test_values_xpm_does_not_know_are_refused_and_nothing_changes(practice: Practice) -> None:
    uuid = text(practice.first(), "UUID")
    before = practice.ask("GET", f"client.api/get/{uuid}").text
    for wrong in (
        "<GSTPeriod>2 Monthly</GSTPeriod>", "<BalanceMonth>13</BalanceMonth>", "<GSTBasis>Cash</GSTBasis>",
        "<GSTRegistered>true</GSTRegistered>", "<BusinessStructure>Something odd</BusinessStructure>",
        "<AccountManagerUUID>nobody</AccountManagerUUID>", "<Name></Name>",
    ):  # fmt: skip
        assert text(update(practice, uuid, f"<Phone>1</Phone>{wrong}"), "Status") == "ERROR", wrong
    assert practice.ask("GET", f"client.api/get/{uuid}").text == before


def test_what_an_update_leaves_out_stays_unless_the_switch_says_otherwise(practice: Practice) -> None:
    client = practice.first()
    uuid, city = text(client, "UUID"), text(client, "City")
    kept = update(practice, uuid, "<Phone>09 555 0101</Phone>")
    assert (text(kept, "Client/City"), text(kept, "Client/Phone")) == (city, "09 555 0101")
    practice.sandbox.control.state(update_clears_omitted=True)
    cleared = update(practice, uuid, "<Fax>09 555 0102</Fax>")
    assert (text(cleared, "Client/City"), text(cleared, "Client/Phone")) == ("", "")
    assert text(cleared, "Client/Name") == text(client, "Name")
    assert cleared.find("Client/Contacts/Contact") is not None


def test_state_and_notes_cannot_be_written(practice: Practice) -> None:
    uuid = text(practice.first(), "UUID")
    after = update(practice, uuid, "<IsArchived>Yes</IsArchived><IsDeleted>Yes</IsDeleted><Notes><Note/></Notes>")
    assert (text(after, "Client/IsArchived"), text(after, "Client/IsDeleted")) == ("No", "No")


def test_the_tax_number_is_masked_and_a_mask_sent_back_is_stored(practice: Practice) -> None:
    uuid = str(text(practice.first(), "UUID"))
    assert text(update(practice, uuid, "<TaxNumber>123456789</TaxNumber>"), "Client/TaxNumber") == "******789"
    assert practice.sandbox.control.client(uuid)["fields"]["TaxNumber"] == "123456789"
    update(practice, uuid, "<TaxNumber>******789</TaxNumber>")
    assert practice.sandbox.control.client(uuid)["fields"]["TaxNumber"] == "******789"
    practice.sandbox.control.state(refuse_masked_tax_number=True)
    assert text(update(practice, uuid, "<TaxNumber>*****9789</TaxNumber>"), "Status") == "ERROR"


def test_hostile_text_comes_back_as_it_was_typed(practice: Practice) -> None:
    name = '<script>alert("ā & 李")</script> =1+1'
    escaped = name.replace("&", "&amp;").replace("<", "&lt;")
    assert text(add(practice, f"<Name>{escaped}</Name>"), "Client/Name") == name


def test_bodies_that_cannot_be_read_or_have_a_document_type_are_refused(practice: Practice) -> None:
    for body in ("<Client><Name>x</Client>", "<!DOCTYPE Client><Client/>", "<Other/>", ""):
        assert practice.ask("PUT", "client.api/update", body).status_code == 500


def test_pages_hold_active_clients_bare_and_link_to_the_next(practice: Practice) -> None:
    first = practice.first()
    practice.xml("PUT", "client.api/archive", f"<Client><UUID>{text(first, 'UUID')}</UUID></Client>")
    seen: list[str | None] = []
    path: str | None = "client.api/paged-list?pageSize=15"
    sizes = []
    while path:
        root = practice.xml("GET", path)
        clients = root.findall("Clients/Client")
        assert all(client.find("Contacts") is None and client.find("Groups") is None for client in clients)
        seen += [text(client, "UUID") for client in clients]
        sizes.append(len(clients))
        following = text(root, "Pagination/Links/Next")
        path = following.removeprefix(practice.root + "/") if following else None
    assert sizes == [15, 15, 9]
    assert len(set(seen)) == 39
    assert text(first, "UUID") not in seen


def test_the_last_page_may_end_in_three_ways(practice: Practice) -> None:
    for value, expected in (("absent", None), ("empty", "")):
        practice.sandbox.control.state(last_page_next=value)
        assert text(practice.xml("GET", "client.api/paged-list?pageSize=500"), "Pagination/Links/Next") == expected
    practice.sandbox.control.state(last_page_next="repeated")
    assert text(practice.xml("GET", "client.api/paged-list?pageSize=500"), "Pagination/Links/Next")


def test_search_finds_names_by_their_beginning_or_any_part(practice: Practice) -> None:
    add(practice, "<Name>Zzz Pōhutukawa Homes</Name>")
    assert len(practice.xml("GET", "client.api/search?query=zzz").findall("Clients/Client")) == 1
    assert practice.xml("GET", "client.api/search?query=pōhutukawa homes").findall("Clients/Client") == []
    practice.sandbox.control.state(search_matches="contains")
    assert len(practice.xml("GET", "client.api/search?query=pōhutukawa homes").findall("Clients/Client")) == 1


def test_json_comes_only_with_the_strict_flag_and_has_the_same_facts(practice: Practice) -> None:
    element = practice.clients("?detailed=true")[0]
    found = practice.json("client.api/list?detailed=true")
    assert found["status"] == "OK"
    client = found["clients"][0]
    assert (client["uuid"], client["name"]) == (text(element, "UUID"), text(element, "Name"))
    assert client["isArchived"] == "No"
    assert isinstance(client["contacts"], list)
    assert client["contacts"][0]["isPrimary"] in ("Yes", "No")
    assert client["balanceMonth"] in (3, 6, 12)
    assert practice.json(f"client.api/get/{client['uuid']}")["client"]["webUrl"].startswith("https://")


def test_json_bodies_are_read_and_errors_are_json_too(practice: Practice) -> None:
    headers = {**STRICT, "Accept": "application/json", "Content-Type": "application/json"}
    made = practice.ask(
        "POST", "client.api/add",
        '{"name":"Json Ltd","webSite":"https://j.example","gstRegistered":"Yes","gstPeriod":2,"balanceMonth":"3",'
        '"contacts":[{"name":"Ann","isPrimary":"Yes"}]}', headers=headers,
    ).json()["client"]  # fmt: skip
    assert (made["website"], made["gstPeriod"], made["balanceMonth"]) == ("https://j.example", "2 Monthly", 3)
    assert made["contacts"][0]["name"] == "Ann"
    wrong = practice.ask("PUT", "client.api/update", f'{{"uuid":"{made["uuid"]}","gstBasis":"Cash"}}', headers=headers)
    assert (wrong.status_code, wrong.json()["status"]) == (200, "ERROR")
    assert wrong.json()["errorDescription"]


def test_strict_types_nobody_speaks_are_not_acceptable(practice: Practice) -> None:
    assert practice.ask("GET", "client.api/list", headers={**STRICT, "Accept": "text/csv"}).status_code == 406


def test_a_long_list_is_compressed_only_when_switched_on(practice: Practice) -> None:
    assert "Content-Encoding" not in practice.ask("GET", "client.api/list").headers
    practice.sandbox.control.state(gzip=True)
    answer = practice.ask("GET", "client.api/list")
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(ET.fromstring(answer.content).findall("Clients/Client")) == 40
