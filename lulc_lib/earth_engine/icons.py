"""geemap's icons without the internet.

geemap writes its inspector's and legend's icons as names in a font that comes from Google's
servers. Without that font the names themselves are drawn, one over the other; here each becomes a
character that every font has.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager

from anywidget import AnyWidget

from lulc_lib.errors import InputError

SIGNS = {
    "&#xe5cd;": "×", "&#xf507;": "–", "&#xf830;": "+",  # buttons: close, fold, unfold
    "indeterminate_check_box": "▾", "add_box": "▸", "remove": "▾", "add": "▸",
    "inventory_2": "", "folder_open": "", "folder": "", "draft": "",
}
"""What stands in geemap's font to what is drawn instead."""

ICON = re.compile(r"(material-symbols-outlined\"\s*>\s*)(" + "|".join(map(re.escape, SIGNS))
                  + r")(\s*</span)")
"""An icon by its name in the text of a widget."""

OWN = 'icon="point_scan"'
"""The inspector's own icon, the only one that is an attribute."""


@contextmanager
def without_font(*kinds: type[AnyWidget]) -> Iterator[None]:
    """Widgets made inside the block draw their icons with characters instead of an icon font.

    A browser keeps the first text of a widget that it meets, so this cannot be done afterwards.

    Parameters
    ----------
    kinds : geemap's classes of widgets.

    Raises
    ------
    InputError
        A class has no such icons: this geemap is not the one of requirements.txt.
    """
    texts = {kind: kind._esm for kind in kinds}
    try:
        for kind, text in texts.items():
            plain, count = ICON.subn(lambda m: m[1] + SIGNS[m[2]] + m[3], str(text))
            if not count:
                raise InputError(f"geemap's {kind.__name__} has no icons that are known; install "
                                 "the geemap of requirements.txt")
            kind._esm = plain.replace(OWN, 'icon=""')
        yield
    finally:
        for kind, text in texts.items():
            kind._esm = text
