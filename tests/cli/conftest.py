"""What several tests of the commands share: a folder with every kind of good and bad file."""

from __future__ import annotations

import math
import os
import shutil
import struct
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import rasterio
from rasterio.transform import Affine, from_origin
from shapely.geometry import LineString, Point, Polygon, box

from lulc_lib.data.scenes import BANDS

X, Y = 600_000, 5_600_000
GRID = from_origin(X, Y, 10, 10)


def raster(name, values, names=(), crs="EPSG:32633", grid=GRID, nodata=None):
    values = np.atleast_3d(np.asarray(values).T).T
    with rasterio.open(name, "w", driver="GTiff", count=len(values), dtype=values.dtype, crs=crs,
                       height=values.shape[1], width=values.shape[2], transform=grid,
                       nodata=nodata) as file:
        file.write(values)
        for number, band in enumerate(names, 1):
            file.set_band_description(number, band)


def shapes(name, geometry, crs="EPSG:32633", **columns):
    gpd.GeoDataFrame(columns, geometry=geometry, crs=crs).to_file(name)


def make_rasters():
    rng = np.random.default_rng(1)
    dn = rng.normal(2000, 100, (10, 64, 64)).astype(np.uint16)
    codes = np.full((64, 64), 4, np.uint8)
    codes[20:40, 20:40] = 10
    raster("scene.tif", dn, BANDS)
    raster("m.tif", codes, nodata=0)
    raster("rotated.tif", codes, grid=GRID @ Affine.rotation(30), nodata=0)
    raster("other_grid.tif", codes[1:], nodata=0)
    raster("other_crs.tif", codes, crs="EPSG:32634", nodata=0)
    raster("fractions.tif", codes / 3)
    raster("complex.tif", codes.astype(np.complex64))
    raster("nocrs.tif", codes, crs=None, nodata=0)
    raster("nodata.tif", codes * 0, nodata=0)
    raster("wild_20220619.tif", codes + 100)
    raster("nan_grid.tif", codes, grid=Affine(10, 0, math.nan, 0, -10, Y), nodata=0)
    raster("flat_grid.tif", codes, grid=Affine(1e-300, 0, X, 0, -1e-300, Y), nodata=0)
    raster("south_up.tif", codes, grid=Affine(10, 0, X, 0, 10, Y - 640), nodata=0)
    raster("pole.tif", codes, "", "EPSG:3031", from_origin(0, -2e6, 10, 10), nodata=0)
    raster("far_grid.tif", codes, grid=from_origin(1e12, 1e12, 10, 10), nodata=0)
    raster("twelve.tif", dn[:5], BANDS[:5])
    raster("no_pixel.tif", dn * 0, BANDS)
    raster("nocrs_scene.tif", dn, BANDS, crs=None)
    raster("nan_scene.tif", dn, BANDS, grid=Affine(10, 0, math.nan, 0, -10, Y))
    for name in ("map_20220619.tif", "map_20230709.tif", "map_20220619_ref.tif", "ref.tif"):
        shutil.copy("m.tif", name)
    for name in ("scene_20220619.tif", "scene_20210101.tif"):
        shutil.copy("scene.tif", name)
    raster("map_20220619_applicability.tif", codes, ["dissimilarity index / threshold"])
    for whole, part in (("m.tif", "cut.tif"), ("scene.tif", "cut_scene.tif")):
        data = Path(whole).read_bytes()
        Path(part).write_bytes(data[:len(data) // 2])
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{k}"><Description>{b}</Description><SimpleSource>'
        f'<SourceFilename relativeToVRT="1">scene.tif</SourceFilename><SourceBand>{k}</SourceBand>'
        "</SimpleSource></VRTRasterBand>" for k, b in enumerate(BANDS, 1))
    vrt = ('<VRTDataset rasterXSize="64" rasterYSize="64"><SRS>EPSG:32633</SRS><GeoTransform>'
           f"{X},10,0,{Y},0,-10</GeoTransform>{bands}</VRTDataset>")
    Path("scene.vrt").write_text(vrt)
    Path("scene2.vrt").write_text(vrt.replace("scene.tif", "scene.vrt"))
    one = bands[:bands.index("</VRTRasterBand>")] + "</VRTRasterBand>"
    Path("outer.vrt").write_text(vrt.replace(bands, one.replace("scene.tif", "ref.tif")
                                             .replace("UInt16", "Byte")))


def make_vectors():
    pit = [box(X + 220, Y - 380, X + 380, Y - 220), box(X + 10, Y - 100, X + 150, Y - 10)]
    for name in ("ref.gpkg", "refs.shp", "sized.gpkg"):
        shapes(name, pit, label=[10, 4])
    shapes("far.gpkg", [box(X + 9e4, Y, X + 9.1e4, Y + 1e3)], label=[10])
    shapes("lines.gpkg", [LineString([(X, Y), (X + 9, Y)])], label=[10])
    gpd.GeoDataFrame({"label": [1]}, geometry=[Point(X, Y)], crs=32633)[:0].to_file("empty.gpkg")
    shapes("ids.gpkg", pit, id=[1, 2])
    shapes("text.gpkg", pit, label=["pit", "crops"])
    Path("nocrs.geojson").write_text('{"type": "FeatureCollection", "features": []}')
    Path("broken.gpkg").write_bytes(Path("ref.gpkg").read_bytes()[:200])


def make_registries():
    def folder(name, file, geometry, **columns):
        Path(name).mkdir(exist_ok=True)
        shapes(f"{name}/{file}", geometry, **columns)

    pit = box(X + 150, Y - 450, X + 450, Y - 150)
    folder("registries", "deposits.geojson", [pit], NAZWA=["Pit"])
    turned = [Polygon([(y, x) for x, y in pit.exterior.coords])]
    folder("swapped", "deposits.gpkg", turned, NAZWA=["Pit"])
    folder("two", "deposits.gpkg", [pit], NAZWA=["Pit"])
    folder("two", "deposits.geojson", [pit], NAZWA=["Pit"])
    folder("points", "deposits.gpkg", [pit.centroid], NAZWA=["Pit"])
    folder("nameless", "corine.gpkg", [pit], colour=["red"])
    folder("elsewhere", "deposits.gpkg", [box(5e7, 5e7, 5.1e7, 5.1e7)], NAZWA=["Pit"])
    for name in ("unreadable", "nocrs", "degrees", "ragged"):
        Path(name).mkdir()
    Path("unreadable/deposits.gpkg").write_bytes(b"SQLite format 3\0" + b"\1" * 300)
    shapes("nocrs/deposits.shp", [pit], NAZWA=["Pit"])
    Path("nocrs/deposits.prj").unlink()
    Path("degrees/monitoring_points.csv").write_text("x,y,name\n16.2,50.9,a\n")
    Path("ragged/monitoring_points.csv").write_text("lon,lat,name\n16,2,50,9,a\n")


def make_tables():
    head = "map/reference,A,B\n"
    for name, text in {
        "matrix.csv": head + "A,40,3\nB,2,50\n", "areas.csv": "label,area\nA,100\nB,300\n",
        "areas_minus.csv": "label,area\nA,-5\nB,3\n", "areas_inf.csv": "label,area\nA,inf\nB,3\n",
        "areas_lacking.csv": "label,area\nA,5\n", "empty.csv": "", "bare.csv": "5,1\n2,7\n",
        "ragged.csv": "5,1\n2\n", "negative.csv": head + "A,40,-3\nB,2,50\n",
        "half.csv": head + "A,40,0.5\nB,2,50\n", "nan.csv": head + "A,40,nan\nB,2,50\n",
        "inf.csv": head + "A,40,inf\nB,2,50\n", "vast.csv": head + f"A,{'9' * 400},3\nB,2,5\n",
        "zeros.csv": head + "A,0,0\nB,0,0\n", "twice.csv": "map/reference,A,A\nA,1,2\nA,3,4\n",
        "unlike.csv": "map/reference,A,B\nC,1,2\nD,3,4\n", "one_column.csv": "true\n1\n2\n",
        "noise.csv": "lorem ipsum\ndolor, sit\namet\n", "nul.csv": head + "A,40,\0\nB,2,50\n",
        "names.json": '{"1": "water"}', "names.qml": '{"4": "a", "10": "b"}',
        "broken.json": '{"1": ', "list.json": "[1, 2]", "deep.json": "[" * 100_000,
        "there.html": "mine", "model.qml": "a model",
    }.items():
        Path(name).write_text(text)
    with open("zipped.pt", "wb") as file:
        file.write(struct.pack("<4sI", b"PK\x03\x04", 0) * 9)


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """A folder with every file that the table of bad inputs names; no test may change it."""
    place, before = tmp_path_factory.mktemp("bad"), os.getcwd()
    os.chdir(place)
    try:
        make_rasters(), make_vectors(), make_tables(), make_registries()
        os.mkfifo("pipe.csv")
        os.symlink("loop.csv", "loop.csv")
        os.link("scene.tif", "hard.tif")
        os.symlink("scene.tif", "soft.tif")
        os.link("matrix.csv", "copy.csv")
        os.symlink("registries", "linked")
        Path("data").mkdir()
        for name in ("m\udce9.csv", "s\udce9.tif"):
            Path(name).touch()
    finally:
        os.chdir(before)
    return place
