"""``lulc classify``: a land-cover map of any Sentinel-2 scene with a trained network."""

from __future__ import annotations

import argparse
from pathlib import Path

from lulc_lib.cli.common import DONE, Files, Subparsers, note, say, warn
from lulc_lib.io import with_siblings

BESIDE = Path()
"""``--applicability`` without a file."""

LARGE = 0.25
"""Share of a scene outside the area of applicability from which a warning is given."""

DESCRIPTION = """\
Map land cover, open pits among it, on a Sentinel-2 L2A scene with a trained network.

SCENE is a Level-2A scene of any size in any of these forms:
  a GeoTIFF, VRT or other raster with all bands, found by their names (B02 or B2, blue, …) in any
    order and among others; where they have none, --bands names them
  a SAFE folder, its .zip or its MTD_MSIL2A.xml
  a folder, .zip or quoted glob pattern of files with a band each (GeoTIFF or JPEG 2000)
  NetCDF or Zarr (openEO, xarray, odc-stac, EOPF), with --time where it is a series
  a STAC item, a file or an http address
Pixels are whole-number DN (0 is no data) or float reflectance from 0 to 1. Whether 1000 DN have
been added (processing baseline 04.00 and later) is decided from metadata and pixels. Where pixels
are not of 10 m (degrees, 20 m), the scene is resampled to 10 m in its UTM zone, or to --like.

MAP is a uint8 Cloud-Optimised GeoTIFF of class codes with a colour table; a QGIS style with the
classes' names (.qml) is written beside it. Memory stays at about 1-2 GB whatever the scene's size,
and the map is the one that the whole scene at once would give.

--applicability says where the map can be trusted. A pixel is inside the area of applicability if,
to the network, it looks like the data that it was trained and assessed on; outside (sea, cloud,
snow, desert, ...) its class may be right, but no accuracy number says so."""

EXAMPLES = """\
examples:
  lulc classify scene_20230709.tif -o map_20230709.tif
  lulc classify scene.tif -o map.tif --probabilities probabilities.tif --entropy entropy.tif
  lulc classify scene.tif -o map.tif --applicability
  lulc classify whole_tile.tif -o map.tif --tta
  lulc classify S2B_MSIL2A_20230709T100559_N0509_R022_T33UWS_20230709T130000.SAFE -o map.tif
  lulc classify unnamed.tif --bands B02,B03,B04,B05,B06,B07,B08,B8A,B11,B12 -o map.tif
  lulc classify openeo.nc --time 2023-07-09 --mask-clouds -o map.tif

Probabilities and entropy are uint8 with the band scale 1/250: value / 250 is the share from 0 to
1, 255 is no data. Entropy is a share of the largest possible (all classes equally probable).
Applicability is the dissimilarity to the training data in hundredths of its threshold (uint8): 100
and less is inside, more is outside, 255 is no data; its QGIS style (.qml) shows the same. Source:
Meyer & Pebesma 2021, Methods in Ecology and Evolution 12, 1620-1633."""


def add_classify(commands: Subparsers) -> None:
    """Add ``lulc classify``: map land cover on a scene."""
    parser = commands.add_parser(
        "classify", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="map land cover, open pits among it, on a Sentinel-2 scene",
        description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("scene", type=Path, metavar="SCENE",
                        help="Sentinel-2 Level-2A scene, a file, folder or address")
    parser.add_argument("-o", "--output", type=Path, metavar="MAP", required=True,
                        help="class map to write (.tif)")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE",
                        help="model file or training checkpoint (default: the model that ships "
                        "with the package)")
    parser.add_argument("--probabilities", type=Path, metavar="FILE",
                        help="also write the probability of each class (.tif, a band per class)")
    parser.add_argument("--entropy", type=Path, metavar="FILE",
                        help="also write how undecided the network is (.tif)")
    parser.add_argument("--applicability", type=Path, metavar="FILE", nargs="?", const=BESIDE,
                        help="also write where the map can be trusted (.tif; without FILE: "
                        "MAP_applicability.tif beside MAP, where `lulc sites` finds it)")
    parser.add_argument("--tta", action=argparse.BooleanOptionalAction,
                        help="test-time augmentation: average over the eight turned and mirrored "
                        "copies of the scene; eight times the work (default: as the model's "
                        "settings say; for the one that ships: no)")
    parser.add_argument("--offset", type=int, metavar="DN",
                        help="DN to subtract, 0 or 1000 (default: from metadata and pixels)")
    _add_reading(parser)
    parser.set_defaults(run=run_classify, files=files_classify)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the scene is read."""
    parser.add_argument("--bands", metavar="NAMES",
                        help="the bands' names in the file's order, such as B02,B03,B04,…, where "
                        "it names none; '-' for one that is not needed")
    parser.add_argument("--time", metavar="TIME",
                        help="which time of a series, such as 2023-07-09")
    parser.add_argument("--like", type=Path, metavar="FILE",
                        help="bring the scene to the grid of this raster (10 m pixels)")
    parser.add_argument("--mask-clouds", action="store_true",
                        help="no data where the scene classification (SCL) says cloud, shadow, "
                        "snow or defective (0, 1, 3, 8-11)")


def files_classify(args: argparse.Namespace) -> Files:
    """Name all that is read and written."""
    from lulc_lib.data.geotiff import SUFFIXES

    rasters = {"--output": args.output, "--probabilities": args.probabilities,
               "--entropy": args.entropy, "--applicability": _applicability(args)}
    outputs = {what: (*with_siblings(path, [".qml"]), Path(f"{path}.aux.xml"))
               for what, path in rasters.items() if path}
    return Files((args.scene, args.checkpoint, args.like), outputs,
                 dict.fromkeys(outputs, SUFFIXES))


def _applicability(args: argparse.Namespace) -> Path | None:
    from lulc_lib.data.geotiff import applicability_beside

    return applicability_beside(args.output) if args.applicability == BESIDE else args.applicability


def run_classify(args: argparse.Namespace) -> int:
    """Classify the scene; return the exit code."""
    from lulc_lib.data import open_scene
    from lulc_lib.data.radiometry import check_offset
    from lulc_lib.unet import classify_file, load_model, study_model

    check_offset(args.offset)
    model, applicability = args.checkpoint or study_model(), _applicability(args)
    scene = open_scene(args.scene, bands=args.bands.split(",") if args.bands else None,
                       time=args.time, like=args.like, mask_clouds=args.mask_clouds)
    for line in scene.notes:
        note(f"{scene.name}: {line}")
    done = classify_file(scene, args.output, load_model(model), model_name=model.name,
                         probabilities=args.probabilities, entropy=args.entropy, tta=args.tta,
                         applicability=applicability, offset=args.offset,
                         progress=False if args.quiet else None)
    if done.offset.source == "pixels against metadata":
        note(f"{scene.name} declares an offset of {done.offset.declared} DN but its pixels "
             f"show {done.offset.used} DN, which is used; --offset overrules")
    say(f"Map: {args.output} (offset {done.offset.used} DN, {done.offset.source})")
    say(_areas(done.pixels, done.pixel_ha))
    if done.outside is not None:
        say(_outside(done.pixels, done.outside, applicability))
    return DONE


def _areas(pixels: dict[int, int], hectares: float | None) -> str:
    """Return a line per class that is there: code, name, share and area."""
    from lulc_lib import legend

    mapped = sum(n for code, n in pixels.items() if code != legend.NO_DATA)
    lines = [f"{'code':>4}  {'class':<22} {'share':>7}{'  area (ha)' if hectares else ''}"]
    for code, name in legend.NAMES.items():
        if pixels[code]:
            area = f"{pixels[code] * hectares:11,.1f}" if hectares else ""
            lines.append(f"{code:>4}  {name:<22} {pixels[code] / mapped:7.1%}{area}")
    if pixels[legend.NO_DATA]:
        share = pixels[legend.NO_DATA] / sum(pixels.values())
        lines.append(f"No data: {share:.1%} of the scene's pixels")
    return "\n".join(lines)


def _outside(pixels: dict[int, int], outside: dict[int, int], path: Path) -> str:
    """Return a line on the area of applicability; warn on stderr where much lies outside."""
    from lulc_lib import legend

    share = sum(outside.values()) / max(sum(pixels[c] for c in legend.CODES), 1)
    concerned = [(outside[c] / pixels[c], name) for c, name in legend.NAMES.items()
                 if pixels[c] and outside[c] / pixels[c] >= max(share, 0.01)]
    classes = ", ".join(f"{name} {part:.0%}" for part, name in sorted(concerned, reverse=True)[:4])
    if share >= LARGE:
        warn(f"{share:.0%} of the scene is unlike the data that the model was assessed on (sea, "
             "cloud, snow, another landscape?); no accuracy number holds there")
    return (f"Applicability: {path} ({share:.1%} of the scene lies outside the area of "
            f"applicability{'; of the classes: ' + classes if classes else ''})")
