"""The README: its numbers are the stored ones, its links and commands exist."""

import importlib.util
import re

from tests.conftest import ROOT

spec = importlib.util.spec_from_file_location("readme", ROOT / "scripts" / "update_readme.py")
readme = importlib.util.module_from_spec(spec)
spec.loader.exec_module(readme)
TEXT = (ROOT / "README.md").read_text()


def test_numbers_are_the_stored_results():
    for path, table in readme.TABLES.items():
        assert readme.updated(path.read_text(), table()) == path.read_text(), path.name


def test_a_stale_number_is_noticed():
    number = re.search(r"0\.\d{3} \[", TEXT).group()
    assert readme.updated(TEXT.replace(number, "0.123 ["), readme.maps_table()) == TEXT


def test_links_lead_somewhere():
    for target in re.findall(r"\]\((?!https?:)([^)#]+)\)", TEXT):
        assert (ROOT / target).exists(), target


def test_commands_exist():
    makefile = (ROOT / "Makefile").read_text()
    for command in re.findall(r"`?make (\w+)", TEXT):
        assert re.search(rf"^{command}:", makefile, re.MULTILINE), command
