"""People from the command line: the first admin, the way back in, and what nobody may do by accident."""

from __future__ import annotations

import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

from flask import Flask
from sqlalchemy import select

from portal.db import db
from portal.domain.activity import Activity, Origin, Verb
from portal.domain.people import Role, SignIn, User, the_firm
from tests.cast import PASSWORD, person
from tests.commands.conftest import Run
from tests.reading import Browser

Story = Callable[[], AbstractContextManager[Any]]
ANN = ("--name", "Ann Lee", "--email", "Ann@Lee.example")


def _user(app: Flask, email: str) -> User:
    with app.app_context():
        return db.session.scalars(select(User).where(User.email == email)).one()


def test_the_first_admin_comes_with_the_firm_and_sets_their_password_by_a_link(app: Flask, run: Run) -> None:
    made = run("users", "create-admin", *ANN, "--firm", "Lee & Co")
    assert made.exit_code == 0, made.output
    with app.app_context():
        firm = the_firm()
        assert firm is not None
        assert firm.name == "Lee & Co"
    assert _user(app, "ann@lee.example").role == Role.ADMIN
    link = re.search(r"http://localhost(/\S+)", made.output)
    assert link is not None
    browser = Browser(app)
    page = browser.get(link[1])
    assert page.status == 200
    assert "Ann Lee" in page.text


def test_without_a_firm_nobody_is_added(app: Flask, run: Run) -> None:
    refused = run("users", "create-admin", *ANN)
    assert refused.exit_code == 2
    assert "--firm" in refused.output
    with app.app_context():
        assert db.session.scalar(select(User)) is None


def test_a_password_can_come_from_another_program(app: Flask, run: Run) -> None:
    made = run("users", "create-admin", *ANN, "--firm", "Lee & Co", "--password-stdin", given=f"{PASSWORD}\n")
    assert made.exit_code == 0, made.output
    assert PASSWORD not in made.output
    assert (_user(app, "ann@lee.example").password_hash or "").startswith("$argon2id$")


def test_a_weak_password_adds_nobody(app: Flask, run: Run) -> None:
    refused = run("users", "create-admin", *ANN, "--firm", "Lee & Co", "--password-stdin", given="password1234\n")
    assert refused.exit_code == 4
    with app.app_context():
        assert db.session.scalar(select(User)) is None


def test_an_email_belongs_to_one_person(app: Flask, run: Run, story: Story) -> None:
    with story():
        person("admin")
    again = run("users", "create", "--name", "Another Alice", "--email", "ALICE@marlow.example")
    assert again.exit_code == 4
    assert "Alice Ngata has the email" in again.output


def test_a_lost_password_is_mended_with_a_link_and_works_until_then(app: Flask, run: Run, story: Story) -> None:
    with story():
        person("member").password_hash = "kept"
    made = run("users", "reset-password", "bob@marlow.example")
    assert made.exit_code == 0
    assert "http://localhost/" in made.output
    assert _user(app, "bob@marlow.example").password_hash == "kept"


def test_somebody_unknown_is_said_to_be_unknown(run: Run) -> None:
    refused = run("users", "reset-password", "nobody@marlow.example")
    assert refused.exit_code == 4
    assert "Nobody here has the email nobody@marlow.example" in refused.output


def test_whoever_is_switched_off_is_signed_out_everywhere(app: Flask, run: Run, story: Story) -> None:
    with story():
        person("admin")
    browser = Browser(app).signed_in_as("member")
    assert run("users", "deactivate", "bob@marlow.example").exit_code == 0
    assert not _user(app, "bob@marlow.example").is_active
    with app.app_context():
        assert all(one.ended_at for one in db.session.scalars(select(SignIn)))
    assert browser.get("/clients").path == "/sign-in"


def test_the_last_admin_stays(run: Run, story: Story) -> None:
    with story():
        person("admin")
    for args in (("deactivate", "alice@marlow.example"), ("set-role", "alice@marlow.example", "member")):
        refused = run("users", *args)
        assert refused.exit_code == 4
        assert "Alice Ngata is the only admin" in refused.output


def test_a_changed_role_is_on_record_as_done_from_the_command_line(app: Flask, run: Run, story: Story) -> None:
    with story():
        person("admin")
        person("member")
    assert run("users", "set-role", "bob@marlow.example", "support").output == "Bob Tamihana is support now.\n"
    with app.app_context():
        recorded = db.session.scalars(select(Activity).where(Activity.verb == Verb.USER_CHANGED)).one()
        assert (recorded.actor_name, recorded.origin) == ("Command line", Origin.COMMAND)


def test_everyone_is_listed_with_what_matters(run: Run, story: Story) -> None:
    with story():
        person("admin")
        person("support").is_active = False
    listed = run("users", "list").output
    assert "alice@marlow.example" in listed
    assert "Sue Sharma, never signed in, switched off" in listed


def test_every_command_says_what_its_exit_codes_mean(app: Flask, run: Run) -> None:
    for name, group in app.cli.commands.items():
        if name in ("db", "run", "shell", "routes"):
            continue
        for command in getattr(group, "commands", {}):
            shown = run(name, command, "--help").output
            assert "Exit codes:" in shown, f"flask {name} {command}"
            assert "3  a person has to act first" in shown
