"""The README and its sisters: numbers are the stored ones, links and commands exist."""

import importlib.util
import re

import pytest

from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts" / "update_readme.py")
readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readme)
TEXT = (ROOT / "README.md").read_text()
PAGES = [ROOT / name for name in ("README.md", "CONTRIBUTING.md", "lulc_lib/unet/MODEL_CARD.md",
                                  "ee_local/README.md", "figures/README.md")]


def test_numbers_are_the_stored_results():
    for path, block, table in readme.BLOCKS:
        assert readme.updated(path.read_text(), table(), block) == path.read_text(), path.name


def test_a_stale_number_is_noticed():
    number = re.search(r"0\.\d{3} \[", TEXT).group()
    stale = TEXT.replace(number, "0.123 [", 1)  # the first number is the fair comparison's
    assert readme.updated(stale, readme.fair_table(), "fair") == TEXT


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_links_lead_somewhere(page):
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", page.read_text()):
        assert (page.parent / target).exists(), target


@pytest.mark.parametrize("page", PAGES, ids=lambda p: str(p.relative_to(ROOT)))
def test_commands_exist(page):
    makefile = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    experiments = re.search(r"^EXPERIMENTS := (.*)$", makefile, re.MULTILINE)[1].split()
    for command in re.findall(r"(?:`|^)make (\w+)", page.read_text(), re.MULTILINE):
        known = re.search(rf"^{command}:", makefile, re.MULTILINE) or command in experiments
        assert known, command


def test_every_committed_number_is_in_the_table():
    table = readme.numbers_table()
    for path in (ROOT / "results").rglob("*.json"):
        assert f"`{path.relative_to(ROOT)}`" in table
    assert table in TEXT


def test_one_command_is_not_said_to_remake_what_it_reads():
    """What an experiment makes is not listed under `make reproduce`."""
    for line in readme.numbers_table().splitlines()[2:]:
        experiment = re.search(r"`make (\w+)`", line)[1] != "reproduce"
        assert experiment == (not re.search(r"notebook \d\d", line)), line


def test_the_changelog_names_files_that_exist():
    """In the table of renamed files the new ones are there and the old ones are not."""
    rows = re.findall(r"^\| (.+) \| (.+) \|$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)
    assert len(rows) > 40
    for old, new in rows:
        for path in re.findall(r"`([^`]+\.(?:py|jinja|json))`", new):
            assert (ROOT / path).exists() or (ROOT / "lulc_lib" / path).exists(), path
        for path in re.findall(r"`([a-z_]+/[^`]+\.py)`", old):
            assert not (ROOT / path).exists(), path
            assert not (ROOT / "lulc_lib" / path).exists(), path


def numbers_named(text: str, word: str) -> set[int]:
    """Numbers after "Table", "Tables": 7 and 8, 9–12, 15 and 16, 4 and Figure 5.

    >>> sorted(numbers_named("Tables 7 and 8; Table 13, Tables 17–20", "Table"))
    [7, 8, 13, 17, 18, 19, 20]
    """
    found = set()
    for said in re.findall(rf"{word}s? ((?:\d+(?:–\d+)?(?:, | and )?)+)", text):
        for first, last in re.findall(r"(\d+)(?:–(\d+))?", said):
            found |= set(range(int(first), int(last or first) + 1))
    return found


def test_every_figure_and_table_of_the_paper_is_accounted_for():
    rows = readme.coverage()
    for kind, count in (("Figure", 24), ("Table", 21)):
        assert [int(r["number"]) for r in rows if r["kind"] == kind] == list(range(1, count + 1))
    for row in rows:
        assert row["answer"] in ("remade", "extended", "synthetic", "not"), row
        assert bool(row["made"]) == (row["answer"] != "not"), row
        assert row["why"] or row["answer"] == "remade", row


def test_what_is_said_to_be_remade_is_there():
    """Figures by their files, tables by what the notebooks that make them say."""
    for row in readme.coverage():
        for made in row["made"].split():
            if row["kind"] == "Figure":
                assert (ROOT / "figures" / "published" / f"{made}.png").is_file(), made
                assert made.endswith("_synthetic") == (row["answer"] == "synthetic"), row
            else:
                (notebook,) = (ROOT / "notebooks").glob(f"{made}_*.ipynb")
                assert int(row["number"]) in numbers_named(notebook.read_text(), "Table"), row


def test_every_figure_is_named_after_what_it_answers_and_made_by_its_notebook():
    listed = {made for row in readme.coverage() for made in row["made"].split()}
    sources = {readme.number(n): n.read_text() for n in readme.notebooks()}
    for path in (ROOT / "figures" / "published").glob("*.png"):
        kind, number, slug = re.fullmatch(r"(paper_fig|nb)(\d\d[ab]?)_(\w+)", path.stem).groups()
        assert (path.stem in listed) == (kind == "paper_fig"), path.stem
        stem = path.stem.removesuffix("_synthetic")
        makers = [n for n, source in sources.items() if f'\\"{stem}\\"' in source
                  or (n == number and f'keep(fig, \\"{slug}\\")' in source)]
        assert len(makers) == 1 and (kind == "paper_fig" or makers == [number]), path.stem
