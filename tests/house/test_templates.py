"""Templates: they compile, they are strict, their forms are protected, and no script hides in them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask
from jinja2 import StrictUndefined, nodes

from tests.house.source import ROOT, files, shown

TEMPLATES = ROOT / "templates"
FORM = re.compile(r"<form\b(?P<attributes>[^>]*)>(?P<inside>.*?)</form>", re.DOTALL | re.IGNORECASE)
MACRO = re.compile(r"\{%-?\s*macro\s+(?P<name>\w+).*?endmacro\s*-?%\}", re.DOTALL)
TOKEN = re.compile(r"\bcsrf\(\)|csrf_token|hidden_tag\(\)")
COMMENT = re.compile(r"\{#.*?#\}", re.DOTALL)
FORBIDDEN = {
    "a script in the page": re.compile(r"<script(?![^>]*\bsrc=)", re.IGNORECASE),
    "a style in the page": re.compile(r"<style\b|\sstyle\s*=", re.IGNORECASE),
    "an event attribute": re.compile(r"\son[a-z]{3,}\s*=\s*[\"']", re.IGNORECASE),
    "hx-on": re.compile(r"\b(data-)?hx-on\b"),
    "a computed hx-vals": re.compile(r"hx-(vals|headers|vars)\s*=\s*[\"']\s*(js|javascript):", re.IGNORECASE),
    "hx-vars": re.compile(r"\bhx-vars\b"),
    "a filter in hx-trigger": re.compile(r"hx-trigger\s*=\s*(\"[^\"]*\[[^\"]*\"|'[^']*\[[^']*')"),
    "a javascript: address": re.compile(r"(href|action|src)\s*=\s*[\"']\s*javascript:", re.IGNORECASE),
    "something from another host": re.compile(r"(src|href)\s*=\s*[\"'](https?:)?//(?!\{)", re.IGNORECASE),
    "autoescape switched off": re.compile(r"\|\s*safe\b|autoescape\s+false", re.IGNORECASE),
}
# The sandbox plays other people's sites and has pages of its own, which no firm is served.
SERVED = [path for path in files(".html") if path.is_relative_to(TEMPLATES)]


def _text(path: Path) -> str:
    return COMMENT.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), path.read_text(encoding="utf-8"))


@pytest.mark.parametrize("path", SERVED, ids=shown)
def test_a_template_compiles(path: Path, app: Flask) -> None:
    name = path.relative_to(TEMPLATES).as_posix()
    assert app.jinja_env.get_template(name).name == name


def test_a_name_nobody_gave_is_a_mistake_and_not_an_empty_text(app: Flask) -> None:
    assert app.jinja_env.undefined is StrictUndefined


@pytest.mark.parametrize("path", SERVED, ids=shown)
def test_every_form_that_changes_something_carries_its_token(path: Path) -> None:
    for form in FORM.finditer(_text(path)):
        line = _text(path)[: form.start()].count("\n") + 1
        attributes = form["attributes"]
        if re.search(r"method\s*=\s*[\"']?post", attributes, re.IGNORECASE):
            assert TOKEN.search(_with_macros(path, form["inside"])), (
                f"{shown(path)}:{line}: a form without its token. Put {{{{ ui.csrf() }}}} inside."
            )
        assert re.search(r"\baction\s*=", attributes), (
            f"{shown(path)}:{line}: a form without action does nothing without scripts. Give it its address."
        )


@pytest.mark.parametrize("path", SERVED, ids=shown)
def test_nothing_the_content_security_policy_forbids(path: Path) -> None:
    text = _text(path)
    for what, pattern in FORBIDDEN.items():
        found = pattern.search(text)
        assert found is None, (
            f"{shown(path)}:{text[: found.start()].count(chr(10)) + 1}: {what} ({found[0].strip()!r}). "
            "Behaviour goes into static/app.js, looks into static/app.css, and data into data- attributes."
        )


@pytest.mark.parametrize("path", SERVED, ids=shown)
def test_links_and_htmx_work_without_scripts(path: Path) -> None:
    """What htmx fetches on a click must have a plain address too."""
    text = _text(path)
    for tag in re.finditer(r"<(a|form)\b[^>]*\bhx-(get|post)\b[^>]*>", text, re.DOTALL):
        wanted = "href" if tag[1] == "a" else "action"
        assert re.search(rf"\b{wanted}\s*=", tag[0]), (
            f"{shown(path)}:{text[: tag.start()].count(chr(10)) + 1}: add {wanted}= with the same address."
        )
    for tag in re.finditer(r"<a\b(?![^>]*\bhref\s*=)[^>]*>", text, re.DOTALL):
        raise AssertionError(f"{shown(path)}: a link without href: {tag[0][:80]}. Use a button in a form.")


@pytest.mark.parametrize("path", SERVED, ids=shown)
def test_a_block_that_may_be_asked_for_alone_has_its_element(path: Path, app: Flask) -> None:
    """A block fetched by htmx replaces the element with its id (`run_progress` is in `run-progress`)."""
    text = path.read_text(encoding="utf-8")
    blocks = {block.name for block in app.jinja_env.parse(text).find_all(nodes.Block)}
    for name in sorted(blocks & _asked_for(path)):
        inside = MACRO.sub("", _with_includes(re.split(rf"\{{%-?\s*block\s+{name}\b[^%]*%\}}", text)[1]))
        first = re.search(r"<\w+\b[^>]*>", inside)
        wanted = f'id="{name.replace("_", "-")}"'
        assert first is not None, f"{shown(path)}: block {name} has no element."
        assert wanted in first[0], f"{shown(path)}: the outermost element of block {name} must have {wanted}."


def _with_includes(text: str) -> str:
    return re.sub(r"\{%-?\s*include\s+\"([^\"]+)\".*?%\}", lambda found: _text(TEMPLATES / found[1]), text)


def _with_macros(path: Path, inside: str) -> str:
    """The inside of a form, together with the macros of the same template that it calls."""
    called = {name[1] for name in re.finditer(r"\{\{\s*(\w+)\(", inside)}
    return inside + "".join(macro[0] for macro in MACRO.finditer(_text(path)) if macro["name"] in called)


def _asked_for(path: Path) -> set[str]:
    """Block names that views list for this template."""
    wanted = path.relative_to(TEMPLATES).as_posix()
    found: set[str] = set()
    for module in files(".py"):
        if not module.is_relative_to(ROOT / "portal" / "web"):
            continue
        text = module.read_text(encoding="utf-8")
        for call in re.finditer(rf"render\(\s*\"{re.escape(wanted)}\",\s*blocks=\((?P<blocks>[^)]*)\)", text):
            found |= set(re.findall(r"\"(\w+)\"", call["blocks"]))
        for call in re.finditer(rf"refused\(\s*\"{re.escape(wanted)}\",\s*\"(\w+)\"", text):
            found.add(call[1])
    return found
