"""Every route says who may open it, is named after what comes of it, and takes forms of this portal only."""

from __future__ import annotations

from flask import Flask

from portal.domain.people import May

# Routes anybody may open, and why. `open_to_all(reason=…)` in the code gives the reason; this list is the second pair
# of eyes: a new entry here is a decision.
OPEN = {"sign_in", "reset", "health", "static", "sso", "hooks", "pay", "proposal"}
NOT_NOUNS = {"add", "create", "delete", "update", "remove", "do", "get", "set", "list", "save", "show"}


def test_every_route_says_who_may_open_it(app: Flask) -> None:
    unmarked = [
        f"{rule.rule} ({rule.endpoint})"
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and not getattr(app.view_functions[rule.endpoint], "is_marked", False)
    ]
    assert not unmarked, _told(
        "These answer nobody:", unmarked, "Put @needs(May.…) or @open_to_all(reason=…) under the route."
    )


def test_what_a_route_needs_is_something_a_role_can_have(app: Flask) -> None:
    wrong = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        needed = getattr(view, "needs", None)
        if not (needed is None or isinstance(needed, May)):
            wrong.append(f"{rule.rule} needs {needed!r}")
    assert not wrong, _told("Unknown rights:", wrong, "Use a member of May.")


def test_only_a_few_named_pages_are_open_to_all(app: Flask) -> None:
    wrong = []
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        reason = getattr(view, "open_reason", None)
        if reason is None:
            continue
        if rule.endpoint.split(".")[0] not in OPEN:
            wrong.append(f"{rule.rule} ({rule.endpoint}): {reason}")
        assert len(reason) > 12, f"{rule.endpoint} is open to all and hardly says why: {reason!r}"
    assert not wrong, _told(
        "These are open to everybody on the network:", wrong,
        "Give them @needs(…); if they must be open, add them to OPEN in this file, with somebody else reading along.",
    )  # fmt: skip


def test_acts_are_nouns(app: Flask) -> None:
    wrong = [
        rule.rule
        for rule in app.url_map.iter_rules()
        if rule.endpoint != "static" and set(rule.rule.strip("/").split("/")) & NOT_NOUNS
    ]
    assert not wrong, _told("These addresses name an action:", wrong, "Name what comes of it: POST /clients/7/links.")


# Routes that take what no form of ours sent, and what they check instead.
NO_FORM_OF_OURS = {
    "portal.web.hooks.receive": "the vendor's signature over the body",
    "portal.web.proposal.choose": "the link's own secret; a client's phone may keep no cookies",
    "portal.web.proposal.accept": "the link's own secret; a client's phone may keep no cookies",
}


def test_no_other_route_is_exempt_from_the_forgery_check(app: Flask) -> None:
    exempt = set(app.extensions["csrf"]._exempt_views) - set(NO_FORM_OF_OURS)
    assert not exempt, f"These take forms from any site: {sorted(exempt)}. Take the exemption out."


def _told(what: str, wrong: list[str], advice: str) -> str:
    return "\n  ".join([what, *wrong]) + f"\n{advice}"
