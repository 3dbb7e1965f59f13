"""Clients put into the demo on purpose, by name, so that every awkward case can be shown and tested."""

from __future__ import annotations

from typing import TypedDict


class Planted(TypedDict):
    """The awkward cases. Pairs in `near` are (name in XPM, name in the portal); in `merged` (gone, survivor)."""

    near: tuple[tuple[str, str], ...]
    ambiguous: tuple[str, ...]
    archived: tuple[str, ...]
    merged: tuple[tuple[str, str], ...]
    former_manager: tuple[tuple[str, str], ...]
    non_ascii: tuple[str, ...]
    very_long: tuple[str, ...]
    couple: str
    script: str
    formula: str
    only_here: tuple[str, ...]


PLANTED: Planted = {
    "near": (
        ("Harbour Bakery Limited", "HARBOUR BAKERY LIMITED"),
        ("McKenzie Motors Ltd", "Mckenzie Motors Ltd"),
        ("kauri coast plumbing limited", "Kauri Coast Plumbing Limited"),
        ("Southern  Alps Honey Limited", "Southern Alps Honey Limited"),
        ("Tasman Bay Orchards Ltd", "Tasman  Bay Orchards Ltd"),
        ("Riverbend Dairy Ltd", "Riverbend Dairy Limited"),
        ("Pōhutukawa Homes Limited", "Pōhutukawa Homes Ltd"),
        ("O'Brien Contracting Ltd", "OBrien Contracting Ltd"),
        ("Smith, Jones and Partners", "Smith Jones and Partners"),
        ("St. Clair Physiotherapy Ltd", "St Clair Physiotherapy Ltd"),
        ("Huka Falls Brewing Ltd.", "Huka Falls Brewing Ltd"),
        ("Bluestone Engineering LIMITED", "Bluestone Engineering Ltd"),
    ),
    "ambiguous": ("Smith Family Trust", "Wilson Holdings Limited", "Singh Transport Ltd", "Li Chen"),
    "archived": (
        "Old Mill Cafe Limited",
        "Summit Travel Ltd",
        "Kererū Knitwear Limited",
        "Anchor Video Hire Ltd",
        "Waikato Fax Services Limited",
        "Lakeside Florist Ltd",
        "Gumtree Removals Pty Ltd",
        "Aotea Print Limited",
        "Longbush Shearing Ltd",
        "Clearwater Pools Limited",
        "Highland Saddlery Ltd",
        "Stonefield Quarry Limited",
        "Tītoki Toys Limited",
        "Mercury Couriers Ltd",
        "Eastgate Books Limited",
        "Westhaven Sails Ltd",
        "The Pemberton Family Trust",
        "The Rāpana Whānau Trust",
        "Graham & Margaret Lockwood",
        "Hēmi Manihera",
        "Fiona Drummond",
        "Ashworth & Reid",
        "Coral Coast Charters Pty Ltd",
        "Ironbark Timber Pty Ltd",
        "Silverstream Swim School Limited",
    ),
    "merged": (
        ("Kōwhai Landscapes 2015 Limited", "Kōwhai Landscapes Limited"),
        ("Patel Pharmacy (Hamilton) Ltd", "Patel Pharmacy Limited"),
        ("Fonua Builders", "Fonua Builders Limited"),
    ),
    "former_manager": (
        ("Redwood Forestry Limited", "Colin Bridger"),
        ("The Feilding Trust", "Ruth Feldman"),
        ("Banksia Early Learning Pty Ltd", "Aditi Rao"),
    ),
    "non_ascii": (
        "李氏貿易 Trading Limited",
        "Šimić & Babić Joinery Limited",
        "Ørsted Marine Ltd",
        "Nguyễn Văn Thành",
        "Café Zoë Limited",
        "Łukasz Kowalski",
        "Τα Νησιά Foods Ltd",
    ),
    "very_long": (
        "The Trustees of the Te Whānau-a-Ruataupare ki Tokomaru Agricultural, Horticultural and Marine Development"
        " and Education Charitable Trust",
        "Pemberton, Hawthorne, Lockwood, Fitzgerald & D'Arcy-Jones Commercial Property Investment and Development"
        " Holdings (Australasia) Limited",
        "Wellington and Wairarapa Regional Association of Independent Organic Vegetable Growers, Beekeepers and"
        " Orchardists Incorporated",
    ),
    "couple": "Aroha & Tama Ngata",
    "script": '<script>alert("hello")</script> Media Ltd',
    "formula": "=SUM(A1:A9) Holdings Limited",
    "only_here": (
        "Tui & Fern Consulting",
        "Ōtaki Surf School Limited",
        "Marigold Events Ltd",
        "The Paewai Family Trust",
        "Kaikōura Whale Cruises Limited",
        "Benjamin Okafor",
    ),
}
