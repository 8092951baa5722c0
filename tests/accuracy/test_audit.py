"""The audit finds what is wrong in the paper's numbers by computing, and nothing in right ones."""

import json
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

from lulc_lib import legend
from lulc_lib.accuracy import audit, confusion, published
from lulc_lib.accuracy.audit import checks, claims, findings, printed, reconstruct_counts
from lulc_lib.accuracy.audit.claims import corrected
from lulc_lib.accuracy.audit.printed import METRICS, one_against_all, parse, quantities
from lulc_lib.data import reference
from lulc_lib.errors import InputError
from tests.conftest import ROOT

SUPPORTS = [10, 35, 70, 70, 5, 20, 20, 30, 20]
NO_QUOTES = published.quoted().iloc[:0]


@pytest.fixture(scope="module")
def checked():
    """Every number of the paper, from the package alone."""
    return checks.check()


@pytest.fixture(scope="module")
def known():
    """The paper's subjects, from the package alone."""
    return checks.subjects()


@pytest.fixture(scope="module")
def rasters(request):
    """Confusion matrices of the released maps under every reference there is."""
    folder = request.getfixturevalue("published")
    found = {}
    for number, scene, column, raster in ((13, "strzegom_20230709_33u", "label", None),
                                          (14, "kolbuszowa_20210725_34u", "DN",
                                           "kolbuszowa_20210725_ref")):
        mapped = reference.read_codes(folder / f"accuracy_analysis/{scene}_class.tif")
        polygons = reference.read_polygons(
            folder / f"test_mask/{scene.split('_')[0]}_ref.gpkg", column)
        layers = {f"polygons, {rule}": reference.rasterise(polygons, mapped, rule)
                  for rule in ("centre", "all_touched")}
        layers["released raster"] = reference.read_codes(
            folder / f"test_mask/{raster or scene}.tif", mapped)
        found[number] = {name: confusion.confusion_matrix(mapped, layer)
                         for name, layer in layers.items()}
    return found


@pytest.fixture(scope="module")
def compared(rasters):
    """The audit with all those matrices: what it says of each by its name, by printed table."""
    report = audit.audit(rasters)["matrices"]
    return {n: {m["name"]: m for m in report if m["about"] == n} for n in (13, 14)}


def numbers(found, table=None, **where):
    return [c for c in found if c.number.table == table
            and all(getattr(c.number, k) == v for k, v in where.items())]


def first(c):
    return c.explanations[0].hypothesis if c.explanations else ""


def alike(one, other):
    """Whether two results are the same, numbers to rounding."""
    if isinstance(one, dict):
        return one.keys() == other.keys() and all(alike(v, other[k]) for k, v in one.items())
    if isinstance(one, list):
        return len(one) == len(other) and all(map(alike, one, other))
    if isinstance(one, float):
        return one == pytest.approx(other, rel=1e-9, abs=1e-12)
    return type(one) is type(other) and one == other


def test_the_committed_audit_comes_out_again(rasters):
    stored = json.loads((ROOT / "results" / "published" / "audit.json").read_text())["values"]
    seen = json.loads((ROOT / "results" / "published" / "scenes.json").read_text())["values"]
    named = {"polygons, pixel centres": "polygons, centre",
             "polygons, all touched": "polygons, all_touched",
             "released raster": "released raster"}
    further = {13: {n: rasters[13][ours] for n, ours in named.items()},
               14: {"polygons, pixel centres": rasters[14]["polygons, centre"]}}
    spans = {row["site"]: [row["oa_low"], row["oa_high"]] for row in stored["corrected"]
             if row["classifier"] == "U-Net"}
    report = audit.audit(further, {"Strzegom": seen["share_seen"]}, spans)
    report = json.loads(json.dumps(report))
    assert [part for part in report if not alike(report[part], stored[part])] == []


def test_strzegom_with_and_without_the_off_legend_pixels(rasters, compared):
    """Point 1: Table 13 is the rasters' matrix once the pixels mapped as grassland are dropped."""
    grassland = str(legend.code("grassland"))
    centre = compared[13]["polygons, centre"]
    assert centre["cells_equal"] == centre["cells"] == 81
    assert centre["off_legend"] == {grassland: 17}
    assert (centre["n"], centre["n_printed_classes"]) == (38_588, 38_571)
    assert centre["oa"] == pytest.approx(0.94594, abs=5e-6)
    assert centre["oa_printed_classes"] == pytest.approx(0.94636, abs=5e-6)
    quotes = [c for c in checks.check(matrices=rasters) if c.number.printed.text == "94.60 %"]
    assert len(quotes) == 3
    for c in quotes:
        gives = {why.hypothesis: why.gives for why in c.explanations}
        assert gives["off-legend class dropped"] == pytest.approx(0.94594, abs=5e-6)


def test_other_references(compared):
    """Point 2: the released raster and all-touched polygons are other references."""
    raster, touched = (compared[13][n] for n in ("released raster", "polygons, all_touched"))
    assert (raster["n"], touched["n"]) == (38_199, 44_220)
    assert raster["oa"] == pytest.approx(0.9160, abs=5e-5)
    assert touched["oa"] == pytest.approx(0.9243, abs=5e-5)
    worst = raster["largest_difference"]
    assert (worst["row"], worst["column"], worst["other"]) == ("9", "4", 1717)


def test_rows_are_the_map(compared):
    """Point 3: the raster matrix, whose axes are known, equals the printed one, not transposed."""
    for m in (named["polygons, centre"] for named in compared.values()):
        assert m["cells_equal"] == m["cells"] > m["cells_equal_transposed"]


@pytest.mark.parametrize("table", [15, 16])
def test_axes_swapped(checked, known, table):
    """Point 3: every PA, UA and TNR of Tables 15 and 16 is that of the other axis."""
    for column in ("pa", "ua", "tnr"):
        cells = numbers(checked, table, column=column)
        assert len(cells) == 10
        assert all(c.verdict != "match" and first(c) == "axes swapped" for c in cells)
    for column in ("acc", "f1", "oa"):
        assert all(c.verdict == "match" for c in numbers(checked, table, column=column))
    columns = {w["column"]: w for w in checks.whole_columns(checked, known) if w["table"] == table}
    assert set(columns) == {"PA", "UA", "TNR"}
    assert all(w["reproduced"] == w["cells"] == 10 for w in columns.values())


def test_roads_and_quarry_once_corrected(known):
    right = known[13].right
    assert right.pa["7"] == pytest.approx(0.369, abs=5e-4)
    assert right.ua["7"] == pytest.approx(0.702, abs=5e-4)
    assert right.pa["10"] == pytest.approx(0.9976, abs=5e-5)
    assert right.ua["10"] == pytest.approx(0.9827, abs=5e-5)


def test_digits_lost_in_the_released_file(compared):
    """Point 4: which cells, and that the printed matrix is the one the rasters give."""
    found = compared[14]
    lost = {(c["printed"], c["other"]) for c in found["released file"]["lost_digits"]}
    assert lost == {(1105, 115), (530, 53), (105, 15), (10, 1), (102, 12)}
    assert found["polygons, centre"]["cells_equal"] == 81
    assert found["polygons, centre"]["oa"] == pytest.approx(0.9311, abs=5e-5)


@pytest.mark.parametrize(("about", "classes", "means"), [
    (18, 9, (0.7701, 0.7672, 0.7657)), (19, 10, (0.7886, 0.8105, 0.7889)),
    (20, 10, (0.8246, 0.8206, 0.8045))])
def test_means_over_an_empty_class(checked, known, about, classes, means):
    """Point 5: RF and SVM are averaged over ten classes, CART over nine; and the right means."""
    cells = [c for c in checked if c.number.about == about and c.number.row == "mean"]
    wrong = [c for c in cells if c.verdict != "match"]
    assert all(first(c) == "empty class in the mean" for c in wrong)
    assert bool(wrong) == (classes == 10)
    implied = {i["table"]: i for i in checks.identity()}[about]
    assert implied["low"] <= classes <= implied["high"]
    assert not implied["low"] <= (19 - classes) <= implied["high"]
    found = corrected(known).set_index("about").loc[about, ["pa", "ua", "f1"]]
    np.testing.assert_allclose(found.astype(float), means, atol=5e-5)



def test_identity_of_mean_acc():
    matrix = confusion.as_confusion(np.random.default_rng(1).integers(1, 99, (7, 7)), range(1, 8))
    right = quantities(one_against_all(matrix))
    assert right.acc["mean"] == pytest.approx(1 - 2 * (1 - right.oa["mean"]) / 7)


def test_counts_behind_tables_18_to_20():
    """Point 6: one solution each, the same points in all three, class 5 from the total."""
    for table in (18, 19, 20):
        found = reconstruct_counts(table)
        assert found.support.tolist() == SUPPORTS and found.index.name == "class"
        assert (found[["tp", "fp", "fn", "tn"]].sum(axis=1) == 280).all()
        assert found.fp.sum() == found.fn.sum()
        assert (found.solutions == 1).all() and (found.digits_met == 5).all()
        assert (found.solutions_alone.drop("5") == 1).all()
        assert found.solutions_alone["5"] > 1
    together = findings.reconstructions()
    assert together["same_supports"] and not together["same_supports_if_swapped"]


def test_reconstruction_refuses_what_cannot_be():
    with pytest.raises(InputError, match="add up to 100"):
        reconstruct_counts(19, 100)


def test_macro_f1_called_oa(checked):
    """Point 7: the text's OA of the example is its macro F1."""
    text = next(c for c in checked if c.number.printed.text == "0.724" and not c.number.table)
    assert text.verdict == "mismatch"
    assert text.value == pytest.approx(80 / 110)
    assert "F1" in text.explanations[0].detail
    assert first(text) == "another quantity"


def test_claims(known):
    found = {c["id"]: c for c in claims.assess_claims(known, {"Strzegom": 0.95})}
    verdicts = {name: c["verdict"] for name, c in found.items()}
    assert verdicts["oa_formula"] == "reverses"
    for name in ("rf_low_recall", "roads_recall", "roads_low_ua", "mean_pa_ua"):
        assert verdicts[name] == "reverses", name
    assert found["rf_low_recall"]["as_printed"] == "supports"
    for name in ("cart_balanced", "roads_gee", "svm_recall", "mean_acc_misleads"):
        assert verdicts[name] == "supports", name
    assert verdicts["generalises"] == "weakens"
    untold = {c["id"]: c["verdict"] for c in claims.assess_claims(known)}
    assert untold["generalises"] == "not tested"
    unseen = {c["id"]: c["verdict"] for c in claims.assess_claims(known, {"Strzegom": 0.0})}
    assert unseen["generalises"] == "supports"
    assert all(c["because"] for c in found.values())
    wide = {c["id"]: c["verdict"] for c in claims.assess_claims(
        known, oa_interval={"Strzegom": (0.5, 0.99)})}  # OA could be less than any of the three
    assert (wide["oa_gain"], untold["oa_gain"]) == ("reverses", "weakens")


def test_a_claim_follows_the_numbers(known):
    """On the transposed matrix other verdicts come out: none is written down."""
    swapped = {**known, 13: checks.Subject(
        one_against_all(known[13].matrix.T.rename_axis(index="map_class",
                                                       columns="reference_class")),
        known[13].printed, known[13].matrix)}
    verdicts = {c["id"]: c["verdict"] for c in claims.assess_claims(swapped)}
    assert verdicts["mean_pa_ua"] == "supports"
    assert verdicts["roads_recall"] == "weakens"


def test_audit_is_plain_and_complete():
    found = audit.audit()
    assert json.loads(json.dumps(found, allow_nan=False)) == found
    total = found["summary"]
    assert total["match"] + total["rounding"] + total["mismatch"] == total["numbers"]
    assert total["unexplained"] <= 1
    table = pd.DataFrame(found["findings"])
    assert "27 with one solution" in set(table.recomputed)
    assert list(table.columns) == list(findings.FINDING_COLUMNS)
    assert (table.verdict == "mismatch").sum() > 15


def printed_as(matrix, swapped=False):
    """A matrix and its metrics as the paper would print them, as Tables 13 and 15."""
    right = quantities(one_against_all(matrix))
    body = right.loc[:, list(METRICS)].map(lambda v: f"{v:.4f}").drop(index="overall")
    whole = pd.DataFrame([["", "", "", "", "", f"{right.oa['mean']:.4f}"]], index=["overall"],
                         columns=[*METRICS, "oa"])
    text = matrix.astype(str)
    text.index, text.columns = text.index.astype(str), text.columns.astype(str)
    return {13: text, 15: pd.concat([body.assign(oa=""), whole])}


def random_matrix(seed):
    rng = np.random.default_rng(seed)
    counts = rng.integers(0, 90, (9, 9)) + np.diag(rng.integers(200, 4000, 9))
    return confusion.as_confusion(counts, [c for c in legend.CODES if c != 6])


def wrong_digit(text, rng):
    """The text with one digit changed by more than rounding could."""
    at = rng.choice([i for i, d in enumerate(text) if d.isdigit() and i > 1])
    digit = str(rng.choice([d for d in range(10) if abs(d - int(text[at])) > 1]))
    return text[:at] + digit + text[at + 1:]


@pytest.mark.parametrize("seed", range(3))
def test_nothing_fires_on_right_numbers(seed):
    tables = printed_as(random_matrix(seed))
    found = numbers(checks.check(tables=tables, quotes=NO_QUOTES), 15)
    assert len(found) == 51
    assert {c.verdict for c in found} == {"match"}
    assert not any(c.explanations for c in found)


@pytest.mark.parametrize("seed", range(3))
def test_right_numbers_without_a_matrix(seed):
    """Random tables of 280 points: the counts come back, and every number matches."""
    rng = np.random.default_rng(seed)
    truth = rng.choice(9, 280, p=np.array(SUPPORTS) / 280)
    mapped = np.where(rng.random(280) < 0.25, rng.integers(0, 9, 280), truth)
    codes = np.array([c for c in legend.CODES if c != 6])
    matrix = confusion.confusion_matrix(codes[mapped], codes[truth]).loc[codes, codes]
    table = printed_as(matrix)[15]
    counts = one_against_all(matrix)
    assert (reconstruct_counts(table)[list(counts)] == counts).all(axis=None)
    found = numbers(checks.check(tables={18: table}, quotes=NO_QUOTES), 18)
    assert {c.verdict for c in found} == {"match"}


def test_a_wrong_digit_is_found_and_not_explained_away():
    """A hypothesis may hit a wrong digit by chance; that must be rare."""
    rng = np.random.default_rng(11)
    why: list[str] = []
    for seed in range(60):
        matrix = random_matrix(seed)
        right = quantities(one_against_all(matrix))
        row, column = str(rng.choice(right.index[:-1])), str(rng.choice(list(METRICS)))
        printed = {(r, c): parse(f"{right.loc[r, c]:.4f}") for r in right.index[:-1]
                   for c in METRICS}
        bad = parse(wrong_digit(printed[row, column].text, rng))
        subject = checks.Subject(one_against_all(matrix), printed | {(row, column): bad},
                                     matrix)
        why += {w.hypothesis for w in checks.explain(
            bad, row, column, right.loc[row, column], subject.alternatives)}
    assert len(why) <= 3
    assert sum(name != checks.PADDED for name in why) <= 1, why


@pytest.mark.parametrize("seed", range(4))
def test_a_wrong_digit_in_tables_without_a_matrix(seed):
    """A wrong class metric of Tables 18–20 stands out against the other four of its row."""
    rng = np.random.default_rng(seed)
    table = published.table(18)
    row = str(rng.choice([r for r in table.index[:-2] if r != "5"]))
    column = str(rng.choice(list(METRICS)))
    table.loc[row, column] = wrong_digit(table.loc[row, column], rng)
    found = numbers(checks.check(tables={18: table}, quotes=NO_QUOTES), 18)
    assert [(c.number.row, c.number.column) for c in found if c.verdict == "mismatch"] == [
        (row, column)]


def test_each_hypothesis_is_recognised():
    """Tables made wrong on purpose: the audit names what was done."""
    matrix = random_matrix(5)
    counts = one_against_all(matrix)
    right = quantities(counts)

    def named(value, row, column, others=None):
        printed = {(r, c): parse(f"{right.loc[r, c]:.4f}") for r in right.index[:-1]
                   for c in METRICS}
        subject = checks.Subject(counts, printed, matrix, others or {})
        return {w.hypothesis for w in checks.explain(
            parse(f"{value:.4f}"), row, column, right.loc[row, column],
            subject.alternatives)}

    assert "axes swapped" in named(right.ua["3"], "3", "pa")
    assert "empty class in the mean" in named(right.f1["mean"] * 9 / 10, "mean", "f1")
    assert "another quantity" in named(right.f1["mean"], "overall", "oa")
    more = confusion.as_confusion(
        matrix.reindex(index=legend.CODES, columns=legend.CODES, fill_value=0), legend.CODES)
    more.loc[6, 1] = 300
    oa = np.trace(matrix) / more.to_numpy().sum()
    assert "off-legend class dropped" in named(oa, "overall", "oa", {"all pixels": more})
    shorter = matrix.copy()
    shorter.loc[10, 10] = int(str(matrix.loc[10, 10])[:-1])
    oa = np.trace(shorter) / shorter.to_numpy().sum()
    assert "digits lost" in named(oa, "overall", "oa", {"file": shorter})
    other = matrix + np.random.default_rng(2).integers(0, 50, matrix.shape)
    oa = np.trace(other) / other.to_numpy().sum()
    assert "another reference layer" in named(oa, "overall", "oa", {"raster": other})


@pytest.fixture
def small():
    """A subject of two classes whose numbers are printed but for one, the UA of class 2."""
    matrix = confusion.as_confusion([[8, 1], [2, 9]], [1, 2])
    texts = {("1", "acc"): "0.85", ("2", "acc"): "0.86", ("1", "tnr"): "0.9", ("2", "tnr"): "0.8",
             ("1", "pa"): "0.8", ("2", "pa"): "0.9", ("1", "ua"): "0.88", ("1", "f1"): "0.84",
             ("2", "f1"): "0.85", ("mean", "f1"): "0.845", ("overall", "oa"): "0.85"}
    return checks.Subject(one_against_all(matrix), {k: parse(v) for k, v in texts.items()}, matrix)


def test_means_of_printed_numbers_by_hand(small):
    """An empty class counts 1 for ACC and TNR, else 0; a number that is not printed makes none."""
    means = checks._printed_means(small, 0).loc["mean"]
    np.testing.assert_allclose(means[["acc", "tnr", "pa", "f1"]], [0.855, 0.85, 0.85, 0.845])
    assert np.isnan(means.ua)
    means = checks._printed_means(small, 2).loc["mean"]
    np.testing.assert_allclose(means[["acc", "tnr", "pa", "f1"]], [
        (1.71 + 2) / 4, (1.7 + 2) / 4, 1.7 / 4, 1.69 / 4])
    assert checks._printed_means(small, 0).drop("mean").isna().all(axis=None)


def test_parts_and_other_quantities_by_hand(small):
    tables = {detail: values for _, detail, values in small.alternatives}
    parts = tables["F1 from the printed, rounded PA and UA"]
    assert parts.f1["1"] == pytest.approx(2 * 0.8 * 0.88 / 1.68) and np.isnan(parts.f1["2"])
    f1 = tables["mean F1 under another name"]
    right = quantities(small.counts).f1["mean"]
    assert (f1.loc[["mean", "overall"], ["acc", "tnr", "pa", "ua", "oa"]] == right).all(axis=None)
    assert f1.f1.isna().all() and f1.loc[["1", "2"]].isna().all(axis=None)
    printed = tables["mean F1 as printed under another name"]
    assert printed.loc["overall", "oa"] == 0.845
    assert tables["OA as printed under another name"].loc["mean", "f1"] == 0.85
    assert "mean PA as printed under another name" not in tables
    swapped = tables["axes swapped"]
    np.testing.assert_allclose(swapped[["pa", "ua"]], quantities(small.counts)[["ua", "pa"]])
    empty = tables["mean over 4 classes, 2 of them empty"]
    assert empty.pa["mean"] == pytest.approx(1.7 / 4) and len(
        [name for name in tables if name.startswith("mean over")]) == 2 * 8
    table = small.as_printed
    assert (table.pa["1"], table.f1["mean"], table.oa["1"]) == (0.8, 0.845, 0.85)
    assert small.right.f1["mean"] == right  # it is not changed by what is printed


def test_the_released_matrices_belong_to_the_papers_own_tables():
    matrix = published.table(14)
    assert list(checks.subjects(quotes=NO_QUOTES)[14].others) == ["released file"]
    for number in (13, 14):
        given = checks.subjects({number: published.table(number)}, quotes=NO_QUOTES)
        assert not given[13].others and not given[14].others
    other = checks.subjects({15: published.table(15)}, {14: {"mine": matrix}}, NO_QUOTES)
    assert list(other[14].others) == ["released file", "mine"]
    assert list(other[13].others) == ["released file"]
    assert sorted(other) == [7, 9, 13, 14, 18, 19, 20]
    assert other[18].matrix is None and not other[18].others


def test_another_matrix_explains_a_number_that_was_rounded_early():
    """0.94594 to three decimals, then a zero added; one exact explanation comes before."""
    tables = [("another reference layer", "theirs", pd.DataFrame({"oa": [0.94594]}, ["overall"])),
              ("axes swapped", "turned", pd.DataFrame({"oa": [0.94594]}, ["overall"])),
              ("rounded parts", "parts", pd.DataFrame({"oa": [0.94601]}, ["overall"]))]
    found = checks.explain(parse("0.9460"), "overall", "oa", 0.5, tables)
    assert found == [("rounded parts", "parts", 0.94601), (
        "another reference layer", "theirs; rounded to 3 decimals, then a zero added", 0.94594)]
    own = checks.explain(parse("0.9460"), "overall", "oa", 0.94594, [])
    assert own == [(checks.PADDED, "rounded to 3 decimals, then a zero added", 0.94594)]
    assert checks.explain(parse("0.9460"), "mean", "oa", 0.5, tables) == []


@pytest.mark.parametrize(("text", "unit", "value", "step"), [
    ("0.50", "", 0.5, 0.01), ("1,105", "", 1105, 1), ("94.60", "%", 0.946, 0.0001),
    ("94", "%", 0.94, 0.01)])
def test_numbers_as_printed(text, unit, value, step):
    number = parse(text, unit)
    assert number == (text + (" %" if unit else ""), value, step)
    assert [number.verdict(value + k * step) for k in (0.4, -0.4, 0.6, -1.4, 1.6)] == (
        ["match", "match", *["rounding" if step < 1 else "mismatch"] * 2, "mismatch"])
    assert number.verdict(float("nan")) == "mismatch"


@pytest.mark.parametrize(("text", "value", "shown"), [
    ("0.50", 0.12345, "0.123"), ("94.60 %", 0.12345, "12.345 %"), ("94 %", 0.12345, "12.3 %"),
    ("1105", 11.6, "12"), ("0.5", float("inf"), "not defined")])
def test_computed_values_have_a_digit_more(text, value, shown):
    number = parse(*text.split()) if "%" in text else parse(text)
    assert number.show(value) == shown


def on_paper(text, row, column, about=1, table=None):
    return checks.Number("", table, about, row, column, parse(text))


def test_pixels_that_the_printed_matrix_drops_by_hand():
    """Mapped as class 3, one pixel, and as class 4, two; class 5 is in the reference only."""
    matrix = confusion.as_confusion([[8, 1], [2, 9]], [1, 2])
    more = np.zeros((6, 6), int)
    more[:2, :2], more[2, 0], more[3, 1] = matrix, 1, 2
    more = confusion.as_confusion(more, range(1, 7))
    subject = checks.Subject(one_against_all(matrix), {}, matrix, {
        "the same": matrix, "all pixels": more, "another": more + 1})
    assert subject.dropped_labels(more) == [3, 4] and subject.dropped_labels(matrix) == []
    more_of_5 = more.copy()
    more_of_5.loc[2, 5] = 1
    assert subject.dropped_labels(more_of_5) == [3, 4, 5]
    (title, values), = checks._off_legend(subject).items()
    assert title == (
        "3 pixels mapped as class 3, 4, which the printed matrix drops (as Orfeo ToolBox 8.1.1 "
        "does in the metrics that it prints, not in the file), counted in (all pixels)")
    assert list(values.index) == ["1", "2", "3", "4", "mean", "overall"]
    np.testing.assert_allclose(values.loc[["1", "2"], ["pa", "ua"]], [[8 / 11, 8 / 9],
                                                                      [9 / 12, 9 / 11]])
    assert values.oa["overall"] == pytest.approx(17 / 23)


def test_another_reference_and_lost_digits_by_hand():
    """Cells of the other file that are all shorter have lost digits; else it is another layer."""
    matrix = confusion.as_confusion([[1105, 21], [30, 9]], [1, 2])
    shorter = confusion.as_confusion([[115, 1], [30, 9]], [1, 2])
    other = confusion.as_confusion([[115, 12], [30, 9]], [1, 2])
    wider = confusion.as_confusion([[1105, 20, 0], [30, 9, 0], [0, 1, 0]], [1, 2, 3])
    subject = checks.Subject(one_against_all(matrix), {}, matrix, {
        "the same": matrix, "short": shorter, "other": other, "wide": wider})
    assert subject.differing_cells(other) == [(1, 1), (1, 2)]
    assert subject.lost_digits(shorter) == [(1, 1), (1, 2)] and subject.lost_digits(other) == []
    lost = checks._digits_lost(subject)
    assert list(lost) == ["cells that lost digits (short)"]
    assert lost["cells that lost digits (short)"].oa["mean"] == pytest.approx(124 / 155)
    layers = checks._other_reference(subject)
    assert {name: round(values.oa["overall"], 9) for name, values in layers.items()} == {
        "another reference (other)": round(124 / 166, 9),
        "another reference (wide)": round(1114 / 1165, 9),
        "another reference (wide), printed classes only": round(1114 / 1164, 9)}
    shortened = {(1, 11): True, (11, 1105): True, (115, 1105): True, (21, 102): False,
                 (12, 12): False, (1105, 115): False, (20, 102): False}
    assert {pair: checks._shortened(*pair) for pair in shortened} == shortened


def test_the_order_of_explanations_by_hand():
    """Exact ones before those that were rounded early, what explains more numbers of a subject
    before what explains fewer, and another quantity last."""
    right = pd.DataFrame({"pa": [0.7003] * 4}, ["1", "2", "3", "mean"])

    def values(*rows):
        return pd.DataFrame({"pa": [0.7] * len(rows)}, rows)

    said = {1: SimpleNamespace(right=right, alternatives=[
        ("another quantity", "mean OA", values("1", "2", "3")), ("digits lost", "a", values("1")),
        ("rounded parts", "b", values("1", "2"))]),
        2: SimpleNamespace(right=right, alternatives=[("digits lost", "c", values("1", "2", "3"))])}
    listed = [on_paper("0.7000", row, "pa", about) for about in said for row in ("1", "2", "3")]
    listed += [on_paper("0.7003", "mean", "pa"), on_paper("0.7000", "mean", "pa")]
    checked = checks.check_subjects(said, listed)
    assert [c.number for c in checked] == listed
    early, other = checks.PADDED, "another quantity"
    assert [[w.hypothesis for w in c.explanations] for c in checked] == [
        ["rounded parts", "digits lost", other, early], ["rounded parts", other, early],
        [other, early], *[["digits lost", early]] * 3, [], [early]]
    assert [c.verdict for c in checked] == ["mismatch"] * 6 + ["match", "mismatch"]
    assert {c.value for c in checked} == {0.7003}


def test_columns_that_a_hypothesis_reproduces_by_hand():
    """More cells than the definition, of two at least; of two hypotheses alike the first."""
    def values(column, *cells):
        return pd.DataFrame({column: cells}, ["1", "2"])

    said = {1: SimpleNamespace(alternatives=[
        ("axes swapped", "no better", values("pa", 0.5, 0.1)), ("digits lost", "first",
                                                               values("pa", 0.5, 0.6)),
        ("rounded parts", "second", values("pa", 0.5, 0.6)), ("rounded parts", "one", values(
            "ua", 0.9, 0.1)), ("rounded parts", "one", values("f1", 0.9, 0.1))]),
        2: SimpleNamespace(alternatives=[])}
    numbers = [("match", on_paper("0.5", "1", "pa", 1, 12)),
               ("mismatch", on_paper("0.6", "2", "pa", 1, 12)),
               ("mismatch", on_paper("0.9", "1", "ua", 1, 12)),  # a column of one cell
               ("match", on_paper("0.9", "1", "f1", 1, 12)),
               ("mismatch", on_paper("0.8", "2", "f1", 1, 12)),  # one each
               ("mismatch", on_paper("0.5", "1", "pa", 1)),  # no table: a sentence
               ("mismatch", on_paper("0.6", "2", "pa", 1)),
               ("mismatch", on_paper("0.5", "1", "pa", 2, 18)),
               ("rounding", on_paper("0.6", "2", "pa", 2, 18))]
    checked = [checks.Checked(number, 0.5, verdict, []) for verdict, number in numbers]
    assert checks.whole_columns(checked, said) == [{
        "table": 12, "column": "PA", "cells": 2, "as_defined": 1, "hypothesis": "digits lost",
        "detail": "first", "reproduced": 2}]


def test_quantities_by_hand():
    """A class that is only mapped has no part in the means; one without pixels is not there."""
    matrix = confusion.as_confusion([[8, 1, 0, 0], [2, 8, 0, 0], [0, 1, 0, 0], [0] * 4], "abcd")
    counts = one_against_all(matrix)
    assert counts.index.name == "class" and list(counts.index) == list("abcd")
    assert list(one_against_all(confusion.as_confusion([[1, 0], [0, 1]], [1, 2])).index) == [
        "1", "2"]
    found = quantities(counts)
    assert list(found.index) == ["a", "b", "c", "mean", "overall"]
    assert list(found.columns) == ["acc", "tnr", "pa", "ua", "f1", "tp", "fp", "fn", "tn", "oa"]
    np.testing.assert_allclose(found.loc[["a", "b"], ["acc", "tnr", "pa", "ua", "f1"]], [
        [17 / 20, 9 / 10, 8 / 10, 8 / 9, 16 / 19], [16 / 20, 8 / 10, 8 / 10, 8 / 10, 8 / 10]])
    assert found.ua["c"] == 0 and np.isnan(found.pa["c"])
    assert found.loc["b", ["tp", "fp", "fn", "tn"]].tolist() == [8, 2, 2, 8]
    np.testing.assert_allclose(found.loc["mean", ["acc", "pa"]], [0.825, 0.8])
    assert found.loc["mean", ["tp", "fn"]].isna().all()
    assert set(found.oa) == {0.8}
    with_empty = quantities(counts, 2).loc["mean"]
    np.testing.assert_allclose(with_empty[["acc", "tnr", "pa"]], [3.65 / 4, 3.7 / 4, 1.6 / 4])
    assert np.isnan(quantities(counts * 0).oa).all()


@pytest.mark.parametrize(("text", "value", "kept"), [
    ("0.7270", 0.7275, 3), ("0.7270", 0.7265, 3), ("0.7270", 0.7276, 0), ("0.7270", 0.72701, 0),
    ("0.720", 0.7234, 2), ("0.70", 0.72, 0), ("0.7270", float("inf"), 0), ("0.7271", 0.7273, 0),
    ("0.7280", 0.7275, 3), ("0.72700", 0.72703, 4), ("0.72700", 0.7273, 0)])
def test_a_zero_added_by_hand(text, value, kept):
    """A value that lies just between two may be rounded either way."""
    assert parse(text).padded(value) == kept


def test_verdicts_of_values_between_two_digits():
    assert [parse(text).verdict(0.725) for text in ("0.71", "0.72", "0.73", "0.74")] == [
        "rounding", "match", "match", "rounding"]
    assert [parse("7").verdict(v) for v in (6.5, 7.5, 7.6)] == ["match", "match", "mismatch"]
    assert parse("0.72").verdict(0.7250001) == "rounding"
    assert parse("0.72").verdict(0.7350001) == "mismatch"


def test_counts_are_combined_by_hand(monkeypatch):
    """Of 12 points: supports add up to 12, and wrong pixels of one class are another's misses."""
    many = np.array([[2, 2, 1], [2, 0, 2], [2, 1, 1], [4, 0, 0]])
    one, two = np.array([[3, 1, 1]]), np.array([[4, 0, 1], [4, 2, 0]])
    expected = [[[2, 2, 1], [3, 1, 1], [4, 0, 1]], [[2, 0, 2], [3, 1, 1], [4, 2, 0]]]
    monkeypatch.setattr(printed, "_MOST_COMBINATIONS", 2)
    assert printed._joint([many, one, two], 12).tolist() == expected
    assert printed._joint([two, many, one], 12).tolist() == [[c, a, b] for a, b, c in expected]
    with pytest.raises(InputError, match="add up to 13 points"):
        printed._joint([one, many[:1], two[:1]], 13)
    monkeypatch.setattr(printed, "_MOST_COMBINATIONS", 1)
    with pytest.raises(InputError, match="too many combinations"):
        printed._joint([many, one, two], 12)


def test_f1_of_two_zeros_is_not_defined(small):
    parts = checks._rounded_parts(checks.Subject(small.counts, {
        ("1", "pa"): parse("0.0"), ("1", "ua"): parse("0.0"), ("2", "pa"): parse("0.0"),
        ("2", "ua"): parse("0.5")}))["F1 from the printed, rounded PA and UA"]
    assert np.isnan(parts.f1["1"]) and parts.f1["2"] == 0


def test_classes_behind_a_mean_by_hand():
    """Table 19: 2 (1 - 0.8000) / (1 - 0.9600) = 10, and what half a digit of both may change."""
    found = {row["table"]: row for row in checks.identity()}
    assert list(found) == [12, 15, 16, 18, 19, 20]
    assert found[19] == {"table": 19, "mean_acc": "0.9600", "oa": "0.8000", "classes_listed": 9,
                         "classes_implied": 10.0, "low": round(0.3999 / 0.04005, 3),
                         "high": round(0.4001 / 0.03995, 3)}
    assert found[12]["classes_listed"] == 3
    assert (found[12]["low"], found[12]["high"]) == (round(0.5459 / 0.1825, 3),
                                                     round(0.5461 / 0.1815, 3))


def test_counts_behind_a_small_table_by_hand():
    """Of 20 points 8 and 9 are right: with one digit printed more than these fit, with a wrong
    digit those that meet the most."""
    matrix = confusion.as_confusion([[8, 1], [2, 9]], [1, 2])
    right = quantities(one_against_all(matrix)).loc[["1", "2"], list(METRICS)]
    long, short = (right.map(lambda v, d=digits: f"{v:.{d}f}") for digits in (4, 1))
    columns = ["tp", "fp", "fn", "tn", "support", "solutions_alone", "solutions", "digits_met"]
    found = reconstruct_counts(long, 20)
    assert list(found.columns) == columns and set(found.dtypes) == {np.dtype(np.int64)}
    assert found.to_numpy().tolist() == [[8, 1, 2, 9, 10, 1, 1, 5], [9, 2, 1, 8, 10, 1, 1, 5]]
    long.loc["1", "f1"] = "0.8321"
    assert reconstruct_counts(long, 20).loc["1"].tolist() == [8, 1, 2, 9, 10, 1, 1, 4]
    long.loc["1", ["pa", "ua"]] = "0.8123", "0.7123"  # ACC and TNR alone
    assert reconstruct_counts(long, 20).loc["1"].tolist() == [8, 1, 2, 9, 10, 1, 1, 2]
    found = reconstruct_counts(short, 20)
    assert found.loc[:, columns[:5]].isna().all(axis=None)
    assert found.loc[:, columns[5:]].to_numpy().tolist() == [[5, 3, 5], [3, 3, 5]]
    row = {name: parse(text) for name, text in short.loc["1"].items()}
    assert printed._consistent(row, 20).tolist() == [
        [6, 1, 2], [7, 1, 2], [8, 1, 2], [9, 1, 3], [10, 1, 3]]


def test_where_numbers_stand_by_hand():
    """A cell of a table, or a sentence of a section or of the abstract."""
    quotes = pd.DataFrame([("Abstract", 13, "overall", "oa", "94.60", "%"),
                           ("3.1", 14, "mean", "f1", "0.90", ""), ("4", 18, "7", "pa", "0.5", "")],
                          columns=["section", "about", "row", "column", "printed", "unit"])
    found = checks.numbers(quotes=quotes)
    assert [(*c[:5], c.printed.text) for c in found[-3:]] == [
        ("Abstract: OA", None, 13, "overall", "oa", "94.60 %"),
        ("Section 3.1: mean F1", None, 14, "mean", "f1", "0.90"),
        ("Section 4: class 7, PA", None, 18, "7", "pa", "0.5")]
    assert [c[:5] for c in found if c.table == 17] == [
        (f"Table 17: {name}, {column.upper()}", 17, about, "overall" if column == "oa" else "mean",
         column) for name, about in (("CART", 18), ("RF", 19), ("SVM", 20))
        for column in ("oa", "pa", "ua", "f1")]
    assert {c.table for c in found} == {8, 10, 11, 12, 15, 16, 17, 18, 19, 20, None}
    assert next(c[:5] for c in found if c.table == 8) == (
        f"Table 8: {found[0].column.upper()}", 8, 7, "Positive", found[0].column)
    assert ("Table 18: class 1, ACC", 18, 18, "1", "acc") in [c[:5] for c in found]
    assert ("Table 18: OA", 18, 18, "overall", "oa") in [c[:5] for c in found]


def test_another_matrix_on_the_printed_classes(known):
    subject = checks.Subject(known[7].counts, {}, confusion.as_confusion([[1, 2], [3, 4]], "ab"))
    other = confusion.as_confusion([[5, 6], [7, 8]], "bc")
    assert subject.on_labels(other).to_numpy().tolist() == [[0, 0], [0, 5]]
    assert set(subject.on_labels(other).dtypes) == {np.dtype(np.int64)}
