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
                                  "ee_local/README.md")]


def test_numbers_are_the_stored_results():
    for path, block, table in readme.BLOCKS:
        assert readme.updated(path.read_text(), table(), block) == path.read_text(), path.name


def test_a_stale_number_is_noticed():
    number = re.search(r"0\.\d{3} \[", TEXT).group()
    assert readme.updated(TEXT.replace(number, "0.123 ["), readme.maps_table()) == TEXT


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
