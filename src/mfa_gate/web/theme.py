"""Makes every color that follows from the organization's accent, readable in light and dark; it knows no page."""

import re

Color = tuple[int, int, int]

_WHITE: Color = (255, 255, 255)
_BLACK: Color = (0, 0, 0)
# The surfaces of static/gate.css on which accent-colored words stand; tests/web/test_theme.py compares them.
LIGHT_SURFACES: tuple[Color, ...] = ((0xFF, 0xFF, 0xFF), (0xF5, 0xF6, 0xF8))
DARK_SURFACES: tuple[Color, ...] = ((0x1C, 0x20, 0x26), (0x13, 0x16, 0x1A))
_TEXT_CONTRAST = 4.5  # WCAG 2.2, 1.4.3


def parse_color(text: str) -> Color:
    """The color behind `#rgb` or `#rrggbb`; raises `ValueError` for anything else."""
    # Security: what is written into the style sheet is made from these three numbers, never from the text.
    if not re.fullmatch(r"#(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})", text):
        message = f"accent = {text!r}: write a color as #rrggbb, for example #2f5bd8"
        raise ValueError(message)
    digits = text[1:]
    if len(digits) == 3:
        digits = "".join(digit * 2 for digit in digits)
    return int(digits[:2], 16), int(digits[2:4], 16), int(digits[4:], 16)


def contrast(one: Color, other: Color) -> float:
    """Contrast ratio of two colors, 1 to 21 (WCAG 2.2, definition of contrast ratio)."""
    low, high = sorted((_luminance(one), _luminance(other)))
    return (high + 0.05) / (low + 0.05)


def theme_css(accent: str) -> str:
    """The style sheet that gives the accent's custom properties; raises `ValueError` for a malformed color."""
    color = parse_color(accent)
    ink = _ink_on(color)
    hover = _mix(color, _BLACK if ink == _WHITE else _WHITE, 0.14)
    light, light_soft = _readable(color, LIGHT_SURFACES, _BLACK)
    dark, dark_soft = _readable(color, DARK_SURFACES, _WHITE)
    common = f"--accent: {_hex(color)}; --accent-hover: {_hex(hover)}; --accent-ink: {_hex(ink)};"
    return (
        f":root {{ {common} --accent-text: {_hex(light)}; --accent-soft: {_hex(light_soft)}; }}\n"
        "@media screen and (prefers-color-scheme: dark) {\n"
        f"  :root {{ --accent-text: {_hex(dark)}; --accent-soft: {_hex(dark_soft)}; }}\n"
        "}\n"
    )


def ink_on(accent: str) -> str:
    """The color of words on the accent, as `#rrggbb`; raises `ValueError` for a malformed one."""
    return _hex(_ink_on(parse_color(accent)))


def _ink_on(color: Color) -> Color:
    return _WHITE if contrast(color, _WHITE) >= _TEXT_CONTRAST else _BLACK


def _readable(color: Color, surfaces: tuple[Color, ...], toward: Color) -> tuple[Color, Color]:
    # The nearest shade in which words can be read, on the surfaces and on a tint of the shade itself.
    for step in range(101):
        shade = _mix(color, toward, step / 100)
        tint = _mix(shade, surfaces[0], 0.9)
        if all(contrast(shade, ground) >= _TEXT_CONTRAST for ground in (*surfaces, tint)):
            return shade, tint
    return toward, surfaces[0]


def _mix(color: Color, other: Color, share: float) -> Color:
    red, green, blue = (round(a + (b - a) * share) for a, b in zip(color, other, strict=True))
    return red, green, blue


def _luminance(color: Color) -> float:
    red, green, blue = (_linear(channel / 255) for channel in color)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(value: float) -> float:
    return value / 12.92 if value <= 0.04045 else float(((value + 0.055) / 1.055) ** 2.4)


def _hex(color: Color) -> str:
    return "#{:02x}{:02x}{:02x}".format(*color)
