"""Draws bars as SVG that stands for itself: no script, no foreign font, and colors for light and for dark.

It knows rows and nothing of what they measure.
"""

from collections.abc import Sequence
from xml.sax.saxutils import escape

from benchmarks.rows import Row
from benchmarks.table import figure

WIDTH = 760
_LABEL, _BAR, _STEP, _TOP = 300, 320, 34, 54
_STYLE = """\
  <style>
    text { font: 13px system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; fill: #1f2937 }
    .title { font-weight: 600; font-size: 15px }
    .faint { fill: #5b6472; font-size: 12px }
    .sheet { fill: #ffffff } .line { stroke: #c9ced6 }
    .bar { fill: #9aa4b2 } .met { fill: #1a7f5a } .missed { fill: #c0392b }
    .limit { stroke: #1f2937; stroke-width: 2; stroke-dasharray: 4 3 }
    @media (prefers-color-scheme: dark) {
      text { fill: #e6e9ee } .faint { fill: #a3adba }
      .sheet { fill: #14181d } .line { stroke: #3a424d }
      .bar { fill: #6b7685 } .met { fill: #3fb68b } .missed { fill: #ef6b5b }
      .limit { stroke: #e6e9ee }
    }
  </style>"""


def chart(title: str, rows: Sequence[Row]) -> str:
    """One bar a row, all to one scale; a dashed line across a bar is how far it may, or must, go."""
    most = max(max(row.figure, row.limit or 0.0) for row in rows) or 1.0
    height = _TOP + _STEP * len(rows) + 34
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" aria-labelledby="title" width="{WIDTH}"'
        f' height="{height}" viewBox="0 0 {WIDTH} {height}">'
    )
    parts = [
        head,
        f'  <title id="title">{escape(_spoken(title, rows))}</title>',
        _STYLE,
        f'  <rect class="sheet" width="{WIDTH}" height="{height}" rx="8"/>',
        f'  <text class="title" x="20" y="32">{escape(title)}</text>',
    ]
    for place, row in enumerate(rows):
        parts += _bar(row, _TOP + _STEP * place, most)
    bottom = _TOP + _STEP * len(rows)
    parts += [
        f'  <line class="line" x1="{_LABEL}" x2="{_LABEL}" y1="{_TOP - 4}" y2="{bottom}"/>',
        f'  <text class="faint" x="{_LABEL}" y="{bottom + 20}">{escape(_legend(rows))}</text>',
        "</svg>",
    ]
    return "\n".join(parts) + "\n"


def _bar(row: Row, top: int, most: float) -> list[str]:
    kind = {None: "bar", True: "met", False: "missed"}[row.met]
    length = max(row.figure / most * _BAR, 2)
    middle, end = top + 15, _LABEL + length
    parts = [
        *_label(row.what, middle),
        f'  <rect class="{kind}" x="{_LABEL}" y="{top + 2}" width="{length:.1f}" height="18" rx="2"/>',
    ]
    if row.limit is not None:
        at = _LABEL + row.limit / most * _BAR
        parts.append(f'  <line class="limit" x1="{at:.1f}" x2="{at:.1f}" y1="{top - 3}" y2="{top + 25}"/>')
        end = max(end, at)
    parts.append(
        f'  <text x="{end + 8:.1f}" y="{middle + 1}">{escape(f"{figure(row.figure)} {row.unit}")}</text>'
    )
    return parts


def _label(text: str, middle: int) -> list[str]:
    """Left of the bar, in two lines if one is too short."""
    lines = [text]
    if len(text) > 42:
        cut = text.rfind(" ", 0, 43)
        lines = [text[:cut], text[cut + 1 :]]
    offset = 1 if len(lines) == 1 else -6
    return [
        f'  <text x="{_LABEL - 10}" y="{middle + offset + 14 * place}" text-anchor="end">{escape(line)}</text>'
        for place, line in enumerate(lines)
    ]


def _legend(rows: Sequence[Row]) -> str:
    ways = {row.target.at_least for row in rows if row.target is not None}
    if not ways:
        return ""
    if len(ways) == 2:
        return "Dashed: the target."
    return "Dashed: at least this far." if ways == {True} else "Dashed: at most this far."


def _spoken(title: str, rows: Sequence[Row]) -> str:
    said = "; ".join(f"{row.what}: {figure(row.figure)} {row.unit}" for row in rows)
    return f"{title}. {said}."
