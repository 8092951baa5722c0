"""The forms in which Sentinel-2 scenes come: what bands a product has, and what it says of itself.

Source: Sentinel-2 Products Specification Document (SAFE, MTD_MSIL2A.xml); STAC eo, raster and
processing extensions; EOPF Sentinel-2 Zarr product; CF conventions.
"""

from __future__ import annotations

import glob
import json
import os
import re
import xml.etree.ElementTree as ET
import zipfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urljoin, urlparse

import numpy as np
import rasterio
import xarray as xr

from lulc_lib.data.bands import BANDS, CIRRUS, COMMON_NAMES, SCL, band_key
from lulc_lib.data.grids import Grid
from lulc_lib.data.radiometry import QUANTIFICATION, baseline_offset
from lulc_lib.data.rasters import Cube, Layer, Raster
from lulc_lib.errors import InputError
from lulc_lib.io import existing_file

RASTERS = (".tif", ".tiff", ".jp2", ".vrt")
METADATA = re.compile(r"MTD_MSIL(1C|2A)\.xml|S2._OPER_MTD_.*\.xml", re.IGNORECASE)
TOP_OF_ATMOSPHERE = re.compile(r"MSIL1C|S2MSI1C|LEVEL[-_ ]?1C|(?<![A-Z0-9])(L1C|TOA)(?![A-Z0-9])|"
                               r"TOP[-_ ]OF[-_ ]ATMOSPHERE", re.IGNORECASE)
BASELINE = re.compile(r"_N(\d\d)(\d\d)_")
SENSOR = re.compile(r"(?<![A-Z0-9])(?:S2|SENTINEL[-_ ]?2)([A-D])(?![A-Z0-9])", re.IGNORECASE)
ZARR = ("zarr.json", ".zgroup", ".zmetadata")
TIMES, NORTHINGS, EASTINGS = (("time", "t", "date", "datetime"),
                              ("y", "lat", "latitude", "northing"),
                              ("x", "lon", "longitude", "easting"))
BAND_DIMS = ("band", "bands", "variable", "wavelength", "spectral")


@dataclass
class Product:
    """The layers of a product, finest or not, and its metadata.

    ``tags`` may hold BOA_ADD_OFFSET, PROCESSING_BASELINE, ACQUIRED (ISO 8601), SENSOR (S2A …) and
    whatever else the file says; ``shifts`` are DN to be added to a band so that one offset holds
    for all.
    """

    name: str
    layers: list[Layer]
    tags: dict[str, str] = field(default_factory=dict)
    shifts: dict[str, int] = field(default_factory=dict)


def open_product(path: Path | str, time: str | None = None) -> Product:
    """Open a scene in any form.

    Parameters
    ----------
    path : Path or str
        A raster (GeoTIFF, VRT, JPEG 2000, …), a SAFE folder, its zip or its MTD_MSIL2A.xml, a
        folder, zip or glob pattern of files with a band each, NetCDF, Zarr, a STAC item (file or
        http address).
    time : str, optional
        Which of several times of NetCDF or Zarr: the beginning of one, such as 2023-07-09.

    Raises
    ------
    InputError
        It is none of these, cannot be read, or holds several scenes.
    """
    text, place = re.sub(r"^(https?):/+", r"\1://", str(path)), Path(path)  # Path makes // a /
    if text.startswith(("http://", "https://")) and not _looks_like_raster(text):
        return _of_item(_json(text), text)
    if text.startswith(("http://", "https://", "/vsi")):
        return _of_raster(text, place.name)
    if glob.has_magic(text) and not place.exists():
        return _of_files(sorted(glob.glob(text, recursive=True)), place.name, text)
    if place.is_dir():
        return _of_folder(place, time)
    place = existing_file(place)
    ending = place.suffix.lower()
    if METADATA.fullmatch(place.name):
        return _of_folder(place.parent, time)
    if ending == ".zip":
        return _of_zip(place, time)
    if ending in (".json", ".geojson"):
        return _of_item(_json(text), text)
    if ending in (".nc", ".nc4", ".netcdf", ".cdf", ".h5"):
        return _of_cube(place, place.name, time)
    return _of_raster(str(place), place.name)


def scene_date(path: Path | str) -> str:
    """Return the acquisition date YYYY-MM-DD from one in a file's name; '' if there is none.

    >>> scene_date("strzegom_20230709_33u.tif"), scene_date("2023-07-09_Sentinel-2_B02.tiff")
    ('2023-07-09', '2023-07-09')
    """
    match = re.search(r"(?<!\d)(20\d\d)(-?)(0[1-9]|1[0-2])\2([0-3]\d)(?!\d)", Path(path).name)
    return "-".join(match.group(1, 3, 4)) if match else ""


def _looks_like_raster(url: str) -> bool:
    return Path(urlparse(url).path).suffix.lower() in RASTERS


def _of_raster(path: str, name: str) -> Product:
    source = Raster(path)
    tags = {k.upper(): v for k, v in source.dataset().tags().items()}
    return Product(name, source.layers(), _told(name, tags))


def _told(name: str, tags: dict[str, str]) -> dict[str, str]:
    """Add the sensor that a name or a tag tells."""
    for text in (tags.get("SENSOR", ""), tags.get("PLATFORM", ""), tags.get("SPACECRAFT_NAME", ""),
                 tags.get("ITEM_ID", "").replace("_", " "), name.replace("_", " ")):
        if match := SENSOR.search(text):
            return tags | {"SENSOR": f"S2{match.group(1).upper()}"}
    return {k: v for k, v in tags.items() if k != "SENSOR"}


def _of_folder(folder: Path, time: str | None) -> Product:
    if any((folder / name).exists() for name in ZARR):
        return _of_cube(folder, folder.name, time)
    files = sorted(str(p) for p in folder.rglob("*") if p.is_file())
    if files:
        return _of_files(files, folder.name, str(folder))
    raise InputError(f"{folder}: the folder is empty")


def _of_zip(path: Path, time: str | None) -> Product:
    try:
        with zipfile.ZipFile(path) as archive:
            names = sorted(archive.namelist())
    except (zipfile.BadZipFile, OSError) as error:
        raise InputError(f"{path.name}: cannot be read as a zip file ({error})") from error
    if any(Path(n).name in ZARR for n in names):
        return _of_cube(path, path.name, time)
    return _of_files([f"/vsizip/{path.absolute()}/{n}" for n in names], path.name, str(path))


def _of_files(files: Sequence[str], name: str, place: str) -> Product:
    """Put together the files of a SAFE, or of a folder with a band in each."""
    metadata = [f for f in files if METADATA.fullmatch(Path(f).name)]
    if len(metadata) > 1:
        raise InputError(f"{place}: holds {len(metadata)} products; name one: "
                         f"{', '.join(sorted(Path(m).parent.name for m in metadata)[:4])}, …")
    inside = [f for f in files if "/IMG_DATA/" in f.replace("\\", "/")] if metadata else files
    rasters = [f for f in inside if Path(f).suffix.lower() in RASTERS
               and not Path(f).name.upper().startswith("MSK_") and band_key(_stem(f))]
    _one_scene(rasters, place)
    tags, shifts = _metadata(metadata[0]) if metadata else ({}, {})
    if match := BASELINE.search(str(place)):
        tags.setdefault("PROCESSING_BASELINE", ".".join(match.groups()))
    names = " ".join((*Path(place).parts[-2:], *(Path(f).name for f in rasters[:1])))
    tags = {"ACQUIRED": scene_date(names)} | _told(names, tags)
    layers = [_file_layer(f) for f in _finest(rasters)]
    if not layers:
        raise InputError(f"{place}: no file of it is named after a band (B02, B2 or blue, …; "
                         f"{', '.join(RASTERS)}); it holds "
                         f"{', '.join(Path(f).name for f in files[:4]) or 'none'}")
    return Product(name, layers, tags, shifts)


def _stem(file: str) -> str:
    return Path(file).stem


def _resolution(file: str) -> int:
    """Return the metres that a file's name ends with, 0 if it tells none."""
    match = re.search(r"(?<!\d)(10|20|60)m(?![a-z0-9])", _stem(file).lower())
    return int(match.group(1)) if match else 0


def _finest(files: Iterable[str]) -> list[str]:
    """Leave out files whose names tell that another holds the same band at a finer resolution."""
    best: dict[str, int] = {}
    for file in files:
        band, metres = band_key(_stem(file)), _resolution(file)
        best[band] = min(best.get(band, metres), metres)
    return [f for f in files if _resolution(f) == best[band_key(_stem(f))]
            and band_key(_stem(f)) in (*BANDS, SCL, CIRRUS)]


def _one_scene(files: Sequence[str], place: str) -> None:
    """Refuse files of several scenes: names that differ in more than band and resolution."""
    words = "|".join((r"b\d{1,2}", "b8a", "scl", r"(10|20|60)m", *COMMON_NAMES))
    bare = rf"(?i)(?<![a-z0-9])({words})(?![a-z0-9])"
    kinds = {re.sub(bare, "", _stem(f).replace("_", " ")).strip() for f in files
             if band_key(_stem(f)) in BANDS}
    if len(kinds) > 1:
        raise InputError(f"{place}: its files seem to be of {len(kinds)} scenes ("
                         f"{', '.join(sorted(kinds)[:3])}, …); name those of one, such as "
                         f"'{place}/*{max(kinds)[:40].replace(' ', '*')}*'")


def _file_layer(file: str) -> Layer:
    """Return the one band of a file that is named after it."""
    layers = Raster(file).layers()
    if len(layers) != 1:
        raise InputError(f"{Path(file).name}: has {len(layers)} bands, but its name is that of one")
    layer = layers[0]
    return Layer(_stem(file), layer.source, 1, layer.dtype, layer.nodata, layer.scale, layer.offset)


def _metadata(file: str) -> tuple[dict[str, str], dict[str, int]]:
    """Read what MTD_MSIL2A.xml says: tags, and the DN by which bands' offsets differ."""
    try:
        if file.startswith("/vsizip/"):
            archive, _, inner = file.removeprefix("/vsizip/").partition(".zip/")
            with zipfile.ZipFile(f"{archive}.zip") as opened:
                root = ET.fromstring(opened.read(inner))
        else:
            root = ET.parse(file).getroot()
    except (ET.ParseError, OSError, KeyError, zipfile.BadZipFile) as error:
        raise InputError(f"{Path(file).name}: cannot be read as XML ({error})") from error
    plain = {"PROCESSING_BASELINE": "PROCESSING_BASELINE", "PRODUCT_TYPE": "PRODUCT_TYPE",
             "SPACECRAFT_NAME": "SPACECRAFT_NAME", "DATATAKE_SENSING_START": "ACQUIRED"}
    tags = {ours: value for theirs, ours in plain.items()
            if (value := (root.findtext(f".//{theirs}") or "").strip())}
    quantification = root.findtext(".//BOA_QUANTIFICATION_VALUE")
    if quantification and float(quantification) != QUANTIFICATION:
        raise InputError(f"{Path(file).name}: BOA_QUANTIFICATION_VALUE is {quantification}; it "
                         f"must be {QUANTIFICATION:g}")
    listed = {int(e.get("band_id", -1)): round(float(e.text or 0))
              for e in root.iter("BOA_ADD_OFFSET")}
    order = (*(f"B{n:02}" for n in range(1, 9)), "B8A", *(f"B{n:02}" for n in range(9, 13)))
    offsets = {order[i]: v for i, v in listed.items() if order[i] in BANDS} if listed else {}
    if not offsets:
        return tags, {}
    most = -min(offsets.values())
    return (tags | {"BOA_ADD_OFFSET": str(-most)},
            {band: most + value for band, value in offsets.items() if most + value})


def _of_cube(path: Path, name: str, time: str | None) -> Product:
    """Open NetCDF or Zarr: variables of any group, bands as variables or along a dimension."""
    groups = _groups(path, name)
    cubes: dict[tuple[Any, ...], Cube] = {}
    layers, tags, days = [], {}, set()
    for group, data in groups.items():
        tags |= {str(k).upper(): str(v) for k, v in data.attrs.items()
                 if isinstance(v, str | int | float)} | _stac_in(data.attrs)
        for key, label, values in _variables(data):
            values, day = _at_time(values, time, name)
            days |= {day} - {""}
            grid, values = _grid_of(values, data, name)
            cube = cubes.setdefault(tuple(grid), Cube(name, grid))
            layers.append(cube.add(f"{group}/{key}", label, values))
    if len(days) == 1:
        tags["ACQUIRED"] = days.pop()
    if not layers:
        raise InputError(f"{name}: no variable of it has a Sentinel-2 band's name (B02, b02, blue, "
                         f"…); it has {', '.join(str(v) for d in groups.values() for v in d)}")
    return Product(name, layers, _told(name, tags))


def _groups(path: Path, name: str) -> dict[str, xr.Dataset]:
    options = {"mask_and_scale": False, "decode_coords": "all", "chunks": None}
    zarr = path.is_dir() or path.suffix.lower() == ".zip"
    try:
        if not zarr and path.read_bytes()[:3] == b"CDF":  # NetCDF 3 has no groups
            return {"": xr.open_dataset(path, engine="scipy", **options)}
        if not zarr:
            return xr.open_groups(path, engine="h5netcdf", **options)
        from zarr.storage import ZipStore
        store = path if path.is_dir() else ZipStore(path, mode="r")
        return xr.open_groups(store, engine="zarr", **options)
    except ImportError as error:
        raise InputError(f"{name}: {error.name or 'a package'} is needed to read it; install "
                         "lulc_lib[classify]") from error
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{name}: cannot be read as NetCDF or Zarr ({error})") from error


def _stac_in(attrs: Mapping[str, Any]) -> dict[str, str]:
    """Return what an EOPF product's STAC description says."""
    item = attrs.get("stac_discovery")
    return _item_tags(item) if isinstance(item, Mapping) else {}


def _variables(data: xr.Dataset) -> Iterable[tuple[str, str, xr.DataArray]]:
    """Yield (key, band's name, values over y, x and perhaps time) of all bands of a data set."""
    for key, values in data.data_vars.items():
        values = values.squeeze([d for d in values.dims
                                 if values.sizes[d] == 1 and str(d).lower() not in
                                 (*TIMES, *NORTHINGS, *EASTINGS)], drop=True)
        along = next((d for d in values.dims if str(d).lower() in BAND_DIMS), None)
        if along is not None and along in values.coords:
            for i, label in enumerate(values[along].values.astype(str)):
                yield f"{key}/{i}", label, values.isel({along: i}, drop=True)
            continue
        names = (str(key), *(str(values.attrs.get(k, "")) for k in ("common_name", "long_name")))
        label = next((n for n in names if band_key(n)), str(key))
        if {*_axes(values)} >= {"y", "x"} and band_key(label):
            yield str(key), label, values


def _axes(values: xr.DataArray) -> dict[str, str]:
    """Return the dimensions that are y, x and time."""
    kinds = {"time": TIMES, "y": NORTHINGS, "x": EASTINGS}
    return {axis: str(d) for d in values.dims for axis, names in kinds.items()
            if str(d).lower() in names}


def _at_time(values: xr.DataArray, time: str | None, name: str) -> tuple[xr.DataArray, str]:
    """Return the values of one time, and that time (ISO 8601; '' if it is not told)."""
    along = _axes(values).get("time")
    if along is None:
        told = next((values.coords[t] for t in TIMES if t in values.coords), None)
        return values, "" if told is None or told.ndim else str(told.values)[:19]
    times = [str(t)[:19] for t in values[along].values]
    fitting = [i for i, t in enumerate(times) if t.startswith(time or "")]
    if len(fitting) != 1:
        shown = ", ".join(t[:10] if times_differ(times) else t for t in times[:12])
        what = f"has {len(fitting)} times that begin with {time}" if time else (
            f"is a series of {len(times)} times")
        raise InputError(f"{name}: {what}; choose one with --time ({shown}"
                         f"{', …' if len(times) > 12 else ''})")
    return values.isel({along: fitting[0]}, drop=True), times[fitting[0]]


def times_differ(times: Sequence[str]) -> bool:
    """Return whether the days alone tell times apart."""
    return len({t[:10] for t in times}) == len(times)


def _grid_of(values: xr.DataArray, data: xr.Dataset, name: str) -> tuple[Grid, xr.DataArray]:
    """Return the grid of (y, x) values, and them with rows from north to south."""
    axes = _axes(values)
    y, x = axes["y"], axes["x"]
    values = values.transpose(y, x)
    crs = _crs_of(values, data)
    if crs is None and x.lower() in ("lon", "longitude"):
        crs = rasterio.CRS.from_epsg(4326)
    if crs is None:
        raise InputError(f"{name}: its variables tell no CRS; a scene must be georeferenced "
                         "(rioxarray's write_crs does that)")
    if y not in values.coords or x not in values.coords:
        t = values.rio.transform()
    else:
        if values[y].size > 1 and values[y][0] < values[y][-1]:
            values = values.isel({y: slice(None, None, -1)})
        t = _transform(values[x].values, values[y].values, name)
    return Grid(crs, t, values.shape), values


def _transform(x: np.ndarray, y: np.ndarray, name: str) -> rasterio.Affine:
    """Return the transform of pixel centres, which must be evenly spaced."""
    steps = []
    for values in (x, y):
        values = values.astype(float)
        step = (values[-1] - values[0]) / max(len(values) - 1, 1)
        if len(values) < 2 or np.abs(np.diff(values) - step).max() > abs(step) * 0.01:
            raise InputError(f"{name}: its pixels are not evenly spaced; a regular grid is needed")
        steps.append(step)
    return rasterio.Affine(steps[0], 0, float(x[0]) - steps[0] / 2,
                           0, steps[1], float(y[0]) - steps[1] / 2)


def _crs_of(values: xr.DataArray, data: xr.Dataset) -> rasterio.CRS | None:
    """Return the CRS that a grid mapping or an attribute tells."""
    if values.rio.crs is not None:
        return values.rio.crs
    if data.rio.crs is not None:
        return data.rio.crs
    for attrs in (values.attrs, data.attrs):
        for key in ("proj:code", "proj:epsg", "crs", "crs_wkt", "spatial_ref"):
            told = attrs.get(key)
            if isinstance(told, int | np.integer) or (isinstance(told, str) and told):
                return rasterio.CRS.from_user_input(int(told) if str(told).isdigit() else told)
    return None


def _json(place: str) -> Mapping[str, Any]:
    """Read a JSON object from a file or an http address."""
    if place.startswith(("http://", "https://")):
        import requests

        from lulc_lib.io.http import Client
        return Client("STAC item", "check the address", requests.Session()).json(place)
    try:
        answer = json.loads(Path(place).read_text("utf-8"))
    except (ValueError, OSError) as error:
        raise InputError(f"{place}: cannot be read as JSON ({error})") from error
    if not isinstance(answer, dict) or "assets" not in answer:
        raise InputError(f"{place}: is no STAC item (a JSON object with assets)")
    return answer


def _of_item(item: Mapping[str, Any], place: str) -> Product:
    if "assets" not in item:
        raise InputError(f"{place}: is no STAC item (a JSON object with assets)")
    return item_product(item, place)


def item_product(item: Mapping[str, Any], place: str = "", token: str = "") -> Product:
    """Open the bands of a STAC item; ``token`` is a query that signs their addresses."""
    layers, assets = [], item_assets(item)
    if missing := [band for band in BANDS if band not in assets]:
        raise InputError(f"item {item.get('id')} has no asset of band {', '.join(missing)}; it has "
                         f"{', '.join(sorted(item['assets']))}")
    for band, key in assets.items():
        href = str(item["assets"][key]["href"])
        if place.startswith(("http://", "https://")):
            href = urljoin(place, href)
        elif place and "://" not in href:
            href = str(Path(place).parent / href)
        try:
            layer = Raster(asset_address(item, key, href, token)).layers()[0]
        except InputError as error:
            if "AWS_" in str(error):
                raise
            raise InputError(f"asset {key!r} of item {item.get('id')} cannot be read; try again "
                             "later or another service") from error
        layers.append(Layer(band, layer.source, 1, layer.dtype, layer.nodata, layer.scale,
                            layer.offset))
    tags = _item_tags(item)
    offset, told_by = item_offset(item)
    if offset is not None:
        tags |= {"BOA_ADD_OFFSET": str(-offset), "BOA_ADD_OFFSET_FROM": told_by}
    return Product(str(item.get("id", place)), layers, _told(str(item.get("id", "")), tags))


def item_assets(item: Mapping[str, Any]) -> dict[str, str]:
    """Return the key of the asset of each band: the finest, GeoTIFF before JPEG 2000."""
    found: dict[str, str] = {}
    for key, asset in sorted(item["assets"].items(),
                             key=lambda pair: (_resolution(pair[0]), "jp2" in pair[0], pair[0])):
        bands = asset.get("eo:bands") or asset.get("bands") or []
        if len(bands) > 1 or "data" not in asset.get("roles", ["data"]):
            continue
        told = [key, *(b.get(k) for b in bands for k in ("name", "common_name", "eo:common_name"))]
        band = next((k for name in told if (k := band_key(name))), "")
        if band in (*BANDS, SCL, CIRRUS):
            found.setdefault(band, key)
    return found


def asset_address(item: Mapping[str, Any], key: str, href: str, token: str = "") -> str:
    """Return an asset's address for GDAL; InputError without S3 keys that it needs."""
    if href.startswith("s3://"):
        if "AWS_ACCESS_KEY_ID" not in os.environ:
            raise InputError(
                f"asset {key!r} of item {item.get('id')} is in S3 storage ({href}); set "
                "AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY to keys of that service")
        return "/vsis3/" + href.removeprefix("s3://")
    return f"{href}{'&' if '?' in href else '?'}{token}" if token else href


def _item_tags(item: Mapping[str, Any]) -> dict[str, str]:
    """Return what a STAC item says of the whole product."""
    told = item.get("properties", {})
    tags = {"ACQUIRED": str(told.get("datetime") or told.get("start_datetime") or ""),
            "PLATFORM": str(told.get("platform") or "").replace("_", "-"),
            "PRODUCT_TYPE": str(told.get("s2:product_type") or told.get("product:type") or "")}
    baseline = processing_baseline(item)
    if baseline is not None:
        tags["PROCESSING_BASELINE"] = f"{baseline:05.2f}"
    return {key: value for key, value in tags.items() if value}


def processing_baseline(item: Mapping[str, Any]) -> float | None:
    """Return the ESA processing baseline such as 5.09; None if the item does not say."""
    properties = item.get("properties", {})
    for key in ("s2:processing_baseline", "processing:version"):
        try:
            return float(properties[key])
        except (KeyError, TypeError, ValueError):
            continue
    product = f"{item.get('id', '')} {properties.get('s2:product_uri', '')}"
    match = BASELINE.search(product)
    return float(".".join(match.groups())) if match else None


def item_offset(item: Mapping[str, Any]) -> tuple[int | None, str]:
    """Return the offset (DN to subtract or None) that an item declares, and the field that says it.

    The statement that it has been applied goes first, then the bands' own scale and offset
    (InputError if they differ), then the processing baseline.
    """
    if item["properties"].get("earthsearch:boa_offset_applied") is True:
        return 0, "earthsearch:boa_offset_applied"
    offsets = {band: _asset_offset(item["assets"][key])
               for band, key in item_assets(item).items() if band in BANDS}
    declared = set(offsets.values()) - {None}
    if len(declared) > 1:
        told = ", ".join(f"{b} {o}" for b, o in offsets.items())
        raise InputError(f"item {item['id']}: bands declare different offsets (DN): {told}; "
                         "one offset for all bands is needed")
    if declared:
        return declared.pop(), "raster:offset"
    baseline = processing_baseline(item)
    offset = None if baseline is None else baseline_offset(baseline)
    return offset, "" if offset is None else "processing baseline"


def _asset_offset(asset: Mapping[str, Any]) -> int | None:
    """DN to subtract from one asset: −offset ÷ scale, from raster 1.x or 2.x fields, if stated."""
    first = (asset.get("raster:bands") or asset.get("bands") or [{}])[0]
    for place, prefix in ((first, ""), (first, "raster:"), (asset, "raster:")):
        offset, scale = place.get(f"{prefix}offset"), place.get(f"{prefix}scale")
        if offset is not None:
            return -round(offset / (scale or 1e-4))
    return None
