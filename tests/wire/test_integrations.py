"""The apps hooked together: consent from start to end, calls with tokens and budgets of the database."""

from __future__ import annotations

import logging
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
from sqlalchemy import func, select, text

from portal import integrations
from portal.adapters.base import NeedsReconnect, RateLimited
from portal.db import db, reading
from portal.domain.apps import (
    CallWindow,
    Connection,
    ConnectionState,
    ConsentAttempt,
    TokenSet,
    VendorCredentials,
)
from portal.domain.people import User
from portal.integrations import Consent, ConsentProblem
from portal.sandbox.vendor import addresses
from tests import cast
from tests.adapters.conftest import CLIENT_ID, CLIENT_SECRET, PRACTICE, SCOPES, Wired, sandbox_settings


def now() -> datetime:
    return datetime.now(UTC)


def alice() -> User:
    found = cast.person("admin")
    db.session.commit()
    return found


def start(user: User, **values: Any) -> str:
    url = integrations.start_consent("xpm", user, now(), **values)
    db.session.commit()
    return url


def allow(url: str, tenants: tuple[str, ...] = (PRACTICE,), decision: str = "allow") -> dict[str, str]:
    """What the vendor sends the person back with."""
    page = urlsplit(url)
    asked = {name: values[0] for name, values in parse_qs(page.query).items()}
    form = [*asked.items(), ("decision", decision), *(("tenant", one) for one in tenants), ("realm", tenants[0])]
    answer = requests.post(f"{page.scheme}://{page.netloc}{page.path}", data=form, allow_redirects=False, timeout=5)
    back = urlsplit(answer.headers["location"])
    assert back.path == "/apps/callback"
    return {name: values[0] for name, values in parse_qs(back.query).items()}


def finish(back: dict[str, str], user: User, at: datetime | None = None) -> Consent:
    return integrations.finish_consent(back, user, at or now())


def stored() -> int:
    return db.session.scalar(select(func.count()).select_from(TokenSet)) or 0


def test_a_consent_from_the_button_to_the_accounts(wired: Wired) -> None:
    user = alice()
    consent = finish(allow(start(user)), user)
    assert consent.app == "xpm"
    assert consent.reconnects_id is None
    assert [one.name for one in consent.accounts] == ["Marlow & Co"]
    assert consent.token_set.client_id == CLIENT_ID
    assert consent.token_set.refresh_token
    assert db.session.scalar(select(func.count()).select_from(ConsentAttempt)) == 0


def test_a_reconnect_remembers_what_it_was_to_mend(wired: Wired) -> None:
    user = alice()
    consent = finish(allow(start(user, reconnects=wired.connection())), user)
    assert consent.reconnects_id == wired.connection_id


def test_the_state_is_stored_only_as_its_hash_and_the_verifier_closed(wired: Wired) -> None:
    """Fault row 40."""
    state = parse_qs(urlsplit(start(alice())).query)["state"][0]
    row = db.session.execute(text("SELECT state_hash, verifier FROM consent_attempt")).one()
    assert state not in row.state_hash
    attempt = db.session.scalars(select(ConsentAttempt)).one()
    assert attempt.verifier not in row.verifier


def test_a_sign_in_that_was_not_started_here_is_refused(wired: Wired) -> None:
    """Fault row 41."""
    user = alice()
    back = allow(start(user)) | {"state": "made-up"}
    before = stored()
    with pytest.raises(ConsentProblem, match="not started here"):
        finish(back, user)
    assert stored() == before


def test_a_sign_in_is_good_once(wired: Wired) -> None:
    """Fault row 41."""
    user = alice()
    back = allow(start(user))
    finish(back, user)
    before = stored()
    with pytest.raises(ConsentProblem, match="finished before"):
        finish(back, user)
    assert stored() == before


def test_somebody_elses_sign_in_is_refused_and_stays_theirs(wired: Wired) -> None:
    """Fault row 41."""
    user, bob = alice(), cast.person("member")
    db.session.commit()
    back = allow(start(user))
    before = stored()
    with pytest.raises(ConsentProblem, match="Somebody else"):
        finish(back, bob)
    assert stored() == before
    assert finish(back, user).accounts


def test_a_sign_in_that_took_too_long_is_refused(wired: Wired) -> None:
    user = alice()
    back = allow(start(user))
    with pytest.raises(ConsentProblem, match="ten minutes"):
        finish(back, user, now() + timedelta(minutes=11))


def test_a_sign_in_cancelled_at_the_vendor_says_so_and_stores_nothing(wired: Wired) -> None:
    """Fault row 41."""
    user = alice()
    back = allow(start(user), decision="deny")
    assert back["error"] == "access_denied"
    before = stored()
    with pytest.raises(ConsentProblem, match="cancelled"):
        finish(back, user)
    assert stored() == before


def test_a_forged_code_is_refused(wired: Wired) -> None:
    """Fault row 41."""
    user = alice()
    back = allow(start(user)) | {"code": "forged"}
    before = stored()
    with pytest.raises(ConsentProblem, match="Nothing was connected"):
        finish(back, user)
    assert stored() == before


def test_a_consent_without_a_practice_says_what_to_tick(wired: Wired) -> None:
    user = alice()
    organisation = next(one["id"] for one in wired.sandbox.control.tenants() if one["kind"] == "ORGANISATION")
    wired.sandbox.control.revoke("Marlow & Co")
    wired.sandbox.control.revoke("Harbour Street Advisers")
    with pytest.raises(ConsentProblem, match="to no practice"):
        finish(allow(start(user), (organisation,)), user)


def test_without_credentials_the_person_is_told_where_to_enter_them(wired: Wired, test_settings: Any) -> None:
    settings = sandbox_settings(test_settings, wired.sandbox.url)
    integrations.configure(replace(settings, environment=addresses(wired.sandbox.url)))
    user = alice()
    with pytest.raises(ConsentProblem, match="client id"):
        start(user)
    db.session.add(VendorCredentials(vendor="xero", client_id=CLIENT_ID, client_secret=CLIENT_SECRET, changed_at=now()))
    db.session.commit()
    assert finish(allow(start(user)), user).accounts


def test_an_address_the_vendor_would_not_send_people_back_to_is_said_at_once(wired: Wired, test_settings: Any) -> None:
    settings = sandbox_settings(test_settings, wired.sandbox.url)
    integrations.configure(replace(settings, public_url="http://127.0.0.1:5000"))
    with pytest.raises(ConsentProblem, match="http://localhost:5000"):
        start(alice())


def test_a_callback_can_be_finished_in_a_request_that_only_reads(wired: Wired) -> None:
    user = alice()
    back = allow(start(user))
    with reading():
        assert finish(back, user).accounts
        db.session.rollback()


def test_reading_clients_counts_calls_of_the_day(wired: Wired) -> None:
    connection = wired.connection()
    session = integrations.open_session(connection)
    adapter = integrations.adapter_for(connection)
    db.session.commit()
    assert len(list(adapter.fetch_clients(session, None))) == 20
    assert integrations.call_allowance(wired.connection()) == (1, 5000)
    assert integrations.calls_today(wired.connection()).left == 4999


def test_a_call_inside_a_transaction_is_refused(wired: Wired) -> None:
    connection = wired.connection()
    adapter = integrations.adapter_for(connection)
    session = integrations.open_session(connection)
    assert db.session().in_transaction()
    with reading(), pytest.raises(RuntimeError, match="inside a database transaction"):
        adapter.fetch_reference(session)
    db.session.commit()
    assert adapter.fetch_reference(session)


def test_tokens_are_renewed_on_the_way_and_saved(wired: Wired) -> None:
    """Fault row 36."""
    before = db.session.get_one(TokenSet, wired.token_set_id).access_token
    session = integrations.open_session(wired.connection())
    db.session.commit()
    wired.sandbox.control.fault("token_expired", vendor="xpm", times=1)
    assert integrations.APPS["xpm"].fetch_reference(session)
    assert db.session.get_one(TokenSet, wired.token_set_id).access_token != before
    assert len(wired.sandbox.control.calls(path="connect/token")) == 1


def test_a_revoked_consent_is_one_clear_state(wired: Wired) -> None:
    """Fault row 35."""
    wired.sandbox.control.revoke()
    for _ in range(3):
        session = integrations.open_session(wired.connection())
        db.session.commit()
        with pytest.raises(NeedsReconnect):
            integrations.APPS["xpm"].fetch_reference(session)
    assert wired.connection().state == ConnectionState.NEEDS_RECONNECT
    assert len(wired.sandbox.control.calls(path="connect/token")) == 1
    assert len(wired.sandbox.control.calls(path="staff.api")) == 1


def test_a_changed_client_id_asks_for_a_new_consent(wired: Wired) -> None:
    tokens = db.session.get_one(TokenSet, wired.token_set_id)
    tokens.client_id, tokens.expires_at = "an-earlier-registration", now()
    session = integrations.open_session(wired.connection())
    db.session.commit()
    with pytest.raises(NeedsReconnect, match="client id"):
        integrations.APPS["xpm"].fetch_reference(session)


def test_when_the_day_is_used_up_background_work_stops_and_says_until_when(wired: Wired) -> None:
    """Fault row 18."""
    window = CallWindow(account=f"xero:{PRACTICE}", day_started=now() - timedelta(hours=1), day_calls=4750)
    db.session.add(window)
    background = integrations.open_session(wired.connection())
    person = integrations.open_session(wired.connection(), urgent=True)
    db.session.commit()
    with pytest.raises(RateLimited) as caught:
        integrations.APPS["xpm"].fetch_reference(background)
    assert timedelta(hours=22) < caught.value.retry_at - now() < timedelta(hours=24)
    assert integrations.APPS["xpm"].fetch_reference(person)


def test_disconnecting_gives_back_this_accounts_permission_only(wired: Wired) -> None:
    """AP-08."""
    user = alice()
    everything = tuple(one["id"] for one in wired.sandbox.control.tenants())
    consent = finish(allow(start(user), everything), user)
    assert len(consent.accounts) == 2
    mine = next(one for one in consent.accounts if one.remote_id == PRACTICE)
    connection = wired.connection()
    connection.token_set, connection.grant_id = consent.token_set, mine.grant_id
    db.session.commit()
    assert integrations.disconnect(connection)
    access = db.session.get_one(TokenSet, consent.token_set.id).access_token
    db.session.commit()
    left = integrations.APPS["xpm"].accounts(access_token=access, answer={})
    assert [one.name for one in left] == ["Harbour Street Advisers"]


def test_a_vendor_that_is_away_keeps_nobody_from_disconnecting(wired: Wired) -> None:
    connection = wired.connection()
    connection.grant_id = "whatever"
    db.session.commit()
    wired.sandbox.control.fault("status", vendor="xero-identity", status=503)
    assert integrations.disconnect(connection) is False


def test_no_secret_gets_into_logs(wired: Wired, caplog: pytest.LogCaptureFixture) -> None:
    """Fault row 40: a consent, a renewal, reads and refusals, everything logged that can be logged."""
    caplog.set_level(logging.DEBUG)
    user = alice()
    back = allow(start(user))
    consent = finish(back, user)
    secrets = [consent.token_set.access_token, consent.token_set.refresh_token, CLIENT_SECRET]
    connection = wired.connection()
    connection.token_set = consent.token_set
    db.session.commit()
    session = integrations.open_session(connection)
    db.session.commit()
    wired.sandbox.control.fault("token_expired", vendor="xpm", times=1)
    list(integrations.APPS["xpm"].fetch_clients(session, None))
    db.session.expire_all()
    secrets += [consent.token_set.access_token, consent.token_set.refresh_token]
    db.session.commit()
    wired.sandbox.control.revoke(tokens=True)
    with pytest.raises(NeedsReconnect):
        list(integrations.APPS["xpm"].fetch_clients(session, None))
    logged = "\n".join(
        line for line in caplog.text.splitlines() if "/xero/identity/connect/authorize" not in line
    )  # the test's own browser
    assert len(set(secrets)) == 5
    assert not [one for one in [*secrets, back["code"]] if one in logged]


def test_what_the_domain_knows_of_an_app_is_what_its_adapter_says(wired: Wired) -> None:
    from portal.domain.apps.ways import ways_of

    for info in integrations.all_apps():
        assert integrations.app_info(info.slug) is info
        told = ways_of(info.slug)
        assert (told.name, told.client_fields, told.contact_fields) == (
            info.name,
            info.client_fields,
            info.contact_fields,
        )
        assert (told.intakes, told.directions, told.levels) == (info.intakes, info.directions, info.levels)
        assert (told.writes, told.creates, told.finds, told.batch) == (
            info.writes_clients, info.creates_clients, info.finds_clients, info.batch,
        )  # fmt: skip
    assert [connection.app for connection in db.session.scalars(select(Connection))] == ["xpm"]
    assert list(integrations.app_info("xpm").scopes) == SCOPES


def organisations(wired: Wired) -> tuple[str, ...]:
    return tuple(one["id"] for one in wired.sandbox.control.tenants() if one["kind"] == "ORGANISATION")


def test_a_second_app_of_a_vendor_asks_for_what_both_need_and_they_share_one_sign_in(wired: Wired) -> None:
    """A token of the second consent must not be narrower than the first, whose tokens it replaces."""
    user = alice()
    practice = finish(allow(start(user)), user)
    connection = wired.connection()
    connection.token_set = practice.token_set
    db.session.commit()
    kept = practice.token_set.id
    before = practice.token_set.access_token
    url = integrations.start_consent("xero", user, now())
    db.session.commit()
    asked = parse_qs(urlsplit(url).query)["scope"][0].split()
    assert set(asked) == set(integrations.app_info("xpm").scopes) | set(integrations.app_info("xero").scopes)
    books = finish(allow(url, organisations(wired)), user)
    assert {one.kind for one in books.accounts} == {"ORGANISATION"}
    assert books.token_set.id == kept
    assert books.token_set.access_token != before
    session = integrations.open_session(wired.connection())
    db.session.commit()
    assert integrations.APPS["xpm"].fetch_reference(session).staff


def test_another_person_at_the_same_vendor_has_a_sign_in_of_their_own(wired: Wired) -> None:
    user = alice()
    first = finish(allow(start(user)), user)
    first.token_set.subject = "somebody-else-at-xero"
    kept = first.token_set.id
    db.session.commit()
    assert finish(allow(start(user)), user).token_set.id != kept


@pytest.mark.parametrize("slug", ["xero", "quickbooks", "digits"])
def test_every_app_can_be_connected_and_read(wired: Wired, slug: str) -> None:
    """AP-01: from the button to the first records, through the one callback."""
    user = alice()
    info = integrations.app_info(slug)
    url = integrations.start_consent(slug, user, now())
    db.session.commit()
    accounts = [one["id"] for one in wired.sandbox.control.tenants() if one["kind"] in info.account_kinds]
    consent = finish(allow(url, tuple(accounts[:1])), user)
    (account,) = consent.accounts
    assert account.remote_id == accounts[0]
    connection = wired.connection()
    connection.app, connection.account_id, connection.token_set = slug, account.remote_id, consent.token_set
    db.session.commit()
    session = integrations.open_session(connection)
    adapter = integrations.adapter_for(connection)
    db.session.commit()
    assert list(adapter.fetch_clients(session, None))
    assert integrations.call_allowance(wired.connection())[0] == session.calls_made


def test_an_app_is_given_its_own_settings_and_no_others(wired: Wired, test_settings: Any) -> None:
    environment = addresses(wired.sandbox.url) | {"XPM_WIRE_FORMAT": "carrier pigeon"}
    with pytest.raises(ValueError, match="XPM_WIRE_FORMAT"):
        integrations.configure(replace(test_settings, environment=environment))
    with pytest.raises(ValueError, match="https"):
        integrations.configure(replace(test_settings, environment={"DIGITS_API_URL": "http://digits.example"}))
    for info in integrations.all_apps():
        assert info.vendor.upper() + "_CLIENT_ID" not in {one.name for one in info.settings}
