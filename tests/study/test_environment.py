"""Pins in step in three files, and an environment that is repaired when it is not right."""

import ast
import importlib.util
import json
import re
import sys
import tomllib
from importlib.metadata import packages_distributions

import pytest

from tests.conftest import ROOT
from tests.study.test_structure import FILES, names_in, tree_of

spec = importlib.util.spec_from_file_location("setup", ROOT / "scripts" / "setup_environment.py")
setup = importlib.util.module_from_spec(spec)
spec.loader.exec_module(setup)


def direct_pins() -> dict[str, str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    extras = project["optional-dependencies"].values()
    return setup.pins("\n".join([*project["dependencies"], *(d for e in extras for d in e)]))


def test_the_three_files_agree():
    direct = direct_pins()
    everything = setup.pins((ROOT / "requirements.txt").read_text())
    conda = (ROOT / "environment.yml").read_text()
    in_conda = setup.pins(re.sub(r"^\s*- ", "", conda, flags=re.MULTILINE))
    assert direct == in_conda
    assert direct.items() <= everything.items()
    assert len(everything) > len(direct)


def test_both_ways_install_our_packages():
    conda = (ROOT / "environment.yml").read_text()
    for name, place in setup.PACKAGES.items():
        where = "." if place == ROOT else f"./{place.relative_to(ROOT)}"
        assert f"- --editable {where}\n" in conda
        project = tomllib.loads((place / "pyproject.toml").read_text())["project"]
        assert setup.normal(project["name"]) == name


def test_what_the_library_imports_is_declared():
    """Packages that only speak to a client that we declare come with that client."""
    come_with = {"IPython", "anywidget", "ee_local", "google", "googleapiclient", "httplib2",
                 "ipyleaflet", "pystac"}
    names = {n.split(".")[0] for path in FILES if path.is_relative_to(ROOT / "lulc_lib")
             for n in names_in(ast.walk(tree_of(path)))}
    names -= {*sys.stdlib_module_names, "lulc_lib", *come_with}
    of = packages_distributions()
    declared = set(direct_pins())
    assert {n for n in names if not declared & {setup.normal(d) for d in of[n]}} == set()


def test_every_line_of_the_requirements_is_an_exact_pin():
    lines = [line for line in (ROOT / "requirements.txt").read_text().splitlines()
             if line and not line.startswith("#")]
    assert len(setup.pins("\n".join(lines))) == len(lines)


def test_the_environment_of_this_run_is_the_pinned_one():
    from importlib.metadata import version

    for name, pinned in direct_pins().items():
        assert version(name).split("+")[0] == pinned, name


def test_the_last_release_has_one_number():
    changelog, citation, zenodo, *projects = (
        (ROOT / name).read_text() for name in ("CHANGELOG.md", "CITATION.cff", ".zenodo.json",
                                               "pyproject.toml", "ee_local/pyproject.toml"))
    number = re.search(r"^## (\d+\.\d+\.\d+) \(\d{4}-\d\d-\d\d\)$", changelog, re.MULTILINE)[1]
    assert changelog.index("## Unreleased") < changelog.index(f"## {number}")
    assert f"\nversion: {number}\n" in citation
    assert json.loads(zenodo)["version"] == number
    for project in map(tomllib.loads, projects):
        assert project["tool"]["setuptools_scm"]["fallback_version"] == number
        assert "version" in project["project"]["dynamic"]


def test_a_light_extra_brings_nothing_heavy():
    """What a lesson and an accuracy need; the rest is for those who train and classify."""
    heavy = {"torch", "geemap", "earthengine-api", "scikit-learn", "tensorboard", "dask"}
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "optional-dependencies"]

    def behind(extra):
        lines = extras[extra]
        inner = [e for line in lines for e in re.findall(r"lulc_lib\[(.*)\]", line)]
        return set(setup.pins("\n".join(lines))).union(
            *(behind(e) for part in inner for e in part.split(",")))

    assert not behind("lesson") & (heavy | {"rasterio", "xarray", "scipy"})
    for extra in ("accuracy", "sites"):
        assert not behind(extra) & heavy
    assert "torch" in behind("classify") and behind("all") >= behind("sites") | behind("data")


@pytest.fixture
def ready(tmp_path, monkeypatch):
    """A folder that counts as a ready environment: this very Python, no pins, a right stamp."""
    folder = tmp_path / "venv"
    (folder / "bin").mkdir(parents=True)
    (folder / "bin" / "python").symlink_to(sys.executable)
    monkeypatch.setattr(setup, "LIST_INSTALLED", """print('{"lulc_lib": "1", "ee_local": "1"}')""")
    monkeypatch.setattr(setup, "pins", lambda _: {})
    (folder / ".complete").write_text(setup.stamp_text(folder))
    return folder


def test_a_ready_environment_is_left_alone(ready):
    assert setup.fault(ready) == ""


def test_interrupted_installation_is_seen(ready):
    (ready / ".complete").unlink()
    assert "never completed" in setup.fault(ready)


def test_moved_folder_is_seen(ready):
    moved = ready.rename(ready.with_name("elsewhere"))
    assert "moved" in setup.fault(moved)


def test_removed_package_is_seen(ready, monkeypatch):
    monkeypatch.setattr(setup, "pins", lambda _: {"numpy": "2.4.6"})
    assert "numpy" in setup.fault(ready)


def test_missing_package_of_ours_is_seen(ready, monkeypatch):
    monkeypatch.setattr(setup, "LIST_INSTALLED", """print('{"lulc_lib": "1"}')""")
    assert "ee-local" in setup.fault(ready)


def test_broken_python_is_seen(ready):
    (ready / "bin" / "python").unlink()
    (ready / "bin" / "python").symlink_to("/nowhere/python")
    assert "does not start" in setup.fault(ready)


def test_jupyterlab_asks_nothing_when_it_opens(monkeypatch):
    """``make lab`` leaves out the plugin that asks whether to fetch news from the network."""
    from jupyterlab_server.config import get_page_config

    (path,) = re.findall(r"JUPYTER_CONFIG_PATH=\$\(CURDIR\)/(\S+)",
                         (ROOT / "Makefile").read_text())
    monkeypatch.setenv("JUPYTER_CONFIG_PATH", str(ROOT / path))
    asks = "@jupyterlab/apputils-extension:announcements"
    assert asks in get_page_config([])["disabledExtensions"]
