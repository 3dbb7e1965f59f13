"""An offer in words and figures, as its client reads it: on the public page, in the preview, on the firm's own page."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from decimal import Decimal
from typing import Any

from portal.domain import proposals
from portal.domain.library import BillingType, PriceType
from portal.domain.money import NotAllowed
from portal.domain.proposals import Choice, Part, Proposal, ProposalLine, Starts, When
from portal.web import formats

UNITS = {"day": ("day", "days"), "week": ("week", "weeks"), "month": ("month", "months")}
TITLES = {
    When.AT_ONCE: "When you accept",
    When.LATER: "When the work is done",
    When.ESTIMATE: "As estimated",
}
MEANS = {
    When.AT_ONCE: "Invoiced at once.",
    When.LATER: "Invoiced once the work is done.",
    When.ESTIMATE: "Invoiced by what it turns out to be.",
}


@dataclass(frozen=True)
class Row:
    """One service on the page."""

    id: int
    name: str
    description: list[str]
    amount: str
    detail: str  # how the amount comes about: 7 employees at $10.00
    when: str  # when it is invoiced
    is_optional: bool
    is_taken: bool


@dataclass(frozen=True)
class Sum:
    """What is paid at one occasion."""

    title: str
    means: str
    net: str
    taxes: list[tuple[str, str]]
    total: str
    is_open: bool


@dataclass(frozen=True)
class Package:
    place: int
    name: str
    is_chosen: bool
    rows: list[Row]
    price: list[tuple[str, str]]  # with tax and all that is in every package: amount, when


@dataclass(frozen=True)
class Offer:
    """The whole page. `rows` are in every package; `digest` is what the form sends back as seen."""

    label: str
    firm: str
    client: str
    name: str
    message: list[str]
    terms: list[str]
    until: str
    rows: list[Row]
    packages: list[Package]
    sums: list[Sum]
    digest: str
    has_choices: bool


def offer_of(content: dict[str, Any], choice: Choice, *, only_taken: bool = False) -> Offer:
    """The page of this content with this choice made. `only_taken`: leave out what was not taken, as a receipt does."""
    lines = [line for line in content["lines"] if not only_taken or proposals.is_taken(line, choice)]
    packages = [
        Package(
            place, name, place == choice.option,
            [_row(line, content, choice) for line in lines if line["option"] == place], _price(content, choice, place),
        )
        for place, name in enumerate(content["options"], start=1)
        if not only_taken or place == choice.option
    ]  # fmt: skip
    until = content["expires_on"]
    return Offer(
        label=f"PROP-{content['number']}",
        firm=content["firm"],
        client=content["client"],
        name=content["name"],
        message=paragraphs(content["message"]),
        terms=paragraphs(content["terms"]),
        until=formats.day(date.fromisoformat(until)) if until else "",
        rows=[_row(line, content, choice) for line in lines if line["option"] is None],
        packages=packages,
        sums=sums(content, choice),
        digest=proposals.digest_of(content, choice),
        has_choices=bool(content["options"]) or any(line["is_optional"] for line in content["lines"]),
    )


def amount_of_line(line: ProposalLine) -> tuple[str, str]:
    """What a line of a proposal comes to without tax, and how: '$72.00', '4 employees at $18.00'."""
    content = proposals.content_of(line.proposal, "")
    try:
        return _amounts(next(one for one in content["lines"] if one["id"] == line.id), content)
    except NotAllowed:
        return formats.NOTHING, ""


def sums(content: dict[str, Any], choice: Choice) -> list[Sum]:
    """What is paid when; empty while the amounts of a draft do not add up yet."""
    try:
        return [_sum(part, content["currency"]) for part in proposals.parts(content, choice)]
    except NotAllowed:
        return []


def headline(proposal: Proposal) -> list[str]:
    """The figures a list shows: '$345.00 every month', '$3,795.00 once'. Empty while nothing adds up."""
    if proposal.accepted:
        content, choice = proposals.shown_as_accepted(proposal)
    else:
        content, choice = proposals.content_of(proposal, ""), proposals.default_choice(proposal)
    try:
        return [_figure(part, content["currency"]) for part in proposals.worth(content, choice)]
    except NotAllowed:
        return []


def paragraphs(text: str) -> list[str]:
    """What stands between empty lines; single line breaks are kept by the style sheet."""
    return [part.strip() for part in text.replace("\r\n", "\n").split("\n\n") if part.strip()]


def cadence(every: int, unit: str) -> str:
    """'every month', 'every 3 months'."""
    one, many = UNITS[unit]
    return f"every {one}" if every == 1 else f"every {every} {many}"


def _price(content: dict[str, Any], choice: Choice, place: int) -> list[tuple[str, str]]:
    """What the client would pay with this package, all of it: (amount with tax, when)."""
    try:
        found = sums(content, proposals.settled(content, place, choice.taken))
    except NotAllowed:
        return []
    return [(one.total, one.title[0].lower() + one.title[1:]) for one in found]


def _figure(part: Part, currency: str) -> str:
    return f"{_total(part, currency)} {cadence(part.every, part.cadence) if part.every else 'once'}"


def _sum(part: Part, currency: str) -> Sum:
    title, means = TITLES.get(part.when, ""), MEANS.get(part.when, "")
    if part.when == When.RECURRING:
        title = cadence(part.every, part.cadence).capitalize()
        means = (
            "Invoiced by itself from the day each service begins, until one of us ends it or it has come as often as "
            "agreed."
        )
    if part.has_first_times:
        means = "Invoiced at once, the first time of what recurs from then on among it."
    taxes = [(name or "Tax", formats.money(tax, currency)) for name, tax in part.taxes]
    return Sum(title, means, formats.money(part.net, currency), taxes, _total(part, currency), part.is_open)


def _total(part: Part, currency: str) -> str:
    amount = formats.money(part.total, currency)
    if part.total_to is not None:
        return f"{amount} to {formats.money(part.total_to, currency)}"
    return f"from {amount}" if part.is_open else amount


def _row(line: dict[str, Any], content: dict[str, Any], choice: Choice) -> Row:
    amount, detail = _amounts(line, content)
    is_taken = proposals.is_taken(line, choice) if line["is_optional"] else True
    return Row(
        line["id"], line["name"], paragraphs(line["description"]), amount, detail, _when(line, content),
        line["is_optional"], is_taken,
    )  # fmt: skip


def _amounts(line: dict[str, Any], content: dict[str, Any]) -> tuple[str, str]:
    """The amount without tax, and how it comes about."""
    currency, kind = content["currency"], PriceType(line["price_type"])
    if kind == PriceType.INCLUDED:
        return "Included", ""
    found = proposals.figure(line, content)
    amount = formats.money(found.net, currency)
    if found.net_to is not None:
        amount = f"{amount} to {formats.money(found.net_to, currency)}"
    elif kind == PriceType.MINIMUM:
        amount = f"from {amount}"
    quantity, detail = Decimal(line["quantity"]), []
    if quantity != 1 or line["unit"]:
        each = formats.price(Decimal(line["price"]), currency)
        unit = line["unit"]
        detail.append(f"{formats.plural(quantity, unit)} at {each}" if unit else f"{formats.number(quantity)} × {each}")
    if found.off:
        detail.append(f"{formats.money(found.off, currency)} discount taken off")
    if found.deposit is not None:
        detail.append(f"{formats.money(found.deposit, currency)} of it as a deposit")
    return amount, ", ".join(detail)


def _when(line: dict[str, Any], content: dict[str, Any]) -> str:
    kind = BillingType(line["billing_type"])
    if line["price_type"] == PriceType.INCLUDED:
        return ""
    if kind != BillingType.RECURRING:
        return {
            BillingType.ON_ACCEPTANCE: "once, when you accept",
            BillingType.DEPOSIT: "a deposit when you accept, the rest when the work is done",
            BillingType.ON_COMPLETION: "when the work is done",
            BillingType.ESTIMATE: "by estimate",
        }[kind]
    said = cadence(line["every"], line["cadence"])
    if line["periods"]:
        said += f", {formats.plural(line['periods'], 'time')}"
    return f"{said}{_from(line, content)}"


def _from(line: dict[str, Any], content: dict[str, Any]) -> str:
    days = {Starts.PROPOSAL_START.value: content["starts_on"], Starts.DATE.value: line["starts_on"]}
    start = days.get(line["starts"])
    since = f"from {formats.day(date.fromisoformat(start))}" if start else "from the day you accept"
    if not line["delay"]:
        return f", {since}"
    one, many = UNITS[line["cadence"]]
    return f", first {line['delay']} {one if line['delay'] == 1 else many} later than {since.removeprefix('from ')}"
