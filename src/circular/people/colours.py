"""How well one colour reads on another. Pure.

Source: WCAG 2.2, definitions of relative luminance and contrast ratio.
"""


def contrast(one: str, other: str) -> float:
    """Return the contrast ratio of two colours written as #rrggbb: from 1 (equal) to 21."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: str) -> float:
    red, green, blue = (_linear(int(colour[place : place + 2], 16) / 255) for place in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _linear(channel: float) -> float:
    return float(channel / 12.92 if channel <= 0.04045 else ((channel + 0.055) / 1.055) ** 2.4)
