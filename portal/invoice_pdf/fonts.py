"""The fonts of paper: where they are kept, and which letters each has."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

FONTS = Path(__file__).resolve().parent.parent.parent / "static" / "vendor"
FAMILY = {"": "noto-sans.ttf", "B": "noto-sans-bold.ttf"}
FALLBACKS = {
    "dejavu": {"": "dejavu-sans.ttf", "B": "dejavu-sans-bold.ttf"},
    "emoji": {"": "noto-emoji.ttf", "B": "noto-emoji.ttf"},
}


class FontsMissing(RuntimeError):
    """The fonts were not copied at set-up; the text says how to."""


def fallbacks(folder: Path | None) -> dict[str, dict[str, Path]]:
    """Where to look for letters the family lacks: our own fonts, then the firm's. Raises `FontsMissing`."""
    found = {family: {style: kept(name) for style, name in files.items()} for family, files in FALLBACKS.items()}
    own = sorted(one for one in folder.iterdir() if one.suffix.lower() in (".ttf", ".otf")) if folder else []
    return found | {f"own-{place}": {"": path, "B": path} for place, path in enumerate(own)}


@lru_cache(maxsize=16)
def held(path: Path) -> frozenset[str]:
    """The characters a font has a shape for."""
    from fontTools.ttLib import TTFont  # type: ignore[import-untyped]  # it ships no types, and takes long to load

    with TTFont(path, lazy=True) as font:
        return frozenset(chr(code) for code in font.getBestCmap())


def kept(name: str) -> Path:
    """One of our own. Raises `FontsMissing`."""
    path = FONTS / name
    if not path.exists():
        raise FontsMissing("The fonts of invoices are missing. Run: python -m portal.front_end")
    return path
