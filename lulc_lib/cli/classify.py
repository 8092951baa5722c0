"""``lulc classify``: a land-cover map of any Sentinel-2 scene with a trained network."""

from __future__ import annotations

import argparse
import shutil
from collections.abc import Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING

from lulc_lib.cli.common import DONE, Files, Subparsers, note, say, warn
from lulc_lib.errors import InputError
from lulc_lib.io import made_folder, with_siblings
from lulc_lib.io.progress import Progress

if TYPE_CHECKING:
    from lulc_lib.data.scenes import Scene
    from lulc_lib.unet.map_files import Classified

BESIDE = Path()
"""``--applicability`` and the like without a file: beside the map."""

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
classes' names (.qml) is written beside it. Memory stays at about 1.5 GB whatever the scene's size,
and the map is the one that the whole scene at once would give. Pixels that are decoded (JPEG 2000,
NetCDF, Zarr), resampled or fetched lie beside MAP until it is whole, 20 bytes each.

--applicability says where the map can be trusted. A pixel is inside the area of applicability if,
to the network, it looks like the data that it was trained and assessed on; outside (sea, cloud,
snow, desert, ...) its class may be right, but no accuracy number says so."""

EXAMPLES = """\
examples:
  lulc classify scene_20230709.tif -o map_20230709.tif
  lulc classify scene.tif -o map.tif --probabilities probabilities.tif --entropy entropy.tif
  lulc classify scene.tif -o map.tif --applicability
  lulc classify whole_tile.tif -o map.tif --tta
  lulc classify a_20220619.tif b_20230709.SAFE -o maps --applicability
  lulc classify *.SAFE -o maps --cluster local:4 --mosaic maps/all.tif
  lulc classify S2B_MSIL2A_20230709T100559_N0509_R022_T33UWS_20230709T130000.SAFE -o map.tif
  lulc classify unnamed.tif --bands B02,B03,B04,B05,B06,B07,B08,B8A,B11,B12 -o map.tif
  lulc classify openeo.nc --time 2023-07-09 --mask-clouds -o map.tif

Probabilities and entropy are uint8 with the band scale 1/250: value / 250 is the share from 0 to
1, 255 is no data. Entropy is a share of the largest possible (all classes equally probable).
Several scenes, and any scene on a cluster, are classified block by block; called again after a
stop, the command goes on with what is left (--overwrite begins anew).
Applicability is the dissimilarity to the training data in hundredths of its threshold (uint8): 100
and less is inside, more is outside, 255 is no data; its QGIS style (.qml) shows the same. Source:
Meyer & Pebesma 2021, Methods in Ecology and Evolution 12, 1620-1633."""


def add_classify(commands: Subparsers) -> None:
    """Add ``lulc classify``: map land cover on a scene."""
    parser = commands.add_parser(
        "classify", formatter_class=argparse.RawDescriptionHelpFormatter,
        help="map land cover, open pits among it, on a Sentinel-2 scene",
        description=DESCRIPTION, epilog=EXAMPLES)
    parser.add_argument("scenes", type=Path, metavar="SCENE", nargs="+",
                        help="Sentinel-2 Level-2A scene, a file, folder or address")
    parser.add_argument("-o", "--output", type=Path, metavar="MAP", required=True,
                        help="class map to write (.tif); of several scenes a folder, which gets a "
                        "SCENE_map.tif of each, on its own grid")
    parser.add_argument("--checkpoint", type=Path, metavar="FILE",
                        help="model file or training checkpoint (default: the model that ships "
                        "with the package)")
    parser.add_argument("--probabilities", type=Path, metavar="FILE", nargs="?", const=BESIDE,
                        help="also write the probability of each class (.tif, a band per class; "
                        "without FILE: MAP_probabilities.tif beside MAP, where `lulc sites` "
                        "finds it)")
    parser.add_argument("--entropy", type=Path, metavar="FILE", nargs="?", const=BESIDE,
                        help="also write how undecided the network is (.tif; without FILE: "
                        "MAP_entropy.tif)")
    parser.add_argument("--applicability", type=Path, metavar="FILE", nargs="?", const=BESIDE,
                        help="also write where the map can be trusted (.tif; without FILE: "
                        "MAP_applicability.tif beside MAP, where `lulc sites` finds it)")
    parser.add_argument("--tta", action=argparse.BooleanOptionalAction,
                        help="test-time augmentation: average over the eight turned and mirrored "
                        "copies of the scene; eight times the work (default: as the model's "
                        "settings say; for the one that ships: no)")
    parser.add_argument("--offset", type=int, metavar="DN",
                        help="DN to subtract, 0 or 1000 (default: from metadata and pixels)")
    parser.add_argument("--cluster", metavar="ADDRESS",
                        help="classify on the workers of a dask scheduler (tcp://HOST:8786), or on "
                        "N processes of this machine (local:N)")
    parser.add_argument("--mosaic", type=Path, metavar="FILE",
                        help="also lay all maps into one (.tif), on the first one's grid; the "
                        "first map that has data counts")
    _add_reading(parser)
    parser.set_defaults(run=run_classify, files=files_classify)


def _add_reading(parser: argparse.ArgumentParser) -> None:
    """Add the options that say how the scene is read."""
    parser.add_argument("--bands", metavar="NAMES",
                        help="the bands' names in the file's order, such as B02,B03,B04,…, where "
                        "it names none; 'x' for one that is not needed")
    parser.add_argument("--time", metavar="TIME", help="which time of a series, such as 2023-07-09")
    parser.add_argument("--like", type=Path, metavar="FILE",
                        help="bring the scene to the grid of this raster (10 m pixels)")
    parser.add_argument("--mask-clouds", action="store_true",
                        help="no data where the scene classification (SCL) says cloud, shadow, "
                        "snow or defective (0, 1, 3, 8-11)")


def files_classify(args: argparse.Namespace) -> Files:
    """Name all that is read and written; maps of a run that is not finished may be there."""
    from lulc_lib.data.geotiff import SUFFIXES, blocks_beside

    outputs: dict[str, tuple[Path, ...]] = {}
    maps = [] if _is_folder(args) and not args.output.is_dir() else _outputs(args)
    for of_scene in maps:
        begun = _in_blocks(args) and blocks_beside(of_scene["output"]).exists()
        if args.overwrite or not begun:
            for what, path in of_scene.items():
                outputs[f"--{what}"] = outputs.get(f"--{what}", ()) + _with_siblings(path)
    if args.mosaic:
        outputs["--mosaic"] = _with_siblings(args.mosaic)
    return Files((*args.scenes, args.checkpoint, args.like), outputs,
                 dict.fromkeys(outputs, SUFFIXES),
                 {"--output": args.output} if _is_folder(args) else {})


def _with_siblings(path: Path) -> tuple[Path, ...]:
    return *with_siblings(path, [".qml"]), Path(f"{path}.aux.xml")


def _is_folder(args: argparse.Namespace) -> bool:
    return len(args.scenes) > 1 or args.output.is_dir()


def _in_blocks(args: argparse.Namespace) -> bool:
    return bool(args.cluster) or _is_folder(args)


def _outputs(args: argparse.Namespace) -> list[dict[str, Path]]:
    """Name the outputs of each scene: "output", and any of the optional ones that are asked for."""
    from lulc_lib.data.geotiff import raster_beside

    wanted = {what: getattr(args, what) for what in ("probabilities", "entropy", "applicability")
              if getattr(args, what) is not None}
    maps = [args.output]
    if _is_folder(args):
        for what, path in wanted.items():
            if path != BESIDE:
                raise InputError(f"--{what} {path}: of several scenes each has a file of its own; "
                                 f"give --{what} alone")
        maps = [args.output / f"{_stem(scene)}_map.tif" for scene in args.scenes]
        for path in maps:
            if maps.count(path) > 1:
                raise InputError(f"{path}: is the map of two scenes of one name; classify them "
                                 "into different folders")
    return [{"output": path} | {
        what: raster_beside(path, what) if given == BESIDE else given
        for what, given in wanted.items()} for path in maps]


def _stem(scene: Path) -> str:
    """Return a scene's name without its ending; that of its folder, where all files are alike."""
    return (scene.parent if scene.name.startswith("MTD_") else scene).stem


def run_classify(args: argparse.Namespace) -> int:
    """Classify the scenes; return the exit code."""
    from lulc_lib.data.mosaic import write_mosaic
    from lulc_lib.data.radiometry import check_offset

    check_offset(args.offset)
    maps = _outputs(args)
    if _in_blocks(args):
        with made_folder(args.output) if _is_folder(args) else nullcontext():
            _classify_blocks(args, maps)
    else:
        _classify_whole(args, maps[0])
    if args.mosaic:
        write_mosaic([m["output"] for m in maps], args.mosaic)
        say(f"Mosaic: {args.mosaic}")
    return DONE


def _open(path: Path, args: argparse.Namespace) -> Scene:
    """Open a scene as asked, and say what there is to know of it."""
    from lulc_lib.data import open_scene

    scene = open_scene(path, bands=args.bands.split(",") if args.bands else None,
                       time=args.time, like=args.like, mask_clouds=args.mask_clouds)
    for line in scene.notes:
        note(f"{scene.name}: {line}")
    return scene


def _classify_whole(args: argparse.Namespace, outputs: dict[str, Path]) -> None:
    """Classify one scene in this process."""
    from lulc_lib.unet import classify_file, load_model, study_model

    model, scene = args.checkpoint or study_model(), _open(args.scenes[0], args)
    done = classify_file(scene, stored=load_model(model), model_name=model.name, tta=args.tta,
                         offset=args.offset, progress=False if args.quiet else None, **outputs)
    _tell(scene.name, outputs, done)


def _classify_blocks(args: argparse.Namespace, maps: list[dict[str, Path]]) -> None:
    """Classify scenes block by block, on a cluster if asked."""
    from lulc_lib.data.geotiff import blocks_beside
    from lulc_lib.unet import load_model, study_model
    from lulc_lib.unet.cluster import Job, Settings, classify_scenes, connected

    if args.overwrite:
        for outputs in maps:
            shutil.rmtree(blocks_beside(outputs["output"]), ignore_errors=True)
    model = args.checkpoint or study_model()
    jobs = [Job(_open(path, args), outputs)
            for path, outputs in zip(args.scenes, maps, strict=True)]
    reading = repr([args.bands, args.time, args.like, args.mask_clouds])
    settings = Settings(args.tta, args.offset, model.name, reading)
    pixels = sum(job.scene.shape[0] * job.scene.shape[1] for job in jobs)
    with (connected(args.cluster) if args.cluster else nullcontext()) as client, \
            Progress(pixels, "classifying", "px", False if args.quiet else None) as bar:
        if client is not None:
            note(f"dask dashboard: {client.dashboard_link}")
        for done in classify_scenes(jobs, load_model(model), settings, client, bar.update):
            _tell(done.job.scene.name, done.job.outputs, done.result)
            if done.kept:
                note(f"{done.job.scene.name}: {done.kept} of {done.kept + done.computed} blocks "
                     "are of the run that was stopped")


def _tell(name: str, outputs: Mapping[str, Path], done: Classified) -> None:
    """Say what a map holds."""
    if done.offset.source == "pixels against metadata":
        note(f"{name} declares an offset of {done.offset.declared} DN but its pixels "
             f"show {done.offset.used} DN, which is used; --offset overrules")
    say(f"Map: {outputs['output']} (offset {done.offset.used} DN, {done.offset.source})")
    say(_areas(done.pixels, done.pixel_ha))
    if done.outside is not None:
        say(_outside(done.pixels, done.outside, outputs["applicability"]))


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
