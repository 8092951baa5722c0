"""geemap's icons without the internet.

geemap writes its inspector's and legend's icons as names in a font that comes from Google's
servers. Without that font the names themselves are drawn, one over the other; here each becomes a
character that every font has.
"""

from __future__ import annotations

import re

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


def without_font(widget: AnyWidget) -> None:
    """Draw a geemap widget's icons with characters instead of an icon font.

    Raises
    ------
    InputError
        The widget's text has no such icons: this geemap is not the one of requirements.txt.
    """
    text, count = ICON.subn(lambda m: m[1] + SIGNS[m[2]] + m[3], str(widget._esm))
    if not count:
        raise InputError(f"geemap's {type(widget).__name__} has no icons that are known; install "
                         "the geemap of requirements.txt")
    widget._esm = text.replace(OWN, 'icon=""')
