"""Every test says what it expects. One that only runs the code stays green when the code does something else."""

from __future__ import annotations

import ast

import pytest

from tests.house.source import files, shown, tree

CALLS = {"raises", "warns", "fail", "expect"}
# What a helper is called that asserts: it states something of a page, a person or a story.
STATEMENTS = ("is_", "are_", "has_", "sees", "assert_")


def expects(function: ast.AST) -> bool:
    """Whether this holds an assert, a call that fails a test, or a statement that is nothing but an expectation."""
    for node in ast.walk(function):
        if isinstance(node, ast.Assert) or (isinstance(node, ast.Call) and called(node) in CALLS):
            return True
        is_statement = isinstance(node, ast.Expr) and isinstance(node.value, ast.Call)
        if is_statement and called(node.value).startswith(STATEMENTS):
            return True
    return False


def called(call: ast.Call) -> str:
    """The last part of the name of what is called."""
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def is_fixture(function: ast.FunctionDef) -> bool:
    return any("fixture" in ast.unparse(decorator) for decorator in function.decorator_list)


def test_every_test_says_what_it_expects() -> None:
    silent = [
        f"{shown(path)}:{node.lineno} {node.name}"
        for path in files(".py")
        if shown(path).startswith("tests/")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.FunctionDef) and node.name.startswith("test_")
        if not is_fixture(node) and not expects(node)
    ]
    assert not silent, "\n  ".join(["These tests expect nothing that one can see:", *silent]) + (
        "\nAssert what the code came to, or call a helper that says so by its name: `visitor.sees(…)`."
    )


@pytest.mark.parametrize(
    ("body", "is_said"),
    [
        ("assert made == 1", True),
        ("with pytest.raises(ValueError):\n        make()", True),
        ("expect(page).to_have_title('x')", True),
        ("story.is_told_right()", True),
        ("make()", False),
        ("found = story.is_told_right()", False),
        ("make(fails=True)", False),
    ],
)
def test_what_counts_as_an_expectation(body: str, is_said: bool) -> None:
    (function,) = ast.parse(f"def test_it():\n    {body}\n").body
    assert expects(function) is is_said
