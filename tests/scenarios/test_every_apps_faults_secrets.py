"""Tokens, codes and client secrets: in no log, on no page, in no export, and closed in the database."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import inspect, text

from portal import integrations
from portal.config import Settings
from portal.db import db
from portal.domain.apps import Connection, ConnectionState
from portal.sync import send
from tests import cast
from tests.reading import Browser
from tests.scenarios.apps import EACH
from tests.scenarios.conftest import CLIENT_ID, CLIENT_SECRET, Flying, World
from tests.scenarios.test_every_apps_faults_accounts import accounts, signing_in

MakeWorld = Callable[..., AbstractContextManager[World]]


class Heard:
    """Every secret that passed between a vendor and the portal."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, slug: str) -> None:
        self.secrets = {CLIENT_SECRET}
        adapter = integrations.APPS[slug]
        for name in ("exchange", "refresh"):
            monkeypatch.setattr(adapter, name, self._listening(getattr(adapter, name)))

    def _listening(self, ask: Callable[..., Any]) -> Callable[..., Any]:
        def listening(**asked: Any) -> Any:
            tokens = ask(**asked)
            self.secrets |= {tokens.access_token, tokens.refresh_token}
            self.secrets |= {asked[one] for one in ("code", "verifier") if one in asked}
            return tokens

        return listening

    def found_in(self, text: str) -> list[str]:
        """Secrets of which a piece stands in this text: what is shortened is still told."""
        return [one for one in self.secrets if any(piece in text for piece in _pieces(one))]


def _pieces(secret: str) -> tuple[str, ...]:
    """Long ones begin alike, so a piece of the middle and the end."""
    return (secret,) if len(secret) < 150 else (secret[100:140], secret[-40:])


@pytest.mark.parametrize("slug", EACH)
def test_no_secret_gets_out_of_a_whole_life_of_a_connection(
    make_world: MakeWorld, flying: Flying, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture,
    test_settings: Settings, slug: str,
) -> None:  # fmt: skip
    """Fault row 40: registered, connected, synced, renewed, refused, withdrawn, disconnected, with every log on."""
    vendor = next(one.info.vendor for one in integrations.OFFERED if one.info.slug == slug).upper()
    with make_world(app=slug, **{f"{vendor}_CLIENT_ID": "", f"{vendor}_CLIENT_SECRET": ""}) as first:
        heard = Heard(monkeypatch, slug)
        other = accounts(first)[1]
        caplog.set_level(logging.DEBUG)
        connection_id = first.apart(lambda: connected(first, other["id"]))
        world = World(first.app, first.control, other["id"], connection_id, first.side)
        lives(world, heard)
        pages = world.apart(lambda: every_page(world.app, connection_id))
        assert len(pages) > 12
        for address, body in pages.items():
            assert heard.found_in(body) == [], address
        assert len(heard.secrets) >= 6
        logged = "\n".join(one for one in caplog.text.splitlines() if "authorize" not in one)  # the test's own browser
        assert heard.found_in(logged) == []
        assert heard.found_in(dump()) == []
        db.session.remove()
        if test_settings.database_url.startswith("sqlite"):
            raw = b"".join(path.read_bytes() for path in test_settings.data_dir.glob("portal.db*"))
            assert heard.found_in(raw.decode("latin-1")) == []


def connected(world: World, account: str) -> int:
    """As an admin does it: the portal's registration typed in, the consent, Enable; the connection's id."""
    browser = Browser(world.app).signed_in_as("admin")
    page = browser.get(f"/apps/{world.side.slug}/credentials")
    kept = page.submit("Keep", client_id=CLIENT_ID, client_secret=CLIENT_SECRET)
    assert "You can connect" in kept.said
    page = signing_in(world).consents(account).comes_back()
    assert "is connected" in page.submit("Enable").said
    with world.app.app_context():
        return db.session.query(Connection).filter_by(account_id=account).one().id


def lives(world: World, heard: Heard) -> None:
    """Syncs, a renewal, a change and a refusal, an answer nobody understands, access withdrawn."""
    world.create_there("Rimu Ltd")
    cast.make_client("Rimu Ltd")
    db.session.commit()
    world.done()
    world.run_out()
    world.done(full=True)
    world.fault("token_expired", times=1)
    world.done(full=True)
    link = world.edit(world.client("Rimu Ltd"), name="Rimu Limited")
    world.fault(path=world.side.writes, **world.side.refuse_write(f"Bearer {world.token_set().access_token} is wrong"))
    send(link.id)
    db.session.commit()
    world.control.clear_faults()
    world.fault("status", status=400, body=f"<html>Bearer {world.token_set().access_token}</html>")
    db.session.commit()
    world.sync(full=True)
    world.control.clear_faults()
    world.control.revoke(world.tenant, vendor=integrations.app_info(world.side.slug).vendor)
    world.sync(full=True)
    assert world.connection().state == ConnectionState.NEEDS_RECONNECT
    heard.secrets.discard("")
    db.session.commit()


def every_page(app: Flask, connection_id: int) -> dict[str, str]:
    """All an admin can open that concerns apps, exports included; then the connection is given up."""
    browser = Browser(app).signed_in_as("admin")
    addresses = app.url_map.bind("localhost")
    seen: dict[str, str] = {}
    with app.app_context():
        run_ids = [row[0] for row in db.session.execute(text("SELECT id FROM sync_run"))]
        client_id = db.session.execute(text("SELECT id FROM client")).scalar_one()
    values = {"connection_id": connection_id, "client_id": client_id, "slug": "", "run_id": 0}
    with app.app_context():
        values["slug"] = db.session.get_one(Connection, connection_id).app
    for rule in app.url_map.iter_rules():
        about = rule.endpoint.split(".")[0] in ("apps", "clients", "matches", "settings", "home")
        if not about or "GET" not in (rule.methods or ()) or not rule.arguments <= set(values):
            continue
        for run_id in run_ids if "run_id" in rule.arguments else [0]:
            url = addresses.build(rule.endpoint, {one: (values | {"run_id": run_id})[one] for one in rule.arguments})
            page = browser.get(url)
            if page.status == 200:
                seen[url] = page.body + str(page.headers)
    gone = browser.post(f"/apps/{connection_id}/disconnection")
    seen["disconnected"] = gone.body
    seen["afterwards"] = browser.get("/apps").body
    return seen


def dump() -> str:
    """Every value of every table."""
    tables = inspect(db.engine).get_table_names()
    return "\n".join(str(db.session.execute(text(f'SELECT * FROM "{one}"')).all()) for one in tables)
