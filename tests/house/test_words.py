"""What the portal says: a sentence for all that can happen, a line for every setting, vendors named in one place."""

from __future__ import annotations

import ast
import re
from pathlib import Path
from string import Formatter

from portal import integrations
from portal.domain.activity import SENTENCES, Verb
from portal.domain.fields import CLIENT_FIELDS
from tests.house.source import ROOT, files, imports, modules, shown, tree

VENDOR_WORDS = re.compile(
    r"\b(xero|xpm|quickbooks|qbo|intuit)\b|practice\s*manager|(?-i:\bDigits\b|\bBILL\b)", re.IGNORECASE
)
MAY_NAME_VENDORS = (
    "portal/adapters/", "portal/sandbox/", "portal/demo/", "portal/config.py", "portal/integrations.py",
)  # fmt: skip
UNWELCOME = re.compile(
    r"\b(successfully|oops|invalid|an error occurred|please try again later|click here)\b", re.IGNORECASE
)


def test_everything_that_can_happen_has_its_sentence() -> None:
    missing = [verb.name for verb in Verb if verb not in SENTENCES]
    assert not missing, f"Write the sentence of {missing} in portal/domain/activity/sentences.py."
    for verb, sentence in SENTENCES.items():
        assert sentence.strip() and not sentence.endswith("."), (
            f"{verb.name}: a sentence without its full stop, please."
        )


def test_whoever_records_something_gives_all_its_sentence_needs() -> None:
    """A fact that is missing would show as “?” years later."""
    short = []
    for _, path in [*modules("portal"), *modules("jobs")]:
        for call in ast.walk(tree(path)):
            verb = _recorded_verb(call)
            if verb is None or not isinstance(call, ast.Call):
                continue
            given = {keyword.arg for keyword in call.keywords}
            needed = {name for _, name, _, _ in Formatter().parse(SENTENCES[verb]) if name}
            if None not in given and not needed <= given:
                short.append(f"{shown(path)}:{call.lineno}: {verb.name} needs {sorted(needed - given)}")
    assert not short, "\n  ".join(["Facts are missing:", *short]) + "\nGive them by name, as they are now."


def _recorded_verb(node: ast.AST) -> Verb | None:
    if not (isinstance(node, ast.Call) and node.args):
        return None
    name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
    first = node.args[0]
    if (
        name == "record"
        and isinstance(first, ast.Attribute)
        and isinstance(first.value, ast.Name)
        and first.value.id == "Verb"
    ):
        return Verb[first.attr]
    return None


def test_every_verb_is_used() -> None:
    text = "\n".join(
        path.read_text(encoding="utf-8") for name, path in modules("portal") if name != "portal.domain.activity"
    )
    unused = [verb.name for verb in Verb if f"Verb.{verb.name}" not in text]
    assert not unused, f"Nothing ever records {unused}: record it where it happens, or take it out of Verb."


def test_every_setting_is_explained() -> None:
    explained = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    read = {
        node.args[0].value
        for node in ast.walk(tree(ROOT / "portal" / "config.py"))
        if isinstance(node, ast.Call)
        and isinstance(node.func, ast.Attribute)
        and isinstance(node.func.value, ast.Name)
        and node.func.value.id == "env"
        and node.args
        and isinstance(node.args[0], ast.Constant)
    }
    assert len(read) > 10, "the settings are read in another way now: mend this test"
    for offered in integrations.OFFERED:
        read |= {one.name for one in offered.info.settings}
        read |= {f"{offered.info.vendor.upper()}_CLIENT_{word}" for word in ("ID", "SECRET")}
        if getattr(offered, "ledger", None) and offered.ledger.has_webhooks:
            read.add(f"{offered.info.vendor.upper()}_WEBHOOK_KEY")
    missing = sorted(name for name in read if f"`{name}`" not in explained)
    assert not missing, f"docs/settings.md says nothing of {missing}. Tell what each does and its default."
    listed = set(re.findall(r"^\|\s*`([A-Z][A-Z0-9_]+)`", explained, re.MULTILINE))
    gone = sorted(listed - read)
    assert not gone, f"docs/settings.md explains {gone}, which nothing reads."


def test_only_adapters_and_integrations_know_a_vendor_by_name() -> None:
    """Adding an app touches an adapter file, a sandbox file and integrations.py; code elsewhere must not need it."""
    wrong = []
    for _, path in [*modules("portal"), *modules("jobs"), *modules("app")]:
        if shown(path).startswith(MAY_NAME_VENDORS):
            continue
        for line, text in _code_texts(path):
            if VENDOR_WORDS.search(text):
                wrong.append(f"{shown(path)}:{line}: {text.strip()[:60]!r}")
    assert not wrong, "\n  ".join(["These name a vendor:", *wrong]) + (
        "\nAsk integrations for the app's name (info.name) or what it can do, and put what is special into its adapter."
    )


def test_templates_take_vendor_names_from_the_app() -> None:
    wrong = [
        f"{shown(path)}:{number}"
        for path in files(".html")
        if path.is_relative_to(ROOT / "templates")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if VENDOR_WORDS.search(re.sub(r"\{#.*?#\}", "", line))
    ]
    assert not wrong, "\n  ".join(["These name a vendor:", *wrong]) + "\nShow {{ app.name }} or {{ app.short_name }}."


def _code_texts(path: Path) -> list[tuple[int, str]]:
    """Names and texts of a module, without docstrings and comments: those may give examples."""
    module = tree(path)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(module)
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
        and node.body
        and isinstance(node.body[0], ast.Expr)
    }
    found: list[tuple[int, str]] = []
    for node in ast.walk(module):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings:
            found.append((node.lineno, node.value))
        elif isinstance(node, ast.FunctionDef | ast.ClassDef):
            found.append((node.lineno, node.name.replace("_", " ")))
        elif isinstance(node, ast.Name):
            found.append((node.lineno, node.id.replace("_", " ")))
    found += [(one.line, one.name.replace(".", " ")) for one in imports(path)]
    return found


def test_screens_speak_like_a_careful_colleague() -> None:
    wrong = [
        f"{shown(path)}:{number}: {found[0]!r}"
        for path in files(".html")
        if path.is_relative_to(ROOT / "templates")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if (found := UNWELCOME.search(re.sub(r"<[^>]*>|\{[{%#].*?[}%#]\}", " ", line)))
    ]
    assert not wrong, "\n  ".join(["Say what happened, to whom, and what can be done:", *wrong])


def test_every_shared_field_has_a_name_people_know() -> None:
    for key, label in CLIENT_FIELDS.items():
        assert label[:1].isupper() and "_" not in label, f"{key} is shown as {label!r}"
