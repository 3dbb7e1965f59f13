"""What screens ask about runs, and the ticks of a preview."""

from __future__ import annotations

from datetime import timedelta

import pytest

from portal.domain import activity, runs
from portal.domain.activity import Actor
from portal.domain.apps import IllegalMove, Outcome, RunItem, RunKind, RunState
from tests.cast import make_connection, now, person
from tests.cast_runs import make_item, make_run
from tests.cast_runs import plan_field as field

pytestmark = pytest.mark.usefixtures("database", "clock")


def names(items: list[RunItem]) -> list[str]:
    return [item.name for item in items]


def test_the_summary_names_what_happened_and_leaves_what_stayed_the_same_away() -> None:
    run = make_run(counts={"unchanged": 1204, "updated": 12, "conflict": 1, "near_match": 2})
    assert runs.summary(run) == "12 updated, 2 near matches and 1 conflict"


def test_a_run_that_changed_nothing_says_so() -> None:
    assert runs.summary(make_run(counts={"unchanged": 1204})) == "nothing to change, 1,204 in step"
    assert runs.summary(make_run(make_connection(account_name="Other"))) == "nothing to change"


def test_a_preview_speaks_of_what_would_happen() -> None:
    run = make_run(kind=RunKind.PREVIEW, counts={"created": 3, "linked": 1})
    assert runs.summary(run) == "3 to create and 1 to link"


def test_every_outcome_has_words_and_a_place_in_lists() -> None:
    assert set(runs.DID) == set(runs.WOULD_DO) == set(runs.IN_ORDER) == set(Outcome)
    assert set(runs.STATE_WORDS) == set(RunState)


def test_time_left_follows_from_the_rate_of_the_present_phase() -> None:
    run = make_run(state=RunState.RUNNING, started_at=now(), phase="matching", done=640, total=1204, rate=210.0)
    seen = runs.progress(run, now() + timedelta(seconds=4), used_today=2, allowance=5000)
    assert (seen.phase_sentence, seen.seconds_left) == ("Working out who is who", 3)
    assert (seen.used_today, seen.allowance, seen.is_over_an_hour) == (2, 5000, False)


def test_nobody_promises_a_time_before_the_rate_is_known() -> None:
    run = make_run(state=RunState.RUNNING, started_at=now(), phase="reading", done=640)
    assert runs.progress(run, now()).seconds_left is None


def test_a_run_past_the_hour_is_flagged_while_it_runs() -> None:
    """XPM-11, AP-15."""
    run = make_run(state=RunState.RUNNING, started_at=now())
    assert not runs.progress(run, now() + timedelta(minutes=59)).is_over_an_hour
    assert runs.progress(run, now() + timedelta(minutes=61)).is_over_an_hour
    run.state, run.ended_at = RunState.DONE, now() + timedelta(minutes=61)
    assert not runs.progress(run, now() + timedelta(minutes=62)).is_over_an_hour


def test_a_clock_that_jumps_back_shows_no_negative_duration() -> None:
    """Fault row 68."""
    run = make_run(state=RunState.RUNNING, started_at=now())
    assert runs.took(run, now() - timedelta(hours=1)) == timedelta()


def test_lists_show_what_needs_a_person_first_and_page_through_everything_once() -> None:
    run = make_run()
    for number in range(5):
        make_item(run, f"created {number}", Outcome.CREATED)
        make_item(run, f"failed {number}", Outcome.FAILED)
        make_item(run, f"conflict {number}", Outcome.CONFLICT)
    seen, page = [], runs.item_page(run, limit=4)
    while True:
        seen += names(page.rows)
        if page.after is None:
            break
        page = runs.item_page(run, after=page.after, limit=4)
    expected = [f"{kind} {number}" for kind in ("failed", "conflict", "created") for number in range(5)]
    assert seen == expected


def test_going_back_a_page_shows_the_same_rows_again() -> None:
    run = make_run()
    for number in range(3):
        make_item(run, f"created {number}", Outcome.CREATED)
        make_item(run, f"failed {number}", Outcome.FAILED)
    first = runs.item_page(run, limit=2)
    second = runs.item_page(run, after=first.after or 0, limit=2)
    third = runs.item_page(run, after=second.after or 0, limit=2)
    assert first.before is None
    assert names(runs.item_page(run, before=third.before or 0, limit=2).rows) == names(second.rows)
    back = runs.item_page(run, before=second.before or 0, limit=2)
    assert (names(back.rows), back.before) == (names(first.rows), None)


def test_one_outcome_or_part_of_a_name_can_be_picked() -> None:
    run = make_run()
    make_item(run, "Aroha & Tama Ngata", Outcome.CONFLICT)
    make_item(run, "Acme 100%", Outcome.CREATED)
    make_item(run, "Acme 1000", Outcome.CREATED)
    assert names(runs.items(run, Outcome.CONFLICT)) == ["Aroha & Tama Ngata"]
    assert names(runs.items(run, name="aroha")) == ["Aroha & Tama Ngata"]
    assert names(runs.items(run, name="100%")) == ["Acme 100%"]


def test_an_export_reads_every_row_in_portions() -> None:
    run = make_run()
    for number in range(7):
        make_item(run, str(number), Outcome.CREATED)
    assert names(list(runs.every_item(run, portion=3))) == [str(number) for number in range(7)]


def test_a_row_of_another_run_is_not_handed_out() -> None:
    """Fault row 98."""
    run, other = make_run(), make_run(make_connection(account_name="Other"))
    item = make_item(other, "Acme")
    assert runs.item(run, item.id) is None
    assert runs.some_items(run, [item.id]) == []
    assert runs.get(run.connection_id, other.id) is None
    assert runs.items(run, after_id=item.id) == []


def test_leaving_out_the_last_field_leaves_the_record_out() -> None:
    item = make_item(make_run(), "Acme", plan=[field("phone"), field("fax", "push"), field("website", "keep")])
    runs.set_field_included(item, "phone", False)
    assert (item.left_out, item.is_included) == (["phone"], True)
    runs.set_field_included(item, "fax", False)
    assert (item.left_out, item.is_included) == (["phone", "fax"], False)


def test_taking_one_field_into_a_record_left_out_takes_just_that_field() -> None:
    item = make_item(make_run(), "Acme", plan=[field("phone"), field("fax")], is_included=False)
    runs.set_field_included(item, "fax", True)
    assert (item.left_out, item.is_included) == (["phone"], True)


def test_taking_a_record_in_again_takes_all_its_fields_when_none_was_left() -> None:
    item = make_item(make_run(), "Acme", plan=[field("phone")], is_included=False, left_out=["phone"])
    runs.set_included(item, True)
    assert (item.left_out, item.is_included) == ([], True)


def test_fields_that_stay_where_they_are_cannot_be_ticked() -> None:
    item = make_item(make_run(), "Acme", plan=[field("phone"), field("fax", "hold"), field("contact", "later")])
    for key in ("fax", "contact", "no such field"):
        runs.set_field_included(item, key, False)
    assert (item.left_out, item.is_included) == ([], True)


def test_what_was_applied_or_needs_a_person_cannot_be_ticked() -> None:
    run = make_run()
    applied = make_item(run, "Acme", applied="updated")
    near = make_item(run, "ACME", Outcome.NEAR_MATCH, is_included=False)
    runs.set_included(applied, False)
    runs.set_included(near, True)
    assert (applied.is_included, near.is_included) == (True, False)


def test_all_of_an_outcome_are_left_out_at_once_and_the_rest_stays() -> None:
    run = make_run(kind=RunKind.PREVIEW)
    for number in range(3):
        make_item(run, f"created {number}", Outcome.CREATED)
    make_item(run, "created before", Outcome.CREATED, applied="created")
    make_item(run, "updated", Outcome.UPDATED, plan=[field("phone")])
    make_item(run, "near", Outcome.NEAR_MATCH, is_included=False)
    assert runs.include_all(run, Outcome.CREATED, False) == 3
    assert runs.ticked(run) == {Outcome.UPDATED: (1, 1), Outcome.CREATED: (0, 3)}
    assert runs.include_all(run, None, True) == 4
    assert runs.ticked(run) == {Outcome.UPDATED: (1, 1), Outcome.CREATED: (3, 3)}
    assert runs.include_all(run, Outcome.NEAR_MATCH, True) == 0


def test_a_preview_is_overtaken_by_a_later_sync_but_not_by_applying_itself() -> None:
    connection = make_connection()
    preview = make_run(connection, kind=RunKind.PREVIEW)
    make_run(connection, kind=RunKind.APPLY, preview_id=preview.id)
    assert runs.overtaken_by(preview) is None
    later = make_run(connection)
    assert runs.overtaken_by(preview) == later
    application = runs.application(preview)
    assert application is not None
    assert application.preview_id == preview.id


def test_the_run_under_way_the_held_one_and_the_last_good_one_are_told_apart() -> None:
    connection = make_connection()
    done = make_run(connection)
    make_run(connection, state=RunState.FAILED)
    held = make_run(connection, state=RunState.HELD)
    assert (runs.latest_ended(connection), runs.held(connection), runs.latest_open(connection)) == (done, held, None)
    preview = make_run(connection, kind=RunKind.PREVIEW, state=RunState.RUNNING)
    assert (runs.latest_open(connection), runs.held(connection)) == (preview, held)
    preview.state = RunState.DONE
    make_run(connection)
    assert runs.held(connection) is None


def test_leaving_a_held_run_changes_nothing_and_is_on_record() -> None:
    run = make_run(state=RunState.HELD, counts={"broken": 40})
    runs.leave(run, app="XPM", by=Actor.person(person()), now=now())
    assert run.state == RunState.CANCELLED
    assert "Nothing was changed" in run.message
    (line,) = activity.log(connection_id=run.connection_id)
    assert (line.verb, line.actor_name) == (activity.Verb.SYNC_CANCELLED, "Alice Ngata")
    with pytest.raises(IllegalMove):
        runs.leave(run, app="XPM", by=Actor.person(person()), now=now())


def test_the_box_that_was_changed_decides_what_is_left_of_a_row() -> None:
    item = make_item(make_run(), "Acme", plan=[field("phone"), field("fax")])
    runs.choose(item, True, {"phone"})
    assert (item.is_included, item.left_out) == (True, ["fax"])
    runs.choose(item, False, {"phone"})
    assert not item.is_included
    runs.choose(item, False, {"fax"})
    assert (item.is_included, item.left_out) == (True, ["phone"])
    runs.choose(item, True, set())
    assert not item.is_included
    runs.choose(item, True, set())
    assert (item.is_included, item.left_out) == (True, [])
    runs.choose(item, True, {"phone", "fax", "a field it does not have"})
    assert (item.is_included, item.left_out) == (True, [])
