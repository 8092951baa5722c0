"""The planted quarries: what kind, where, how they grow, fill with water and are reclaimed."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date

import numpy as np
from scipy import ndimage
from shapely import affinity
from shapely.geometry import LineString, MultiPolygon, Point, Polygon, box
from shapely.geometry.base import BaseGeometry

from lulc_lib.landscape.noise import Rng
from lulc_lib.landscape.plan import SyntheticSite

START, END = date(2021, 1, 1), date(2023, 12, 31)
"""Span over which a quarry grows from its first to its full size."""

FIRST_GAP, LEAST_GAP = 280.0, 170.0
"""Distance between pits, metres: the one wished for, and the least that is accepted."""

#: category, case, radius in metres, last active date (None: still active), pit lake share
PLAN: tuple[tuple[str, str, float, date | None, float], ...] = (
    ("licensed", "", 440, None, 0.22), ("licensed", "", 390, None, 0.30),
    ("overrun", "", 330, None, 0.20), ("licensed", "", 330, None, 0.30),
    ("overrun", "", 260, None, 0.0), ("licensed", "", 280, None, 0.0),
    ("licensed", "", 210, None, 0.36),
    ("in_deposit_unlicensed", "B", 95, None, 0.0),
    ("reclaimed", "", 170, date(2022, 7, 31), 0.45), ("reclaimed", "", 125, date(2021, 9, 30), 0.0),
    ("in_deposit_unlicensed", "", 130, None, 0.25), ("outside_deposit", "", 115, None, 0.0),
    ("outside_deposit", "A", 80, date(2022, 8, 31), 0.0))


@dataclass(frozen=True)
class Pit:
    """One planted quarry: its largest extent, and the wall from which it grows (site's CRS).

    ``lake_share`` is the width of the pit lake against the pit at the end of the series.
    """

    site_id: int
    category: str
    case: str
    outline: Polygon
    anchor: Point
    first_active: date
    last_active: date | None
    lake_share: float

    @property
    def status(self) -> str:
        """What a check against the registries should conclude."""
        return {"licensed": "licensed", "reclaimed": "other"}.get(self.category, "candidate")

    def active(self, day: date) -> bool:
        """Say whether rock is open on ``day``."""
        return self.first_active <= day and (self.last_active is None or day <= self.last_active)

    def at(self, day: date) -> BaseGeometry:
        """Return the dug land on ``day``, whether still worked or already reclaimed."""
        end = self.last_active or END
        share = np.clip((day - START).days / max((end - START).days, 1), 0, 1)
        scale = 0.80 + 0.20 * share
        grown = affinity.scale(self.outline, scale, scale, origin=self.anchor)
        return grown.intersection(self.outline)

    def lake(self, day: date) -> BaseGeometry:
        """Return the water in the pit on ``day``: grows with the years, higher in winter."""
        if not self.lake_share:
            return MultiPolygon()
        years = (day - START).days / (END - START).days
        season = 0.06 * np.cos((day.timetuple().tm_yday - 50) / 365 * 2 * np.pi)
        full = self.last_active is not None and day > self.last_active
        share = self.lake_share * (0.75 + 0.5 * years + season) * (1.5 if full else 1.0)
        c = self.outline.centroid
        low = affinity.translate(
            self.outline, 0.35 * (self.anchor.x - c.x), 0.35 * (self.anchor.y - c.y))
        low = affinity.rotate(low, 67 * self.site_id)
        return affinity.scale(low, 1.25 * share, 0.7 * share).intersection(self.at(day).buffer(-18))

    def haul_road(self, day: date) -> LineString:
        """Return the ramp that winds from the rim down to the floor, as dug on ``day``."""
        rim, centre = _largest(self.at(day)).exterior, self.outline.centroid
        down = np.linspace(0, 1, 40)
        at = [rim.interpolate((0.1 * self.site_id + 0.6 * t) % 1, normalized=True) for t in down]
        return LineString([(centre.x + (p.x - centre.x) * (0.95 - 0.62 * t),
                            centre.y + (p.y - centre.y) * (0.95 - 0.62 * t))
                           for p, t in zip(at, down, strict=True)])


def blob(rng: Rng, x: float, y: float, radius: float) -> Polygon:
    """Draw an irregular, angular outline around (x, y) of about ``radius`` metres."""
    angles = np.sort(rng.uniform(0, 2 * np.pi, 9) * 0.35 + np.linspace(0, 2 * np.pi, 10)[:-1])
    reach = radius * np.clip(rng.normal(1, 0.24, 9), 0.55, 1.4)
    shape = Polygon(np.column_stack([x + reach * np.cos(angles), y + reach * np.sin(angles)]))
    shape = affinity.scale(shape, rng.uniform(0.95, 1.25), rng.uniform(0.75, 0.95))
    shape = affinity.rotate(shape, rng.uniform(0, 180))
    return _largest(shape.buffer(-radius * 0.1).buffer(radius * 0.1))


def _largest(shape: BaseGeometry) -> Polygon:
    """Return the largest part of a shape, without holes."""
    return Polygon(max(getattr(shape, "geoms", [shape]), key=lambda g: g.area).exterior)


def outline(rng: Rng, x: float, y: float, radius: float) -> Polygon:
    """Draw the outline of a quarry: one blob, two for the larger ones, with a ragged rim."""
    shape = blob(rng, x, y, radius)
    if radius > 160:
        turn = rng.uniform(0, 2 * np.pi)
        side = blob(rng, x + 0.8 * radius * np.cos(turn), y + 0.8 * radius * np.sin(turn),
                    0.6 * radius)
        shape = _largest(shape.union(side))
    rim = np.asarray(shape.segmentize(12).exterior.coords)[:-1]
    ragged = np.stack([ndimage.gaussian_filter1d(rng.standard_normal(len(rim)), 2.8, mode="wrap")
                       for _ in range(2)], 1)
    rim += ragged / ragged.std() * min(11.0, 0.06 * radius)
    return _largest(Polygon(rim).buffer(0))


def _place(rng: Rng, inside: Polygon, taken: list[BaseGeometry], radius: float
           ) -> tuple[Polygon, Point]:
    """Place a pit (outline, centre) clear of ``taken``: if need be with less gap, then smaller."""
    gap, (x0, y0, x1, y1) = FIRST_GAP, inside.bounds
    while True:
        for _ in range(120):
            at = Point(rng.uniform(x0 + radius, x1 - radius), rng.uniform(y0 + radius, y1 - radius))
            if min(at.distance(t) for t in taken) < gap + 0.8 * radius:
                continue
            shape = _largest(outline(rng, at.x, at.y, radius).intersection(inside))
            if min(shape.convex_hull.distance(t) for t in taken) > gap:
                return shape, at
        if gap > LEAST_GAP:
            gap = max(LEAST_GAP, 0.85 * gap)
        else:
            radius *= 0.92


def make_pits(rng: Rng, site: SyntheticSite, villages: list[tuple[Point, float]]) -> list[Pit]:
    """Make the quarries of ``site``; case B lies in the largest village, the rest in the open."""
    taken = [p.buffer(0.75 * r) for p, r in villages]
    width, height = site.extent
    inside = box(site.x0, site.y0 - height, site.x0 + width, site.y0).buffer(-40)
    pits = []
    for number, (category, case, radius, last, lake) in enumerate(PLAN, 1):
        if case == "B":
            centre, size = villages[0]
            turn = rng.uniform(0, 2 * np.pi)
            at = Point(centre.x + 0.42 * size * np.cos(turn), centre.y + 0.42 * size * np.sin(turn))
            shape = outline(rng, at.x, at.y, radius)
        else:
            shape, at = _place(rng, inside, taken, radius)
        turn = rng.uniform(0, 2 * np.pi)
        anchor = Point(at.x + 0.5 * radius * np.cos(turn), at.y + 0.5 * radius * np.sin(turn))
        first = date(2021, 3, 1) if case else date(int(rng.integers(1985, 2016)), 5, 1)
        taken.append(shape.convex_hull)
        pits.append(Pit(number, category, case, shape, anchor, first, last, lake))
    return pits
