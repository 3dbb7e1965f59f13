"""What nobody needs any more is forgotten; what somebody may still ask about is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from flask import Flask
from sqlalchemy import select

from jobs import tidying
from portal.db import db
from portal.domain.people import ResetLink
from tests import cast

NOW = datetime(2026, 11, 22, 3, tzinfo=UTC)


@pytest.mark.usefixtures("database")
def test_dead_links_for_a_new_password_are_forgotten_after_a_while(app: Flask) -> None:
    user = cast.person("member")
    for name, days in (("long dead", 200), ("dead since yesterday", 1), ("still good", -1)):
        db.session.add(
            ResetLink(
                token_hash=name, user_id=user.id, made_by="Priya Sharma", made_at=NOW - timedelta(days=days + 1),
                expires_at=NOW - timedelta(days=days),
            )
        )  # fmt: skip
    db.session.commit()
    tidying.run(NOW)
    assert set(db.session.scalars(select(ResetLink.token_hash))) == {"dead since yesterday", "still good"}
