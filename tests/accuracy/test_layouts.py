"""Tables as other programs write them (``cases/``): read as they are, or asked for once."""

import json
from pathlib import Path

import pytest

from lulc_lib import cli
from lulc_lib.accuracy.assess import read_areas, read_comparison
from lulc_lib.accuracy.assess.csv_cells import read_text, regular, split_lines
from lulc_lib.accuracy.assess.layouts import orientation, recognise
from lulc_lib.errors import InputError

CASES = Path(__file__).parent / "cases"
MATRIX = [[49, 2, 1], [3, 40, 4], [1, 5, 45]]  # rows map; n 150, OA .89333


@pytest.mark.parametrize("name", ["arcgis.csv", "ecog.csv", "envi.txt", "pl1250.csv", "rkappa.csv",
                                  "scp.csv", "sk.csv", "utf16.csv"])
def test_the_file_says_its_orientation(name, capsys):
    """Row 12 of the cases: all describe one matrix, and none needs an option."""
    assert cli.main(["accuracy", str(CASES / name), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["matrix"] == MATRIX and found["n"] == 150
    assert found["overall_accuracy"] == pytest.approx(134 / 150)
    assert found["per_class"][found["labels"][0]]["users_accuracy"] == pytest.approx(49 / 52)
    stated, other = ("reference", "map") if name == "sk.csv" else ("map", "reference")
    with pytest.raises(InputError, match=f"rows are the {stated}, --rows says {other}"):
        read_comparison(CASES / name, other)


SUMS = "The sums in the file agree with its cells."


@pytest.mark.parametrize(("name", "labels", "kind", "notes"), [
    ("arcgis.csv", "1 2 3", "map", ["Layout of the file: ArcGIS.", SUMS,
     "Metrics in the file were not read: U_Accuracy, Kappa, P_Accuracy."]),
    ("ecog.csv", "Forest Water Quarry", "map", [SUMS]),
    ("envi.txt", "Forest Water Quarry", "map", [
        "Layout of the file: ENVI.", "The row Unclassified has no pixel: left out.", SUMS]),
    ("excel_sep.csv", "a b", "map", []), ("matrix_for_areas.csv", "1 2 3 4", "map", []),
    ("otb.csv", "1 2 5 10", "reference", ["Layout of the file: Orfeo ToolBox."]),
    ("pl1250.csv", "Łąka Las Kopalnia", "map", [
        "The file is not in UTF-8: read as Windows-1250."]),
    ("rkappa.csv", "1 2 3", "map", ["Layout of the file: GRASS r.kappa.", SUMS]),
    ("scp.csv", "1 2 3", "map", [
        "Layout of the file: Semi-Automatic Classification Plugin.",
        "Tables of the file that were not read: AREA BASED ERROR MATRIX.", SUMS]),
    ("sk.csv", "Forest Water Quarry", "reference", [
        "Layout of the file: both axes named in the labels."]),
    ("utf16.csv", "Łąka Las Kopalnia", "map", []),
    ("caret_long.csv", "Forest Quarry Water", "9 lines, counted by column Freq", []),
    ("gee_points.csv", "1 2", "4 lines", [
        "Columns not used: system:index, B2, B3, .geo.",
        "The reference is column class, the map column classification."]),
    ("pairs_with_count.csv", "1 2", "4 lines, counted by column count", []),
    ("sepal.csv", "Forest Quarry", "5 lines", [
        "Columns not used: id, location_x, location_y, map_code, ref_code, map_area.",
        "The reference is column ref_class, the map column map_class."]),
    ("sepal2.csv", "Forest Quarry", "5 lines", []),
    ("sits.csv", "Burned Forest", "3 lines", [
        "Columns not used: longitude, latitude.",
        "The reference is column reference, the map column predicted."])])
def test_what_was_read_is_said(name, labels, kind, notes):
    found = read_comparison(CASES / name)
    assert found.labels == labels.split()
    assert found.kind == (f"pairs of classes, {kind}" if "lines" in kind else
                          f"confusion matrix (labelled), {kind} classes in its rows")
    assert list(found.notes) == notes and not found.pixels


@pytest.mark.parametrize(("name", "rows", "hint"), [
    ("arcgis.csv", None, ""), ("envi.txt", "map", ""), ("rkappa.csv", "map", ""),
    ("scp.csv", "map", ""), ("sk.csv", "reference", ""), ("otb.csv", "reference", ""),
    ("gee_matrix.csv", None, "Earth Engine's own errorMatrix has the reference in its rows")])
def test_a_layout_becomes_a_labelled_table(name, rows, hint):
    """Classes down the side and along the top, the counts between them, nothing in the corner."""
    text = read_text(CASES / name)
    layout = recognise(text, [cells for _, cells in split_lines(text, name)])
    found = read_comparison(CASES / name, rows or "map")
    labels, size = found.labels, len(found.labels)
    counts = found.matrix.to_numpy().T if rows == "reference" else found.matrix.to_numpy()
    assert layout.cells[0][:size + 1] == ["", *labels]
    assert [line[:size + 1] for line in layout.cells[1:size + 1]] == [
        [label, *map(str, line)] for label, line in zip(labels, counts, strict=True)]
    if rows:
        assert layout.rows == rows
    assert layout.hint == hint


def test_orfeo_toolbox_has_the_reference_in_its_rows():
    found = read_comparison(CASES / "otb.csv")
    assert found.labels == ["1", "2", "5", "10"]
    assert found.matrix.loc["2", "1"] == 4 and found.matrix.loc["1", "2"] == 6
    assert found.n == 346


@pytest.mark.parametrize("name", ["gee_matrix.csv", "m.json", "feature.geojson"])
def test_earth_engine_is_asked_for_once(name, tmp_path, capsys):
    """Following the message works at the first try."""
    matrix = [[41, 2, 0], [3, 38, 4], [0, 5, 27]]
    path = CASES / name if name.endswith("csv") else tmp_path / name
    if name == "m.json":
        path.write_text(json.dumps(matrix))
    if name == "feature.geojson":
        path.write_text(json.dumps({"type": "FeatureCollection", "features": [{
            "geometry": {"coordinates": [[1, 2], [3, 4]]}, "properties": {"matrix": matrix}}]}))
    assert cli.main(["accuracy", str(path), "--json"]) == 2
    message = capsys.readouterr().err
    assert "--rows reference" in message and "errorMatrix has the reference in its rows" in message
    assert cli.main(["accuracy", str(path), "--json", "--rows", "reference"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["labels"] == ["0", "1", "2"] and found["matrix"][0] == [41, 3, 0]


def test_gaps_of_earth_engines_numbering_are_left_out_and_said(tmp_path):
    path = tmp_path / "m.json"
    path.write_text("[[0, 0, 0], [0, 5, 1], [0, 2, 7]]")
    found = read_comparison(path, "reference")
    assert found.labels == ["1", "2"] and found.n == 15
    assert any("Class 0 has no count" in note for note in found.notes)


def test_points_of_earth_engine():
    found = read_comparison(CASES / "gee_points.csv")
    assert found.matrix.to_numpy().tolist() == [[1, 0], [1, 2]] and found.n == 4
    assert "The reference is column class, the map column classification." in found.notes


@pytest.mark.parametrize(("name", "n", "oa"), [
    ("caret_long.csv", 150, 134 / 150), ("pairs_with_count.csv", 97, 89 / 97),
    ("sepal.csv", 5, 0.8), ("sepal2.csv", 5, 0.8), ("sits.csv", 3, 2 / 3),
    ("excel_sep.csv", 25, 0.88)])
def test_pairs_counts_and_points(name, n, oa):
    """Row 4 of the cases, and the points of row 12."""
    found = read_comparison(CASES / name)
    assert found.n == n
    assert found.counts.TP.sum() / n == pytest.approx(oa)


def test_r_long_table_is_the_same_matrix():
    found = read_comparison(CASES / "caret_long.csv")
    order = ["Forest", "Water", "Quarry"]
    assert found.matrix.loc[order, order].to_numpy().tolist() == MATRIX
    assert found.kind == "pairs of classes, 9 lines, counted by column Freq"


def test_code_0_is_a_class_in_pairs(tmp_path):
    """Row 1 of the cases."""
    path = tmp_path / "p.csv"
    path.write_text("true,predicted,n\n0,0,6\n1,0,2\n0,1,2\n1,1,4\n")
    found = read_comparison(path)
    assert found.n == 14 and found.matrix.to_numpy().tolist() == [[6, 2], [2, 4]]


def test_areas_with_a_decimal_comma(capsys):
    found = read_areas(CASES / "areas_decimal_comma.csv", {k: k for k in "1234"})
    assert found == {"1": 1000.5, "2": 600.25, "4": 400.0}
    assert cli.main(["accuracy", str(CASES / "matrix_for_areas.csv"), "--json", "--areas",
                     str(CASES / "areas_decimal_comma.csv")]) == 0
    area = json.loads(capsys.readouterr().out)["area_adjusted"]["per_class"]
    assert sum(row["area"] for row in area.values()) == pytest.approx(2000.75)


def test_columns_of_pairs_are_asked_for_and_may_be_named(tmp_path, capsys):
    path = tmp_path / "points.csv"
    path.write_text("id,teren,wynik,osoby\n1,1,1,3\n2,1,2,3\n3,2,2,2\n")
    assert cli.main(["accuracy", str(path)]) == 2
    assert "or --column REFERENCE,MAP to name them" in capsys.readouterr().err
    assert cli.main(["accuracy", str(path), "--column", "teren,wynik", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["matrix"] == [[1, 0], [1, 1]]
    assert cli.main(["accuracy", str(path), "--column", "teren,nic"]) == 2
    assert "has no column 'nic'" in capsys.readouterr().err


def test_counts_of_pairs_must_be_whole(tmp_path):
    path = tmp_path / "p.csv"
    path.write_text("true,predicted,count\n1,1,0.5\n")
    with pytest.raises(InputError, match=r"column count: the cell is 0.5 \(a fraction\)"):
        read_comparison(path)
    path.write_text("true,predicted,count\n1,1,0\n")
    with pytest.raises(InputError, match="all counts are 0"):
        read_comparison(path)


def test_orfeo_toolbox_with_the_map_in_its_rows(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("#Produced labels (rows):1,2\n#Reference labels (columns):1,2\n5,1\n2,7\n")
    assert read_comparison(path).matrix.to_numpy().tolist() == [[5, 1], [2, 7]]


def test_all_other_tables_of_the_plugin_are_named(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text("> ERROR MATRIX\n\t> Reference\nV_Classified\ta\tb\na\t5\t1\nb\t2\t7\n\n"
                    "> ACCURACY\nx\t1\n\n> AREA\ny\t2\n")
    assert "Tables of the file that were not read: ACCURACY; AREA." in read_comparison(path).notes


def test_panels_are_joined(tmp_path):
    """GRASS writes five columns a panel; the text report has tabs and MAP2 down the side."""
    text = ("\nError Matrix (MAP1: reference, MAP2: classification)\nPanel #1 of 2\n\t\t\t  MAP1\n"
            "     cat#\t1\t2\t\n M     1\t5\t1\t\n A     2\t2\t7\t\n P     3\t0\t0\t\n"
            "Col Sum\t\t7\t8\t\n\nPanel #2 of 2\n\t\t\t  MAP1\n     cat#\t3\tRow Sum\n"
            " M     1\t4\t10\n A     2\t0\t9\n P     3\t6\t6\nCol Sum\t\t10\t25\n")
    path = tmp_path / "kappa.txt"
    path.write_text(text)
    found = read_comparison(path)
    assert found.matrix.to_numpy().tolist() == [[5, 1, 4], [2, 7, 0], [0, 0, 6]]
    envi = (CASES / "envi.txt").read_text()
    body = "\n".join(line[:38] for line in envi.splitlines())
    rest = "\n".join(line[:12] + "  " + line[38:] for line in envi.splitlines()[6:])
    path.write_text(f"{body}\n\n       Ground Truth (Pixels)\n{rest}\n")
    assert read_comparison(path).matrix.to_numpy().tolist() == MATRIX


def cells_of(text):
    """Recognise a text of cells between commas; its program, rows and cells, or None."""
    found = recognise(text, [[cell.strip() for cell in line.split(",")]
                             for line in text.splitlines() if line.strip()])
    return found and (found.program, found.rows, found.cells)


def test_a_panel_of_grass_ends_before_a_line_without_label_or_counts():
    """A line may end before the column of the labels, or hold none, or only a label."""
    head = "Error Matrix (MAP1: reference, MAP2: classification)\n,cat#,1,2,\n"
    wanted = ("GRASS r.kappa", "map", [["", "1", "2"], ["1", "5", "1"], ["2", "2", "7"]])
    for end in ("", "x\n", ",,9,9\n", ",3,,\n", ",Col Sum,7,8\n", "\n,4,1,1\n"):
        assert cells_of(f"{head}MAP2,M 1,5,1,\n,A 2,2,7,\n{end}") == wanted, end
    assert cells_of(",cat#,1,2\n,1,5,1\n,2,2,7\n") is None
    assert cells_of("MAP1,a,b\na,5,1\nb,2,7\n") is None


def test_orfeo_toolbox_in_other_letters_and_cut_short():
    head = "#REFERENCE LABELS (ROWS): a , b\n# Produced labels (columns):b,c\n"
    assert cells_of(head + "5,1\n2,7\n") == ("Orfeo ToolBox", "reference", [
        ["", "b", "c"], ["a", "5", "1"], ["b", "2", "7"]])
    assert cells_of(head + "5,1\n") is None
    assert cells_of("#Reference labels (rows):a,b\n5,1\n2,7\n") is None


def test_matrices_in_json_by_hand():
    def layout(value):
        return recognise(json.dumps(value), [])

    deep = [[0, 0, 0, 0], [0, 5, 0, 1], [0, 0, 0, 0], [0, 0, 0, 0]]
    found = layout({"type": "x", "a": [True, {"b": deep}]})
    assert found.cells == [["", "1", "3"], ["1", "5", "1"], ["3", "0", "0"]]
    assert found.notes == (
        "Class 0, 2 has no count, as the gaps of Earth Engine's numbering: left out.",)
    assert layout([[5, 1], [2, 7.0]]).notes == ()
    for other in ({"geometry": [[1, 2], [3, 4]]}, {"coordinates": [[1, 2], [3, 4]]},
                  {".geo": [[1, 2], [3, 4]]}, [[1, 2]], [[1, 2], [3]], [[True, 1], [1, 1]], [[]],
                  [], {}):
        assert layout(other) is None, other
    two = [["a", "[[5, 1], [2, 7]]"], ["b", "[[1, 0], [0, 1]]"]]
    assert recognise("x", [["id", "matrix"], two[0]]).cells[1] == ["0", "5", "1"]
    assert recognise("x", [["id", "matrix"], *two]) is None
    assert recognise("x", [["id", "[[5, 1], [2, 7]]"], ["a", "b"]]) is None


def test_arcgis_without_accuracies_is_asked_for(tmp_path):
    text = "OBJECTID,ClassValue,C_1,C_x\n1,C_1,5,1\n2,C_x,2,7\nend\n"
    assert cells_of(text) == ("ArcGIS", None, [["", "1", "C_x"], ["1", "5", "1"],
                                               ["C_x", "2", "7"]])
    path = tmp_path / "m.csv"
    path.write_text("ClassValue,C_1,C_2\nC_1,5,1\nC_2,2,7\n")
    with pytest.raises(InputError, match=r"^m\.csv: does not say .*\(the layout of ArcGIS\)"):
        read_comparison(path)
    assert read_comparison(path, "reference").matrix.to_numpy().tolist() == [[5, 2], [1, 7]]


def test_envi_without_a_line_before_the_percents(tmp_path):
    path = tmp_path / "m.txt"
    path.write_text("  Ground Truth (Pixels)\n  Class   a   b   Total\n  a   5   1   6\n"
                    "  b   2   7   9\n  Ground Truth (Percent)\n  Class   a   b   Total\n"
                    "  a   71.43   12.50   40.00\n  b   28.57   87.50   60.00\n")
    assert read_comparison(path).matrix.to_numpy().tolist() == [[5, 1], [2, 7]]


def test_lines_are_made_regular_by_hand():
    """Empty columns at the end go, a corner is added, a short line of sums is filled."""
    def made(*lines):
        return regular(list(enumerate(lines, 1)), "m.csv")

    assert made(["", "a", "b", "", "", ""], ["a", "5", "1", "", "", ""]) == [
        ["", "a", "b"], ["a", "5", "1"]]
    assert made(["a", ""], ["b", ""]) == [["a"], ["b"]] and made([""]) == [[""]]
    assert made(["a", "b", ""], ["c", "1", "2"]) == [["a", "b", ""], ["c", "1", "2"]]
    assert made(["a", "b"], ["a", "5", "1"], ["sum", "5"]) == [
        ["", "a", "b"], ["a", "5", "1"], ["sum", "5", ""]]
    assert made(["", "a", "b"], ["Kappa"], ["PA", ".5"]) == [
        ["", "a", "b"], ["Kappa", "", ""], ["PA", ".5", ""]]
    for lines, message in (
            ([["1", "2"], ["1", "5", "1"]], "line 2: has 3 cells and the first line 2;"),
            ([["a"], ["a", "5", "1"]], "line 2: has 3 cells and the first line 1;"),
            ([["", "a"], ["a", "5"], ["sum", "5", "1"]], "line 3: has 3 cells and the first line"),
            ([["", "a"], ["a"]], "line 2: has 1 cells and the first line 2;")):
        with pytest.raises(InputError, match=f"^m.csv, {message}"):
            made(*lines)


@pytest.mark.parametrize("text", [
    ",true_a,true_b\npredicted_a,5,1\npredicted_b,2,7\n",
    ",Predicted: a,Predicted: b\nActual: a,5,2\nActual: b,1,7\n",
    '"","Prediction","Reference","Freq"\n"1","a","a",5\n"2","b","a",2\n"3","a","b",1\n"4","b","b",7',
    "> ERROR MATRIX\n\t> Reference\nV_Classified\ta\tb\tTotal\na\t5\t1\t6\nb\t2\t7\t9\n"
    "Total\t7\t8\t15\n\n> ACCURACY\nx\t1\n",
    "                 Ground Truth (Pixels)\n     Class             a             b         Total\n"
    "      a                5             1             6\n      b                2             7 "
    "            9\n  Total                7             8            15\n\n       "
    "Ground Truth (Percent)\n     Class             a             b         Total\n",
])
def test_other_forms_of_these_layouts(tmp_path, text):
    path = tmp_path / "m.txt"
    path.write_text(text)
    assert read_comparison(path).matrix.to_numpy().tolist() == [[5, 1], [2, 7]]


def test_an_unclassified_row_with_pixels_counts(tmp_path):
    path = tmp_path / "envi.txt"
    text = (CASES / "envi.txt").read_text()
    text = text.replace("Unclassified             0             0             0             0",
                        "Unclassified             2             0             0             2")
    path.write_text(text.replace("  Total                 53", "  Total                 55")
                    .replace("150\n", "152\n"))
    found = read_comparison(path)
    assert found.n == 152 and found.matrix.loc["Unclassified", "Forest"] == 2
    assert not any("left out" in note for note in found.notes)


@pytest.mark.parametrize("below", ["Producer;.9;.8;\nUser;.9;.7;\nOverall Accuracy;.8\n",
                                   "Kappa;0.5\n"])
def test_metrics_after_the_classes_are_left_out_and_said(tmp_path, below):
    path = tmp_path / "m.csv"
    path.write_text("User \\ Reference;a;b;Sum\na;5;1;6\nb;2;7;9\nSum;7;8;\n" + below)
    found = read_comparison(path)
    assert found.matrix.to_numpy().tolist() == [[5, 1], [2, 7]]
    assert any(note.startswith("Metrics in the file were not read") for note in found.notes)
    path.write_text("User \\ Reference;a;b;Sum\na;5;1;6\nb;2;7;8\n" + below)
    with pytest.raises(InputError, match="sum given for row b is 8 and its cells add up to 9"):
        read_comparison(path)


def test_columns_of_users_accuracy_say_that_rows_are_the_map(tmp_path):
    path = tmp_path / "m.csv"
    path.write_text(",a,b,UA\na,5,1,.83\nb,2,7,.78\nPA,.71,.88,\n")
    assert read_comparison(path).matrix.to_numpy().tolist() == [[5, 1], [2, 7]]
    path.write_text(",a,b,PA\na,5,2,.71\nb,1,7,.88\n")
    assert read_comparison(path).matrix.to_numpy().tolist() == [[5, 1], [2, 7]]
    path.write_text(",a,b,UA,PA\na,5,1,.8,.7\nb,2,7,.8,.9\n")
    with pytest.raises(InputError, match="--rows map or --rows reference"):
        read_comparison(path)


def test_ordinary_tables_are_no_layout(tmp_path):
    assert recognise("a,b\n1,2\n", [["a", "b"], ["1", "2"]]) is None
    assert orientation("mapa/referencja") == "map"
    path = tmp_path / "x.csv"
    path.write_text('{"1": "a"}')
    with pytest.raises(InputError, match="is JSON without a square matrix"):
        read_comparison(path)
