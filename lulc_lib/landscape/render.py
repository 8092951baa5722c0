"""From a class map to the digital numbers that a satellite would have recorded."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lulc_lib import legend
from lulc_lib.landscape.layout import Layout
from lulc_lib.landscape.noise import coverage, smooth_noise, without
from lulc_lib.landscape.plan import BANDS, TEN_METRE, Scene
from lulc_lib.landscape.spectra import Spectrum, spectrum

PSF = 0.68
"""Point spread of the 10 m bands, sd in pixels."""
SENSOR_NOISE = 0.0012
"""Sd of the sensor's noise, reflectance."""
ROAD_WEIGHT = 1.1
"""Share of the measured road spectrum per share of the pixel covered: the spectrum was measured
on pixels that are themselves partly verge."""
TEXTURE_WEIGHT = {"water": 0.4, "mixed_forest": 1.1}
"""Weight of the measured spread within objects: less for water, whose polygons held shore, which
the landscape has of its own; more for forest, whose fine texture the 20 m bands lose again."""
HAUL_WIDTH = 14.0
"""Width of the ramps in pits, metres."""
TURN_DAYS, TURN_SHARE = 5, 0.22
"""Days before and after a change of phase in which a field looks like both, and how much of the
other phase it shows."""
FLOOR = 0.0015
"""Least reflectance that is written, so that land never has DN 0."""
TEN_M_STRIPS = (np.s_[-1, :], np.s_[:, 0])
TWENTY_M_STRIPS = (np.s_[:2, :], np.s_[:, -1])
"""Rows and columns of DN 0 at the scene's edges, as in all seven Strzegom files."""


def _unit(field: NDArray[np.floating]) -> NDArray[np.float32]:
    return (field / (field.std() + 1e-9)).astype(np.float32)


def object_scores(
    rng: np.random.Generator, seed_rng: np.random.Generator, layout: Layout
) -> NDArray[np.float32]:
    """Two scores ``(2, row, col)`` of unit variance, equal within a parcel: partly the parcel's
    own (``seed_rng``, the same at every date), partly of this date (``rng``)."""
    n = len(layout.angle)
    scores = 0.55 * seed_rng.standard_normal((2, n)) + 0.835 * rng.standard_normal((2, n))
    return scores.clip(-2.2, 2.2).astype(np.float32)[:, layout.parcel]


def field_texture(rng: np.random.Generator, layout: Layout) -> NDArray[np.float32]:
    """Unit texture inside fields: soil patches, wheel tracks along the work, fine grain."""
    rows, cols = np.mgrid[: layout.parcel.shape[0], : layout.parcel.shape[1]].astype(np.float32)
    angle = layout.angle[layout.parcel]
    across = rows * np.cos(angle) - cols * np.sin(angle)
    rows_of_work = np.sin(across * 1.9 + angle * 40)
    rows_of_work *= smooth_noise(rng, rows.shape, 12) > 0
    patches = smooth_noise(rng, rows.shape, 10) + 0.6 * smooth_noise(rng, rows.shape, 3)
    return _unit(patches + 0.3 * rows_of_work + 0.15 * smooth_noise(rng, rows.shape, 0.8))


def bench_texture(rng: np.random.Generator, rock: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Unit texture of pits: terraces parallel to the rim, lit from the south-south-east."""
    depth = ndimage.distance_transform_edt(rock)
    steps = depth / 4.2 + 0.9 * smooth_noise(rng, rock.shape, 6)
    height = -np.floor(steps) + 0.6 * smooth_noise(rng, rock.shape, 2)
    slope_row, slope_col = np.gradient(ndimage.gaussian_filter(height, 0.5))
    shade = -(slope_row * 0.94 + slope_col * 0.34)
    shade = shade / (shade[rock].std() + 1e-9) if rock.any() else shade
    texture = (0.7 * shade + 0.75 * smooth_noise(rng, rock.shape, 4)
               + 0.25 * smooth_noise(rng, rock.shape, 0.9))
    return (texture / (texture[rock].std() if rock.any() else 1)).astype(np.float32)


def _textures(
    rng: np.random.Generator, layout: Layout, truth: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Within-object texture for each class key; ``""`` is every other class."""
    shape = truth.shape
    canopy = 0.5 * smooth_noise(rng, shape, 1.0) + 0.75 * smooth_noise(rng, shape, 3.5)
    field = field_texture(rng, layout)
    return {
        "": _unit(smooth_noise(rng, shape, 0.7)), "conifer": canopy, "mixed_forest": canopy,
        "quarry": bench_texture(rng, truth == legend.code("quarry")),
        "crops_ripe": field, "bare_soil": field, "crops_growing": field, "grassland": field,
    }


def _residual(spread: NDArray, *components: NDArray) -> NDArray:
    """Sd per band that the components leave over."""
    return np.sqrt(np.clip(spread**2 - sum(c**2 for c in components), 0, None))


def _paint(
    out: NDArray[np.float32], at: NDArray[np.bool_], spec: Spectrum, scores: NDArray[np.float32]
) -> None:
    """Write the object-level spectrum of one class into ``out[:, at]``."""
    z1, z2 = scores[:, at]
    out[:, at] = (spec.mean[:, None] + spec.between_pc1[:, None] * z1
                  + spec.between_pc2[:, None] * z2)


def _mix(out: NDArray[np.float32], share: NDArray[np.float32], spec: Spectrum) -> None:
    """Blend ``share`` of a pure spectrum into every pixel."""
    some = share > 0.01
    out[:, some] += share[some] * (spec.mean[:, None] - out[:, some])


def _turning_fields(
    out: NDArray[np.float32], layout: Layout, ground: NDArray[np.uint8], scene: Scene
) -> None:
    """Blend the phase before or after into fields that change within some days of the scene:
    a crop turns ripe, or a field greens, over more than a week."""
    field = (layout.static == legend.NO_DATA) & np.isin(ground, legend.CROP_PHASES)
    for days in (-TURN_DAYS, TURN_DAYS):
        other = layout.rotation.phases(scene.date + timedelta(days=days))[layout.parcel]
        for key in ("crops_ripe", "bare_soil", "crops_growing"):
            turning = field & (other == legend.code(key)) & (ground != other)
            _mix(out, TURN_SHARE * turning, spectrum(key, scene.date))


def _haul_roads(
    out: NDArray[np.float32], layout: Layout, rock: NDArray[np.bool_], scene: Scene
) -> None:
    """Brighten the ramps of the larger pits that are worked on the scene's date."""
    ramps = [p.haul_road(scene.date).buffer(HAUL_WIDTH / 2) for p in layout.pits
             if p.active(scene.date) and p.outline.area > 5e4]
    spec = spectrum("quarry", scene.date)
    share = coverage(ramps, rock.shape, layout.site.transform) * rock
    out += share * (0.9 * spec.within_pc1[:, None, None])


def surface(
    rng: np.random.Generator, seed_rng: np.random.Generator, layout: Layout,
    truth: NDArray[np.uint8], scene: Scene,
) -> NDArray[np.float32]:
    """Reflectance of the land before the sensor, ``(band, row, col) float32``, edges sharp."""
    out = np.empty((len(BANDS), *truth.shape), np.float32)
    scores = object_scores(rng, seed_rng, layout)
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
            _paint(out, at, spectrum(key, scene.date), by_cell.get(land.code, scores))
    rock = truth == legend.code("quarry")
    water = truth == legend.code("water")
    open_land = ~(rock | water)
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


def add_texture(
    rng: np.random.Generator, out: NDArray[np.float32], layout: Layout,
    truth: NDArray[np.uint8], scene: Scene,
) -> None:
    """Add within-object variation of every class to ``out`` in place."""
    texture = _textures(rng, layout, truth)
    grain = np.stack([smooth_noise(rng, truth.shape, 0.6) for _ in BANDS])
    for key, land in legend.BY_KEY.items():
        at = truth == land.code
        if not at.any():
            continue
        spec = spectrum(key, scene.date)
        part, fine = TEXTURE_WEIGHT.get(key, 1.0), 0.3 if key == "urban" else 0.5
        rest = _residual(spec.within_sd, spec.within_pc1)
        t = texture.get(key, texture[""])[at].clip(-2.6, 2.8)
        out[:, at] += part * (spec.within_pc1[:, None] * t
                              + fine * rest[:, None] * grain[:, at])


def to_twenty_metres(band: NDArray[np.float32]) -> NDArray[np.float32]:
    """A band as recorded at 20 m and brought back to 10 m bilinearly, ``(row, col)``."""
    rows, cols = band.shape
    even = np.pad(band, ((0, rows % 2), (0, cols % 2)), mode="edge")
    coarse = even.reshape(even.shape[0] // 2, 2, even.shape[1] // 2, 2).mean((1, 3))
    fine = ndimage.zoom(coarse, 2, order=1, mode="nearest", grid_mode=True)
    return fine[:rows, :cols]


def render(
    rng: np.random.Generator, seed_rng: np.random.Generator, layout: Layout,
    truth: NDArray[np.uint8], scene: Scene,
) -> NDArray[np.uint16]:
    """Digital numbers of one scene.

    Parameters
    ----------
    rng, seed_rng : generators of this scene and of the site's lasting variation.
    truth : (row, col) uint8, legend codes, no NO_DATA.

    Returns
    -------
    (band, row, col) uint16, reflectance × 10 000 plus the scene's offset; DN 0 in the edge strips.
    """
    out = surface(rng, seed_rng, layout, truth, scene)
    for b in range(len(BANDS)):
        out[b] = ndimage.gaussian_filter(out[b], PSF)
    add_texture(rng, out, layout, truth, scene)
    out *= rng.normal(1, 0.012) * (1 + 0.012 * smooth_noise(rng, truth.shape, 60))
    dn = np.empty(out.shape, np.uint16)
    for b, name in enumerate(BANDS):
        fine = name in TEN_METRE
        band = out[b] if fine else to_twenty_metres(out[b])
        band = band + rng.normal(0, SENSOR_NOISE, truth.shape).astype(np.float32)
        dn[b] = np.rint(np.clip(band, FLOOR, 1.6) * 10_000) + scene.offset
        for strip in TEN_M_STRIPS if fine else TWENTY_M_STRIPS:
            dn[b][strip] = 0
    return dn
