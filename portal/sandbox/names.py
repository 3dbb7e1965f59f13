"""Believable clients of a New Zealand practice, the same ones for the same seed.

`generate_clients` is what the practice has in XPM; `portal_side` is what a firm would have typed into the portal
before it ever connected.
"""

from __future__ import annotations

import random
import re
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from portal.sandbox import names_words as words
from portal.sandbox.names_planted import PLANTED
from portal.sandbox.names_practice import FORMER_STAFF, STAFF, Staff, stable_uuid

__all__ = ["PLANTED", "generate_clients", "name_key", "portal_side"]

Record = dict[str, Any]
T = TypeVar("T")
LEGAL = re.compile(r"\b(pty|limited|ltd|incorporated|inc)\b\.?", re.IGNORECASE)
NOT_LETTERS = re.compile(r"[\W_]+")
ENOUGH_FOR_PLANTED = 200
GROUP_EVERY, GROUP_SIZE = 40, 3
PERIODS = ("2 Monthly", "2 Monthly", "2 Monthly", "6 Monthly", "Monthly")
BASES = ("Payment", "Payment", "Invoice", "Invoice", "Hybrid")
RETURNS = {
    "Company": "IR4",
    "Look-Through Company": "IR7",
    "Trust": "IR6",
    "Partnership": "IR7",
    "Incorporated Society": "IR9",
}


def generate_clients(
    count: int, seed: int, *, staff: Sequence[Staff] = STAFF, region: str = "NZ", salt: str = ""
) -> Iterator[Record]:
    """So many clients: XPM's field names, plus uuid, Contacts, Group (a name or None), archived, deleted, merged_into.

    From 200 on the planted ones are among them, spread out. `salt` gives another practice its own identifiers.
    """
    maker = _Maker(seed, staff, region, salt)
    planted = list(_planted(maker)) if count >= ENOUGH_FOR_PLANTED else []
    if planted:
        _give_fates(planted)
    every = max(1, count // (len(planted) + 1)) if planted else 0
    waiting = iter(planted)
    for n in range(count):
        special = next(waiting, None) if every and n % every == every - 1 else None
        yield special if special is not None else maker.grouped(n, maker.anyone())


def portal_side(count: int, seed: int) -> list[Record]:
    """About sixty clients the portal already holds; `kind` says which case each is for.

    Each has name, xpm_name (None when XPM does not have it), phone, email, address, city, region, postcode, country,
    structure and contacts (name, email, phone, mobile, position, is_primary).
    """
    records = list(generate_clients(count, seed))
    by_name: dict[str, list[Record]] = {}
    for record in records:
        by_name.setdefault(record["Name"], []).append(record)
    rng = Dice(f"portal {seed}")
    held = [_held(by_name[name][0], "exact", n, rng) for n, name in enumerate(_exact_names(records, by_name))]
    for near, here in PLANTED["near"]:
        if near in by_name:
            held.append({**_held(by_name[near][0], "near", 1, rng), "name": here})
    held += [_held(by_name[name][0], "ambiguous", 1, rng) for name in PLANTED["ambiguous"][:2] if name in by_name]
    maker = _Maker(seed + 1, STAFF, "NZ", "only here")
    return held + [_held(maker.named(name), "only_here", 1, rng) | {"xpm_name": None} for name in PLANTED["only_here"]]


def name_key(name: str) -> str:
    """What is left of a name without case, spacing, punctuation and company form."""
    return NOT_LETTERS.sub("", LEGAL.sub("", name.casefold()))


class Dice(random.Random):
    """A seeded generator whose common throws cost one random number each."""

    def pick(self, choices: Sequence[T]) -> T:
        """One of them."""
        return choices[int(self.random() * len(choices))]

    def below(self, limit: int) -> int:
        """0 up to, not including, `limit`."""
        return int(self.random() * limit)

    def between(self, low: int, high: int) -> int:
        """Both ends included."""
        return low + int(self.random() * (high - low + 1))


class _Maker:
    """Makes one client after the other; never the same name twice."""

    def __init__(self, seed: int, staff: Sequence[Staff], region: str, salt: str) -> None:
        self.rng = Dice(f"{seed} {salt}")
        self.seed, self.staff, self.region, self.salt = seed, staff, region, salt
        self.seen = {name_key(name) for name in _planted_names()}
        self.group: str | None = None

    def anyone(self) -> Record:
        """Somebody new."""
        rng, kind = self.rng, self.rng.random()
        for attempt in range(9):
            name, structure, extra = self._name(kind)
            if attempt > 2:
                name = (
                    f"{name} ({rng.pick(words.CITIES_NZ)[0]})" if attempt < 6 else f"{name} {rng.between(1980, 2026)}"
                )
            key = name_key(name)
            if key not in self.seen:
                self.seen.add(key)
                return self._record(name, structure, extra)
        return self._record(f"{name} No. {len(self.seen)}", structure, extra)

    def named(self, name: str, uuid_words: tuple[object, ...] = ()) -> Record:
        """Somebody with this very name."""
        structure = _structure_of(name)
        extra = _person_fields(name) if structure == "Individual" else {}
        record = self._record(name, structure, extra)
        record["uuid"] = stable_uuid("client", self.seed, self.salt, name, *uuid_words)
        return record

    def grouped(self, n: int, record: Record) -> Record:
        """About eight in a hundred belong to a group of up to three, named after its first member."""
        place = n % GROUP_EVERY
        if place == 0:
            self.group = f"{record['Name'].split(' (')[0].removesuffix(' Limited').removesuffix(' Ltd')} Group"
        record["Group"] = self.group if place < GROUP_SIZE else None
        return record

    def uuid(self) -> str:
        """A random identifier from the seed."""
        text = f"{self.rng.getrandbits(128):032x}"
        return f"{text[:8]}-{text[8:12]}-4{text[13:16]}-a{text[17:20]}-{text[20:]}"

    def _name(self, kind: float) -> tuple[str, str, Record]:
        rng, pick = self.rng, self.rng.pick
        firsts, lasts = pick(words.PEOPLE)
        first, last = pick(firsts), pick(lasts)
        if kind < 0.5:
            stem = pick(
                (
                    f"{pick(words.PLACES)} {pick(words.TRADES)}",
                    f"{last} {pick(words.TRADES)}",
                    f"{pick(words.PLACES)} {pick(words.PLACES)} {pick(words.TRADES)}",
                    f"{last} & {pick([one for one in lasts if one != last])} {pick(words.TRADES)}",
                )
            )
            form = "Pty Ltd" if self.region == "AU" or rng.random() < 0.08 else pick(("Limited", "Limited", "Ltd"))
            return f"{stem} {form}", "Look-Through Company" if rng.random() < 0.08 else "Company", {}
        if kind < 0.67:
            middle = pick(("Family", "Family", "Investment", "Farm", "Whānau", "Property"))
            return f"The {last} {middle} Trust" if rng.random() < 0.5 else f"{first} {last} {middle} Trust", "Trust", {}
        if kind < 0.75:
            return f"{first} & {pick([one for one in firsts if one != first])} {last}", "Partnership", {}
        if kind < 0.80:
            return f"{last} & {pick([one for one in lasts if one != last])}", "Partnership", {}
        if kind < 0.86:
            trade = pick(words.TRADES)
            return f"{first} {last} t/a {last} {trade}", "Sole Trader", {"FirstName": first, "LastName": last}
        middle = pick(firsts) if rng.random() < 0.45 else ""
        name = f"{first} {middle} {last}" if middle else f"{first} {last}"
        return name, "Individual", {"FirstName": first, "LastName": last, "OtherName": middle}

    def _record(self, name: str, structure: str, extra: Record) -> Record:
        rng = self.rng
        prefix, place = self._place()
        slug = re.sub(r"[^a-z0-9]+", "-", _plain(name))[:40].strip("-") or "client"
        phone = f"{prefix} 555 {rng.below(10000):04d}"
        contacts = self._contacts(structure, extra, slug, prefix)
        record: Record = {
            "uuid": self.uuid(),
            "Name": name,
            **extra,
            "Email": f"office@{slug}.example" if rng.random() < 0.9 else "",
            "Phone": phone,
            **place,
            "Website": f"https://www.{slug}.example" if structure == "Company" and rng.random() < 0.4 else "",
            "ReferralSource": rng.pick(words.SOURCES),
            "ExportCode": f"{slug[:4].upper()}{rng.below(1000):03d}",
            **self._managers(),
            **self._tax(structure),
            "Notes": [],
            "Contacts": contacts,
            "Group": None,
            "archived": False,
            "deleted": False,
            "merged_into": None,
        }
        if rng.random() < 0.06:
            title, text = rng.pick(words.NOTES)
            record["Notes"] = [
                {
                    "Title": title,
                    "Text": text,
                    "Folder": "",
                    "Date": "2026-04-02T00:00:00",
                    "CreatedBy": record.get("AccountManager", {}).get("Name", ""),
                }
            ]
        return record

    def _place(self) -> tuple[str, Record]:
        rng = self.rng
        country = "Australia" if self.region == "AU" or rng.random() < 0.12 else "New Zealand"
        cities = words.CITIES_AU if country == "Australia" else words.CITIES_NZ
        city, region, code, prefix = rng.pick(cities)
        street = f"{rng.between(1, 480)} {rng.pick(words.STREETS)} {rng.pick(words.STREET_KINDS)}"
        if rng.random() < 0.12:
            street = f"Unit {rng.between(1, 30)}, {street}"
        postal = f"PO Box {rng.between(100, 99999)}" if rng.random() < 0.5 else ""
        return prefix, {
            "Address": street,
            "City": city,
            "Region": region,
            "PostCode": code,
            "Country": country,
            "PostalAddress": postal,
            "PostalCity": city if postal else "",
            "PostalRegion": region if postal else "",
            "PostalPostCode": code if postal else "",
            "PostalCountry": country if postal else "",
        }

    def _managers(self) -> Record:
        rng, found = self.rng, {}
        if rng.random() < 0.94:
            boss = rng.pick(self.staff)
            found["AccountManager"] = {"UUID": boss.uuid, "Name": boss.name}
        if rng.random() < 0.7:
            helper = rng.pick(self.staff)
            found["JobManager"] = {"UUID": helper.uuid, "Name": helper.name}
        return found

    def _tax(self, structure: str) -> Record:
        rng = self.rng
        if rng.random() < 0.04:
            return {}
        company, gst = structure.endswith("Company"), rng.random() < 0.7
        fields: Record = {
            "TaxNumber": str(rng.between(10_000_000, 149_999_999)),
            "CompanyNumber": str(rng.between(1_000_000, 9_099_999)) if company else "",
            "BusinessNumber": f"94290{rng.below(10**8):08d}" if company else "",
            "BusinessStructure": structure,
            "BalanceMonth": "Mar" if rng.random() < 0.85 else rng.pick(("Jun", "Dec")),
            "PrepareGST": "Yes" if gst and rng.random() < 0.8 else "No",
            "GSTRegistered": "Yes" if gst else "No",
        }
        if gst:
            fields |= {"GSTPeriod": rng.pick(PERIODS), "GSTBasis": rng.pick(BASES)}
        if self.region == "AU":
            return fields | {
                "PrepareTaxReturn": "Yes",
                "PrepareActivityStatement": "Yes" if gst else "No",
                "ActiveAtoClient": "Yes",
                "BranchNumber": "1",
            }
        return fields | {
            "SignedTaxAuthority": "Yes",
            "AgencyStatus": "With EOT",
            "ReturnType": RETURNS.get(structure, "IR3"),
            "ProvisionalTaxBasis": "Standard Option" if rng.random() < 0.6 else "",
        }

    def _contacts(self, structure: str, extra: Record, slug: str, prefix: str) -> list[Record]:
        rng, people = self.rng, []
        for n in range(rng.pick((1, 1, 1, 2, 2, 3))):
            firsts, lasts = rng.pick(words.PEOPLE)
            first, last = rng.pick(firsts), rng.pick(lasts)
            if n == 0 and extra.get("FirstName"):
                first, last = extra["FirstName"], extra["LastName"]
            people.append(
                {
                    "uuid": self.uuid(),
                    "name": f"{first} {last}",
                    "salutation": first,
                    "addressee": f"{first} {last}",
                    "mobile": f"021 555 {rng.below(10000):04d}" if rng.random() < 0.8 else "",
                    "email": f"{_plain(first).replace(' ', '')}@{slug}.example" if rng.random() < 0.9 else "",
                    "phone": f"{prefix} 555 {rng.below(10000):04d}" if rng.random() < 0.3 else "",
                    "position": "" if structure == "Individual" else rng.pick(words.POSITIONS),
                    "is_primary": n == 0 and rng.random() < 0.95,
                }
            )
        return people


def _planted(maker: _Maker) -> Iterator[Record]:
    for name in _planted_names():
        yield maker.named(name)
    for name in PLANTED["ambiguous"]:
        yield maker.named(name, ("the other one",))


def _planted_names() -> Iterator[str]:
    """Each name XPM has, once."""
    yield from (name for name, _ in PLANTED["near"])
    yield from PLANTED["ambiguous"]
    yield from PLANTED["archived"]
    yield from (name for pair in PLANTED["merged"] for name in pair)
    yield from (name for name, _ in PLANTED["former_manager"])
    yield from (*PLANTED["non_ascii"], *PLANTED["very_long"], PLANTED["couple"], PLANTED["script"], PLANTED["formula"])


def _exact_names(records: list[Record], by_name: dict[str, list[Record]]) -> list[str]:
    """Forty names both sides spell alike: a few awkward ones, the rest spread over the list."""
    awkward = [
        PLANTED["couple"],
        PLANTED["script"],
        PLANTED["formula"],
        PLANTED["very_long"][0],
        *PLANTED["non_ascii"][:3],
        PLANTED["archived"][0],
        PLANTED["former_manager"][0][0],
        PLANTED["merged"][0][1],
    ]
    names = [name for name in awkward if name in by_name]
    special = {*_planted_names()}
    plain = [r["Name"] for r in records if r["Name"] not in special and len(by_name[r["Name"]]) == 1]
    wanted = 40 - len(names)
    return names + plain[:: max(1, len(plain) // wanted)][:wanted]


def _held(record: Record, kind: str, n: int, rng: Dice) -> Record:
    """What the portal has of a client: here and there the phone is another one."""
    phone = record["Phone"]
    if n % 4 == 3:
        phone = f"{phone[:-4]}{rng.below(10000):04d}"
    return {
        "kind": kind,
        "name": record["Name"],
        "xpm_name": record["Name"],
        "phone": phone,
        "email": record["Email"],
        "address": record["Address"],
        "city": record["City"],
        "region": record["Region"],
        "postcode": record["PostCode"],
        "country": record["Country"],
        "structure": record.get("BusinessStructure", ""),
        "contacts": [
            {key: person[key] for key in ("name", "email", "phone", "mobile", "position", "is_primary")}
            for person in record["Contacts"][:1]
        ],
    }


def _structure_of(name: str) -> str:
    if "trust" in name.casefold():
        return "Trust"
    if LEGAL.search(name):
        return "Company"
    return "Partnership" if "&" in name or " and " in name else "Individual"


def _person_fields(name: str) -> Record:
    first, _, last = name.rpartition(" ")
    return {"FirstName": first, "LastName": last}


def _plain(text: str) -> str:
    """Lower case without the marks, as far as it goes; what is left over disappears from addresses."""
    return text.casefold().translate(_UNMARKED)


_UNMARKED = str.maketrans("āēīōūáéíóúàèìòùâêîôûäëïöüãõñçćčšžđøłå", "aeiouaeiouaeiouaeiouaeiouaoncccszdola")


def _give_fates(records: list[Record]) -> None:
    """Give the planted clients their fate: archived, merged away, or left with a manager who has gone."""
    by_name = {record["Name"]: record for record in records}
    for name in PLANTED["archived"]:
        by_name[name]["archived"] = True
    for gone, survivor in PLANTED["merged"]:
        by_name[gone] |= {"deleted": True, "archived": True, "merged_into": by_name[survivor]["uuid"]}
    left = {person.name: person for person in FORMER_STAFF}
    for name, manager in PLANTED["former_manager"]:
        by_name[name]["AccountManager"] = {"UUID": left[manager].uuid, "Name": manager}
