"""CSV inputs of ``lulc accuracy``: every format and every refusal."""

import json
import re

import pytest

from lulc_lib.accuracy.assess.confusion_inputs import (
    orientation,
    read_areas,
    read_comparison,
    read_names,
)
from lulc_lib.errors import InputError

MATRIX = [[5, 1], [2, 7]]  # rows map, columns reference


@pytest.fixture
def read(tmp_path):
    def from_text(text, rows=None, encoding="utf-8"):
        path = tmp_path / "in.csv"
        path.write_text(text, encoding=encoding)
        return read_comparison(path, rows)
    return from_text


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
@pytest.mark.parametrize(("text", "rows"), [
    ("5,1\n2,7\n", "map"),
    ("5,2\r\n1,7\r\n\r\n", "reference"),
    ("class/ref,a,b\na,5,1\nb,2,7\n", None),
    ("class\\ref,a,b\na,5,1\nb,2,7\n,,\n", None),
    ("map_class/reference_class,a,b\na,5.0,1\nb, 2 ,7\n", "map"),
    ("true/predicted,a,b\na,5,2\nb,1,7\n", None),
    ("Reference | Map,b,a\na,2,5\nb,7,1\n", None),
    (",a,b,sums\na,5,2,7\nb,1,7,8\nsums,6,9,15\n", "reference"),
    ("a,b\na,5,1\nb,2,7\n", "map"),
    ("5,1,6\n2,7,9\n7,8,15\n", "map"),
])
def test_every_matrix_becomes_map_rows(read, text, rows, delimiter, encoding):
    comparison = read(text.replace(",", delimiter), rows, encoding)
    assert comparison.matrix.to_numpy().tolist() == MATRIX
    assert (comparison.matrix.index.name, comparison.matrix.columns.name) == ("map_class",
                                                                      "reference_class")
    first = comparison.counts.loc[comparison.labels[0]]
    assert first.to_dict() == {"TP": 5, "TN": 7, "FP": 1, "FN": 2}
    assert comparison.n == 15


@pytest.mark.parametrize("corner", ["", "class", "ref", "map class", "a/b", "class/class",
                                    "map/reference/other"])
def test_an_unstated_orientation_is_refused(read, corner):
    with pytest.raises(InputError, match="--rows map or --rows reference"):
        read(f"{corner},a,b\na,5,1\nb,2,7\n")
    assert orientation(corner) is None


def test_a_class_that_one_side_lacks_is_filled_in_and_said(read):
    comparison = read(",a,b,d\na,4,4,6\nb,2,7,7\nc,2,4,7\nd,7,6,4\n", "reference")
    assert comparison.labels == ["a", "b", "c", "d"]
    assert comparison.matrix.loc["c"].tolist() == [0] * 4
    assert comparison.notes == ("The columns lack c: taken as all 0.",)


@pytest.mark.parametrize("text", [
    "true,predicted\n1,1\n10,1\n2,10\n2,2\n", "predicted;true\n1;1\n1;10\n10;2\n2;2\n",
    '"Reference","Map"\n1,1\n10,1\n2.0,10\n2,2\n', "id,y_true,y_pred\n1,1,1\n2,10,1\n3,2,10\n4,2,2",
])
def test_pairs(read, text):
    comparison = read(text)
    assert comparison.labels == ["1", "2", "10"]
    assert comparison.matrix.to_numpy().tolist() == [[1, 0, 1], [0, 1, 0], [0, 1, 0]]


def test_pairs_with_labels(read):
    comparison = read("true,predicted,label\n1,1,water\n1,2,water\n3,1,wood\n")
    assert comparison.labels == ["water", "2", "wood"]
    assert comparison.matrix.loc["2", "water"] == 1


@pytest.mark.parametrize("text", ["class,TP,TN,FP,FN\na,5,7,1,2\n", ",a\nTP,5\nTN,7\nFP,1\nFN,2\n",
                                  "TP,5\nFN,2\nTN,7\nFP,1\n", "tp;tn;fp;fn\n5;7;1;2\n"])
def test_one_binary_class_is_a_matrix(read, text):
    comparison = read(text)
    assert comparison.matrix.to_numpy().tolist() == [[5, 1], [2, 7]]
    assert comparison.labels[1] == f"not {comparison.labels[0]}"


def test_two_complementary_binary_classes_are_a_matrix_and_more_are_not(read):
    comparison = read(",a,b\nTP,5,7\nTN,7,5\nFP,1,2\nFN,2,1\n")
    assert comparison.matrix.to_numpy().tolist() == MATRIX
    comparison = read(",a,b,c\nTP,1,1,1\nTN,1,2,0\nFP,1,0,1\nFN,0,0,1\n")
    assert comparison.matrix is None and "no confusion matrix" in comparison.notes[0]


LEFT_OUT = "The last row and the last column are the sums of the others and were left out."
SUMS = "The sums in the file agree with its cells."


@pytest.mark.parametrize(("text", "labels", "matrix", "kind", "notes"), [
    ("5,1\n2,7\n", "12", MATRIX, "bare", []),
    ("1,0,1\n0,2,2\n1,2,3\n", "12", [[1, 0], [0, 2]], "bare", [LEFT_OUT]),
    ("1,0,1\n0,2,2\n1,2,4\n", "123", [[1, 0, 1], [0, 2, 2], [1, 2, 4]], "bare", []),
    ("1,0,2\n0,2,1\n1,2,3\n", "123", [[1, 0, 2], [0, 2, 1], [1, 2, 3]], "bare", []),
    ("5,5\n5,5\n", "12", [[5, 5], [5, 5]], "bare", []),
    ("map/ref,all\nall,5\n", ["all"], [[5]], "labelled", []),
    ("map/ref,sum,b\nsum,5,1\nb,2,7\n", ["sum", "b"], MATRIX, "labelled", []),
    ("0,0,0\n0,0,0\n0,0,5\n", "123", [[0, 0, 0], [0, 0, 0], [0, 0, 5]], "bare", []),
    (",a,b\na,4,5\nb,2,7\n", "ab", [[4, 5], [2, 7]], "labelled", []),
    (",b,a\na,4,5\nb,2,7\n", "ab", [[5, 4], [7, 2]], "labelled", [
        "The columns stand in another order than the rows: matched by label."]),
    (",a,b\na,4,5\nc,1,1\nb,2,7\n", "acb", [[4, 0, 5], [1, 0, 1], [2, 0, 7]], "labelled", [
        "The columns lack c: taken as all 0."]),
    (",a,b,c\na,4,4,1\nb,2,7,3\n", "abc", [[4, 4, 1], [2, 7, 3], [0, 0, 0]], "labelled", [
        "The rows lack c: taken as all 0."]),
    ("map/ref,a,b,sum\na,1,2,3\nb,3,4,7\n", "ab", [[1, 2], [3, 4]], "labelled", [SUMS]),
    ("map/ref,a,b\na,1,2\nb,3,4\nsum,4,6\n", "ab", [[1, 2], [3, 4]], "labelled", [SUMS]),
    ("map/ref,a,b,sum\na,1,2,\nb,3,4,\nsum,4,6,10\n", "ab", [[1, 2], [3, 4]], "labelled", [SUMS]),
    (",1.0,2.0\n1.0,5,1\n2,3,4\n", "12", [[5, 1], [3, 4]], "labelled", []),
    ("a,b,c\na,5,1,2\nb,2,7,1\nc,1,1,1\n", "abc", [[5, 1, 2], [2, 7, 1], [1, 1, 1]], "labelled",
     []),
    ("true,predicted,label,count,id\n1,1,w,2,x\n1,2,w,3,y\n3,1,d,1,z\n", "w2d",
     [[2, 0, 1], [3, 0, 0], [0, 0, 0]], "3 lines, counted by column count", [
         "Columns not used: id.", "The reference is column true, the map column predicted."]),
    ("true,predicted,n,count\n1,1,5,5\n", "1", [[1]], "1 lines", [
        "Columns not used: n, count.", "The reference is column true, the map column predicted."]),
    ("id,lulc,classification\n1,2,2\n2,1,2\n", "12", [[0, 0], [1, 1]], "2 lines", [
        "Columns not used: id.", "The reference is column lulc, the map column classification."]),
    ("refclass,mapclass,refcode,mapcode\na,b,1,2\na,a,1,1\n", "ab", [[1, 0], [1, 0]], "2 lines", [
        "Columns not used: refcode, mapcode.",
        "The reference is column refclass, the map column mapclass."]),
    ("mapcode,refcode,ref,map\n1,2,1,1\n", "12", [[0, 1], [0, 0]], "1 lines", [
        "Columns not used: ref, map.",
        "The reference is column refcode, the map column mapcode."]),
    ("true,predicted,label\n1,1,\n1,2,w\n", "w2", [[1, 0], [1, 0]], "2 lines", []),
    ("tp;tn;fp;fn\n5;7;1;2\n", ["1", "not 1"], MATRIX, "", []),
    ("TP,TN,FP,FN\n5,7,1,2\n7,5,2,1\n", "12", MATRIX, "", []),
    ("TP,TN,FP,FN\n5,7,1,2\n7,5,1,2\n", "12", None, "", [
        "Counts per class do not tell which classes are confused with which: there is no "
        "confusion matrix."])])
def test_what_was_read_is_said(read, text, labels, matrix, kind, notes):
    found = read(text, "map")
    assert found.labels == list(labels)
    assert (matrix is None) == (found.matrix is None)
    assert matrix is None or found.matrix.to_numpy().tolist() == matrix
    assert found.kind == (
        f"confusion matrix ({kind}), map classes in its rows" if kind in ("bare", "labelled") else
        f"pairs of classes, {kind}" if kind else "TP, TN, FP, FN per class")
    assert list(found.notes) == notes
    assert not found.pixels and not found.dropped and not found.names and found.by_group is None


@pytest.mark.parametrize(("text", "message"), [
    ("", "is empty"), ("\n \n", "is empty"),
    ("1,2,3\n4,5,6\n", "2 rows and 3 columns and no labels"),
    ("1,-2\n3,4\n", "row 1, column 2: the cell is -2; counts cannot be negative"),
    ("1,x\n3,4\n", "row 1, column 2: the cell is 'x'; counts are whole numbers"),
    ("1,2.5\n3,4\n", r"the cell is 2.5 \(a fraction\)"),
    ("1,\n3,4\n", "the cell is empty"),
    ("1,99999999999999999\n3,4\n", "counts go up to"),
    ("0,0\n0,0\n", "all counts are 0"),
    ("map/ref,a,b\na,1,2\nb,3\n", "line 3: has 2 cells"),
    ("map/ref,a,a\na,1,2\nb,3,4\n", "first line: class a is there more than once"),
    ("map/ref,a,b\na,1,2\na,3,4\n", "first column: class a is there more than once"),
    ("map/ref,a,\na,1,2\nb,3,4\n", "label 2 is empty"),
    ("map/ref,a,b\na,1,2\nc,3,4\n", "only the rows name c and only the columns b"),
    ("map/ref,a,b,sum\na,1,2,3\nb,3,4,8\n", "sum given for row b is 8 and its cells add up to 7"),
    ("map/ref,a,b\n", "has 0 rows"),
    ("ref/map,a,b\na,1,2\nb,3,4\n", "says that rows are the reference, --rows says map"),
    ("true,predicted\n", "no pairs"),
    ("true,predicted\n1,2\n3,\n", "column predicted: pair 2 has no class"),
    (",\n,\n", "no cell"), ("true,predicted\n1,2,3\n", "more cells than the header"),
    ("true,predicted\n1\n", "pair 1 has no class"),
    ("true,predicted\n1,2\n1,2,3\n", "Expected 2 fields in line 3, saw 3"),
    ("true,predicted,label\n1,1,a\n1,1,b\n", "class 1 has the labels a and b"),
    ("true,predicted,label\n1,1,a\n2,1,a\n", "class a is there more than once"),
    ("true,predicted\n" + "".join(f"{i},1\n" for i in range(1001)), "1001 different classes"),
    ("class,TP,TN,FP,FN\na,1,2,3,4\nb,3,4,2,2\n", "is 10 for a and 11 for b"),
    ("TP,TN,FP,FN\n1,2,3,-4\n", "cannot be negative"),
    ("TP,TN,FP,FN\n0,0,0,0\n", "all counts are 0"),
    ("x,TP,TN,FP,FN,y\na,1,2,3,4,5\n", "'x' and 'y'"),
    ("class,TP,TN,FP,FN\na,1,2,3,4\na,3,4,2,1\n", "csv: class a is there more than once"),
    ("TP,TP,TN,FP,FN\n1,1,2,3,4\n", "csv, TP/TN/FP/FN: class TP is there more than once"),
    ("class,TP,TN,FP,FN\na,1,2,3,4\nb,3,x,2,2\n", "csv, row TN, column b: the cell is 'x'"),
    ("TP,TN,FP,FN\n", "has TP, TN, FP and FN but no counts"),
    ("true,predicted,n\n1,2,3\n2,2,-1\n", "csv, row 2, column n: the cell is -1"),
    ("true,predicted\n 1 ,2\n ,2\n", "csv, column true: pair 2 has no class"),
    ("map/ref,a,b,sum\na,1,2,3\nb,3,4,7\nsum,4,6,11\n",
     "given for the whole table is 11 and its cells add up to 10"),
    ("map/ref,a,b,sum\na,1,2,3\nb,3,4,7\nsum,5,6,10\n",
     "given for column a is 5 and its cells add up to 4"),
    ("map/ref,a,b\na,1,2\nb,3,1.5E-3\n", r"row b, column b: the cell is 1.5E-3 \(a fraction\)"),
    ("x,y\n1,2\n2,1\n", "only the rows name 1, 2 and only the columns y"),
    ("5\tx\n1\t2\n", "csv, row 1, column 2: the cell is 'x'"),
    ("a\nx\ny\nz\n", "has 3 rows of counts"),
    (",a,b,UA\na,5,1,.8\nb,2,7,.7\nPA,.7,.8,\nPA,.7,.8,\n,,,\nsum,7,9,\n",
     "given for column b is 9 and its cells add up to 8"),
    ('"a,b\n1,2\n', "CSV file"),
])
def test_bad_files_are_refused_by_value_and_rule(read, text, message):
    with pytest.raises(InputError, match=message) as refused:
        read(text, "map")
    assert str(refused.value).startswith("in.csv")


def test_the_largest_numbers_of_classes_and_units(read):
    found = read("true,predicted\n" + "".join(f"{i},1\n" for i in range(1, 1001)))
    assert len(found.labels) == 1000
    largest = 2**53 - 1
    assert read(f"{largest},0\n0,0\n", "map").n == largest
    with pytest.raises(InputError, match=r"2\^53"):
        read(f"{largest + 1},0\n0,0\n", "map")


def test_pairs_without_a_header_are_explained(read):
    with pytest.raises(InputError, match="need a header line: true,predicted"):
        read("1,2\n1,1\n2,2\n", "map")
    with pytest.raises(InputError, match="its columns are a, b; a table of pairs needs"):
        read("a,b\n1,2\n1,1\n2,2\n")


@pytest.mark.parametrize(("text", "rows", "message"), [
    (",a,b,UA\na,5,1,.83\nb,2,7,.78\nPA,.71,.88,\n", "reference",
     "in.csv: its columns of PA and UA says that rows are the map, --rows says reference"),
    ("map/ref,a,b\na,5,1\nb,2,7\n", "reference",
     "in.csv: the corner cell 'map/ref' says that rows are the map, --rows says reference; correct "
     "the one that is wrong"),
    ("5,1\n2,7\n", None, "in.csv: does not say whether its rows are the map or the reference (it "
     "has no labels); give --rows"),
    ("k,a,b,c\na,5,1,0\nb,2,7,0\nc,0,0,1\n", None, "in.csv: does not say whether its rows are "
     "the map or the reference (its corner cell is 'k'); give --rows"),
    ("k,1,2,3\n1,5,1,0\n2,2,7,0\n3,0,0,1\n", None, "in.csv: does not say whether"),
    ("class,classification\n1,1\n2,1\n1,2\n", None, "in.csv: its columns are class, "
     "classification; a table of pairs needs the columns true and predicted, or --column"),
    ("k,a,b\na,5,1\nc,2,7\nd,1,1\n", None, "in.csv: only the rows name c, d and only the columns "
     "b;"),
    ("x,y\n1,1\n2,1\n", None, "in.csv: only the rows name")])
def test_what_the_rows_are_is_settled_or_asked_for(read, text, rows, message):
    with pytest.raises(InputError, match="^" + re.escape(message)):
        read(text, rows)


def test_columns_of_pairs_by_name(read, tmp_path):
    path = tmp_path / "in.csv"
    path.write_text("a,b,b\n1,2,3\n")
    for columns, lacking in ((("a", "b"), "b"), (("c", "a"), "c")):
        with pytest.raises(InputError, match=f"^in.csv: has no column '{lacking}' or several; its "
                                             "columns are a, b, b"):
            read_comparison(path, columns=columns)
    path.write_text("a,name,b,n\n1,w,2,3\n2,,1,4\n")
    found = read_comparison(path, columns=("b", "a"))
    assert found.labels == ["1", "w"] and found.matrix.to_numpy().tolist() == [[0, 3], [4, 0]]


def test_what_is_no_text_file(tmp_path):
    (tmp_path / "x.csv").write_bytes(b"\xff\xfe\x00\x01")
    for path, message in ((tmp_path, "is a folder"), (tmp_path / "no.csv", "no such file"),
                          (tmp_path / "x.csv", "not a text file")):
        with pytest.raises(InputError, match=message):
            read_comparison(path, "map")


def test_names(read, tmp_path):
    comparison, path = read("5,1\n2,7\n", "map"), tmp_path / "names.json"
    for names in ({"1": "wood", "2": "lake", "3": "more"}, ["wood", "lake"]):
        path.write_text(json.dumps(names), encoding="utf-8-sig")
        assert read_names(path, comparison).labels == ["wood", "lake"]
    for text, message in (('{"1": "wood"}', "has no name for class 2; it must name every class"),
                          ('{"1": " ", "2": "a"}', "holds the name ' '"),
                          ('{"1": "", "2": "a"}', "holds the name ''"), ("{", "is not JSON"),
                          ('{"1": 5, "2": "a"}', "holds the name 5"),
                          ('"a"', "must hold an object"),
                          ('{"1": "a", "2": "a"}', "class a is there more than once"),
                          ('["a"]', "is a list of 1 names"), ("[" * 9999, "is not JSON")):
        path.write_text(text)
        with pytest.raises(InputError, match=f"^names.json.*{message}"):
            read_names(path, comparison)


def test_areas(tmp_path):
    path, labels = tmp_path / "areas.csv", {"1": "wood", "wood": "wood", "2": "lake"}
    path.write_text("label;area\nwood;2.5\n2.0;1e3\n", encoding="utf-8-sig")
    assert read_areas(path, labels) == {"wood": 2.5, "lake": 1000.0}
    for text, message in (("wood,1\n2,1\n", "it must name the columns: label,area"),
                          ("label,area\n", "no areas"), ("label,area\nwood,x\n", "the area is 'x'"),
                          ("label,area\nwood,-1\n", "the area is -1"),
                          ("label,area\nwood,nan\n", "the area is nan"),
                          ("label,area\nfield,1\n", "names class 'field', which the matrix lacks"),
                          ("label,area\nwood,1\n1,1\n", "class 1 is there more than once"),
                          ("label,area\nwood,1\nwood,1\n", "more than once")):
        path.write_text(text)
        with pytest.raises(InputError, match=f"^areas.csv.*{message}"):
            read_areas(path, labels)
    path.write_text("area;code\n0,5;1\n0;2\n")
    assert read_areas(path, labels) == {"wood": 0.5, "lake": 0.0}
    for name in ("label", "labels", "class", "code", "name", "map_class", "klasa", ""):
        for area in ("area", "Areas", "mapped", "pixels", "mapped_area", "area (ha)"):
            path.write_text(f"{name},{area}\nwood,0.25\n")
            assert read_areas(path, labels) == {"wood": 0.25}
    path.write_text("label,area,pixels\nwood,1,2\n")
    with pytest.raises(InputError, match="must name the columns"):
        read_areas(path, labels)
