"""Scenes in the forms in which people have them, written by the programs that write them."""

import datetime as dt
import json
import pickle
import zipfile

import numpy as np
import odc.stac
import pystac
import pytest
import rasterio
import rasterio.shutil
import rioxarray  # noqa: F401
import xarray as xr
from odc.geo.geobox import GeoBox
from rasterio import Affine
from rasterio.windows import Window

from lulc_lib.data import rasters
from lulc_lib.data.bands import BANDS, BANDS_10M, COMMON_NAMES, band_key
from lulc_lib.data.grids import Grid, positions, resample
from lulc_lib.data.radiometry import scaling_offset
from lulc_lib.data.rasters import Raster
from lulc_lib.data.scenes import open_scene, read_scene
from lulc_lib.errors import InputError
from tests.http_server import Fault, loopback_server

SIDE = 120
T10 = Affine(10, 0, 600_000, 0, -10, 5_600_000)
NAME = "S2B_MSIL2A_20230709T100559_N0509_R022_T33UWS_20230709T130000"
TILE = "T33UWS_20230709T100559"
COMMON = {band: name for name, band in reversed(COMMON_NAMES.items())}
CRS = "EPSG:32633"


@pytest.fixture(scope="module")
def dn():
    """(10, 120, 120) DN with offset 1000; 20 m bands are smooth planes, 10 m bands random."""
    rng = np.random.default_rng(3)
    rows, cols = np.mgrid[:SIDE, :SIDE]
    out = rng.normal(1900, 60, (10, SIDE, SIDE))
    out[:, :30] = rng.normal(1100, 10, (10, 30, SIDE))
    for i, band in enumerate(BANDS):
        if band not in BANDS_10M:
            out[i] = 1400 + 20 * i + 2 * rows + 3 * cols
    out[BANDS.index("B08"), 60:] = 5000
    return out.round().astype(np.uint16)


@pytest.fixture(scope="module")
def dn20(dn):
    """The same bands at 20 m, (10, 60, 60)."""
    return dn.reshape(10, SIDE // 2, 2, SIDE // 2, 2).mean((2, 4)).round().astype(np.uint16)


def write(path, values, pixel=10, names=(), driver="GTiff", tags=None, **options):
    """Write (band, row, col) values whose upper left corner is that of the scene."""
    values = values if values.ndim == 3 else values[None]
    path.parent.mkdir(parents=True, exist_ok=True)
    grid = {"crs": CRS, "transform": T10 @ Affine.scale(pixel / 10)} | options
    with rasterio.open(path, "w", driver=driver, count=len(values), dtype=values.dtype,
                       height=values.shape[1], width=values.shape[2], **grid) as file:
        file.write(values)
        if names:
            file.descriptions = names
        file.update_tags(**(tags or {}))
    return path


JPEG2000 = {"driver": "JP2OpenJPEG", "QUALITY": 100, "REVERSIBLE": "YES", "YCBCR420": "NO"}
METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-{level}_User_Product xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/User_Product.xsd">
<n1:General_Info><Product_Info><PROCESSING_BASELINE>{baseline}</PROCESSING_BASELINE>
<PRODUCT_TYPE>S2MSI{level}</PRODUCT_TYPE><PROCESSING_LEVEL>Level-{level}</PROCESSING_LEVEL>
<PRODUCT_URI>{name}.SAFE</PRODUCT_URI>
<Query_Options><PRODUCT_FORMAT>SAFE_COMPACT</PRODUCT_FORMAT></Query_Options><Product_Organisation>
<Granule_List><Granule imageFormat="JPEG2000">{files}</Granule></Granule_List>
</Product_Organisation><Datatake datatakeIdentifier="x">
<SPACECRAFT_NAME>Sentinel-2B</SPACECRAFT_NAME>
<DATATAKE_SENSING_START>2023-07-09T10:05:59.024Z</DATATAKE_SENSING_START></Datatake></Product_Info>
<Product_Image_Characteristics><QUANTIFICATION_VALUES_LIST>
<BOA_QUANTIFICATION_VALUE unit="none">{quantification}</BOA_QUANTIFICATION_VALUE>
</QUANTIFICATION_VALUES_LIST><BOA_ADD_OFFSET_VALUES_LIST>{offsets}</BOA_ADD_OFFSET_VALUES_LIST>
</Product_Image_Characteristics></n1:General_Info></n1:Level-{level}_User_Product>"""


TILE_METADATA = """<?xml version="1.0" encoding="UTF-8"?>
<n1:Level-2A_Tile_ID xmlns:n1="https://psd-14.sentinel2.eo.esa.int/PSD/S2_PDI_Level-2A_Tile.xsd">
<n1:Geometric_Info><Tile_Geocoding><HORIZONTAL_CS_CODE>EPSG:32633</HORIZONTAL_CS_CODE>
<Size resolution="10"><NROWS>120</NROWS><NCOLS>120</NCOLS></Size>
<Size resolution="20"><NROWS>60</NROWS><NCOLS>60</NCOLS></Size>
<Geoposition resolution="10"><ULX>600000</ULX><ULY>5600000</ULY></Geoposition>
<Geoposition resolution="20"><ULX>600000</ULX><ULY>5600000</ULY></Geoposition>
</Tile_Geocoding></n1:Geometric_Info></n1:Level-2A_Tile_ID>"""


def metadata(offsets=(-1000,) * 13, level="2A", baseline="05.09", quantification=10000, files=()):
    listed = "".join(f'<BOA_ADD_OFFSET band_id="{i}">{v}</BOA_ADD_OFFSET>'
                     for i, v in enumerate(offsets))
    return METADATA.format(level=level, baseline=baseline, quantification=quantification,
                           offsets=listed, name=NAME,
                           files="".join(f"<IMAGE_FILE>{f}</IMAGE_FILE>" for f in files))


def scl_codes():
    codes = np.full((SIDE // 2, SIDE // 2), 4, np.uint8)
    codes[:10, :10], codes[50:, 50:], codes[20:25, 20:25] = 9, 3, 5
    return codes


def write_safe(folder, dn, dn20, resolutions=(10, 20, 60), xml=None):
    """Lay a product out as ESA does; return the SAFE folder."""
    safe = folder / f"{NAME}.SAFE"
    granule = safe / "GRANULE" / "L2A_T33UWS_A033109_20230709T100606"
    dn60 = dn[:, ::6, ::6]
    for i, band in enumerate(BANDS):
        for metres, values in ((10, dn), (20, dn20), (60, dn60)):
            there = band in BANDS_10M if metres == 10 else band != "B08"
            if metres in resolutions and there:
                write(granule / "IMG_DATA" / f"R{metres}m" / f"{TILE}_{band}_{metres}m.jp2",
                      values[i], metres, **JPEG2000)
    if 20 in resolutions:
        write(granule / "IMG_DATA" / "R20m" / f"{TILE}_SCL_20m.jp2", scl_codes(), 20, **JPEG2000)
    write(granule / "QI_DATA" / "MSK_DETFOO_B02.jp2", scl_codes(), 20, **JPEG2000)
    files = [p.relative_to(safe).with_suffix("") for p in granule.rglob("*m.jp2")]
    (safe / "MTD_MSIL2A.xml").write_text(xml or metadata(files=files))
    (granule / "MTD_TL.xml").write_text(TILE_METADATA)
    return safe


@pytest.fixture(scope="module")
def safe(tmp_path_factory, dn, dn20):
    """A SAFE folder and its zip."""
    folder = write_safe(tmp_path_factory.mktemp("safe"), dn, dn20)
    with zipfile.ZipFile(folder.with_suffix(".zip"), "w") as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, file.relative_to(folder.parent))
    return folder


def same_as(scene, dn, exact=BANDS):
    """Check a scene's DN: bands of 10 m exactly, the planes of 20 m bands within rounding."""
    got = scene.read()
    for i, band in enumerate(BANDS):
        far = np.abs(got[i].astype(int) - dn[i])[2:-2, 2:-2].max()
        assert far <= (0 if band in exact else 3), (band, far)


@pytest.mark.parametrize("form", ["folder", "metadata", "zip"])
def test_safe(safe, dn, form):
    path = {"folder": safe, "metadata": safe / "MTD_MSIL2A.xml",
            "zip": safe.with_suffix(".zip")}[form]
    with open_scene(path) as scene:
        same_as(scene, dn, BANDS_10M)
        assert (scene.date, scene.sensor, scene.baseline) == ("2023-07-09", "S2B", "05.09")
        assert scene.declared == 1000 and scene.notes == []
        assert scene.grid == Grid(rasterio.CRS.from_epsg(32633), T10, (SIDE, SIDE))
        assert scene.decide() == (1000, 1000, 1000, "metadata and pixels")


def test_gdal_reads_the_same_from_a_safe(safe, tmp_path):
    """Its SENTINEL2 driver, and a GeoTIFF made with it, whose bands tell offset and name."""
    with open_scene(safe) as scene:
        layers = {layer.band: layer for layer in scene._layers}
        for metres in (10, 20):
            name = f"SENTINEL2_L2A:{safe}/MTD_MSIL2A.xml:{metres}m:EPSG_32633"
            with rasterio.open(name) as theirs:
                for i, band in enumerate(map(band_key, theirs.descriptions), 1):
                    if band in layers:
                        ours = layers.pop(band)
                        assert ours.source.grid == Grid(
                            theirs.crs, theirs.transform, theirs.shape), band
                        np.testing.assert_array_equal(
                            ours.source.read([1], None)[0], theirs.read(i))
            rasterio.shutil.copy(name, tmp_path / f"{metres}.tif", driver="GTiff")
        assert not layers
    told = Raster(str(tmp_path / "10.tif")).layers()[:4]  # then AOT and WVP
    assert [layer.band for layer in told] == ["B04", "B03", "B02", "B08"]
    assert scaling_offset([(layer.scale, layer.offset) for layer in told], "x") == 1000


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("name", ["s.nc", "s.zarr"])
def test_odc_stac_cubes(tmp_path, dn, dn20, name):
    """What odc.stac.load of an item's assets writes with xarray, and rasterio's COG of a band."""
    grid = GeoBox((SIDE, SIDE), T10, CRS)
    footprint = grid.geographic_extent
    item = pystac.Item("S2B_33UWS_20230709_0_L2A", footprint.json, list(footprint.boundingbox),
                       dt.datetime(2023, 7, 9, 10, 6, 1), {}, collection="s2")
    for i, band in enumerate(BANDS):
        fine = band in BANDS_10M
        plain = write(tmp_path / f"{i}.tif", dn[i] if fine else dn20[i], 10 if fine else 20)
        rasterio.shutil.copy(plain, tmp_path / f"{band}.tif", driver="COG")
        item.add_asset(COMMON[band], pystac.Asset(str(tmp_path / f"{band}.tif"), roles=["data"]))
    cube = odc.stac.load([item], bands=[COMMON[b] for b in BANDS], geobox=grid, stac_cfg={
        "s2": {"assets": {"*": {"data_type": "uint16", "nodata": 0}}}}, resampling="bilinear")
    cube.to_zarr(tmp_path / name) if "zarr" in name else cube.to_netcdf(
        tmp_path / name, engine="h5netcdf")
    with open_scene(tmp_path / name) as scene:
        same_as(scene, dn, BANDS_10M)
        assert scene.date == "2023-07-09" and scene.transform == T10


def test_the_offset_of_each_band_is_subtracted(tmp_path, dn, dn20):
    offsets = [-1000] * 13
    offsets[7] = -900  # band_id 7 is B08, 8 is B8A
    scene = read_scene(write_safe(tmp_path, dn, dn20, xml=metadata(offsets)))
    np.testing.assert_allclose(scene.sel(band="B08"), (dn[6] - 900.0) / 1e4, atol=1e-6)
    np.testing.assert_allclose(scene.sel(band="B02"), (dn[0] - 1000.0) / 1e4, atol=1e-6)


@pytest.mark.parametrize(("resolutions", "xml", "says"), [
    ((60,), None, r"pixels of B02 are 60\.\d+ × 60\.\d+ m"),
    ((20, 60), None, "band B08 not found"),
    ((10, 20), metadata(level="1C"), r"top of atmosphere \(S2MSI1C\)"),
    ((10, 20), metadata(quantification=1000), "BOA_QUANTIFICATION_VALUE is 1000"),
    ((10, 20), "<a>", "cannot be read as XML"),
])
def test_products_that_are_refused(tmp_path, dn, dn20, resolutions, xml, says):
    folder = write_safe(tmp_path, dn, dn20, resolutions, xml)
    if resolutions == (60,):
        write(folder / "GRANULE" / "g" / "IMG_DATA" / "R60m" / f"{TILE}_B08_60m.jp2",
              dn[6, ::6, ::6], 60, **JPEG2000)
    with pytest.raises(InputError, match=says):
        open_scene(folder)


def test_clouds_become_no_data(safe, dn):
    with open_scene(safe, mask_clouds=True) as scene:
        got = scene.read()
        hidden = np.isin(np.kron(scl_codes(), np.ones((2, 2), int)), (3, 9))
        assert (got[:, hidden] == 0).all() and (got[:, ~hidden] > 0).all()
        assert scene.survey().count.tolist() == [(~hidden).sum()] * 10


def test_clouds_need_a_classification(tmp_path, dn, dn20):
    path = write(tmp_path / "s.tif", dn, names=BANDS)
    with pytest.raises(InputError, match=r"no scene classification.*s_scl\.tif beside it"):
        open_scene(path, mask_clouds=True)
    write(tmp_path / "s_scl.tif", scl_codes(), 20, names=["SCL"])
    with open_scene(path, mask_clouds=True) as scene:
        assert (scene.read()[:, :20, :20] == 0).all()


NAMINGS = {
    "Major-TOM": [f"{b}.tif" for b in BANDS],
    "BigEarthNet": [f"S2A_MSIL2A_20170613T101031_87_48_{b}.tif" for b in BANDS],
    "Planetary Computer": [f"{TILE}_{b}_{'10m' if b in BANDS_10M else '20m'}.tif" for b in BANDS],
    "SSL4EO": [f"{b.replace('B0', 'B')}.tif" for b in BANDS],
    "Earth Search": [f"{COMMON[b]}.tif" for b in BANDS],
    "browser": [f"2023-07-09-00:00_2023-07-09-23:59_Sentinel-2_L2A_{b}_(Raw).tiff" for b in BANDS],
}
"""Names of files with a band each, by who writes them."""


def write_each(folder, dn, dn20, names):
    """Write a file for each band, as the product has it, and a picture for the eye."""
    for i, (band, name) in enumerate(zip(BANDS, names, strict=True)):
        fine = band in BANDS_10M
        write(folder / name, dn[i] if fine else dn20[i], 10 if fine else 20)
    (folder / "thumbnail.png").write_bytes(b"x")
    return folder


@pytest.mark.parametrize("names", NAMINGS.values(), ids=NAMINGS)
def test_a_file_for_each_band(tmp_path, dn, dn20, names):
    folder = write_each(tmp_path / "scene_20230709", dn, dn20, names)
    for path in (folder, folder / "*.tif*"):
        with open_scene(path) as scene:
            same_as(scene, dn, BANDS_10M)
            assert scene.date in ("2023-07-09", "2017-06-13")


def test_files_of_two_scenes_are_refused(tmp_path, dn):
    for day in ("20230709", "20230714"):
        for i, band in enumerate(BANDS):
            write(tmp_path / f"T33UWS_{day}T100559_{band}.tif", dn[i])
    with pytest.raises(InputError, match="seem to be of 2 scenes"):
        open_scene(tmp_path)
    with open_scene(tmp_path / "*20230714*") as scene:
        assert scene.date == "2023-07-14"


def test_a_folder_without_bands(tmp_path, dn):
    with pytest.raises(InputError, match="folder is empty"):
        open_scene(tmp_path)
    write(tmp_path / "dem.tif", dn[0])
    with pytest.raises(InputError, match=r"no file of it is named after a band.*dem\.tif"):
        open_scene(tmp_path)


BAND_NAMES = {
    "STAC": [COMMON[b] for b in BANDS],
    "STAC 2": ["blue", "green", "red", "rededge071", "rededge075", "rededge078", "nir", "nir08",
               "swir16", "swir22"],
    "Earth Engine, SNAP": [b.replace("B0", "B") for b in BANDS],
    "lower case": [b.lower() for b in BANDS],
    "GDAL": [f"{b}, central wavelength 490 nm" for b in BANDS],
}
"""Names of bands in one file, by who writes them."""


@pytest.mark.parametrize("names", BAND_NAMES.values(), ids=BAND_NAMES)
def test_names_of_bands(tmp_path, dn, names):
    with open_scene(write(tmp_path / "s.tif", dn, names=names)) as scene:
        same_as(scene, dn)


def write_long_names(path, dn):
    """GDAL's description is empty where a program writes the name into the band's metadata."""
    with rasterio.open(write(path, dn), "r+") as file:
        for i, band in enumerate(BANDS, 1):
            file.update_tags(i, long_name=band)
    return path


def test_long_names_of_bands(tmp_path, dn):
    with open_scene(write_long_names(tmp_path / "s.tif", dn)) as scene:
        same_as(scene, dn)


def test_unnamed_bands(tmp_path, dn):
    path = write(tmp_path / "s.tif", dn)
    line = ",".join(BANDS)
    with pytest.raises(InputError, match=rf"10 bands have no names.*--bands {line}"):
        open_scene(path)
    with open_scene(path, bands=line.split(",")) as scene:
        same_as(scene, dn)
    with pytest.raises(InputError, match="has 10 bands, but --bands names 9"):
        open_scene(path, bands=BANDS[:9])
    more = write(tmp_path / "more.tif", np.concatenate([dn[:1], dn]))
    with open_scene(more, bands=["x", *BANDS]) as scene:
        same_as(scene, dn)
    twelve = write(tmp_path / "twelve.tif", np.concatenate([dn[:2], dn]))
    with pytest.raises(InputError, match=r"--bands B01,B02,B03.*,B8A,B09,B11,B12"):
        open_scene(twelve)


def write_vrt(folder, dn):
    """Write a VRT of a file for each band."""
    files = [write(folder / f"x_{b}.tif", dn[i]) for i, b in enumerate(BANDS)]
    bands = "".join(
        f'<VRTRasterBand dataType="UInt16" band="{i}"><SimpleSource><SourceFilename '
        f'relativeToVRT="1">{f.name}</SourceFilename><SourceBand>1</SourceBand></SimpleSource>'
        "</VRTRasterBand>" for i, f in enumerate(files, 1))  # as gdalbuildvrt -separate writes it
    path = folder / "s.vrt"
    path.write_text(f'<VRTDataset rasterXSize="{SIDE}" rasterYSize="{SIDE}"><SRS>{CRS}</SRS>'
                    f"<GeoTransform>600000, 10, 0, 5600000, 0, -10</GeoTransform>{bands}"
                    "</VRTDataset>")
    return path


def test_vrt_takes_names_from_its_files(tmp_path, dn):
    with open_scene(write_vrt(tmp_path, dn)) as scene:
        same_as(scene, dn)


def test_float_reflectance(tmp_path, dn):
    """0 in one band is a value, 0 in all bands no data (as Earth Engine writes masked pixels)."""
    values = (dn.astype(np.float32) - 1000) / 1e4
    values[0, 5, 5], values[:, 6, 6], values[1, 7, 7] = 0, 0, np.nan
    scene = read_scene(write(tmp_path / "s.tif", values, names=BANDS))
    assert scene.values[0, 5, 5] == 0 and np.isnan(scene.values[:, 6, 6]).all()
    assert np.isnan(scene.values[:, 7, 7]).tolist() == [False, True, *[False] * 8]
    data = np.isfinite(scene.values)
    np.testing.assert_allclose(scene.values[data], values[data], atol=6e-5)
    with pytest.raises(InputError, match="pixels are reflectance; an offset"):
        read_scene(tmp_path / "s.tif", offset=0)


def test_eight_bits_and_level_1c(tmp_path, dn):
    with pytest.raises(InputError, match="8 bits: a picture"):
        open_scene(write(tmp_path / "a.tif", (dn // 40).astype(np.uint8), names=BANDS))
    stack, names = np.concatenate([dn, dn[:3]]), [*BANDS, "B1", "B9", "B10"]
    with pytest.raises(InputError, match=r"top of atmosphere \(band B10"):
        open_scene(write(tmp_path / "b.tif", stack, names=names))
    values = (dn / 1e4).astype(np.float32)
    with pytest.raises(InputError, match=r"top of atmosphere \(TOA_B02\)"):
        open_scene(write(tmp_path / "c.tif", values, names=[f"TOA_{b}" for b in BANDS]))
    with pytest.raises(InputError, match=r"top of atmosphere"):
        open_scene(write(tmp_path / f"{NAME.replace('L2A', 'L1C')}.tif", dn, names=BANDS))


@pytest.fixture(scope="module")
def cube(dn):
    """A data set as openEO writes one: a variable for each band, two days, y from the south."""
    centres = (np.arange(SIDE) + 0.5) * 10
    days = np.array(["2023-07-09T10:06:01", "2023-07-14T10:06:01"], "datetime64[ns]")
    coords = {"t": days, "y": (5_600_000 - centres)[::-1], "x": 600_000 + centres}
    data = xr.Dataset({b: (("t", "y", "x"), np.stack([dn[i, ::-1], dn[i, ::-1] + 1]),
                           {"_FillValue": np.uint16(65535)}) for i, b in enumerate(BANDS)}, coords)
    return data.rio.write_crs(CRS)


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
@pytest.mark.parametrize("form", ["netcdf4", "netcdf3", "zarr2", "zarr3", "band dimension"])
def test_netcdf_and_zarr(tmp_path, cube, dn, form):
    path = tmp_path / ("s.zarr" if "zarr" in form else "s.nc")
    if form == "netcdf4":
        cube.to_netcdf(path, engine="h5netcdf")
    elif form == "netcdf3":
        ints = cube.astype(np.int32)
        for band in BANDS:
            ints[band].attrs["_FillValue"] = np.int32(65535)
        ints.to_netcdf(path, engine="scipy")
    elif form == "band dimension":
        cube.to_dataarray("bands").to_dataset(name="reflectance").rio.write_crs(CRS).to_netcdf(
            path, engine="h5netcdf")
    else:
        cube.to_zarr(path, zarr_format=int(form[-1]))
    with pytest.raises(InputError, match=r"series of 2 times; .*--time \(2023-07-09, 2023-07-14"):
        open_scene(path)
    with pytest.raises(InputError, match="0 times that begin with 2024"):
        open_scene(path, time="2024")
    with open_scene(path, time="2023-07-09") as scene:
        assert scene.date == "2023-07-09" and scene.crs.to_epsg() == 32633
        assert scene.transform == T10 and scene.notes == []
        same_as(scene, dn)


def write_eopf(path, dn, dn20):
    """Groups by resolution, CF scale and offset, EPSG code and STAC description as attributes."""
    tree = {"/": xr.Dataset(attrs={"stac_discovery": {"properties": {
        "datetime": "2023-07-09T10:05:59Z", "platform": "sentinel-2b",
        "processing:version": "05.09"}}})}
    for metres, values, names in ((10, dn, BANDS_10M), (20, dn20, set(BANDS) - {"B08"})):
        centres = (np.arange(values.shape[1]) + 0.5) * metres
        tree[f"/measurements/reflectance/r{metres}m"] = xr.Dataset(
            {b.lower(): (("y", "x"), values[BANDS.index(b)], {
                "proj:epsg": 32633, "scale_factor": 1e-4, "add_offset": -0.1}) for b in names},
            {"y": 5_600_000 - centres, "x": 600_000 + centres})
    xr.DataTree.from_dict(tree).to_zarr(path, zarr_format=2)
    return path


@pytest.mark.filterwarnings("ignore:Consolidated metadata")
def test_eopf_zarr(tmp_path, dn, dn20):
    with open_scene(write_eopf(tmp_path / "s.zarr", dn, dn20)) as scene:
        same_as(scene, dn, BANDS_10M)
        assert (scene.declared, scene.date) == (1000, "2023-07-09")
        assert (scene.sensor, scene.baseline) == ("S2B", "05.09")


def write_item(folder, dn, dn20):
    """A STAC item as Earth Search words it; addresses relative to the item's file."""
    assets = {"visual": {"href": "TCI.tif", "eo:bands": [{"name": b} for b in ("red", "green")]}}
    for i, band in enumerate(BANDS):
        fine = band in BANDS_10M
        write(folder / "cog" / f"{band}.tif", dn[i] if fine else dn20[i], 10 if fine else 20)
        assets[COMMON[band]] = {"href": f"cog/{band}.tif", "roles": ["data"], "raster:bands": [
            {"scale": 0.0001, "offset": -0.1}]}
        assets[f"{COMMON[band]}-jp2"] = {"href": f"cog/{band}.jp2", "roles": ["data"]}
    item = {"type": "Feature", "id": "S2B_33UWS_20230709_0_L2A", "assets": assets, "properties": {
        "datetime": "2023-07-09T10:06:01Z", "platform": "sentinel-2b",
        "s2:processing_baseline": "05.09"}}
    (folder / "item.json").write_text(json.dumps(item))
    return folder / "item.json"


def test_stac_item(tmp_path, dn, dn20):
    with open_scene(write_item(tmp_path, dn, dn20)) as scene:
        same_as(scene, dn, BANDS_10M)
        assert (scene.declared, scene.sensor, scene.baseline) == (1000, "S2B", "05.09")
    (tmp_path / "other.json").write_text("{}")
    with pytest.raises(InputError, match="no STAC item"):
        open_scene(tmp_path / "other.json")


def test_a_server_that_says_nothing_is_not_waited_for(tmp_path, dn, dn20, monkeypatch):
    item = write_item(tmp_path, dn, dn20)
    monkeypatch.setattr(rasters, "OVER_HTTP", rasters.OVER_HTTP | {
        "GDAL_HTTP_TIMEOUT": "1", "GDAL_HTTP_MAX_RETRY": "0"})
    with loopback_server(monkeypatch) as server:
        server.files = {"item.json": item.read_bytes()}
        server.faults = {"cog/B02.tif": [Fault(stall=20)] * 9}
        with pytest.raises(InputError, match=r"asset .blue. of item .*cannot be read"):
            open_scene(f"{server.url}/item.json")
        assert {path for _, path, _ in server.log} == {"item.json", "cog/B02.tif"}


def degrees(dn):
    """Pixels in degrees that are 10 m high and 6.3 m wide, as Earth Engine exports by default."""
    grid = Grid(rasterio.CRS.from_epsg(4326), Affine(8.983e-5, 0, 16.417, 0, -8.983e-5, 50.5425),
                (SIDE - 8, int(SIDE * 1.55)))
    own = Grid(rasterio.CRS.from_epsg(32633), T10, (SIDE, SIDE))
    where = positions(grid, Window(0, 0, grid.shape[1], grid.shape[0]), own)
    whole = slice(0, SIDE), slice(0, SIDE)
    return resample(dn, whole, where, (SIDE, SIDE), nearest=False), grid


def test_degrees_are_brought_to_10_m_in_the_utm_zone(tmp_path, dn):
    """Row 15 of the cases; a plane in metres stays one."""
    values, grid = degrees(dn)
    path = write(tmp_path / "s.tif", values, names=BANDS, crs=grid.crs, transform=grid.transform)
    with open_scene(path) as scene:
        assert scene.crs.to_epsg() == 32633 and (scene.transform.a, scene.transform.e) == (10, -10)
        assert scene.transform.c % 10 == scene.transform.f % 10 == 0
        assert "resampled (bilinear) from EPSG:4326, pixels of 6.3" in scene.notes[0]
        whole, parts = scene.read(), np.zeros((10, *scene.shape), np.uint16)
        for top in range(0, scene.shape[0], 37):
            for left in range(0, scene.shape[1], 41):
                window = Window(left, top, min(41, scene.shape[1] - left),
                                min(37, scene.shape[0] - top))
                rows, cols = window.toslices()
                parts[:, rows, cols] = scene.read(window)
        np.testing.assert_array_equal(whole, parts)  # whatever part is read
        row, col = (round(v) for v in ((5_600_000 - scene.transform.f) / 10,
                                            (scene.transform.c - 600_000) / 10))
        there = (whole > 0).all(axis=0)
        rows, cols = np.nonzero(there)
        expected = dn[7, (rows + row).clip(0, SIDE - 1), (cols + col).clip(0, SIDE - 1)]
        inside = ((rows + row > 2) & (rows + row < SIDE - 2) & (cols + col > 2)
                  & (cols + col < SIDE - 2))
        assert inside.sum() > 8000
        assert np.abs(whole[7, rows, cols].astype(int) - expected)[inside].max() <= 3
    like = write(tmp_path / "like.tif", dn[:1])
    with open_scene(path, like=like) as scene:
        assert scene.grid == Grid(rasterio.CRS.from_epsg(32633), T10, (SIDE, SIDE))
    with pytest.raises(InputError, match="--like: its pixels must be 10 m"):
        open_scene(path, like=path)


def test_20_m_pixels_and_turned_grids_are_resampled(tmp_path, dn, dn20):
    with open_scene(write(tmp_path / "a.tif", dn20, 20, BANDS)) as scene:
        assert scene.grid == Grid(rasterio.CRS.from_epsg(32633), T10, (SIDE, SIDE))
        planes = [i for i, b in enumerate(BANDS) if b not in BANDS_10M]
        far = np.abs(scene.read()[planes].astype(int) - dn[planes])[:, 2:-2, 2:-2]
        assert far.max() <= 3
    turned = write(tmp_path / "b.tif", dn, names=BANDS, transform=T10 @ Affine.rotation(30))
    with open_scene(turned) as scene:
        assert scene.grid.north_up and scene.notes
        assert (scene.read() > 0).all(axis=0).sum() == pytest.approx(SIDE**2, rel=0.02)


def test_a_gap_in_one_band_stays_out_of_its_neighbours():
    values = np.full((2, 6, 6), 3000, np.uint16)
    values[0, 3, 3] = 0
    own = Grid(rasterio.CRS.from_epsg(32633), T10 @ Affine.scale(2), (6, 6))
    fine = Grid(own.crs, T10, (12, 12))
    where = positions(fine, Window(0, 0, 12, 12), own)
    got = resample(values, where.part((6, 6)), where, (6, 6), nearest=False)
    assert set(np.unique(got)) == {0, 3000}
    assert (got[0] == 0).sum() == 4 and (got[1] > 0).all()


def test_lazy_and_in_another_process(safe, dn):
    with open_scene(safe) as scene:
        lazy = scene.lazy(chunk=50)
        assert lazy.chunks == ((10,), (50, 50, 20), (50, 50, 20))
        np.testing.assert_array_equal(lazy.compute(scheduler="threads"), read_scene(safe))
        again = pickle.loads(pickle.dumps(scene))
        np.testing.assert_array_equal(again.read(), scene.read())


def test_windows_of_one_product_agree(tmp_path, dn):
    """A declared offset holds in every window: shadow, sea, snow or fields."""
    path = write(tmp_path / "s.tif", dn, names=BANDS, tags={"PROCESSING_BASELINE": "05.09"})
    with rasterio.open(path) as file:
        profile = file.profile | {"height": 30, "width": 30}
    for n, shift in enumerate((-150, 0, 4000)):  # deep shadow, as it is, snow
        for top in (0, 30, 90):
            part = dn[:, top:top + 30, :30].astype(int) + shift
            clip = tmp_path / f"{n}_{top}.tif"
            with rasterio.open(clip, "w", **profile) as file:
                file.write(part.clip(1).astype(np.uint16))
                file.descriptions = BANDS
                file.update_tags(PROCESSING_BASELINE="05.09")
            assert read_scene(clip).attrs["offset"] == 1000


