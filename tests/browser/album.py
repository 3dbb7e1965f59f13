"""Pictures of screens: each taken four times, made small, and listed on a page."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from PIL import Image
from playwright.sync_api import expect

from tests.browser.visitor import DESK, PHONE, Visitor

SIZES = {"1280": DESK, "390": PHONE}
THEMES = ("light", "dark")
LONGEST = {"1280": 1300, "390": 1500}  # pixels; what is further down is more of the same


class Album:
    """The pictures taken so far, and the page that lists them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.titles: dict[str, str] = {}

    def keep(self, visitor: Visitor, name: str, title: str) -> None:
        """Take the page as it stands, four times."""
        page = visitor.page
        expect(page.locator(".htmx-request, .htmx-swapping, .htmx-settling")).to_have_count(0)
        self.titles[name] = title
        for width, size in SIZES.items():
            for theme in THEMES:
                page.emulate_media(color_scheme=theme)
                page.set_viewport_size(size)
                height = page.evaluate("document.scrollingElement.scrollHeight")
                page.set_viewport_size({"width": size["width"], "height": min(height, LONGEST[width])})
                path = self.folder / f"{name}-{width}-{theme}.png"
                page.screenshot(path=path)
                lighten(path)
        page.set_viewport_size(DESK)
        page.emulate_media(color_scheme="light")

    def write_index(self) -> None:
        lines = ["# Every screen", "", "Made by `make screens`. Each 1280 and 390 pixels wide, light and dark.", ""]
        lines += ["| screen | wide | wide, dark | narrow | narrow, dark |", "|---|---|---|---|---|"]
        for name, title in self.titles.items():
            links = (f"[{width}]({name}-{width}-{theme}.png)" for width in SIZES for theme in THEMES)
            lines.append(f"| {title} | " + " | ".join(links) + " |")
        (self.folder / "index.md").write_text("\n".join(lines) + "\n", encoding="utf-8")


def lighten(path: Path) -> None:
    """Keep 128 colours, rare ones such as a status among them: a third of the size."""
    with Image.open(path) as picture:
        exact = picture.convert("RGB")
    few = exact.quantize(128, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    few.putpalette(_commonest(exact, few))
    few.save(path, optimize=True)


def _commonest(exact: Image.Image, few: Image.Image) -> list[int]:
    """The palette, each entry being the colour it stands for most often, so that large areas keep theirs."""
    size = (exact.width // 3, exact.height // 3)  # every ninth pixel tells enough
    shown, entries = (one.resize(size, Image.Resampling.NEAREST).tobytes() for one in (exact, few))
    counts = Counter(zip(entries, zip(shown[::3], shown[1::3], shown[2::3], strict=True), strict=True))
    palette = list(few.getpalette() or [])
    for (entry, colour), _count in reversed(counts.most_common()):
        palette[3 * entry : 3 * entry + 3] = colour
    return palette
