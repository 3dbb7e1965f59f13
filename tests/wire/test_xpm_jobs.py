"""Jobs deployed to Xero Practice Manager from templates, each of them once, in both of its wire formats."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from portal.adapters.base import NeedsReconnect, NotThere, RateLimited, Rejected, UnexpectedReply, Unknown
from portal.adapters.xpm import Xpm, jobs
from portal.domain.records import JobOut, JobRecord
from tests.adapters.conftest import Door


@dataclass
class Practice:
    door: Door

    def __post_init__(self) -> None:
        self.reference = self.door.adapter.fetch_reference(self.door.session())
        self.client = next(one for one in self.door.sandbox.control.clients() if not one["archived"])["uuid"]
        self.door.sandbox.control.clear_calls()

    def chosen(self, what: str, name: str) -> str:
        return next(one.remote_id for one in self.reference.lists[what] if one.name == name)

    def job(self, **changes: Any) -> JobOut:
        staff = [one.remote_id for one in self.reference.staff]
        values: dict[str, Any] = {
            "key": "j1", "mark": "5f3c9a", "client_id": self.client, "name": "Annual accounts & <tax> 2026",
            "description": "Annual accounts\nTax return", "start_on": date(2026, 11, 23), "due_on": date(2027, 3, 31),
            "template_id": self.chosen("job templates", "GST Return"),
            "category_id": self.chosen("job categories", "GST"), "budget": Decimal("1250.50"), "partner_id": staff[0],
            "manager_id": staff[1], "staff_ids": (staff[2], staff[3]), "order_number": "PROP-7",
        }  # fmt: skip
        return JobOut(**values | changes)

    def create(self, job: JobOut) -> JobRecord:
        made: JobRecord = self.door.adapter.create_job(self.door.session(), job)
        return made

    def find(self, **wanted: str) -> list[JobRecord]:
        return list(self.door.adapter.find_jobs(self.door.session(), self.client, **wanted))

    def there(self) -> list[dict[str, Any]]:
        return list(self.door.sandbox.control.ask("GET", f"jobs?client={self.client}"))

    def spoil(self, kind: str, path: str = "job.api/add", **values: Any) -> None:
        self.door.sandbox.control.fault(kind, vendor="xpm", path=path, **values)


@pytest.fixture(params=["xml", "json"])
def practice(make_door: Callable[..., Door], request: pytest.FixtureRequest) -> Practice:
    return Practice(make_door(Xpm, XPM_WIRE_FORMAT=request.param))


def test_a_job_has_what_its_settings_say_and_the_tasks_of_its_template(practice: Practice) -> None:
    """XP-15, XP-16, XP-17."""
    job = practice.job()
    made = practice.create(job)
    (there,) = practice.there()
    assert (there["Name"], there["ClientOrderNumber"], Decimal(there["Budget"])) == (job.name, "PROP-7", job.budget)
    assert (there["StartDate"], there["DueDate"]) == ("2026-11-23T00:00:00", "2027-03-31T00:00:00")
    assert there["Description"] == "Annual accounts\nTax return\n\nCounterpart job 5f3c9a"
    assert there["CategoryUUID"] == job.category_id
    assert [one["Name"] for one in there["Tasks"]] == ["Preparation", "Review", "Client Query"]
    assert (there["Partner"]["UUID"], there["Manager"]["UUID"]) == (job.partner_id, job.manager_id)
    assert [one["UUID"] for one in there["Assigned"]] == list(job.staff_ids)
    assert made == JobRecord(
        remote_id=there["uuid"], number=there["number"], name=job.name, client_id=job.client_id, order_number="PROP-7",
        web_url=made.web_url, mark="5f3c9a", state="Planned", partner_id=job.partner_id, manager_id=job.manager_id,
        staff_ids=job.staff_ids,
    )  # fmt: skip
    assert made.web_url.startswith("https://practicemanager.xero.com/")
    assert len(practice.door.calls()) == 2


def test_a_job_without_people_template_or_reference_takes_one_call(practice: Practice) -> None:
    """XP-17: a job that is not billed has no reference."""
    bare = practice.job(
        partner_id="", manager_id="", staff_ids=(), template_id="", category_id="", order_number="", budget=None
    )
    made = practice.create(bare)
    assert (made.order_number, made.staff_ids, made.unfinished) == ("", (), "")
    assert practice.there()[0]["Tasks"] == []
    assert len(practice.door.calls()) == 1


def test_a_job_is_found_by_its_mark_or_by_its_order_number(practice: Practice) -> None:
    first = practice.create(practice.job())
    second = practice.create(practice.job(mark="77", staff_ids=()))
    third = practice.create(practice.job(mark="78", order_number="PROP-8", description=""))
    assert practice.find(mark="5f3c9a") == [replace(first, web_url="")]
    assert [one.number for one in practice.find(mark="78")] == [third.number]
    assert [one.number for one in practice.find(order_number="PROP-7")] == [first.number, second.number]
    assert len(practice.find()) == 3
    assert practice.find(mark="nobodys", order_number="PROP-7") == [], "of one proposal there may be several jobs"
    assert {one.client_id for one in practice.find()} == {practice.client}


def test_somebody_elses_job_has_no_mark(practice: Practice) -> None:
    practice.create(practice.job(mark="x", description="Speaks of a Counterpart job somewhere"))
    (found,) = practice.find()
    assert found.mark == "x"
    assert jobs.record({"Job": {"ID": "J1", "Description": "A Counterpart job 5 of ours"}}).mark == ""


@pytest.mark.parametrize(
    "fault",
    [{"kind": "accept_then_drop"}, {"kind": "accept_then_status", "status": 500}, {"kind": "drop"},
     {"kind": "garbage", "garbage": "truncated"}, {"kind": "garbage", "garbage": "html"}],
)  # fmt: skip
def test_a_job_whose_answer_was_lost_is_found_and_finished_and_not_made_again(
    practice: Practice, fault: dict[str, Any]
) -> None:
    """Fault rows 3, 4, 11, 12 and 21."""
    job = practice.job()
    is_done = fault["kind"] != "drop" and fault.get("garbage") != "html"
    practice.spoil(times=1, **fault)
    with pytest.raises(Unknown):
        practice.create(job)
    found = practice.find(mark=job.mark)
    if not is_done:
        assert found == []
        practice.create(job)
        return
    finished = practice.door.adapter.finish_job(practice.door.session(), found[0], job)
    assert (finished.partner_id, finished.staff_ids, finished.unfinished) == (job.partner_id, job.staff_ids, "")
    assert len(practice.there()) == 1


def test_a_job_with_all_its_people_is_finished_by_looking_at_it(practice: Practice) -> None:
    job = practice.job()
    made = practice.create(job)
    assert practice.door.adapter.finish_job(practice.door.session(), made, job) == made
    assert [one["method"] for one in practice.door.calls()] == ["POST", "PUT", "GET"]


def test_people_that_cannot_be_assigned_leave_a_job_that_says_so(practice: Practice) -> None:
    made = practice.create(practice.job(staff_ids=("00000000-0000-4000-8000-000000000000",)))
    assert "Invalid staff identifier" in made.unfinished
    assert made.unfinished.startswith(f"The job {made.number} is there")
    assert len(practice.there()) == 1


@pytest.mark.parametrize("kind", ["accept_then_drop", "revoked", "garbage"])
def test_whatever_happens_to_the_assignment_the_job_is_known(practice: Practice, kind: str) -> None:
    """Fault row 7: the second step is taken up alone."""
    job = practice.job()
    practice.spoil(kind, "job.api/assign", times=1, **({"garbage": "html"} if kind == "garbage" else {}))
    made = practice.create(job)
    assert made.number
    assert made.unfinished.endswith(".")
    finished = practice.door.adapter.finish_job(practice.door.session(), made, job)
    assert (finished.unfinished, finished.manager_id, len(practice.there())) == ("", job.manager_id, 1)


@pytest.mark.parametrize(
    ("changes", "words"),
    [({"template_id": "nonsense"}, "Invalid job template identifier"), ({"client_id": "nobody"}, "client"),
     ({"category_id": "nonsense"}, "category"), ({"name": ""}, "name"), ({"mark": ""}, ""), ({"mark": "a b"}, "")],
)  # fmt: skip
def test_a_refused_job_is_told_with_the_reason_and_nothing_is_made(
    practice: Practice, changes: dict[str, Any], words: str
) -> None:
    """Fault row 13."""
    with pytest.raises(Rejected) as caught:
        practice.create(practice.job(**changes))
    assert words in caught.value.vendor_text
    assert caught.value.message.endswith(".") or words in caught.value.message
    assert practice.there() == []


def test_an_error_inside_a_200_makes_no_job(practice: Practice) -> None:
    """Fault row 13."""
    practice.spoil("business_error", message="The moon is in the wrong house")
    with pytest.raises(Rejected, match="moon"):
        practice.create(practice.job())


@pytest.mark.parametrize(
    ("kind", "error"), [("revoked", NeedsReconnect), ("rate_limited", RateLimited), ("drop", Unknown)]
)
def test_whatever_goes_wrong_has_one_of_the_names_we_act_on(
    practice: Practice, kind: str, error: type[Exception]
) -> None:
    practice.spoil(kind, **({"retry_after": 7200, "problem": "day"} if kind == "rate_limited" else {}))
    with pytest.raises(error):
        practice.create(practice.job())


@pytest.mark.parametrize("is_404", [True, False])
def test_jobs_of_a_client_that_is_not_there_are_not_an_empty_list(practice: Practice, is_404: bool) -> None:
    practice.door.sandbox.control.state(unknown_uuid_is_404=is_404)
    with pytest.raises(NotThere):
        practice.door.adapter.find_jobs(practice.door.session(), "00000000-0000-4000-8000-000000000000", mark="x")


def test_a_job_that_cannot_be_understood_is_not_overlooked(make_door: Callable[..., Door]) -> None:
    """Fault row 24: it may be the very one that is looked for."""
    practice = Practice(make_door(Xpm))
    practice.create(practice.job())
    practice.spoil("rewrite", "job.api/client", replace=[["<ID>", "<Id>"], ["</ID>", "</Id>"]])
    with pytest.raises(UnexpectedReply, match="no number"):
        practice.find(mark="5f3c9a")


def test_templates_and_categories_are_told_by_name(practice: Practice) -> None:
    """XPM-7."""
    templates, categories = practice.door.adapter.fetch_job_choices(practice.door.session())
    assert {one.name for one in templates} == {one.name for one in practice.reference.lists["job templates"]}
    assert {one.name for one in categories} == {one.name for one in practice.reference.lists["job categories"]}
    assert all(one.tasks == () for one in templates), "which tasks they hold is not told"


def test_making_jobs_needs_more_than_reading_them(make_door: Callable[..., Door]) -> None:
    """A connection made before jobs could be deployed has to be made again, and works for all else until then."""
    practice = Practice(make_door(Xpm))
    scopes = [one.replace("practicemanager.job", "practicemanager.job.read") for one in Xpm.info.scopes]
    given = practice.door.sandbox.control.tokens(scopes=scopes, tenants=[practice.door.account["id"]])
    session = practice.door.session()
    assert practice.door.tokens is not None
    practice.door.tokens.held = [given["access_token"]]
    assert practice.door.adapter.find_jobs(session, practice.client) == []
    with pytest.raises(Rejected, match="only read them"):
        practice.door.adapter.create_job(session, practice.job())
