"""Validate a model on the test mines of EuroMineNet: recall inside, false share outside a buffer.

    python -m experiments.euromine_validation [--data DIR] [--model FILE] [--years 2021] [--write]

The footprint of a mine (pits, dumps, plants, ponds) is wider than the class of quarries: recall is
that of "quarry" inside it, a lower bound, and the false share that of "quarry" beyond the buffer.
Intervals: whole sites drawn again (cluster bootstrap). `lulc data --euromine` downloads the sites;
without them the command says so and ends with 2.
"""

from __future__ import annotations

import argparse
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import xarray as xr
from scipy.ndimage import distance_transform_edt

from experiments import euromine_scenes
from lulc_lib import legend, results
from lulc_lib.data import euromine
from lulc_lib.errors import InputError
from lulc_lib.unet import load_model, pick_device, predict_scene, study_model

RADIOMETRY = ("surface", "haze-subtracted", "any")
"""Which scenes are used: surface reflectance as the pixels show it; the others with haze subtracted
as well; all as they are."""

FEW = 10
"""Fewer sites than this give an interval that is too short."""


def argument_parser(description: str) -> argparse.ArgumentParser:
    """Return a parser of what both experiments with EuroMineNet take."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=euromine.euromine_dir())
    parser.add_argument("--years", type=int, nargs="+", default=[2021])
    parser.add_argument("--radiometry", choices=RADIOMETRY, default=RADIOMETRY[0])
    return parser


def run(main: Callable[[], object]) -> int:
    """Call ``main``; return 0, or 2 after one line about what is missing or cannot be used."""
    try:
        main()
    except InputError as error:
        print(f"{Path(sys.argv[0]).stem}: {' '.join(str(error).split())}", file=sys.stderr)
        return 2
    return 0


def usable(root: Path, part: str, years: Sequence[int], radiometry: str, left: Counter[str]
           ) -> Iterator[tuple[str, int, euromine_scenes.MineScene]]:
    """Yield site, year and scene of a part; count in ``left`` what is not used, by reason.

    Raises
    ------
    InputError
        No site of the part is there.
    """
    for site in euromine_scenes.sites(root, part):
        for year in years:
            if year not in euromine_scenes.years(root, site):
                left["no image or label of the year"] += 1
                continue
            try:
                scene, mine = euromine_scenes.read_site(root, site, year)
            except InputError as error:
                left[f"refused: {error}"] += 1
                continue
            if scene.attrs["radiometry"] != "surface" and radiometry == "surface":
                left[f"radiometry: {scene.attrs['radiometry']}"] += 1
                continue
            if scene.attrs["radiometry"] != "surface" and radiometry == "haze-subtracted":
                scene = euromine_scenes.without_haze(scene)
            yield site, year, euromine_scenes.MineScene(scene, mine)


def none_left(root: Path, left: Counter[str]) -> InputError:
    """Return the error for sites of which no scene can be used."""
    reasons = "; ".join(f"{n} × {why}" for why, n in left.items()) or "no years"
    return InputError(f"{root}: no scene of EuroMineNet can be used ({reasons}); --years and "
                      "--radiometry choose others")


def counts(class_map: xr.DataArray, mine: xr.DataArray, buffer: float) -> dict[str, int]:
    """Count mapped pixels and those mapped as quarry, inside the mine and beyond the buffer.

    Parameters
    ----------
    class_map : DataArray, shape (y, x), uint8
        Legend codes, NO_DATA where nothing is mapped.
    mine : DataArray, shape (y, x), bool
        The footprint.
    buffer : float, metres
        Pixels outside, but not farther than this, do not count.
    """
    codes, inside = class_map.values, mine.values
    quarry = codes == legend.code("quarry")
    sampling = tuple(abs(r) for r in reversed(mine.rio.resolution()))
    away = distance_transform_edt(~inside, sampling=sampling) > buffer if inside.any() else ~inside
    mapped = codes != legend.NO_DATA
    parts = {"inside": inside & mapped, "outside": away & mapped}
    return {name: int(part.sum()) for name, part in parts.items()} | {
        f"quarry_{name}": int((part & quarry).sum()) for name, part in parts.items()}


def ratio_by_site(table: pd.DataFrame, part: str, whole: str, draws: int = 10_000, seed: int = 0
                  ) -> dict[str, float]:
    """Return the ratio of two sums over sites, with the 95 % interval of sites drawn again."""
    by_site = table.groupby("site")[[part, whole]].sum().to_numpy(float)
    weights = np.random.default_rng(seed).multinomial(
        len(by_site), np.full(len(by_site), 1 / len(by_site)), draws)
    with np.errstate(invalid="ignore"):
        drawn = np.divide(*(weights @ by_site).T)
        estimate = np.divide(*by_site.sum(axis=0))
    low, high = np.nanquantile(drawn, (0.025, 0.975)) if np.isfinite(drawn).any() else [np.nan] * 2
    return {"estimate": float(estimate), "low": float(low), "high": float(high)}


def main() -> None:
    """Map every test scene, print the scores and keep them with ``--write``."""
    parser = argument_parser(__doc__)
    parser.add_argument("--model", type=Path, help="model file (default: the shipped one)")
    parser.add_argument("--buffer", type=float, default=100.0, help="metres")
    parser.add_argument("--write", action="store_true")
    args = parser.parse_args()
    left, rows = Counter(), []
    euromine_scenes.sites(args.data, "test")  # before the model is loaded
    path = args.model or study_model()
    stored = load_model(path)
    for site, year, (scene, mine) in usable(args.data, "test", args.years, args.radiometry, left):
        class_map = predict_scene(stored.model, scene, stored.normalisation, stored.config.tta)
        rows.append({"site": site, "year": year, "radiometry": scene.attrs["radiometry"],
                     "offset": scene.attrs["offset"], "order": scene.attrs["order"],
                     **counts(class_map, mine, args.buffer)})
        print(*rows[-1].values(), sep="  ", flush=True)
    if not rows:
        raise none_left(args.data, left)
    table = pd.DataFrame(rows)
    values = {
        "model": path.name, "buffer": args.buffer, "radiometry": args.radiometry, "rows": rows,
        "left_out": dict(left), "sites": table["site"].nunique(),
        "recall_inside": ratio_by_site(table, "quarry_inside", "inside"),
        "false_share_outside": ratio_by_site(table, "quarry_outside", "outside"),
        "attribution": euromine.ATTRIBUTION,
    }
    for name in ("recall_inside", "false_share_outside"):
        print("{0}: {estimate:.4f} [{low:.4f}, {high:.4f}]".format(name, **values[name]))
    if values["sites"] < FEW:
        print(f"only {values['sites']} sites: such an interval is too short")
    for why, number in left.items():
        print(f"not used: {number} × {why}")
    if args.write:
        files = [f for site, year in zip(table["site"], table["year"], strict=True)
                 for f in euromine_scenes.years(args.data, site)[year]]
        print(results.write_results("published", "euromine_validation", values, files, args.data,
                                    device=str(pick_device())))


if __name__ == "__main__":
    sys.exit(run(main))
