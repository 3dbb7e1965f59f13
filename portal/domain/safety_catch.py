"""The safety catch: when a run would take away so much that a person has to look first. PURE."""

from __future__ import annotations

from dataclasses import dataclass

HELD_SHARE = 0.30  # of the linked records; octoDNS uses the same for DNS zones
HELD_FROM = 10  # records; below this a share says little


@dataclass(frozen=True, slots=True)
class Danger:
    """What the safety catch saw."""

    linked: int
    blanked: int
    orphaned: int
    absent: int = 0  # not in the list of an app whose lists need not be complete

    @property
    def is_held(self) -> bool:
        """Whether a person must look first: more than 30 % of ten or more linked records."""
        return self.linked >= HELD_FROM and self._lost > HELD_SHARE * self.linked

    @property
    def _lost(self) -> int:
        return self.blanked + self.orphaned + self.absent

    def sentence(self, app: str) -> str:
        share = round(100 * self._lost / self.linked) if self.linked else 0
        lost = []
        if self.absent:
            lost.append(f"go by a list that lacks {self.absent:,} linked clients")
        if self.orphaned:
            lost.append(f"mark {self.orphaned:,} links as broken")
        if self.blanked:
            lost.append(f"empty fields of {self.blanked:,} clients")
        return f"it would {' and '.join(lost)}, {share} % of the {self.linked:,} clients linked to {app}"
