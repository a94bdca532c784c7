"""Images side by side, as figures of a report."""

from collections.abc import Sequence

from lucidmr.drawing.pictures import Picture, auto_window, crop, grey_png, magnified, panels, thinned, uri
from lucidmr.evaluate.figures import detail_spot
from lucidmr.evaluate.finding import Figure

_HEIGHT = 320
"""Pixels that a small picture is magnified to, about."""


def plate(title: str, caption: str, images: Sequence[tuple[str, Picture]]) -> Figure:
    """Images side by side in the display range of the first, small ones magnified.

    Args:
        title: What they show.
        caption: How to read them.
        images: Label and image of each, at least one.
    """
    window = auto_window(images[0][1])
    shown = [(label, _enlarged(grey_png(thinned(image, 640), window), image.shape[0])) for label, image in images]
    return Figure(title, caption, f'<img src="{uri(panels(shown))}" alt="">')


def magnified_plate(title: str, caption: str, images: Sequence[tuple[str, Picture]]) -> Figure:
    """The most detailed part of the first image, in all of them.

    Args:
        title: What they show.
        caption: How to read them.
        images: Label and image of each, all of one shape.
    """
    spot = detail_spot(images[0][1])
    return plate(title, caption, [(label, crop(image, spot)) for label, image in images])


def _enlarged(png: bytes, rows: int) -> bytes:
    return magnified(png, max(1, round(_HEIGHT / rows)))
