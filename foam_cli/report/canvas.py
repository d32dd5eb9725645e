"""One look for every figure, and the way from matplotlib to PNG, SVG and a page of either brightness."""

import io
import re
import warnings
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from foam_cli.report.numbers import words

# The light theme. page.css defines a variable of the same name and value for each, and a dark value beside
# it; figures are drawn with these values, which the page swaps for the variables: so every value is unique.
PAPER = "#fdfcfa"
INK = "#1d1c1a"
MUTED = "#76716a"
LINE = "#e4e0d8"
BEFORE = "#b9b3a8"
LEARNT = "#0f766d"
KEPT = "#3a5f9e"
GROWTH = "#c2562d"
COLOURS = {
    "paper": PAPER,
    "ink": INK,
    "muted": MUTED,
    "line": LINE,
    "before": BEFORE,
    "learnt": LEARNT,
    "kept": KEPT,
    "growth": GROWTH,
}
FIGURE_WIDTH_INCHES = 4.8
PAGE_WIDTH_INCHES = 10.0
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",  # text stays text: it takes the page's font and can be searched
    "text.parse_math": False,  # names come from data; a dollar sign is no formula
    "axes.unicode_minus": True,
    "font.size": 8,
    "text.color": INK,
    "axes.edgecolor": LINE,
    "axes.labelcolor": MUTED,
    "axes.labelsize": 8,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "axes.grid": True,
    "grid.color": LINE,
    "grid.linewidth": 0.6,
    "xtick.color": LINE,
    "ytick.color": LINE,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "xtick.major.size": 0,
    "ytick.major.size": 0,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "path.simplify_threshold": 0.5,
}


@contextmanager
def drawing() -> Generator[None, None, None]:
    """Draw in the project's style; a letter that the font lacks is no reason to warn.

    Yields:
        Nothing.
    """
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield


def new_axes(
    height_inches: float,
    left: float,
    *,
    right: float = 0.02,
    top_inches: float = 0.3,
    bottom_inches: float = 0.42,
) -> tuple[Figure, Axes]:
    """Make an empty figure with one pair of axes.

    Args:
        height_inches: Its height.
        left: Margin at the left, as a fraction of the width.
        right: Margin at the right, as a fraction of the width.
        top_inches: Margin at the top, where the legend stands.
        bottom_inches: Margin at the bottom, where the axis is named.

    Returns:
        The figure and its axes.
    """
    figure = Figure(figsize=(FIGURE_WIDTH_INCHES, height_inches), facecolor=PAPER)
    FigureCanvasAgg(figure)
    bottom = bottom_inches / height_inches
    axes = figure.add_axes((left, bottom, 1 - left - right, 1 - bottom - top_inches / height_inches))
    axes.set_facecolor("none")
    return figure, axes


def new_page_row(height_inches: float, count: int) -> tuple[Figure, list[Axes]]:
    """Make an empty figure as wide as the page, with axes side by side that share nothing.

    Args:
        height_inches: Its height.
        count: How many axes.

    Returns:
        The figure and its axes.
    """
    figure = Figure(figsize=(PAGE_WIDTH_INCHES, height_inches), facecolor=PAPER)
    FigureCanvasAgg(figure)
    bottom, height, gap = 0.45 / height_inches, 1 - 0.55 / height_inches, 0.075
    width = (0.92 - gap * (count - 1)) / count
    axes = [figure.add_axes((0.06 + place * (width + gap), bottom, width, height)) for place in range(count)]
    for one in axes:
        one.set_facecolor("none")
    return figure, axes


def new_panels(count: int, num_columns: int, height_inches: float) -> tuple[Figure, list[Axes]]:
    """Make a figure as wide as the page, with small axes side by side that share their scales.

    Args:
        count: How many axes.
        num_columns: In how many columns.
        height_inches: Height of a row.

    Returns:
        The figure and its axes, row by row.
    """
    num_rows = -(-count // num_columns)
    total = num_rows * height_inches + 0.4
    figure = Figure(figsize=(PAGE_WIDTH_INCHES, total), facecolor=PAPER)
    FigureCanvasAgg(figure)
    gap = 0.48
    figure.subplots_adjust(
        left=0.05,
        right=0.985,
        wspace=0.2,
        hspace=gap / (height_inches - gap),
        bottom=0.46 / total,
        top=1 - 0.42 / total,
    )
    axes = [figure.add_subplot(num_rows, num_columns, place + 1) for place in range(count)]
    for one in axes:
        one.set_facecolor("none")
    return figure, axes


def legend(axes: Axes, columns: int) -> None:
    """Put the legend above the axes.

    Args:
        axes: The axes.
        columns: How many entries stand side by side.
    """
    axes.legend(
        loc="lower left", bbox_to_anchor=(-0.01, 1.0), ncols=columns, handlelength=1.2, columnspacing=1.4,
        borderaxespad=0.2, labelcolor=MUTED,
    )  # fmt: skip


def short(name: str, length: int = 16) -> str:
    """Shorten a name for a figure.

    Args:
        name: An identifier.
        length: Letters at the most.

    Returns:
        Its words, cut where they are too long.
    """
    text = words(name)
    return text if len(text) <= length else text[: length - 1] + "…"


def draw_cell(axes: Axes, column: int, row: int, share: float, strong: str = GROWTH) -> None:
    """Draw a cell of a heat map.

    Args:
        axes: The axes.
        column: Where.
        row: Where.
        share: Its value, from 0 to 1; nothing at all is drawn in grey.
        strong: Its colour at 1.
    """
    colour, alpha = (strong, 0.15 + 0.85 * share) if share > 0 else (LINE, 0.6)
    axes.add_patch(
        Rectangle((column - 0.46, row - 0.42), 0.92, 0.84, facecolor=colour, alpha=alpha, linewidth=0)
    )


def save(figure: Figure, folder: Path, name: str) -> str:
    """Write a figure as PNG and SVG.

    Args:
        figure: The figure.
        folder: Where to write; made where it is missing.
        name: File name without its ending.

    Returns:
        The SVG for use inside a page, with the page's own colours.
    """
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / f"{name}.png", dpi=200, metadata={"Software": None})
    buffer = io.StringIO()
    nothing = dict.fromkeys(("Creator", "Date", "Format", "Type"))
    with matplotlib.rc_context({"svg.hashsalt": name}):
        figure.savefig(buffer, format="svg", metadata=nothing)
    svg = buffer.getvalue()
    (folder / f"{name}.svg").write_text(svg, encoding="utf-8")
    return _inline(svg, name)


def _inline(svg: str, name: str) -> str:
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<defs>\s*<style.*?</style>\s*</defs>", "", svg, count=1, flags=re.DOTALL)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", svg, count=1)
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*"', r'\1 aria-hidden="true"', svg, count=1)
    svg = re.sub(r'\bid="', f'id="{name}-', svg)
    svg = re.sub(r'(href="|url\()#', rf"\1#{name}-", svg)
    svg = re.sub(r"(font: [^;\"]*?px) [^;\"]*", r"\1 var(--font)", svg)
    for variable, colour in COLOURS.items():
        svg = svg.replace(colour, f"var(--{variable})")
    return svg
