"""What every request and every answer keeps to."""

from __future__ import annotations

import pytest
from flask import Flask, request

from portal.web.guard import own_path
from tests.reading import Browser


def test_every_answer_carries_the_security_headers(app: Flask, sign_in_as) -> None:
    """Fault row 110."""
    for answer in (
        app.test_client().get("/sign-in"),
        sign_in_as("admin").client.get("/"),
        app.test_client().get("/nothing-here"),
        app.test_client().get("/static/app.css"),
        app.test_client().get("/healthz"),
    ):
        policy = answer.headers["Content-Security-Policy"]
        for rule in ("default-src 'none'", "script-src 'self'", "frame-ancestors 'none'", "object-src 'none'"):
            assert rule in policy
        assert "unsafe" not in policy
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
        assert answer.headers["Referrer-Policy"] == "same-origin"
        assert answer.headers["X-Request-Id"]


def test_pages_are_kept_by_no_cache(app: Flask, sign_in_as) -> None:
    """Fault row 110."""
    client = sign_in_as("admin").client
    for url in ("/", "/account", "/settings", "/settings/team", "/healthz", "/nothing-here"):
        assert client.get(url).headers["Cache-Control"] == "no-store", url


def test_over_https_the_cookie_is_bound_to_the_host_and_tls_is_remembered(make_app) -> None:
    """Fault row 99: a cookie of another host or of plain HTTP is not ours."""
    client = make_app(public_url="https://portal.example").test_client()
    answer = client.get("/sign-in", base_url="https://portal.example")
    cookie = next(value for value in answer.headers.getlist("Set-Cookie"))
    assert cookie.startswith("__Host-counterpart=")
    assert all(part in cookie for part in ("; Secure", "; HttpOnly", "; Path=/", "; SameSite=Lax"))
    assert "Domain" not in cookie
    assert answer.headers["Strict-Transport-Security"] == "max-age=31536000; includeSubDomains"


def test_a_form_without_the_token_changes_nothing(app: Flask, sign_in_as) -> None:
    """Fault row 97."""
    client = sign_in_as("member").client
    for sent in ({"name": "Mallory"}, {"name": "Mallory", "csrf_token": "made up"}):
        answer = client.post("/account", data=sent)
        assert answer.status_code == 403
        assert "This form has run out" in answer.text
    assert "Bob Tamihana" in client.get("/account").text


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Sec-Fetch-Site": "cross-site", "HX-Request": "true", "HX-Target": "profile"},
    ],
)
def test_a_form_from_another_site_is_refused_even_with_the_token(sign_in_as, headers: dict[str, str]) -> None:
    """Fault row 97."""
    browser = sign_in_as("member")
    assert browser.post("/account", headers=headers, name="Mallory", theme="").status == 403
    assert "Bob Tamihana" in browser.get("/account").text


def test_a_get_never_changes_anything(app: Flask, story) -> None:
    """Fault row 97: code that tries raises."""
    from portal.db import WriteWhileReading, db, reading
    from tests.cast import person

    with story():
        person()
    with app.app_context(), reading():
        person().name = "Somebody else"
        with pytest.raises(WriteWhileReading):
            db.session.flush()
        db.session.rollback()


@pytest.mark.parametrize(
    "target",
    ["https://evil.example/", "//evil.example", "/\\evil.example", "\\/evil.example", "/ok\r\nSet-Cookie: a=b",
     "javascript:alert(1)", "evil", "/\t/evil.example", ""],
)  # fmt: skip
def test_nobody_is_sent_to_another_site_after_signing_in(app: Flask, story, target: str) -> None:
    """Fault row 104."""
    from tests import cast

    with story():
        cast.person().password_hash = cast.PASSWORD_HASH
    assert own_path(target) is None
    browser = Browser(app)
    browser.get("/sign-in")
    browser.follow = False
    answer = browser.post("/sign-in", email=cast.NAMES["admin"][1], password=cast.PASSWORD, next=target)
    assert (answer.status, answer.headers["Location"]) == (303, "/")


def test_links_use_the_configured_address_whatever_the_browser_claims(make_app, story) -> None:
    """Fault row 106."""
    from tests.cast import make_user, person

    with story():
        person()
        bob = make_user("Bob Other", "other@marlow.example").id
    app = make_app(public_url="https://portal.example")
    browser = Browser(app).signed_in_as("admin")
    answer = browser.client.get("/sign-in", base_url="https://evil.example")
    assert answer.status_code == 400
    page = browser.get(f"/settings/team/{bob}").submit("Make a link to set a password")
    assert page.find("//input[@id='fresh-link']").get("value").startswith("https://portal.example/sign-in/password/")


def test_forwarded_addresses_count_only_from_as_many_proxies_as_are_configured(make_app) -> None:
    forged = {"X-Forwarded-For": "6.6.6.6, 10.0.0.7", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "localhost"}
    seen: list[tuple[str | None, bool]] = []

    def look() -> None:
        seen.append((request.remote_addr, request.is_secure))

    for proxies in (0, 1):
        portal = make_app(proxies=proxies)
        portal.before_request_funcs.setdefault(None, []).insert(0, look)
        portal.test_client().get("/healthz", headers=forged)
    assert seen == [("127.0.0.1", False), ("10.0.0.7", True)]
    evil = make_app(proxies=1).test_client().get("/healthz", headers=forged | {"X-Forwarded-Host": "evil.example"})
    assert evil.status_code == 400


def test_too_large_a_body_is_refused(sign_in_as) -> None:
    """Fault row 108."""
    client = sign_in_as("member").client
    answer = client.post("/account", data=b"name=" + b"x" * 3_000_000, content_type="application/x-www-form-urlencoded")
    assert (answer.status_code, "That was too much at once" in answer.text) == (413, True)


def test_too_many_fields_are_refused(sign_in_as) -> None:
    """Fault row 108."""
    client = sign_in_as("member").client
    body = "&".join(f"field{number}=1" for number in range(10_000))
    assert client.post("/account", data=body, content_type="application/x-www-form-urlencoded").status_code == 413


def test_fields_nobody_asked_for_are_ignored(sign_in_as, story) -> None:
    """Fault row 107: a member cannot make themselves an admin by sending more than the form has."""
    from tests.cast import person

    browser = sign_in_as("member")
    browser.post("/account", name="Bob T", theme="", role="admin", is_active="", email="admin@evil.example", id="1")
    with story():
        bob = person("member")
        assert (bob.name, bob.role, bob.email) == ("Bob T", "member", "bob@marlow.example")


def test_a_failure_shows_a_reference_and_nothing_of_the_inside(make_app, caplog: pytest.LogCaptureFixture) -> None:
    """Fault row 109."""
    app = make_app()

    def broken() -> None:
        raise RuntimeError("SELECT secret FROM vault")

    app.before_request_funcs.setdefault(None, []).append(broken)
    answer = app.test_client().get("/sign-in")
    assert answer.status_code == 500
    reference = answer.headers["X-Request-Id"]
    assert f"Reference {reference}" in answer.text
    assert all(word not in answer.text for word in ("SELECT", "Traceback", "RuntimeError", "portal/"))
    assert reference in caplog.text
    assert "SELECT secret FROM vault" in caplog.text
    fragment = app.test_client().get("/sign-in", headers={"HX-Request": "true", "HX-Target": "rows"})
    assert (fragment.status_code, fragment.headers["HX-Retarget"]) == (500, "#flashes")
    assert "<html" not in fragment.text


def test_a_busy_database_gives_a_page_that_says_to_try_again(make_app) -> None:
    """Fault row 76."""
    from sqlalchemy.exc import OperationalError

    app = make_app()

    def locked() -> None:
        raise OperationalError("INSERT INTO client", {}, Exception("database is locked"))

    app.before_request_funcs.setdefault(None, []).append(locked)
    answer = app.test_client().get("/sign-in")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "5")
    assert "The portal is busy" in answer.text
    assert "INSERT" not in answer.text


@pytest.mark.parametrize(
    ("url", "status"), [("/nothing-here", 404), ("/settings/team/999", 404), ("/account/sessions/9", 404)]
)
def test_an_address_without_a_page_says_so_kindly(sign_in_as, url: str, status: int) -> None:
    page = sign_in_as("admin").get(url)
    assert (page.status, page.h1) == (status, "There is nothing at this address")


def test_a_page_for_forms_only_says_so(sign_in_as) -> None:
    page = sign_in_as("admin").get("/settings/team/1/deactivation")
    assert (page.status, page.h1, page.headers["Allow"]) == (405, "This address only takes a form", "OPTIONS, POST")


@pytest.mark.parametrize("role", ["member", "support"])
def test_no_role_gets_past_a_route_it_has_no_right_to(app: Flask, sign_in_as, role: str) -> None:
    """Fault row 98: read from the map of all routes, so that a new one is covered by being there."""
    from portal.domain.people import ALLOWED, Role

    browser = sign_in_as(role)
    refused = 0
    for rule in app.url_map.iter_rules():
        needed = getattr(app.view_functions[rule.endpoint], "needs", None)
        if needed is None or needed in ALLOWED[Role(role)]:
            continue
        url = _filled(rule)
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            page = browser.get(url) if method == "GET" else browser.post(url)
            assert (page.status, page.h1) == (403, "Your role does not reach here"), f"{method} {url}"
            refused += 1
    assert refused > 10


def test_nobody_gets_in_without_signing_in(app: Flask) -> None:
    """Fault row 98."""
    browser = Browser(app)
    browser.follow = False
    closed = 0
    for rule in app.url_map.iter_rules():
        view = app.view_functions[rule.endpoint]
        if not hasattr(view, "needs"):
            continue
        for method in rule.methods - {"HEAD", "OPTIONS"}:
            url = _filled(rule)
            page = browser.get(url) if method == "GET" else browser.post(url)
            assert page.status == 303, f"{method} {url}"
            assert page.headers["Location"].startswith("/sign-in"), f"{method} {url}"
            closed += 1
    assert closed > 20


def test_a_view_nobody_marked_answers_nobody(make_app, caplog: pytest.LogCaptureFixture) -> None:
    app = make_app()
    app.add_url_rule("/forgotten", "forgotten", lambda: "open door")
    answer = app.test_client().get("/forgotten")
    assert (answer.status_code, "open door" in answer.text) == (404, False)
    assert "neither @needs nor @open_to_all" in caplog.text


def test_line_breaks_in_what_people_type_reach_neither_headers_nor_log(sign_in_as, caplog) -> None:
    """Fault row 105."""
    browser = sign_in_as("member")
    page = browser.post("/account", name="Bob\r\nSet-Cookie: evil=1", theme="")
    assert page.status == 200
    assert "evil" not in str(page.response.headers)
    assert "Bob Set-Cookie: evil=1" in page.text


def test_markup_in_names_stays_text(sign_in_as) -> None:
    """Fault rows 102 and 103."""
    name = '<script>alert(1)</script><b hx-get="/clients" hx-trigger="load">"\'&'
    page = sign_in_as("member").post("/account", name=name, theme="")
    assert page.find("//input[@name='name']").get("value") == name
    assert not page.all("//main//b[@hx-get] | //main//script | //header//script")


def _filled(rule) -> str:
    """The address of a rule with 1 for every id, and the first of what can be chosen."""
    chosen = {name: sorted(getattr(held, "items", None) or ["1"])[0] for name, held in rule._converters.items()}
    values = {name: rule._converters[name].to_python(chosen[name]) for name in rule.arguments}
    _domain, url = rule.build(values, append_unknown=False)
    return url
