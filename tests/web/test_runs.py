"""The page of one run, and its export."""

from __future__ import annotations

import csv
import io
from typing import Any

import pytest

from portal.domain.apps import Outcome
from tests.cast import make_client, make_connection, person
from tests.cast_runs import make_item, make_run, plan_field

pytestmark = pytest.mark.usefixtures("clock")


@pytest.fixture
def url(story: Any) -> str:
    """One record updated, one failed, one nearly matching; 40 unchanged."""
    with story():
        person("admin")
        connection = make_connection()
        client = make_client("Aroha & Tama Ngata")
        run = make_run(
            connection,
            counts={"updated": 1, "failed": 1, "near_match": 1, "unchanged": 40},
            calls=3,
            message="All read.",
        )
        make_item(
            run, client.name, client_id=client.id, remote_id="r-1", plan=[plan_field()], reason="Phone changed there"
        )
        make_item(run, "=1+1", Outcome.FAILED, reason="It has no name.")
        make_item(run, "ACME", Outcome.NEAR_MATCH, reason="the names differ only in capital letters")
        return f"/apps/{connection.id}/runs/{run.id}"


def test_a_number_opens_exactly_those_records_each_with_its_reason(sign_in_as: Any, url: str) -> None:
    """AP-16."""
    page = sign_in_as("support").get(url)
    assert "Calls made" in page.text
    failed = page.click("Failed 1")
    names = [one.text_content() for one in failed.all("//table//tbody/tr/th")]
    assert names[0] == "=1+1"
    assert "It has no name." in failed.text
    assert "Aroha" not in failed.find("//table").text_content()
    updated = page.click("Updated 1")
    assert "take XPM’s: changed in XPM" in updated.text
    assert page.links()["Settle it"] == "/matches?kind=near_match&connection=1"


def test_a_run_is_exported_with_every_reason_and_no_cell_a_spreadsheet_would_run(sign_in_as: Any, url: str) -> None:
    """Fault row 105."""
    page = sign_in_as("support").get(f"{url}/export")
    assert page.headers["Content-Type"] == "text/csv; charset=utf-8"
    rows = list(csv.reader(io.StringIO(page.body.lstrip("\ufeff"))))
    assert [row[:2] for row in rows[1:]] == [
        ["failed", "'=1+1"],
        ["near match", "ACME"],
        ["updated", "Aroha & Tama Ngata"],
    ]
    only = sign_in_as("support").get(f"{url}/export?outcome=updated")
    assert len(list(csv.reader(io.StringIO(only.body)))) == 2
