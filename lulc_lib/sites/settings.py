"""Every number the rules rest on, with its unit; the defaults follow from measured curves."""

from __future__ import annotations

from dataclasses import dataclass, fields

from lulc_lib.errors import InputError

LARGEST = 1e6
"""Hectares or metres: more is no setting, but a slip."""


@dataclass(frozen=True)
class Settings:
    """How objects are formed, tracked and assessed.

    The defaults of ``min_area_ha``, of ``low``, ``high`` and ``mapped_share``, and of
    ``tolerance_m`` and ``min_overrun_ha`` follow from synthetic landscapes
    (``experiments/site_rules.py``; notebook 07 shows the curves). All but the first were tried
    together (``--pairs``): of the combinations with which candidates keep a precision of 0.9 even
    where registries are off by 20 m and permits are dug to their edge, these have the highest
    recall where the registries are right. A minimum mapping unit above 0.5 ha gains little
    precision and loses small pits.
    """

    # objects
    min_area_ha: float = 0.5  # hectares, the minimum mapping unit; a smaller site is dropped
    low: float = 0.25  # quarry probability; an object the map hides is where it is at least this …
    high: float = 0.3  # … and it counts only if some pixel of it reaches this …
    mapped_share: float = 0.75  # … and less than this share of it is mapped as quarry
    lake_border: float = 0.5  # share of a lake's rim that is quarry, from which it is a pit lake
    max_hole_ha: float = 2.0  # hectares; a larger island of another class is not the pit's
    # tracks
    min_dates: int = 2  # clear dates on which a site must be seen, if there are as many
    persistence: float = 0.5  # least share of clear dates between first and last seen
    # rules
    tolerance_m: float = 25.0  # metres; registry and map boundaries may differ by this much
    min_overrun_ha: float = 0.275  # hectares beyond boundary and tolerance that make an overrun
    min_permit_share: float = 0.25  # share of a site in mining areas from which it has a permit
    min_deposit_share: float = 0.5  # share of a site in a deposit from which it lies in it
    near_m: float = 200.0  # metres; a point or outline within this distance concerns the site
    coverage_m: float = 25_000.0  # metres; a layer without a feature so near does not cover the map

    def __post_init__(self) -> None:
        """Refuse numbers outside their range."""
        shares = ("low", "high", "mapped_share", "lake_border", "persistence", "min_permit_share",
                  "min_deposit_share")
        for name in shares:
            if not 0 <= getattr(self, name) <= 1:
                raise InputError(f"{name} is {getattr(self, name)}; it must be a share, 0 to 1")
        if self.low > self.high:
            raise InputError(f"low is {self.low} and high {self.high}; low must not exceed high")
        if self.min_dates < 1:
            raise InputError(f"min_dates is {self.min_dates}; it must be at least 1")
        for field in fields(self):
            value = getattr(self, field.name)
            if not 0 <= value <= LARGEST:
                raise InputError(f"{field.name} is {value}; it must be 0 or more, and at most "
                                 f"{LARGEST:g}")
