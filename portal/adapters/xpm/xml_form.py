"""XPM's XML as plain values, read without trusting it.

Three walls, each enough for its own kind of attack: defusedxml looks at everything before the root element and refuses
a DOCTYPE (so there are no entities to expand); lxml parses with entities, network and huge trees off, which caps depth;
and what one entry may weigh is counted as it is read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import IO, Any

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import DefusedXMLParser, ParseError
from lxml import etree

from portal.adapters.base import UnexpectedReply
from portal.adapters.http import Reply

NAME = "Xero Practice Manager"
Plain = dict[str, Any]  # element name -> text, None, Plain, or a list of Plain

HEAVIEST = 32 * 1024 * 1024  # bytes of one entry, notes and all
PROLOG = 64 * 1024  # bytes in which the root element must have begun
OPTIONS: dict[str, Any] = {
    "resolve_entities": False,
    "no_network": True,
    "load_dtd": False,
    "huge_tree": False,
    "remove_comments": True,
    "remove_pis": True,
    "recover": False,
}
# References to characters XML does not allow. Software that writes XML by hand lets them through when somebody has
# pasted a vertical tab into a name, and one such name must not make the whole list unreadable.
FORBIDDEN_REFERENCE = re.compile(
    rb"&#(?:0*(?:[0-8]|1[124-9]|2[0-9]|3[01])|[xX]0*(?:[0-8bBcCeEfF]|1[0-9a-fA-F]|[dD][89a-fA-F][0-9a-fA-F]{2}"
    rb"|[fF]{3}[eEfF]));"
)
LONGEST_REFERENCE = 24
CONTROLS = bytes(set(range(32)) - {9, 10, 13})


def document(reply: Reply) -> Plain:
    """A small reply: the children of its root by name. Raises `UnexpectedReply`."""
    _look_before(reply)
    try:
        root = etree.fromstring(_fit(reply.content()), etree.XMLParser(encoding="utf-8", **OPTIONS))
    except etree.XMLSyntaxError as error:
        raise _broken(reply) from error
    _check_root(root, reply)
    return plain(root)


class Entries:
    """The entries of one list, in order; read `status`, `error_text` and `has_list` after the last one."""

    def __init__(self, reply: Reply, many: str, one: str) -> None:
        self.status: str | None = None
        self.error_text: str | None = None
        self.has_list = False
        self._reply = reply
        self._many = many
        self._one = one

    def __iter__(self) -> Iterator[Plain]:
        _look_before(self._reply)
        source = _Source(self._reply.rewound())
        tags = (self._one, self._many, "Status", "ErrorDescription")
        events = etree.iterparse(source, events=("end",), tag=tags, encoding="utf-8", **OPTIONS)
        try:
            for _event, element in events:
                if element.tag == self._one and self._is_entry(element):
                    yield _children(element)
                    source.fresh = 0
                    _forget(element)
                else:
                    self._note(element)
            _check_root(events.root, self._reply)
        except etree.XMLSyntaxError as error:
            raise _broken(self._reply) from error
        except _TooHeavy as error:
            raise UnexpectedReply(
                f"{NAME} sent a record larger than {HEAVIEST // 1024 // 1024} MB.", status=self._reply.status,
                vendor_text=self._reply.start(),
            ) from error  # fmt: skip

    def _is_entry(self, element: etree._Element) -> bool:
        parent = element.getparent()
        return parent is not None and parent.tag == self._many

    def _note(self, element: etree._Element) -> None:
        parent = element.getparent()
        if parent is None or parent.getparent() is not None:
            return
        if element.tag == self._many:
            self.has_list = True
        elif element.tag == "Status":
            self.status = element.text
        elif element.tag == "ErrorDescription":
            self.error_text = element.text


def plain(element: etree._Element) -> Plain:
    """All children by name, at any depth. Lists are those of `SHAPES`; elsewhere the last of a repeated name counts."""
    found: Plain = {}
    for child in element:
        reader = SHAPES.get(child.tag)
        if reader is None and len(child):
            found[child.tag] = plain(child)
        else:
            found[child.tag] = reader(child) if reader else child.text
    return found


def _children(element: etree._Element) -> Plain:
    """An entry of a long list: as `plain`, but what nobody asks for (notes, relationships) is not unfolded."""
    found: Plain = {}
    shape_of = SHAPES.get
    for child in element:
        tag = child.tag
        reader = shape_of(tag)
        found[tag] = child.text if reader is None else reader(child)
    return found


def _leaves(element: etree._Element) -> Plain:
    return {child.tag: child.text for child in element}


def _list(element: etree._Element) -> list[Plain]:
    return [{leaf.tag: leaf.text for leaf in child} for child in element]


def _trees(element: etree._Element) -> list[Plain]:
    return [plain(child) for child in element]


# Elements of a client or job that hold more than text. Notes and relationships are never read.
SHAPES: dict[Any, Callable[[etree._Element], Any]] = {
    "AccountManager": _leaves,
    "JobManager": _leaves,
    "BillingClient": _leaves,
    "Type": _leaves,
    "AutoBasOptInCriteria": _leaves,
    "Contacts": _list,
    "Groups": _list,
    "Jobs": _trees,
    "Assigned": _list,
}


class _TooHeavy(Exception):
    pass


class _Source:
    """The body as lxml reads it, weighed, and without characters XML forbids."""

    def __init__(self, body: IO[bytes]) -> None:
        self.fresh = 0  # bytes read since the last entry was done
        self._body = body
        self._kept = b""

    def read(self, size: int) -> bytes:
        piece = self._body.read(size)
        self.fresh += len(piece)
        if self.fresh > HEAVIEST:
            raise _TooHeavy
        if not piece:
            kept, self._kept = self._kept, b""
            return kept
        piece = self._kept + piece
        # A reference may be cut in two by the end of this piece: keep its beginning for the next.
        ampersand = piece.rfind(b"&", -LONGEST_REFERENCE)
        if ampersand > 0 and b";" not in piece[ampersand:]:
            self._kept = piece[ampersand:]
            piece = piece[:ampersand]
        else:
            self._kept = b""
        return _fit(piece)


def _fit(piece: bytes) -> bytes:
    piece = piece.translate(None, CONTROLS)
    return FORBIDDEN_REFERENCE.sub(b"", piece) if b"&#" in piece else piece


class _Begun(Exception):
    pass


class _UntilRoot:
    """A parser target that stops at the first element: a DOCTYPE can only come before it."""

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        raise _Begun

    def close(self) -> None:
        return None


def _look_before(reply: Reply) -> None:
    parser = DefusedXMLParser(target=_UntilRoot(), encoding="utf-8", forbid_dtd=True)
    try:
        parser.feed(reply.rewound().read(PROLOG))
    except _Begun:  # the root has come, and nothing forbidden before it
        return
    except DefusedXmlException as error:
        raise UnexpectedReply(
            f"{NAME} sent XML with a document type, which is refused: it can hide an attack.", status=reply.status,
            vendor_text=reply.start(),
        ) from error  # fmt: skip
    except ParseError as error:
        raise _broken(reply) from error
    raise _broken(reply)


def _check_root(root: etree._Element | None, reply: Reply) -> None:
    if root is None or root.tag != "Response":
        raise _broken(reply)


def _broken(reply: Reply) -> UnexpectedReply:
    return UnexpectedReply(f"{NAME} sent XML that is broken.", status=reply.status, vendor_text=reply.start())


def _forget(element: etree._Element) -> None:
    """Free the entry and what came before it; without this the whole list would stay in memory."""
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]
