"""What every file owes the next reader: a length one can read, a name that says something, nothing of one machine."""

from __future__ import annotations

import re

import pytest

from tests.house.source import files, shown

LONGEST = 400
WRITTEN = (".py", ".html", ".js", ".css", ".md")
FORBIDDEN_NAMES = {"utils", "util", "helpers", "helper", "manager", "managers", "handler",
                   "handlers", "common", "misc"}  # fmt: skip
# Put together from pieces, so that this file does not name what it forbids.
MACHINE_PATHS = re.compile("|".join(("/wor" + r"k/(?!flow)\w", "/far" + "m/", "/roo" + "t/", "/hom" + r"e/\w+/")))
DOWNLOAD_HOSTS = re.compile(
    "|".join(("pypi" + r"\.org", "python" + "hosted", r"registry\." + "npmjs", r"deb\." + "debian"))
)
OUTSIDE = re.compile(r"\.\./" + "shared")
UNFINISHED = re.compile(r"\b(" + "TO" + "DO|FIX" + "ME|XX" + r"X)\b")
EXCUSES = re.compile(
    r"#\s*(type:\s*ignore|" + r"no" + r"qa|pragma: no cover)(\[[\w\-, ]*\]|:\s*[A-Z0-9, ]+)?(?P<why>.*)"
)


def test_no_file_is_longer_than_one_wants_to_read() -> None:
    long = []
    for path in files(*WRITTEN[:4]):
        length = len(path.read_text(encoding="utf-8").splitlines())
        if length > LONGEST:
            long.append(f"{shown(path)}: {length} lines")
    assert not long, _told(
        f"Files past {LONGEST} lines:",
        long,
        "Make it a folder with the same public name, split by what changes together.",
    )


def test_names_say_what_is_inside() -> None:
    wrong = [
        shown(path)
        for path in files(".py", ".html", ".js")
        if FORBIDDEN_NAMES & set(re.split(r"[_\-.]", path.stem.lower()))
        or FORBIDDEN_NAMES & {part.lower() for part in path.parts[-3:-1]}
    ]
    assert not wrong, _told(
        "These names fit any file and so tell nothing:", wrong, "Name the file after what it holds, as a noun."
    )


@pytest.mark.parametrize(
    ("what", "pattern", "advice"),
    [
        ("a path of one machine", MACHINE_PATHS, "Say it relative to the project, or take it out."),
        ("a download host", DOWNLOAD_HOSTS, "Which registry serves packages is each machine's own setting."),
        ("a folder that users do not have", OUTSIDE, "Say here what it says there."),
    ],
)  # fmt: skip
def test_nothing_in_the_project_needs_the_machine_it_was_written_on(
    what: str, pattern: re.Pattern[str], advice: str
) -> None:
    found = []
    for path in files():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{shown(path)}:{number}" for number, line in enumerate(text.splitlines(), start=1) if pattern.search(line)
        ]
    assert not found, _told(f"These name {what}:", found, advice)


def test_nothing_is_left_unfinished() -> None:
    found = [
        f"{shown(path)}:{number}"
        for path in files(".py", ".html", ".js", ".css")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if UNFINISHED.search(line)
    ]
    assert not found, _told("Marks of unfinished work:", found, "Finish it, or write an issue and take the mark out.")


def test_every_exception_to_a_check_gives_its_reason() -> None:
    bare = []
    for path in files(".py"):
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            found = EXCUSES.search(line)
            if found and len(found["why"].strip(" -#")) < 8:
                bare.append(f"{shown(path)}:{number}")
    assert not bare, _told(
        "A check is switched off without saying why:", bare,
        "Mend the cause, or add the reason behind it: `# type: ignore[misc]  # click sets it by class`.",
    )  # fmt: skip


def test_whoever_catches_everything_says_why() -> None:
    pattern = re.compile(r"^\s*except(\s+(Base)?Exception(\s+as\s+\w+)?)?:\s*$")
    bare = [
        f"{shown(path)}:{number}"
        for path in files(".py")
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1)
        if pattern.search(line)
    ]
    assert not bare, _told(
        "These catch whatever goes wrong without saying why:", bare,
        "Name the errors you expect, or add the reason: `except Exception:  # it is this record's own, and logged`.",
    )  # fmt: skip


def test_no_exception_is_swallowed_whole() -> None:
    pattern = re.compile(r"except(\s+(Base)?Exception)?\s*(as \w+)?:\s*(#.*)?\n\s+(pass|continue)\b")
    found = [shown(path) for path in files(".py") if pattern.search(path.read_text(encoding="utf-8"))]
    assert not found, _told(
        "These swallow whatever goes wrong:", found, "Name the error you expect, and say what happens instead."
    )


def _told(what: str, wrong: list[str], advice: str) -> str:
    return "\n  ".join([what, *wrong]) + f"\n{advice}"
