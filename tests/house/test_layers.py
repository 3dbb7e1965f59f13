"""Who may import whom. The table is docs/architecture.md's; a change of it is a decision, made there first."""

from __future__ import annotations

import ast
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.house.source import imports, is_within, modules, shown, tree

STANDARD = frozenset(sys.stdlib_module_names)
SMALL_PURE = {"rapidfuzz", "babel"}
ALWAYS_PURE = {"records", "text", "fields", "matching", "planning"}
SHELLS = {
    "portal.billing", "portal.deploying", "portal.sync", "portal.deliveries", "portal.receivables", "portal.collecting",
    "portal.mailer",
}  # fmt: skip
CONTRACTS = ("portal.adapters.base", "portal.adapters.jobs", "portal.adapters.ledger")  # what adapters promise
SIGN_IN = "_sign_in"  # adapters of one vendor share the file that knows its sign-in
SHARED = ("base", "http", "ledger", "oauth", "values")  # what adapters have in common


@dataclass(frozen=True)
class Layer:
    """`ours`: what it may import of this project; `libraries`: of others (None: any but those in `never`)."""

    where: tuple[str, ...]
    ours: tuple[str, ...]
    libraries: frozenset[str] | None = None
    never: tuple[str, ...] = ()
    advice: str = ""


LAYERS = {
    "domain": Layer(
        ("portal.domain",),
        ("portal.domain", "portal.db"),
        never=("flask", "flask_login", "werkzeug", "requests", "urllib3", "apscheduler", "authlib", "lxml", "gunicorn"),
        advice="The domain is told what it needs by its callers: pass the value in, or move the code to the shell.",
    ),
    "adapters": Layer(
        ("portal.adapters",),
        ("portal.adapters", "portal.domain.records", "portal.domain.text", "portal.domain.fields"),
        never=("flask", "flask_sqlalchemy", "sqlalchemy", "apscheduler"),
        advice="An adapter only turns a vendor's wire format into records and back; storing them is the shell's work.",
    ),
    "integrations": Layer(
        ("portal.integrations",),
        ("portal.integrations", "portal.adapters", "portal.domain", "portal.config", "portal.db", "portal.keys",
         "portal.call_budget", "portal.token_keeper"),
        never=("flask.request", "flask.session", "flask_login", "requests", "apscheduler"),
        advice="integrations.py hooks adapters together; screens and shells come to it, not the other way round.",
    ),
    "keepers": Layer(
        ("portal.call_budget", "portal.token_keeper"),
        ("portal.adapters.base", "portal.adapters.http", "portal.domain", "portal.db"),
        never=("flask", "flask_login", "requests", "apscheduler"),
        advice="The keepers of tokens and of call allowances know accounts and rows, no vendor by name.",
    ),
    "printing": Layer(
        ("portal.invoice_pdf",),
        ("portal.invoice_pdf", "portal.domain"),
        never=("flask", "sqlalchemy", "requests", "apscheduler"),
        advice="What is printed comes in as plain values; the domain puts them together.",
    ),
    "shells": Layer(
        tuple(sorted(SHELLS)),
        ("portal.domain", "portal.integrations", "portal.adapters.http", "portal.db", "jobs.queue",
         "portal.invoice_pdf", *CONTRACTS, *sorted(SHELLS)),
        never=("flask.request", "flask.session", "flask_login", "requests", "apscheduler", "wtforms", "flask_wtf"),
        advice="A shell is called by screens, jobs and commands alike: it knows no request and no vendor by name.",
    ),
    "web": Layer(
        ("portal.web",),
        ("portal.web", "portal.domain", "portal.integrations", "portal.config", "portal.db", "portal.keys",
         "portal.integrity", "portal.invoice_pdf", "jobs", *CONTRACTS, *sorted(SHELLS)),
        never=("requests", "urllib3", "apscheduler", "lxml", "jobs.schedule"),
        advice="A screen asks the domain or a shell. Put the query or the call there and give it a name.",
    ),
    "jobs": Layer(
        ("jobs",),
        ("jobs", "portal.domain", "portal.integrations", "portal.token_keeper", "portal.config", "portal.db",
         "portal.backup", "portal.integrity", *sorted(SHELLS)),
        never=("requests", "flask.request", "flask_login", "wtforms", "flask_wtf"),
        advice="A job says when; what is done stands in a shell.",
    ),
    "sandbox": Layer(
        ("portal.sandbox",),
        ("portal.sandbox",),
        frozenset({"flask", "werkzeug", "jinja2", "markupsafe", "cryptography", "aiosmtpd"}),
        advice="The sandbox stands in for strangers: it may know nothing of the portal. Copy the few lines it needs.",
    ),
    "commands": Layer(
        ("portal.commands", "portal.demo"),
        ("portal.commands", "portal.demo", "portal.domain", "portal.integrations", "portal.backup", "portal.integrity",
         "portal.start", "portal.config", "portal.db", "portal.keys", "portal.sandbox.names", "portal.sandbox.client",
         "portal.sandbox.vendor", "portal.adapters.base", "jobs", *sorted(SHELLS)),
        never=("requests", "flask.request", "flask_login"),
        advice="A command is an edge like a screen: it asks the domain or a shell, and commits.",
    ),
    "foundations": Layer(
        ("portal.config", "portal.keys", "portal.db"),
        ("portal.config", "portal.keys"),
        never=("flask.request", "flask_login", "requests"),
        advice="Everything stands on config, keys and db; they stand on nothing of ours.",
    ),
    "backup": Layer(
        ("portal.backup", "portal.integrity", "portal.start"),
        ("portal.backup", "portal.integrity", "portal.config", "portal.db", "portal.keys",
         "portal.domain.client_search", "portal.domain.people"),
        never=("flask.request", "flask_login", "requests"),
        advice="Backups and the checks at the start know tables, not screens.",
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", LAYERS)
def test_a_layer_imports_only_what_stands_below_it(name: str) -> None:
    layer = LAYERS[name]
    wrong = []
    for place in layer.where:
        for _, path in modules(place):
            for one in imports(path):
                if not _may(layer, one.name):
                    wrong.append(f"{shown(path)}:{one.line} imports {one.name}")
    assert not wrong, _told(f"The layer “{name}” may not:", wrong, layer.advice)


def _may(layer: Layer, name: str) -> bool:
    if any(is_within(name, one) for one in layer.never):
        return False
    root = name.split(".")[0]
    if root in ("portal", "jobs", "app", "tests"):
        return name == "portal" or any(is_within(name, one) or is_within(one, name) for one in layer.ours)
    return layer.libraries is None or root in STANDARD or root in layer.libraries


def test_pure_files_touch_nothing_but_values() -> None:
    wrong = []
    pure = {f"portal.domain.{name}" for name in ALWAYS_PURE}
    for name, path in modules("portal.domain"):
        if "PURE" in (ast.get_docstring(tree(path)) or "").split("\n\n")[0]:
            pure.add(name)
    for name in sorted(pure):
        path = dict(modules("portal.domain"))[name]
        for one in imports(path):
            root = one.name.split(".")[0]
            is_pure = any(is_within(one.name, other) for other in pure)
            if not (root in STANDARD or root in SMALL_PURE or is_pure):
                wrong.append(f"{shown(path)}:{one.line} imports {one.name}")
        wrong += [f"{shown(path)}:{line} looks at the clock" for line in _clock_readings(tree(path))]
    assert not wrong, _told(
        "Files that call themselves PURE import the standard library, each other, rapidfuzz and babel only:",
        wrong, "Pass the value in. If the file must touch the database, take the word PURE out of its docstring.",
    )  # fmt: skip


def _clock_readings(module: ast.Module) -> list[int]:
    return [
        node.lineno
        for node in ast.walk(module)
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr in {"now", "utcnow", "today"}
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id in {"datetime", "date"}
    ]


def test_the_domain_is_told_the_time_and_never_asks() -> None:
    wrong = [f"{shown(path)}:{line}" for _, path in modules("portal.domain") for line in _clock_readings(tree(path))]
    assert not wrong, _told("These look at the clock:", wrong, "Take `now` or `as_of` as an argument.")


def test_no_adapter_knows_another_vendor() -> None:
    wrong = []
    for name, path in modules("portal.adapters"):
        own = name.split(".")[2] if name.count(".") >= 2 else ""
        for one in imports(path):
            if not one.name.startswith("portal.adapters."):
                continue
            other = one.name.split(".")[2]
            if other not in {own, *SHARED} and not other.endswith(SIGN_IN):
                wrong.append(f"{shown(path)}:{one.line} imports {one.name}")
    assert not wrong, _told(
        "Adapters share base.py, http, oauth.py, values.py and their vendor's sign-in, nothing else:", wrong,
        "Move what both need into one of these.",
    )  # fmt: skip


def test_nothing_but_the_demo_and_tests_imports_the_sandbox() -> None:
    wrong = []
    for name, path in [*modules("portal"), *modules("jobs"), *modules("app")]:
        if name.startswith(("portal.sandbox", "portal.demo", "portal.commands.demo")):
            continue
        wrong += [
            f"{shown(path)}:{one.line} imports {one.name}"
            for one in imports(path)
            if is_within(one.name, "portal.sandbox")
        ]
    assert not wrong, _told(
        "The portal does not know that there is a sandbox:", wrong, "Reach it as one reaches a vendor."
    )


def test_screens_write_no_queries() -> None:
    asks = {"execute", "scalar", "scalars", "query"}
    wrong = []
    for _, path in modules("portal.web"):
        for one in imports(path):
            if is_within(one.name, "sqlalchemy") and not is_within(one.name, "sqlalchemy.exc"):
                wrong.append(f"{shown(path)}:{one.line} imports {one.name}")
        for node in ast.walk(tree(path)):
            if (
                isinstance(node, ast.Attribute)
                and node.attr in asks
                and isinstance(node.value, ast.Attribute | ast.Name)
                and (node.value.attr if isinstance(node.value, ast.Attribute) else node.value.id) == "session"
                and isinstance(node.value, ast.Attribute)
            ):
                wrong.append(f"{shown(path)}:{node.lineno} asks the database itself")
    assert not wrong, _told(
        "Queries live in the domain, under a name that says what they answer:", wrong,
        "Move it to a function of the domain file with the same word as the screen.",
    )  # fmt: skip


def test_only_config_reads_the_environment() -> None:
    passing_it_on = {"portal/demo/children.py", "portal/front_end.py", "portal/config.py"}
    wrong = []
    for _, path in [*modules("portal"), *modules("jobs"), *modules("app")]:
        if shown(path) in passing_it_on:
            continue
        wrong += [
            f"{shown(path)}:{node.lineno}"
            for node in ast.walk(tree(path))
            if isinstance(node, ast.Attribute)
            and node.attr in {"environ", "getenv"}
            and isinstance(node.value, ast.Name)
            and node.value.id == "os"
        ]
        wrong += [f"{shown(path)}:{one.line}" for one in imports(path) if one.name in ("environs.Env", "environs.env")]
    assert not wrong, _told(
        "These read the environment:", wrong, "Add a setting to portal/config.py and docs/settings.md."
    )


# Work on thousands of clients, which commits client by client so that one bad row costs one row.
COMMITS_ITSELF = "portal/domain/client_csv/"


def test_verbs_leave_the_commit_to_the_edges() -> None:
    """One bad record must not commit half of another's change."""
    wrong = [
        f"{shown(path)}:{node.lineno}"
        for _, path in modules("portal.domain")
        if not shown(path).startswith(COMMITS_ITSELF)
        for node in ast.walk(tree(path))
        if _commits(node)
    ]
    assert not wrong, _told(
        "The domain never commits; routes, jobs, commands and shells do:",
        wrong,
        "Let the caller commit. What must be kept whatever happens (a token, a claim) opens its own short transaction.",
    )


def _commits(node: ast.AST) -> bool:
    return (
        isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and node.func.attr == "commit"
        and isinstance(node.func.value, ast.Attribute)
        and node.func.value.attr == "session"
    )


def test_every_layer_is_there() -> None:
    """A layer that was renamed would otherwise pass unread."""
    expected = {"domain", "adapters", "integrations", "shells", "web", "jobs", "sandbox", "commands", "foundations"}
    empty = [name for name in sorted(expected) if not any(list(modules(place)) for place in LAYERS[name].where)]
    assert not empty, f"No files for {empty}: mend the table in {shown(Path(__file__))}."
    unplaced = [
        name
        for name, path in modules("portal")
        if name not in ("portal", "portal.front_end")
        and not any(is_within(name, place) for layer in LAYERS.values() for place in layer.where)
    ]
    assert not unplaced, _told(
        "These belong to no layer:", unplaced, f"Give them a place in {shown(Path(__file__))} and in the architecture."
    )


def _told(what: str, wrong: list[str], advice: str) -> str:
    return "\n  ".join([what, *wrong]) + f"\n{advice}"
