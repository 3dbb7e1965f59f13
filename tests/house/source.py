"""What the house tests read: the files of the project, and what Python modules import."""

from __future__ import annotations

import ast
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
NOT_OURS = {".git", ".venv", "node_modules", "var", "screens", "__pycache__", ".hypothesis"}
NOT_OURS |= {".mypy_cache", ".pytest_cache", ".ruff_cache", "bench-results"}


@dataclass(frozen=True)
class Import:
    """One imported name, dotted: `from portal.db import db` is portal.db.db."""

    name: str
    line: int


@cache
def files(*suffixes: str) -> tuple[Path, ...]:
    """Every file of the project, as git sees it: what is ignored is made, not written."""
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if listed.returncode == 0 and listed.stdout:
        found = [ROOT / line for line in listed.stdout.splitlines()]
    else:  # an unpacked archive has no git
        found = [path for path in ROOT.rglob("*") if "vendor" not in path.relative_to(ROOT).parts]
    return tuple(
        path
        for path in sorted(found)
        if path.is_file()
        and not NOT_OURS & set(path.relative_to(ROOT).parts)
        and (not suffixes or path.suffix in suffixes)
    )


def shown(path: Path) -> str:
    """A path as messages name it."""
    return path.relative_to(ROOT).as_posix()


def module_name(path: Path) -> str:
    """portal/web/clients/__init__.py is portal.web.clients."""
    parts = list(path.relative_to(ROOT).with_suffix("").parts)
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def modules(under: str) -> Iterator[tuple[str, Path]]:
    """Every Python module of a package or single file, by dotted name."""
    for path in files(".py"):
        name = module_name(path)
        if name == under or name.startswith(under + "."):
            yield name, path


@cache
def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imports(path: Path) -> list[Import]:
    """Everything a module imports, inside functions and for type checking too."""
    package = module_name(path).split(".")
    if path.name != "__init__.py":
        package = package[:-1]
    found: list[Import] = []
    for node in ast.walk(tree(path)):
        if isinstance(node, ast.Import):
            found += [Import(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            start = ".".join([*base, *([node.module] if node.module else [])])
            found += [Import(f"{start}.{alias.name}", node.lineno) for alias in node.names]
    return found


def is_within(name: str, of: str) -> bool:
    """Whether a dotted name is a module or something in it."""
    return name == of or name.startswith(of + ".")
