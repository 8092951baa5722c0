"""Results JSON: provenance, no churn, maps that survive the trip, figures written whole."""

import json

import matplotlib.pyplot as plt
import numpy as np
import pytest
from PIL import Image

from lulc_lib import paths, results
from lulc_lib.data import reference
from lulc_lib.errors import InputError
from lulc_lib.figures.style import figure_path, save_figure
from tests.conftest import ROOT


@pytest.fixture(autouse=True)
def output(tmp_path, monkeypatch):
    monkeypatch.setenv("LULC_OUTPUT", str(tmp_path))
    return tmp_path


def test_whoever_explores_never_touches_committed_results(monkeypatch, capsys):
    """Without LULC_OUTPUT (JupyterLab, an editor, a script) everything goes to build/lab."""
    monkeypatch.delenv("LULC_OUTPUT")
    monkeypatch.chdir(ROOT / "notebooks")
    for path in (results.results_path("published", "unet"), figure_path("nb02_x", "published")):
        assert path.relative_to(ROOT).parts[:2] == ("build", "lab")


def test_committed_results_are_read_where_nothing_has_been_computed(capsys):
    committed = json.loads((ROOT / "results" / "published" / "unet.json").read_text())["values"]
    assert results.read_results("published", "unet") == committed
    assert "results/published/unet.json is read" in capsys.readouterr().err
    results.write_results("published", "unet", {"x": 1}, [], ROOT)
    assert results.read_results("published", "unet") == {"x": 1}
    assert capsys.readouterr().err == ""


def test_provenance(tmp_path):
    used = tmp_path / "img" / "a.tif"
    used.parent.mkdir()
    used.write_bytes(b"abc")
    path = results.write_results("synthetic", "x", {"oa": np.float64(0.5), "f1": float("nan")},
                                 data=[used], root=tmp_path, unused=["img/b.tif"])
    content = json.loads(path.read_text())
    assert content["values"] == {"oa": 0.5, "f1": None}
    made = content["provenance"]
    assert made["data"]["img/a.tif"].startswith("ba7816bf")
    assert made["absent"] == ["img/b.tif"]
    assert made["versions"]["numpy"] == np.__version__
    assert made["seconds"] >= 0
    assert made["device"] == "cpu"
    assert "commit" in made
    assert results.read_results("synthetic", "x") == content["values"]


def test_the_same_result_leaves_the_file_alone(tmp_path):
    path = results.write_results("synthetic", "x", {"oa": 0.5}, [], tmp_path, seconds=1)
    before = path.read_text()
    results.write_results("synthetic", "x", {"oa": 0.5}, [], tmp_path, seconds=2)
    assert path.read_text() == before
    results.write_results("synthetic", "x", {"oa": 0.6}, [], tmp_path, seconds=2)
    assert path.read_text() != before
    assert not list(tmp_path.rglob("*.tmp"))


def test_a_clean_commit_takes_the_place_of_one_with_changes(tmp_path, monkeypatch):
    for commit, kept in (("aaa+changes", "aaa+changes"), ("bbb+changes", "aaa+changes"),
                         ("ccc", "ccc"), ("ddd", "ccc"), ("eee+changes", "ccc"), ("", "ccc")):
        monkeypatch.setattr(results, "_commit", lambda commit=commit: commit)
        path = results.write_results("synthetic", "x", {"oa": 0.5}, [], tmp_path)
        assert json.loads(path.read_text())["provenance"]["commit"] == kept


def test_absent_and_damaged_results(tmp_path):
    with pytest.raises(InputError, match="make reproduce"):
        results.read_results("synthetic", "none")
    path = results.write_results("synthetic", "x", {}, [], tmp_path)
    path.write_text('{"val')
    with pytest.raises(InputError, match="damaged"):
        results.read_results("synthetic", "x")


def test_a_map_survives(write_raster):
    codes = np.random.default_rng(0).integers(0, 11, (30, 20)).astype(np.uint8)
    mask = reference.read_codes(write_raster("m.tif", codes))
    back = results.unpack_map(json.loads(json.dumps(results.pack_map(mask))))
    np.testing.assert_array_equal(back, codes)
    assert back.rio.transform() == mask.rio.transform()
    assert back.rio.crs == mask.rio.crs
    np.testing.assert_array_equal(back.x, mask.x)


def test_synthetic_figures_say_so(output):
    path = {}
    for source in ("published", "synthetic"):
        fig = plt.figure(figsize=(4, 3))
        saved = save_figure(fig, "nb99_test", source)
        path[source] = figure_path("nb99_test", source)
        assert saved._repr_png_()[0] == path[source].read_bytes()
        assert not plt.fignum_exists(fig.number)
    red = {k: (np.asarray(Image.open(p).convert("RGB")) == [200, 16, 46]).all(axis=2).sum()
           for k, p in path.items()}
    assert red["published"] == 0
    assert red["synthetic"] > 100
    assert path["synthetic"].parent == output / "figures" / "synthetic"


def test_a_synthetic_panel_of_a_published_run_says_so(output):
    saved = save_figure(plt.figure(figsize=(4, 3)), "nb99_panel", "published", synthetic=True)
    assert saved.path == output / "figures" / "published" / "nb99_panel_synthetic.png"
    marked = (np.asarray(Image.open(saved.path).convert("RGB")) == [200, 16, 46]).all(axis=2)
    assert marked.sum() > 100


def test_large_figures_are_reduced_and_unknown_sources_refused(output):
    fig, ax = plt.subplots(figsize=(8, 8))
    noise = np.random.default_rng(0).random((1200, 1200, 3))
    ax.imshow(noise * [0.2, 0.2, 1], interpolation="nearest")
    with pytest.raises(InputError, match="must stay under"):
        save_figure(fig, "nb99_noise", "published")
    assert not list(output.rglob("nb99_noise*"))
    with pytest.raises(InputError, match="'real'"):
        save_figure(fig, "nb99_noise", "real")
    with pytest.raises(InputError, match="paper_figNN_… or nbNN_…"):
        save_figure(fig, "fig05_noise", "published")
    plt.close(fig)


def test_project_root_is_found_from_inside(tmp_path):
    (tmp_path / "notebooks").mkdir()
    (tmp_path / "lulc_lib").mkdir()
    assert paths.project_root(tmp_path / "notebooks") == tmp_path
