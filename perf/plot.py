# SPDX-License-Identifier: Apache-2.0
"""Line charts as SVG, without a library."""
import math

WIDTH, HEIGHT, LEFT, TOP, RIGHT, BOTTOM = 860, 420, 70, 34, 200, 50
COLOURS = ["#1b6ca8", "#c0392b", "#27803b", "#8e44ad", "#b7791f", "#16807a", "#555555", "#d35400"]


def scale(low: float, high: float, logarithmic: bool):
    """Maps [low, high] to [0, 1]."""
    if logarithmic:
        low, high = math.log(low), math.log(high)
        return lambda v: (math.log(v) - low) / (high - low or 1)
    return lambda v: (v - low) / (high - low or 1)


def ticks(low: float, high: float, logarithmic: bool) -> list:
    """Round numbers within the range: powers of ten, or steps of 1, 2 or 5 times one."""
    if logarithmic:
        first, last = math.ceil(math.log10(low) - 1e-9), math.floor(math.log10(high) + 1e-9)
        return [10.0 ** e for e in range(first, last + 1)] or [low, high]
    step = 10.0 ** math.floor(math.log10((high - low) or 1))
    step = next((step * f for f in (0.1, 0.2, 0.5, 1, 2, 5) if (high - low) / (step * f) <= 8), step)
    return [step * i for i in range(math.ceil(low / step - 1e-9), math.floor(high / step + 1e-9) + 1)]


def line(x1, y1, x2, y2, colour="#dddddd") -> str:
    return f'<line x1="{x1:.1f}" y1="{y1:.1f}" x2="{x2:.1f}" y2="{y2:.1f}" stroke="{colour}"/>'


def text(x, y, words, anchor="middle", colour="#222222") -> str:
    return f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}">{words}</text>'


def chart(title: str, x_label: str, y_label: str, series: dict, log_x=False) -> str:
    """`series`: name -> [(x, y), ...]. The y axis begins at 0, or below."""
    points = [p for line_points in series.values() for p in line_points]
    xs, ys = [p[0] for p in points], [p[1] for p in points]
    low_y, high_y = min(0, *ys), max(ys)
    to_x, to_y = scale(min(xs), max(xs), log_x), scale(low_y, high_y, False)

    def x_of(v):
        return LEFT + to_x(v) * (WIDTH - LEFT - RIGHT)

    def y_of(v):
        return HEIGHT - BOTTOM - to_y(v) * (HEIGHT - TOP - BOTTOM)

    out = [f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{HEIGHT}" font-family="sans-serif" '
           'font-size="12"><rect width="100%" height="100%" fill="white"/>', text(LEFT, 18, title, "start"),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 12, x_label), text(LEFT - 8, TOP - 2, y_label, "start", "#777777")]
    for v in ticks(low_y, high_y, False):
        out += [line(LEFT, y_of(v), WIDTH - RIGHT, y_of(v)), text(LEFT - 6, y_of(v) + 4, f"{v:g}", "end")]
    for v in ticks(min(xs), max(xs), log_x):
        out += [line(x_of(v), TOP, x_of(v), HEIGHT - BOTTOM), text(x_of(v), HEIGHT - BOTTOM + 18, f"{v:g}")]
    for i, (name, line_points) in enumerate(series.items()):
        colour, y = COLOURS[i % len(COLOURS)], TOP + 14 + 20 * i
        path = " ".join(f"{x_of(x):.1f},{y_of(v):.1f}" for x, v in sorted(line_points))
        out += [f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>',
                line(WIDTH - RIGHT + 10, y, WIDTH - RIGHT + 34, y, colour),
                text(WIDTH - RIGHT + 40, y + 4, name, "start", colour)]
    return "\n".join(out) + "\n</svg>\n"
