"""Write the list of implemented functions into README.md, below its last heading."""

from pathlib import Path

from ee_local.cli import function_list

HEADING = "## Functions\n"

if __name__ == "__main__":
    readme = Path(__file__).with_name("README.md")
    before, heading, _ = readme.read_text("utf-8").partition(HEADING)
    readme.write_text(f"{before}{heading}\n{function_list()}\n", "utf-8")
