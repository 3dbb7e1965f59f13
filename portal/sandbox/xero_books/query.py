"""`where` and `order` of the Accounting API, turned into SQL.

`Name=="Quay Cafe" AND (ContactStatus=="ACTIVE" OR UpdatedDateUTC>=DateTime(2026,11,21))`, with `guid("…")`, `null`,
`.Contains()`, `.StartsWith()`, `.EndsWith()` and `.ToLower()`. What cannot be understood raises ApiError.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from portal.sandbox.xero_books.records import fold
from portal.sandbox.xero_books.wire import bad_query

TOKEN = re.compile(
    r"""\s*(?:(?P<text>"(?:[^"\\]|\\.)*"|'[^']*')|(?P<number>-?\d+(?:\.\d+)?)|(?P<word>[A-Za-z_]\w*)"""
    r"""|(?P<sign>==|!=|<>|<=|>=|&&|\|\||[=<>().,!]))"""
)
COMPARE = {"==": "=", "=": "=", "!=": "<>", "<>": "<>", "<": "<", ">": ">", "<=": "<=", ">=": ">="}
ORDERED = re.compile(r"([A-Za-z][\w.]*)(?:\s+(ASC|DESC))?", re.IGNORECASE)
DEEP = 50
Value = tuple[str, list[Any]]


@dataclass(frozen=True)
class Column:
    """Where a field is found. `compared` is the column for equality, with `prepare` done to the other side."""

    plain: str
    compared: str = ""
    prepare: Callable[[Any], Any] = str
    quick: bool = False


@dataclass
class Filter:
    """A finished condition. `quick` when it uses nothing but what the vendor calls optimised."""

    sql: str
    values: list[Any]
    quick: bool
    fields: set[str]


@dataclass
class _Operand:
    sql: str
    values: list[Any]
    column: Column | None = None
    literal: Any = None
    is_literal: bool = False
    lowered: bool = False
    truth: bool = False


def compile_where(text: str, columns: Mapping[str, Column], other: Callable[[str], str]) -> Filter:
    """`columns` are those with a name of their own, in lower case; `other` makes SQL for any other field."""
    parser = _Parser(text, columns, other)
    sql, values = parser.either()
    parser.end()
    return Filter(sql, values, parser.quick, parser.fields)


def compile_order(text: str, columns: Mapping[str, Column], other: Callable[[str], str]) -> tuple[str, str, bool]:
    """(SQL of the field, ASC or DESC, whether it is optimised)."""
    found = ORDERED.fullmatch(text.strip())
    if found is None:
        raise bad_query(f"The order {text!r} cannot be understood.")
    column = columns.get(found[1].lower())
    sql = (column.compared or column.plain) if column else other(found[1])
    return sql, (found[2] or "ASC").upper(), bool(column and column.quick)


@dataclass
class _Parser:
    text: str
    columns: Mapping[str, Column]
    other: Callable[[str], str]
    quick: bool = True
    fields: set[str] = field(default_factory=set)
    depth: int = 0

    def __post_init__(self) -> None:
        self.tokens: list[tuple[str, str]] = []
        at, end = 0, len(self.text.rstrip())
        while at < end:
            found = TOKEN.match(self.text, at)
            if found is None:
                raise bad_query(f"Nothing is understood from position {at} of the filter on.")
            self.tokens.append((found.lastgroup or "", found[found.lastgroup or 0]))
            at = found.end()
        self.at = 0

    def end(self) -> None:
        if self.at < len(self.tokens):
            raise bad_query(f"There is too much in the filter: {self.tokens[self.at][1]!r}.")

    def either(self) -> Value:
        sql, values = self.both()
        while self._word("or") or self._sign("||"):
            right, more = self.both()
            sql, values, self.quick = f"({sql} OR {right})", values + more, False
        return sql, values

    def both(self) -> Value:
        sql, values = self.claim()
        while self._word("and") or self._sign("&&"):
            right, more = self.claim()
            sql, values = f"({sql} AND {right})", values + more
        return sql, values

    def claim(self) -> Value:
        self.depth += 1
        if self.depth > DEEP:
            raise bad_query("The filter is nested too deeply.")
        try:
            if self._sign("!"):
                sql, values = self.claim()
                return f"NOT ({sql})", values
            if self._sign("("):
                sql, values = self.either()
                self._need(")")
                return sql, values
            return self._comparison(self._operand())
        finally:
            self.depth -= 1

    def _comparison(self, left: _Operand) -> Value:
        sign = self._peek()[1]
        if sign not in COMPARE:
            if left.truth:
                return f"({left.sql}) = 1", left.values
            raise bad_query("The filter compares nothing.")
        self.at += 1
        right = self._operand()
        if left.is_literal and not right.is_literal:
            left, right, sign = right, left, {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(sign, sign)
        operator = COMPARE[sign]
        if right.is_literal and right.literal is None:
            return f"{left.sql} IS {'' if operator == '=' else 'NOT '}NULL", left.values
        folded = left.column is not None and left.column.compared and not left.lowered and right.is_literal
        if left.column is None or not left.column.quick or operator != "=" or left.lowered:
            self.quick = False
        if folded and left.column:
            return f"{left.column.compared} {operator} ?", [*left.values, left.column.prepare(right.literal)]
        return f"{left.sql} {operator} {right.sql}", left.values + right.values

    def _operand(self) -> _Operand:
        kind, token = self._peek()
        self.at += 1
        if kind == "text":
            return _literal(re.sub(r"\\(.)", r"\1", token[1:-1]))
        if kind == "number":
            return _literal(float(token) if "." in token else int(token))
        if kind != "word":
            raise bad_query(f"{token or 'The end'!r} was not expected in the filter.")
        word = token.lower()
        if word in ("true", "false", "null"):
            return _literal({"true": 1, "false": 0, "null": None}[word])
        if word == "guid":
            return _literal(str(self._arguments()[0]).lower())
        if word == "datetime":
            return _literal(self._moment())
        return self._field(token)

    def _field(self, name: str) -> _Operand:
        while self._peek()[1] == "." and self._peek(2)[1] != "(":
            self.at += 2
            name += f".{self._peek(-1)[1]}"
        column = self.columns.get(name.lower())
        self.fields.add(name.lower())
        operand = _Operand(column.plain if column else self.other(name), [], column or Column(self.other(name)))
        while self._peek()[1] == ".":
            self.at += 1
            self._called(operand)
        return operand

    def _called(self, operand: _Operand) -> None:
        method = self._peek()[1].lower()
        self.at += 1
        given = self._arguments()
        self.quick = False
        if method in ("tolower", "toupper", "trim", "tostring") and not given:
            operand.sql = {"tolower": f"lower({operand.sql})", "toupper": f"upper({operand.sql})",
                           "trim": f"trim({operand.sql})"}.get(method, operand.sql)  # fmt: skip
            operand.lowered = True
            return
        wanted = str(given[0]) if given else ""
        if method == "contains":
            operand.sql, operand.values = f"(instr({operand.sql}, ?) > 0)", [*operand.values, wanted]
        elif method == "startswith":
            operand.sql, operand.values = f"(substr({operand.sql}, 1, {len(wanted)}) = ?)", [*operand.values, wanted]
        elif method == "endswith":
            tail = f"substr({operand.sql}, -{len(wanted)})" if wanted else "''"
            operand.sql, operand.values = f"({tail} = ?)", [*operand.values, wanted]
        else:
            raise bad_query(f"There is no method {method!r}.")
        operand.column, operand.truth = None, True

    def _moment(self) -> int:
        """DateTime(2026,11,21[,h,m,s]) or DateTime.Parse("…"), in milliseconds."""
        if self._sign("."):
            self.at += 1
        given = self._arguments()
        try:
            if len(given) == 1:
                moment = datetime.fromisoformat(str(given[0]))
            else:
                year, month, day, hour, minute, second = [*(int(part) for part in given), 0, 0, 0][:6]
                moment = datetime(year, month, day, hour, minute, second, tzinfo=UTC)
        except (ValueError, TypeError) as reason:
            raise bad_query("The filter has a date that does not exist.") from reason
        return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)

    def _arguments(self) -> list[Any]:
        self._need("(")
        given: list[Any] = []
        while self._peek()[1] != ")":
            operand = self._operand()
            if not operand.is_literal:
                raise bad_query("Only values can stand in the brackets.")
            given.append(operand.literal)
            if not self._sign(","):
                break
        self._need(")")
        return given

    def _peek(self, ahead: int = 0) -> tuple[str, str]:
        at = self.at + ahead
        return self.tokens[at] if 0 <= at < len(self.tokens) else ("", "")

    def _word(self, word: str) -> bool:
        kind, token = self._peek()
        return self._step(kind == "word" and token.lower() == word)

    def _sign(self, sign: str) -> bool:
        return self._step(self._peek() == ("sign", sign))

    def _step(self, matches: bool) -> bool:
        self.at += matches
        return matches

    def _need(self, sign: str) -> None:
        if not self._sign(sign):
            raise bad_query(f"{sign!r} is missing in the filter.")


def _literal(value: Any) -> _Operand:
    return _Operand("?", [value], literal=value, is_literal=True)


def json_field(source: str) -> Callable[[str], str]:
    """SQL for any field of JSON in the column `source`; the parser lets only letters, digits and dots through."""
    return lambda name: f"json_extract({source}, '$.{name}')"


CONTACT_COLUMNS: dict[str, Column] = {
    "contactid": Column("id", "id", lambda value: str(value).lower(), quick=True),
    "name": Column("name", "name_fold", lambda value: fold(str(value)), quick=True),
    "emailaddress": Column("json_extract(fields, '$.EmailAddress')", "email_fold", lambda v: fold(str(v)), quick=True),
    "accountnumber": Column("account", "account_fold", lambda value: fold(str(value)), quick=True),
    "contactnumber": Column("number", "number"),
    "contactstatus": Column("status", "status", lambda value: str(value).upper()),
    "updateddateutc": Column("updated", "updated", int, quick=True),
    "issupplier": Column("is_supplier", "is_supplier", int),
    "iscustomer": Column("is_customer", "is_customer", int),
}
