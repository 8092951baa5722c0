"""How the HTML report looks: a style sheet for the screen and for paper, the heat map's ink."""

from __future__ import annotations

RIGHT, WRONG = (29, 94, 166), (197, 66, 22)
"""Full shade of the diagonal and of the rest of the heat map (sRGB)."""

DARK, LIGHT = "#000000", "#ffffff"
"""Text in the heat map; only full black keeps a contrast of 4.5 on every shade."""

PAGE_PIXELS = 1040
"""Width that the matrix may take: A4 across, at 96 pixels per inch."""


def shade(share: float, full: tuple[int, int, int]) -> tuple[str, str]:
    """Background and text colour of a heat-map cell for a share of 0 to 1 of the full shade.

    The text is whichever of dark and white has the higher contrast (WCAG 2 relative luminance).

    >>> shade(0.0, RIGHT), shade(1.0, RIGHT)
    (('#ffffff', '#000000'), ('#1d5ea6', '#ffffff'))
    """
    mixed = tuple(round(255 + (c - 255) * min(max(share, 0.0), 1.0)) for c in full)
    ground = luminance(mixed)
    dark, light = luminance(_rgb(DARK)), 1.0
    text = DARK if (ground + 0.05) / (dark + 0.05) >= (light + 0.05) / (ground + 0.05) else LIGHT
    return "#{:02x}{:02x}{:02x}".format(*mixed), text


def luminance(rgb: tuple[int, ...]) -> float:
    """Relative luminance of an sRGB colour, 0 to 1 (WCAG 2)."""
    linear = [v / 12.92 if v <= 0.04045 else ((v + 0.055) / 1.055) ** 2.4
              for v in (c / 255 for c in rgb)]
    return sum(w * v for w, v in zip((0.2126, 0.7152, 0.0722), linear, strict=True))


def _rgb(colour: str) -> tuple[int, ...]:
    return tuple(int(colour[i:i + 2], 16) for i in (1, 3, 5))


def font_pixels(characters: int, columns: int) -> float:
    """Font size at which a table of so many characters across fits the page, 6.5 to 14 pixels."""
    return round(min(14.0, max(6.5, PAGE_PIXELS / (characters * 0.68 + columns * 0.8))), 1)


STYLE = """
:root { color-scheme: light; }
* { box-sizing: border-box; }
body { margin: 0; background: #fff; color: #1b1f24;
  font: 15px/1.5 system-ui, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
main { max-width: 1120px; margin: 0 auto; padding: 28px 24px 48px; }
h1 { font-size: 27px; line-height: 1.2; margin: 0 0 4px; }
h2 { font-size: 19px; margin: 36px 0 8px; padding-top: 10px; border-top: 2px solid #1b1f24; }
p { margin: 6px 0 10px; max-width: 78ch; }
.lead, .note, .cards small { color: #4c5560; }
.note { font-size: 13px; max-width: 110ch; }
.cards { display: grid; grid-template-columns: repeat(auto-fit, minmax(175px, 1fr)); gap: 12px;
  margin: 18px 0 6px; }
.cards div { border: 1px solid #c9d0d8; border-left: 5px solid #1d5ea6; border-radius: 4px;
  padding: 10px 14px; break-inside: avoid; }
.cards b { display: block; font-size: 26px; line-height: 1.25; font-variant-numeric: tabular-nums; }
.cards span { font-weight: 600; }
.cards small { display: block; font-size: 12.5px; line-height: 1.4; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; margin: 8px 0; font-size: 14px;
  font-variant-numeric: tabular-nums; }
th, td { padding: 0.28em 0.55em; text-align: right; border-bottom: 1px solid #e1e5ea; }
th { font-weight: 600; }
thead th { border-bottom: 2px solid #1b1f24; vertical-align: bottom; }
th:first-child, td:first-child, .words td, .words th { text-align: left; }
.words td, .words th { vertical-align: top; }
.wide th:first-child { white-space: nowrap; }
tr.mean td, tr.mean th { border-top: 1px solid #1b1f24; background: #f3f5f8; }
td.bar { min-width: 74px; background: linear-gradient(#cfe0f2, #cfe0f2) no-repeat 0 50%; }
.matrix td, .matrix th { padding: 0.34em 0.36em; border: 1px solid #fff; }
.matrix thead tr:first-child th { border-bottom: 0; }
.roomy thead th:not(.side), .roomy td { min-width: 3.1em; }
.matrix th.side { text-align: left; white-space: nowrap; }
.matrix thead th { border-bottom: 2px solid #1b1f24; }
.matrix .axis { color: #4c5560; font-weight: 600; text-align: center; border: 0; }
.matrix .margin { background: #f3f5f8; color: #1b1f24; }
.matrix .right { outline: 1px solid #123f73; outline-offset: -1px; font-weight: 700; }
.matrix .zero { color: #6b737c; }
.upright { writing-mode: vertical-rl; transform: rotate(180deg); white-space: nowrap;
  text-align: left; }
.key { display: inline-block; width: 120px; height: 12px; margin: 0 6px; vertical-align: -1px;
  border: 1px solid #c9d0d8; }
code { font: 0.92em ui-monospace, "DejaVu Sans Mono", Menlo, Consolas, monospace; }
.hash { overflow-wrap: anywhere; font-size: 12px; }
ul { padding-left: 20px; margin: 6px 0; max-width: 82ch; }
footer { margin-top: 40px; font-size: 12.5px; color: #4c5560; }
@media print {
  body { font-size: 10.5pt; }
  main { max-width: none; padding: 0; }
  * { -webkit-print-color-adjust: exact; print-color-adjust: exact; }
  h2 { break-after: avoid; }
  tr, li, .matrix, .cards div { break-inside: avoid; }
  thead { display: table-header-group; }
  .scroll { overflow: visible; }
}
"""
