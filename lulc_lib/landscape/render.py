"""From a class map to the digital numbers that a satellite would have recorded."""

from __future__ import annotations

from collections import namedtuple
from datetime import date, timedelta
from functools import cache
from importlib.resources import files

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy import ndimage

from lulc_lib import legend
from lulc_lib.data.radiometry import QUANTIFICATION
from lulc_lib.data.scenes import BANDS, BANDS_10M
from lulc_lib.landscape.layout import Layout
from lulc_lib.landscape.noise import Bools, Codes, Floats, Rng, coverage, smooth_noise, without
from lulc_lib.landscape.plan import Scene

SPREADS = ("between_sd", "between_pc1", "between_pc2", "within_sd", "within_pc1")
MIN_OBJECTS = 4
"""Where fewer objects were measured, the class's spreads of the other dates are used."""


_Spectrum = namedtuple("_Spectrum", ("mean", *SPREADS))
"""One class on one day; every field is (band,) float64 reflectance, bands as in BANDS."""


@cache
def measured() -> pd.DataFrame:
    """Read the measured table, spreads completed."""
    table = pd.read_csv(files("lulc_lib.landscape") / "spectra.csv", parse_dates=["date"])
    few = table["n_objects"].lt(MIN_OBJECTS) & table["n_pixels"].gt(0)
    columns = list(SPREADS)
    usual = table[~few].groupby(["class", "band"])[columns].mean()
    rows = pd.MultiIndex.from_frame(table.loc[few, ["class", "band"]])
    table.loc[few, columns] = usual.reindex(rows).to_numpy()
    return table


@cache
def spectrum(key: str, day: date) -> _Spectrum:
    """Return the spectrum of class ``key`` on ``day``.

    On days not measured it is interpolated over the day of year, around the turn of the year.
    """
    table = measured()
    mine = table[table["class"] == key]
    columns = ["mean", *SPREADS]
    exact = mine[mine["date"] == pd.Timestamp(day)]
    if len(exact):
        rows = exact.set_index("band").loc[list(BANDS), columns]
        return _Spectrum(*(rows[c].to_numpy() for c in columns))
    by_day = mine.assign(doy=mine["date"].dt.dayofyear).groupby(["doy", "band"])[columns].mean()
    doys = by_day.index.unique("doy").to_numpy()
    values = np.stack([by_day.loc[d].loc[list(BANDS), columns].to_numpy() for d in doys])
    at = day.timetuple().tm_yday
    around = np.concatenate([doys[-1:] - 365, doys, doys[:1] + 365])
    values = np.concatenate([values[-1:], values, values[:1]])
    right = int(np.searchsorted(around, at, side="right"))
    share = (at - around[right - 1]) / (around[right] - around[right - 1])
    between = (1 - share) * values[right - 1] + share * values[right]
    return _Spectrum(*between.T)


PSF = 0.68
"""Point spread of the 10 m bands, sd in pixels."""
SENSOR_NOISE = 0.0012
"""Sd of the sensor's noise, reflectance."""
ROAD_WEIGHT = 1.1
"""Share of the road spectrum, measured on pixels that are partly verge, per share covered."""
TEXTURE_WEIGHT = {"water": 0.4, "mixed_forest": 1.1}
"""Weight of the measured spread: water polygons held shore; 20 m bands lose forest's texture."""
HAUL_WIDTH = 14.0
"""Width of the ramps in pits, metres."""
TURN_DAYS, TURN_SHARE = 5, 0.22
"""Days around a change of phase in which a field looks like both, and the other phase's share."""
FLOOR = 0.0015
"""Least reflectance that is written, so that land never has DN 0."""
TEN_M_STRIPS = (np.s_[-1, :], np.s_[:, 0])
TWENTY_M_STRIPS = (np.s_[:2, :], np.s_[:, -1])
"""Rows and columns of DN 0 at the scene's edges, as in all seven Strzegom files."""


def _unit(field: Floats) -> Floats:
    return (field / (field.std() + 1e-9)).astype(np.float32)


def _object_scores(rng: Rng, seed_rng: Rng, layout: Layout) -> Floats:
    """Draw two scores per parcel, ``(2, row, col)``: partly of this date, partly of all dates."""
    n = len(layout.angle)
    scores = 0.55 * seed_rng.standard_normal((2, n)) + 0.835 * rng.standard_normal((2, n))
    return scores.clip(-2.2, 2.2).astype(np.float32)[:, layout.parcel]


def _field_texture(rng: Rng, layout: Layout) -> Floats:
    """Draw unit texture inside fields: soil patches, wheel tracks along the work, fine grain."""
    rows, cols = np.mgrid[: layout.parcel.shape[0], : layout.parcel.shape[1]].astype(np.float32)
    angle = layout.angle[layout.parcel]
    across = rows * np.cos(angle) - cols * np.sin(angle)
    rows_of_work = np.sin(across * 1.9 + angle * 40)
    rows_of_work *= smooth_noise(rng, rows.shape, 12) > 0
    patches = smooth_noise(rng, rows.shape, 10) + 0.6 * smooth_noise(rng, rows.shape, 3)
    return _unit(patches + 0.3 * rows_of_work + 0.15 * smooth_noise(rng, rows.shape, 0.8))


def _bench_texture(rng: Rng, rock: Bools) -> Floats:
    """Draw unit texture of pits: terraces parallel to the rim, lit from south-south-east."""
    depth = ndimage.distance_transform_edt(rock)
    steps = depth / 4.2 + 0.9 * smooth_noise(rng, rock.shape, 6)
    height = -np.floor(steps) + 0.6 * smooth_noise(rng, rock.shape, 2)
    slope_row, slope_col = np.gradient(ndimage.gaussian_filter(height, 0.5))
    shade = -(slope_row * 0.94 + slope_col * 0.34)
    shade = shade / (shade[rock].std() + 1e-9) if rock.any() else shade
    texture = (0.7 * shade + 0.75 * smooth_noise(rng, rock.shape, 4)
               + 0.25 * smooth_noise(rng, rock.shape, 0.9))
    return (texture / (texture[rock].std() if rock.any() else 1)).astype(np.float32)


def _textures(rng: Rng, layout: Layout, truth: Codes) -> dict[str, Floats]:
    """Draw within-object texture for each class key; ``""`` is every other class."""
    shape = truth.shape
    canopy = 0.5 * smooth_noise(rng, shape, 1.0) + 0.75 * smooth_noise(rng, shape, 3.5)
    field = _field_texture(rng, layout)
    return {
        "": _unit(smooth_noise(rng, shape, 0.7)), "conifer": canopy, "mixed_forest": canopy,
        "quarry": _bench_texture(rng, truth == legend.code("quarry")),
        "crops_ripe": field, "bare_soil": field, "crops_growing": field, "grassland": field,
    }


def _mix(out: Floats, share: Floats, spec: _Spectrum) -> None:
    """Blend ``share`` of a pure spectrum into every pixel."""
    some = share > 0.01
    out[:, some] += share[some] * (spec.mean[:, None] - out[:, some])


def _turning_fields(out: Floats, layout: Layout, ground: Codes, scene: Scene) -> None:
    """Blend the phase before or after into fields that change within days of the scene."""
    field = (layout.static == legend.NO_DATA) & np.isin(ground, legend.CROP_PHASES)
    for days in (-TURN_DAYS, TURN_DAYS):
        other = layout.rotation.phases(scene.date + timedelta(days=days))[layout.parcel]
        for key in ("crops_ripe", "bare_soil", "crops_growing"):
            turning = field & (other == legend.code(key)) & (ground != other)
            _mix(out, TURN_SHARE * turning, spectrum(key, scene.date))


def _haul_roads(out: Floats, layout: Layout, rock: Bools, scene: Scene) -> None:
    """Brighten the ramps of the larger pits that are worked on the scene's date."""
    ramps = [p.haul_road(scene.date).buffer(HAUL_WIDTH / 2) for p in layout.pits
             if p.active(scene.date) and p.outline.area > 5e4]
    spec = spectrum("quarry", scene.date)
    share = coverage(ramps, rock.shape, layout.site.transform) * rock
    out += share * (0.9 * spec.within_pc1[:, None, None])


def _surface(rng: Rng, seed_rng: Rng, layout: Layout, truth: Codes, scene: Scene) -> Floats:
    """Return the land's reflectance before the sensor, ``(band, row, col) float32``."""
    out = np.empty((len(BANDS), *truth.shape), np.float32)
    scores = _object_scores(rng, seed_rng, layout)
    # roofs: few bright ones, many grey ones, none darker than shadow
    cells = np.stack([_unit(np.exp(0.5 * smooth_noise(seed_rng, truth.shape, 0.9)))
                      for _ in range(2)])
    cells -= cells.mean((1, 2), keepdims=True)
    places = np.stack([smooth_noise(seed_rng, truth.shape, 9) for _ in range(2)])
    by_cell = {legend.code("conifer"): 0.8 * scores, legend.code("mixed_forest"): scores,
               legend.code("urban"): cells, legend.code("quarry"): places,
               legend.code("water"): places * 0.4}
    ground = without(truth, truth == legend.code("road"))
    for key, land in legend.BY_KEY.items():
        at = ground == land.code
        if at.any():
            spec, (z1, z2) = spectrum(key, scene.date), by_cell.get(land.code, scores)[:, at]
            out[:, at] = (spec.mean[:, None] + spec.between_pc1[:, None] * z1
                          + spec.between_pc2[:, None] * z2)
    rock = truth == legend.code("quarry")
    open_land = ~(rock | (truth == legend.code("water")))
    _turning_fields(out, layout, ground, scene)
    _haul_roads(out, layout, rock, scene)
    urban = ground == legend.code("urban")
    trees, road = spectrum("mixed_forest", scene.date), spectrum("road", scene.date)
    _mix(out, layout.garden * urban, trees)
    _mix(out, layout.track * (open_land & ~urban), spectrum("crops_ripe", scene.date))
    _mix(out, layout.track * urban, road)
    _mix(out, layout.hedge * open_land, trees)
    _mix(out, np.clip(ROAD_WEIGHT * layout.road, 0, 1) * open_land, road)
    return out


def _add_texture(rng: Rng, out: Floats, layout: Layout, truth: Codes, scene: Scene) -> None:
    """Add within-object variation of every class to ``out`` in place."""
    texture = _textures(rng, layout, truth)
    grain = np.stack([smooth_noise(rng, truth.shape, 0.6) for _ in BANDS])
    for key, land in legend.BY_KEY.items():
        at = truth == land.code
        if not at.any():
            continue
        spec = spectrum(key, scene.date)
        part, fine = TEXTURE_WEIGHT.get(key, 1.0), 0.3 if key == "urban" else 0.5
        rest = np.sqrt(np.clip(spec.within_sd**2 - spec.within_pc1**2, 0, None))
        t = texture.get(key, texture[""])[at].clip(-2.6, 2.8)
        out[:, at] += part * (spec.within_pc1[:, None] * t + fine * rest[:, None] * grain[:, at])


def _to_twenty_metres(band: Floats) -> Floats:
    """Return a band as recorded at 20 m and brought back to 10 m bilinearly, ``(row, col)``."""
    rows, cols = band.shape
    even = np.pad(band, ((0, rows % 2), (0, cols % 2)), mode="edge")
    coarse = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean((1, 3))
    fine = ndimage.zoom(coarse, 2, order=1, mode="nearest", grid_mode=True)
    return fine[:rows, :cols]


def render(rng: Rng, seed_rng: Rng, layout: Layout, truth: Codes, scene: Scene
           ) -> NDArray[np.uint16]:
    """Return the digital numbers of one scene, ``(band, row, col) uint16``.

    They carry the scene's offset, and 0 in the strips at the edges. ``rng`` is of this scene,
    ``seed_rng`` of the site's variation that all dates share; ``truth`` holds legend codes.
    """
    out = _surface(rng, seed_rng, layout, truth, scene)
    for b in range(len(BANDS)):
        out[b] = ndimage.gaussian_filter(out[b], PSF)
    _add_texture(rng, out, layout, truth, scene)
    out *= rng.normal(1, 0.012) * (1 + 0.012 * smooth_noise(rng, truth.shape, 60))
    dn = np.empty(out.shape, np.uint16)
    for b, name in enumerate(BANDS):
        fine = name in BANDS_10M
        band = out[b] if fine else _to_twenty_metres(out[b])
        band = band + rng.normal(0, SENSOR_NOISE, truth.shape).astype(np.float32)
        dn[b] = np.rint(np.clip(band, FLOOR, 1.6) * QUANTIFICATION) + scene.offset
        for strip in TEN_M_STRIPS if fine else TWENTY_M_STRIPS:
            dn[b][strip] = 0
    return dn
