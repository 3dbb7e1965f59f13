"""Reads a query: SELECT … FROM … WHERE … ORDERBY … STARTPOSITION … MAXRESULTS, in this order and nothing else."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NamedTuple

from portal.sandbox.quickbooks import faults

TOKEN = re.compile(
    r"\s*(?:(?P<text>'(?:\\.|[^'\\])*')|(?P<operator><=|>=|!=|<>|=|<|>)|(?P<mark>[(),*])|(?P<number>-?\d+(?:\.\d+)?)"
    r"|(?P<word>[A-Za-z_][A-Za-z0-9_.]*)|(?P<other>\S))",
    re.DOTALL,
)
OPERATORS = ("=", "<", ">", "<=", ">=")
DEFAULT_SIZE, LARGEST_SIZE = 100, 1000
BARE = {"true": True, "false": False}


class Token(NamedTuple):
    """A piece of the statement; `at` counts characters from one."""

    kind: str
    text: str
    at: int


@dataclass(frozen=True)
class Today:
    """CURRENT_DATE."""


Literal = str | bool | Today


@dataclass(frozen=True)
class Condition:
    """One comparison; IN has several values, the others one."""

    property: str
    operator: str
    values: tuple[Literal, ...]


@dataclass(frozen=True)
class Statement:
    """`columns` is None for *; sizes are as written, None when they were not."""

    entity: str
    columns: tuple[str, ...] | None
    count: bool
    where: tuple[Condition, ...]
    order: tuple[tuple[str, bool], ...]
    start: int | None
    most: int | None


def read(text: str) -> Statement:
    """The parsed statement; raises Fault 4000 or 4001."""
    return _Reader(text).statement()


class _Reader:
    """Takes one token after the other."""

    def __init__(self, text: str) -> None:
        self._tokens = [
            Token(str(found.lastgroup), found.group(str(found.lastgroup)), found.start(str(found.lastgroup)) + 1)
            for found in TOKEN.finditer(text.strip())
        ]
        self._next = 0

    def statement(self) -> Statement:
        self._need("select")
        columns, count = self._columns()
        self._need("from")
        entity = self._word()
        where = self._where() if self._took("where") else ()
        order: tuple[tuple[str, bool], ...] = ()
        if self._took("orderby") or (self._took("order") and self._need("by")):
            order = self._order()
        start = self._position("startposition", 1)
        most = self._position("maxresults", 0)
        if self._peek() is not None:
            raise self._lost()
        return Statement(entity, columns, count, where, order, start, most)

    def _columns(self) -> tuple[tuple[str, ...] | None, bool]:
        token = self._peek()
        if token and token.text.lower() == "count":
            self._take()
            for mark in "(*)":
                self._need(mark)
            return None, True
        every, names = False, []
        while True:
            if self._took("*"):
                every = True
            else:
                names.append(self._word())
            if not self._took(","):
                return (None if every else tuple(names)), False

    def _where(self) -> tuple[Condition, ...]:
        found = [self._condition()]
        while self._took("and"):
            found.append(self._condition())
        return tuple(found)

    def _condition(self) -> Condition:
        name = self._word()
        token = self._take()
        operator = token.text.upper()
        if operator == "IN":
            self._need("(")
            values = [self._value()]
            while self._took(","):
                values.append(self._value())
            self._need(")")
            return Condition(name, "IN", tuple(values))
        if operator == "LIKE" or operator in OPERATORS:
            return Condition(name, operator, (self._value(),))
        raise self._lost(token)

    def _value(self) -> Literal:
        token = self._take()
        if token.kind == "text":
            return re.sub(r"\\(.)", r"\1", token.text[1:-1], flags=re.DOTALL)
        word = token.text.lower()
        if word in BARE:
            return BARE[word]
        if word == "current_date":
            return Today()
        raise self._lost(token)

    def _order(self) -> tuple[tuple[str, bool], ...]:
        found = []
        while True:
            name = self._word()
            down = self._took("desc")
            if not down:
                self._took("asc")
            found.append((name, down))
            if not self._took(","):
                return tuple(found)

    def _position(self, word: str, least: int) -> int | None:
        if not self._took(word):
            return None
        token = self._take()
        if token.kind != "number" or "." in token.text:
            raise self._lost(token)
        if int(token.text) < least:
            raise faults.not_queryable(f"value {token.text} is too small. Min allowed value is {least}")
        return int(token.text)

    def _word(self) -> str:
        token = self._take()
        if token.kind != "word":
            raise self._lost(token)
        return token.text

    def _need(self, text: str) -> bool:
        token = self._take()
        if token.text.lower() != text:
            raise self._lost(token)
        return True

    def _took(self, text: str) -> bool:
        token = self._peek()
        if token is None or token.kind == "text" or token.text.lower() != text:
            return False
        self._next += 1
        return True

    def _peek(self) -> Token | None:
        return self._tokens[self._next] if self._next < len(self._tokens) else None

    def _take(self) -> Token:
        token = self._peek()
        if token is None:
            raise faults.unreadable('Encountered "<EOF>" at the end of the statement.')
        self._next += 1
        return token

    def _lost(self, token: Token | None = None) -> faults.Fault:
        found = token or self._peek()
        if found is None:
            return faults.unreadable('Encountered "<EOF>" at the end of the statement.')
        return faults.unreadable(f'Encountered " <{found.kind.upper()}> "{found.text} "" at line 1, column {found.at}.')
