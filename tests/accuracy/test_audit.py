"""The audit finds what is wrong in the paper's numbers by computing, and nothing in right ones."""

import json

import numpy as np
import pandas as pd
import pytest

from lulc_lib import legend
from lulc_lib.accuracy import audit, confusion, published
from lulc_lib.accuracy.audit import checks, claims, findings, reconstruct_counts
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
