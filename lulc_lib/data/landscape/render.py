"""From a class map to the digital numbers that a satellite would have recorded."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from lulc_lib import legend
from lulc_lib.data.landscape.layout import Layout
from lulc_lib.data.landscape.noise import smooth_noise
from lulc_lib.data.landscape.plan import BANDS, TEN_METRE, Scene
from lulc_lib.data.landscape.spectra import Spectrum, spectrum

PSF = 0.6
"""Point spread of the 10 m bands, sd in pixels."""
SENSOR_NOISE = 0.0012
"""Sd of the sensor's noise, reflectance."""
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
    patches = smooth_noise(rng, rows.shape, 7)
    grain = smooth_noise(rng, rows.shape, 0.7)
    return _unit(0.75 * patches + 0.45 * rows_of_work + 0.35 * grain)


def bench_texture(rng: np.random.Generator, rock: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Unit texture of pits: terraces parallel to the rim, lit from the south-south-east."""
    depth = ndimage.distance_transform_edt(rock)
    steps = depth / 3.0 + 0.9 * smooth_noise(rng, rock.shape, 5)
    height = -np.floor(steps) + 0.6 * smooth_noise(rng, rock.shape, 2)
    slope_row, slope_col = np.gradient(ndimage.gaussian_filter(height, 0.5))
    shade = -(slope_row * 0.94 + slope_col * 0.34)
    shade = shade / (shade[rock].std() + 1e-9) if rock.any() else shade
    return _unit(0.7 * shade + 0.65 * smooth_noise(rng, rock.shape, 3.5)
                 + 0.45 * smooth_noise(rng, rock.shape, 0.8))


def _textures(
    rng: np.random.Generator, layout: Layout, truth: NDArray[np.uint8]
) -> dict[str, NDArray[np.float32]]:
    """Within-object texture for each class key; ``""`` is every other class."""
    shape = truth.shape
    canopy = _unit(0.8 * smooth_noise(rng, shape, 0.8) + 0.6 * smooth_noise(rng, shape, 4))
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


def surface(
    rng: np.random.Generator, seed_rng: np.random.Generator, layout: Layout,
    truth: NDArray[np.uint8], scene: Scene,
) -> NDArray[np.float32]:
    """Reflectance of the land before the sensor, ``(band, row, col) float32``, edges sharp."""
    out = np.empty((len(BANDS), *truth.shape), np.float32)
    scores = object_scores(rng, seed_rng, layout)
    cells = np.stack([smooth_noise(seed_rng, truth.shape, 0.9) for _ in range(2)])
    places = np.stack([smooth_noise(seed_rng, truth.shape, 9) for _ in range(2)])
    by_cell = {legend.code("urban"): cells, legend.code("road"): places * 0.8,
               legend.code("quarry"): places, legend.code("water"): places * 0.4}
    for key, land in legend.BY_KEY.items():
        at = truth == land.code
        if at.any():
            _paint(out, at, spectrum(key, scene.date), by_cell.get(land.code, scores))
    rock = truth == legend.code("quarry")
    water = truth == legend.code("water")
    open_land = ~(rock | water)
    _mix(out, layout.garden * (truth == legend.code("urban")),
         spectrum("mixed_forest", scene.date))
    _mix(out, layout.track * open_land * (truth != legend.code("urban")),
         spectrum("crops_ripe", scene.date))
    cover = np.where(truth == legend.code("road"), 0, layout.road * open_land)
    _mix(out, cover.astype(np.float32), spectrum("road", scene.date))
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
        part = 0.4 if key == "water" else 1.0
        rest = _residual(spec.within_sd, spec.within_pc1)
        t = texture.get(key, texture[""])[at].clip(-2.6, 2.8)
        out[:, at] += part * (spec.within_pc1[:, None] * t + rest[:, None] * grain[:, at])


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
