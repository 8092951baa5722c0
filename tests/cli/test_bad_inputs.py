"""Bad inputs of every command: exit code 2, one line that says why, and no file touched.

Each row is what a user types and what the line must say. A table of its own, not a list of what
happens to fail: a row is added for every kind of fault that was met.
"""

from __future__ import annotations

import re
import shlex
import shutil

import pytest

from lulc_lib import cli
from tests.http_server import free_port

LONG = "n" * 252
COMMANDS = ("accuracy", "classify", "data", "earth-engine", "sample", "sites")

TABLE = r"""
# the command line itself
accuracy                                            | the following arguments are required: INPUT
accuracy matrix.csv --rovs map                      | --rovs map; did you mean --rows
accuracy matrix.csv --rows columns                  | invalid choice: 'columns'
classify scene.tif                                  | required: -o/--output
sites map_20220619.tif                              | required: -o/--output
sample m.tif                                        | required: -o/--output
earth-engine --port many                            | invalid int value: 'many'
sites map_20220619.tif -o o.gpkg --min-area much    | invalid float value: 'much'
accuracy "m\x1b[31m.csv"                            | m\\u001b\[31m.csv: no such file
accuracy matrix.csv --log matrix.csv                | --log matrix.csv: is an input
accuracy matrix.csv --log nowhere/log.txt           | there is no folder nowhere
accuracy matrix.csv --html r.html --log r.html      | --log r.html: is --html too

# names and places
accuracy nowhere.csv                                | nowhere.csv: no such file
accuracy .                                          | is a folder; a file is needed
accuracy ""                                         | is a folder; a file is needed
accuracy LONG.csvcsv                                | cannot be used \(File name too long\)
accuracy loop.csv                                   | Too many levels of symbolic links
accuracy pipe.csv                                   | is a pipe or a device
accuracy m\udce9.csv                                | its name is not UTF-8; rename it
accuracy matrix.csv --html LONG.html                | File name too long
accuracy matrix.csv --html loop.csv                 | Too many levels of symbolic links
accuracy matrix.csv --html registries               | is a folder; name the file to write
accuracy matrix.csv --html nowhere/r.html           | there is no folder nowhere
accuracy matrix.csv --html matrix.csv/r.html        | there is no folder matrix.csv
accuracy matrix.csv --html r\udce9.html             | its name is not UTF-8
accuracy matrix.csv --html pipe.csv                 | is a pipe or a device
classify nowhere.tif -o o.tif                       | nowhere.tif: no such
classify LONG.tif -o o.tif                          | File name too long
classify loop.csv -o o.tif                          | Too many levels of symbolic links
classify scene.tif -o LONG.tif                      | File name too long
classify scene.tif -o o.png                         | its name must end in .tif or .tiff
classify scene.tif -o o.tif --entropy o.png         | --entropy o.png: its name must end in
classify s\udce9.tif -o o.tif                       | its name is not UTF-8
classify scene.tif -o o\udce9.tif                   | its name is not UTF-8
sample m.tif -o points.csv                          | its name must end in .gpkg
sample m.tif -o LONG.gpkg                           | File name too long
sites map_20220619.tif -o o.shp                     | its name must end in .gpkg
sites map_20220619.tif -o LONG.gpkg                 | File name too long
sites map_20220619.tif -o o.gpkg --registries no    | no: no such folder
sites map_20220619.tif -o o.gpkg --registries m.tif | is a file; a folder is needed
sites map_20220619.tif -o o.gpkg --sheets m.tif     | is no folder; name one
sites map_20220619.tif -o o.gpkg --sheets m.tif/a   | is no folder; name one

# an output may replace neither an input nor another output
accuracy matrix.csv --html matrix.csv --overwrite                    | is an input; name another
accuracy matrix.csv --html copy.csv --overwrite                      | copy.csv: is an input
accuracy matrix.csv --labels names.json --html names.json --overwrite| is an input
accuracy matrix.csv --areas areas.csv --html areas.csv --overwrite   | is an input
accuracy m.tif ref.tif --html ref.tif --overwrite                    | ref.tif: is an input
accuracy map_20220619.tif --html map_20220619_ref.tif --overwrite    | _ref.tif: is an input
accuracy m.tif refs.shp --html refs.dbf --overwrite                  | belongs to the input refs.shp
accuracy m.tif outer.vrt --html ref.tif --overwrite                  | belongs to the input outer
classify scene.tif -o scene.tif --overwrite                          | scene.tif: is an input
classify scene.tif -o hard.tif --overwrite                           | hard.tif: is an input
classify scene.tif -o soft.tif --overwrite                           | soft.tif: is an input
classify scene.vrt -o scene.tif --overwrite                          | belongs to the input scene
classify scene2.vrt -o scene.tif --overwrite                         | belongs to the input scene2
classify scene.tif -o model.tif --checkpoint model.qml --overwrite   | model.qml: is an input
classify scene.tif -o a.tif --entropy a.tif                          | is --output too
classify scene.tif -o a.tif --entropy a.tiff                         | a.qml: is --output too
classify scene.tif -o a.tif --applicability --entropy a_applicability.tif | is --entropy too
sample m.tif -o names.gpkg --labels names.qml --overwrite            | names.qml: is an input
SITES -o o.gpkg --html map_20220619.tif --overwrite                  | is an input
SITES -o o.gpkg --html registries/deposits.geojson --overwrite       | lies in registries
SITES -o registries/o.gpkg                                           | lies in registries
SITES -o o.gpkg --sheets registries                                  | lies in registries
SITES -o o.gpkg --html o.gpkg                                        | is --output too
SITES -o o.gpkg --html o.qml                                         | is --output too
SITES -o o.gpkg --sheets o.gpkg                                      | is the folder --sheets
SITES -o o.gpkg --html map_20220619_applicability.tif --overwrite    | is an input
SITES -o o.gpkg --html linked/new.html                               | lies in registries
accuracy matrix.csv --html there.html                                | --overwrite replaces it
classify scene.tif -o m.tif                                          | --overwrite replaces it
earth-engine --exports data/inside                                   | lies in .*data, which is read

# tables
accuracy empty.csv                                  | empty
accuracy noise.csv                                  | no counts|class names|cannot be read|must
accuracy bare.csv                                   | --rows map
accuracy ragged.csv --rows map                      | ragged.csv
accuracy negative.csv                               | -3
accuracy half.csv                                   | 0.5
accuracy nan.csv                                    | nan
accuracy inf.csv                                    | inf
accuracy vast.csv                                   | vast.csv
accuracy zeros.csv                                  | zeros.csv
accuracy twice.csv                                  | A.*twice|twice.*A
accuracy unlike.csv                                 | unlike.csv
accuracy one_column.csv                             | one_column.csv
accuracy nul.csv                                    | nul.csv
accuracy matrix.csv --labels broken.json            | broken.json
accuracy matrix.csv --labels list.json              | list.json
accuracy matrix.csv --labels deep.json              | deep.json
accuracy matrix.csv --areas matrix.csv              | matrix.csv
accuracy matrix.csv --areas areas_minus.csv         | -5
accuracy matrix.csv --areas areas_inf.csv           | inf
accuracy matrix.csv --areas areas_lacking.csv       | B
accuracy matrix.csv --formula "TP.__class__"        | holds the attribute
accuracy matrix.csv --formula "TP +"                | cannot be read
accuracy matrix.csv --formula "XX / 2"              | 'XX', which is unknown
accuracy matrix.csv --formula "1e400"               | too large
accuracy matrix.csv --formula "min(TP)"             | takes two or more
accuracy matrix.csv --column label                  | belongs to a vector REFERENCE
accuracy matrix.csv --nodata 0                      | belongs to a map raster
accuracy matrix.csv names.json                      | class names go in --labels

# rasters and vectors of classes
accuracy m.tif                                      | needs a REFERENCE
accuracy m.tif nowhere.tif                          | nowhere.tif: no such file
accuracy m.tif matrix.csv                           | cannot be read as a raster
accuracy m.tif other_grid.tif                       | must lie on the map's grid
accuracy m.tif other_crs.tif                        | must have the map's CRS
accuracy m.tif cut.tif                              | damaged or truncated|cannot be read
accuracy m.tif fractions.tif                        | class codes are whole numbers
accuracy m.tif scene.tif                            | has 10 bands; a class map has one
accuracy m.tif complex.tif                          | class codes are numbers
accuracy m.tif far.gpkg                             | far.gpkg|no pixel|covers
accuracy m.tif lines.gpkg                           | lines.gpkg
accuracy m.tif empty.gpkg                           | holds no polygons or points
accuracy m.tif nocrs.geojson                        | nocrs.geojson
accuracy m.tif ids.gpkg                             | --column
accuracy m.tif ref.gpkg --column klass              | no column 'klass'
accuracy m.tif text.gpkg                            | text.gpkg
accuracy m.tif broken.gpkg                          | cannot be read as a vector file
accuracy m.tif ref.gpkg --rows map                  | belongs to a confusion matrix
accuracy m.tif ref.gpkg --areas areas.csv           | need a probability sample
accuracy rotated.tif ref.gpkg                       | rotated
accuracy m.tif ref.tif --nodata maybe               | no whole number and not 'none'
accuracy sized.gpkg                                 | is no sample of `lulc sample`

# sample
sample nowhere.tif -o o.gpkg                        | no such file
sample scene.tif -o o.gpkg                          | has 10 bands
sample matrix.csv -o o.gpkg                         | cannot be read as a raster
sample nocrs.tif -o o.gpkg                          | has no CRS
sample nodata.tif -o o.gpkg                         | holds no class
sample m.tif -o o.gpkg --size 0                     | size is 0
sample m.tif -o o.gpkg --size 99999999999999999999  | the map has 4096 pixels
sample m.tif -o o.gpkg --target-se inf              | must lie between 0 and 0.5
sample m.tif -o o.gpkg --target-se nan              | must lie between 0 and 0.5
sample m.tif -o o.gpkg --anticipated 2              | must lie between 0 and 1
sample m.tif -o o.gpkg --anticipated 0.9,7=0.5      | has no class 7
sample m.tif -o o.gpkg --anticipated x              | is no CODE=NUMBER
sample m.tif -o o.gpkg --class-se 10=inf            | standard error of inf
sample m.tif -o o.gpkg --class-se 10=0              | standard error of 0
sample m.tif -o o.gpkg --minimum -1                 | minimum|-1
sample m.tif -o o.gpkg --plot 2                     | the plot is centred on a pixel
sample m.tif -o o.gpkg --plot 99999999999999999999999 | plot
sample m.tif -o o.gpkg --seed -1                    | must be 0 or more
sample m.tif -o o.gpkg --labels names.json          | every class needs one
sample m.tif -o o.gpkg --labels list.json           | must hold an object
sample nan_grid.tif -o o.gpkg                       | grid
sample flat_grid.tif -o o.gpkg                      | grid

# classify
classify matrix.csv -o o.tif                        | matrix.csv
classify m.tif -o o.tif                             | m.tif
classify twelve.tif -o o.tif                        | twelve.tif
classify no_pixel.tif -o o.tif                      | no_pixel.tif
classify cut_scene.tif -o o.tif                     | cut_scene.tif
classify nocrs_scene.tif -o o.tif                   | CRS
classify scene.tif -o o.tif --offset -1             | offset is -1
classify scene.tif -o o.tif --offset 1e308          | invalid int value
classify scene.tif -o o.tif --checkpoint no.pt      | no.pt: no such file
classify scene.tif -o o.tif --checkpoint names.json | must be a model file
classify scene.tif -o o.tif --checkpoint zipped.pt  | must be a model file
classify nan_scene.tif -o o.tif                     | grid|no_scene|nan_scene

# sites
sites nowhere_20220619.tif -o o.gpkg                | no such file
sites m.tif -o o.gpkg                               | say the date with --dates
sites m.tif -o o.gpkg --dates 2022-13-01            | must be a day
sites m.tif -o o.gpkg --dates 2022-06-19 2023-07-09 | there must be a date for each map
sites map_20220619.tif map_20220619.tif -o o.gpkg   | are all of 2022-06-19
sites scene_20220619.tif -o o.gpkg                  | has 10 bands
sites wild_20220619.tif -o o.gpkg                   | wild_20220619.tif
sites map_20220619.tif -o o.gpkg --min-area nan     | min_area_ha is nan
sites map_20220619.tif -o o.gpkg --min-area inf     | min_area_ha is inf
sites map_20220619.tif -o o.gpkg --min-area=-1      | min_area_ha is -1
sites map_20220619.tif -o o.gpkg --tolerance inf    | tolerance_m is inf
sites map_20220619.tif -o o.gpkg --tolerance 1e308  | tolerance_m is 1e\+308
SITES -o o.gpkg --probabilities m.tif               | must be one for each map
SITES -o o.gpkg --probabilities m.tif ref.tif       | no band is called
SITES -o o.gpkg --applicability m.tif ref.tif       | no band is called
SITES -o o.gpkg --scenes scene_20220619.tif scene_20220619.tif | are all of 2022-06-19
SITES -o o.gpkg --scenes scene_20210101.tif         | no map is of that date
REGISTRY swapped -o o.gpkg                          | with x and y exchanged
REGISTRY two -o o.gpkg                              | a layer is one file
REGISTRY unreadable -o o.gpkg                       | cannot be read as a vector file
REGISTRY points -o o.gpkg                           | must be polygons
REGISTRY nameless -o o.gpkg                         | no column of corine holds the code
REGISTRY nocrs -o o.gpkg                            | nocrs|CRS
REGISTRY ragged -o o.gpkg                           | cannot be read as CSV
REGISTRY degrees -o o.gpkg                          | looks like degrees
REGISTRY elsewhere -o o.gpkg                        | not in the CRS that it states|beyond
sites nan_grid.tif --dates 2022-06-19 -o o.gpkg     | grid
sites flat_grid.tif --dates 2022-06-19 -o o.gpkg    | grid
sites far_grid.tif --dates 2022-06-19 -o o.gpkg     | grid

# many scenes, grids and other options that came later
classify scene.tif -o o.tif --like nowhere.tif      | nowhere.tif: cannot be read
classify scene.tif -o o.tif --like matrix.csv       | matrix.csv: cannot be read
classify scene.tif -o o.tif --like scene.tif --mosaic o.tif | o.tif: is --output too
classify scene.tif -o o.tif --bands B02,B03         | has 10 bands, but --bands names 2
classify scene.tif -o o.tif --time 2022-13-01       | not of 2022-13-01
classify scene.tif -o o.tif --cluster moon          | no dask scheduler answers there
classify scene.tif scene_20220619.tif -o m.tif      | m.tif is no folder
classify scene.tif m.tif -o mm --mosaic scene.tif --overwrite | scene.tif: is an input
classify scene.tif m.tif -o mm --mosaic m           | must end in .tif or .tiff
classify scene.tif scene.tif -o mm                  | is the map of two scenes
classify scene.tif -o o.tif --like far_grid.tif     | grid|CRS
SITES -o o.gpkg --grid moon                         | moon
SITES -o o.gpkg --background moon                   | moon
accuracy matrix.csv --intervals                     | belongs to a map raster
data --stac 1,2:2021-07-25                          | must be west,south,east,north
data --stac 17,50,16,51:2021-07-25                  | west before east
data --stac nan,nan,nan,nan:2021-07-25              | must be west,south,east

classify scene.tif -o o.tif --cluster local:0       | local:N needs a number of processes
classify scene.tif scene_20220619.tif -o maps       | offset is not declared
accuracy matrix.csv --formula "-(-TP)"              | written as --formula=VALUE
sites m.tif m.tif --dates 2022-06-19 2022-07-19 -o o.gpkg | m.tif is given for two dates
sites south_up.tif pole.tif --dates 2022-06-19 2022-07-19 -o o.gpkg | lie too far apart
SITES -o o.gpkg --sheets data --html data/site_001.png | is called as the sheets in data are

# data and earth-engine
data --registries 16,50,17,51 --layer deposits=a --layer deposits=b -o rr | names deposits twice
earth-engine --port 65536                           | port is 65536
earth-engine --corine nowhere.gpkg                  | nowhere.gpkg: no such file
earth-engine --corine names.json                    | names.json
data --stac kolbuszowa                              | must be SITE:DATE|W,S,E,N
data --stac atlantis:2021-07-25                     | atlantis
data --stac kolbuszowa:2021-13-25                   | must be a day
data --stac kolbuszowa:2021-07-25 --service moon    | must be one of
data --stac kolbuszowa:2021-07-25 -o m.tif          | --overwrite replaces it
data --service cdse                                 | belongs to --stac
data --sites Poland_1                               | belongs to --euromine
data --layer a=b                                    | belongs to --registries
data --output here                                  | belongs to --stac
data --registries 1,2                               | must be a GeoTIFF that is there, or west
data --registries nan,nan,nan,nan -o rr             | must be west
data --registries 1e308,0,1e309,1 -o rr             | must be west
data --registries 17,50,16,51 -o rr                 | must be west
data --registries matrix.csv -o rr                  | cannot be read as a raster
data --registries nocrs.tif -o rr                   | has no CRS
data --registries far_grid.tif -o rr                | grid
data --registries 16,50,17,51 --layer deposits -o r | must be LAYER=NAME
data --registries 16,50,17,51 --layer sea=x -o rr   | layer is 'sea'
data --registries m.tif -o m.tif                    | is no folder
data --resolve moon                                 | must be one of auto
data --resolve published                            | files could not be had
data                                                | files could not be had
earth-engine --source moon                          | must be one of auto
earth-engine --site atlantis                        | atlantis
earth-engine --exports m.tif/here                   | m.tif is no folder
"""


def rows():
    for line in TABLE.splitlines():
        words, bar, message = line.partition("|")
        if bar and not line.startswith("#"):
            yield " ".join(words.split()), message.strip()


ROWS = list(rows())


def state_of(folder):
    """What tells whether a file or link was replaced or changed; folders only by their names."""
    states = {path: path.lstat() for path in folder.rglob("*")}
    return {path: path.is_dir() or (s.st_size, s.st_mtime_ns, s.st_ino)
            for path, s in states.items()}


def words_of(text):
    text = text.replace("SITES", "sites map_20220619.tif map_20230709.tif --registries registries")
    text = text.replace("REGISTRY", "sites map_20220619.tif map_20230709.tif --registries")
    text = text.replace("LONG", LONG).replace(r"\x1b", "\x1b").replace(r"\udce9", "\udce9")
    return shlex.split(text)


@pytest.mark.parametrize(("text", "message"), ROWS, ids=[text for text, _ in ROWS])
def test_one_line_says_why_and_nothing_is_written(folder, text, message, monkeypatch, capsys):
    monkeypatch.chdir(folder)
    monkeypatch.setenv("LULC_DATA", str(folder / "data"))
    monkeypatch.setenv("LULC_DATA_URL", f"http://127.0.0.1:{free_port()}")
    before = state_of(folder)
    try:
        code = cli.main(words_of(text))
    except SystemExit as stop:
        code = stop.code
    told = capsys.readouterr()
    lines = [line for line in told.err.splitlines() if line.strip() and "\r" not in line]
    assert code == 2, told.err
    assert lines and re.search(message, lines[-1]), lines
    assert "Traceback" not in told.err and "\x1b" not in told.err + told.out
    after = state_of(folder)
    for path in after.keys() - before.keys():
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)
    assert after == before


def test_the_table_is_large_and_has_every_command():
    assert len(ROWS) >= 120 and len(set(ROWS)) == len(ROWS)
    used = {words_of(text)[0] for text, _ in ROWS}
    assert used == set(COMMANDS) == set(_commands())


def _commands():
    (action,) = (a for a in cli.build_parser()._subparsers._group_actions)
    return action.choices
