"""Arrays to PNG: windowed grey images, signed differences, maps, crops and panels.

Pictures are in display orientation: rows downwards, columns to the right.
"""

from base64 import b64encode
from collections.abc import Sequence
from io import BytesIO
from math import ceil, floor, log10
from typing import Final, NamedTuple

import numpy as np
import torch
from jaxtyping import Float
from PIL import Image as Pillow
from PIL import ImageDraw, ImageFont
from torch import Tensor

Picture = Float[Tensor, "row column"]

# Dark where nothing changed, as the images around it are: blue below 0, red above. Nearly equal steps of lightness on
# both sides, distinguishable in all common colour vision deficiencies (the idea of "berlin", F. Crameri, 2018).
DIVERGING: Final = (
    (158, 197, 255),
    (74, 144, 205),
    (30, 76, 112),
    (14, 16, 20),
    (112, 44, 28),
    (203, 106, 74),
    (255, 186, 160),
)
# Dark blue to yellow with even steps of lightness (the control points of viridis, Smith and van der Walt, 2015).
SEQUENTIAL: Final = ((68, 1, 84), (59, 82, 139), (33, 145, 140), (94, 201, 98), (253, 231, 37))

_BACKGROUND: Final = (14, 16, 20)
_FOREGROUND: Final = (226, 230, 236)
_GAP: Final = 8
_LABEL: Final = 26


class Window(NamedTuple):
    """Display range: values at ``low`` are black, at ``high`` white."""

    low: float
    high: float


class Crop(NamedTuple):
    """A rectangle of an image, pixels."""

    top: int
    left: int
    height: int
    width: int


def auto_window(image: Picture) -> Window:
    """The display range that leaves out the darkest half and the brightest half percent of non-zero pixels.

    Args:
        image: The image.

    Returns:
        The range, never empty.
    """
    values = image[image != 0]
    values = values[:: max(1, len(values) // 1_000_000)].float()
    if not len(values):
        return Window(0.0, 1.0)
    low, high = float(values.quantile(0.005)), float(values.quantile(0.995))
    return Window(min(low, 0.0) if low < 0.2 * high else low, high if high > low else low + 1.0)


def auto_limit(difference: Picture) -> float:
    """The value of full colour that all but the largest half percent of a signed difference stay below.

    Args:
        difference: after - before.

    Returns:
        A number with one significant digit, so that scales read well; 1 where nothing changed.
    """
    value = float(difference.abs().flatten()[:: max(1, difference.numel() // 10**6)].quantile(0.995))
    if value <= 0.0:
        return 1.0
    power = 10.0 ** floor(log10(value))
    return ceil(value / power - 1e-9) * power


def thinned(image: Picture, side: int = 1024) -> Float[Tensor, "thinner_row thinner_column"]:
    """Every so many-th pixel, so that no side is longer than ``side``."""
    step = -(-max(image.shape) // side)
    return image[::step, ::step]


def grey_png(image: Picture, window: Window) -> bytes:
    """A windowed grey image.

    Args:
        image: The image.
        window: Display range.

    Returns:
        An 8-bit grey PNG.
    """
    scaled = ((image.float() - window.low) / (window.high - window.low)).clamp(0.0, 1.0)
    return _png(Pillow.fromarray((255.0 * scaled).round().to(torch.uint8).cpu().numpy()))


def difference_png(difference: Picture, limit: float) -> bytes:
    """A signed difference on the diverging map.

    Args:
        difference: after - before.
        limit: The value of full colour, positive.

    Returns:
        A colour PNG, dark where nothing changed.
    """
    return _png(_mapped((difference / (2.0 * limit) + 0.5), DIVERGING))


def map_png(values: Picture, window: Window) -> bytes:
    """A map of positive values on the sequential map; black where it is 0 or not finite.

    Args:
        values: For example noise reduction factors.
        window: Display range.

    Returns:
        A colour PNG.
    """
    shown = values.isfinite() & (values != 0)
    picture = np.asarray(_mapped((values - window.low) / (window.high - window.low), SEQUENTIAL)).copy()
    picture[~shown.cpu().numpy()] = _BACKGROUND
    return _png(Pillow.fromarray(picture))


def bar_png(colours: Sequence[tuple[int, int, int]], width: int = 256, height: int = 12) -> bytes:
    """The scale bar of a map, from its lowest value on the left to its highest on the right.

    Args:
        colours: :data:`DIVERGING` or :data:`SEQUENTIAL`.
        width: Pixels.
        height: Pixels.

    Returns:
        A colour PNG.
    """
    return _png(_mapped(torch.linspace(0, 1, width).expand(height, width), colours))


def crop(image: Picture, where: Crop) -> Float[Tensor, "height width"]:
    """Cut out a rectangle; what lies outside the image is left out."""
    return image[where.top : where.top + where.height, where.left : where.left + where.width]


def magnified(png: bytes, factor: int) -> bytes:
    """Enlarge a picture with square pixels: a crop must not look smoother than it is.

    Args:
        png: Any picture.
        factor: Pixels per pixel.

    Returns:
        The enlarged PNG.
    """
    picture = Pillow.open(BytesIO(png))
    return _png(picture.resize((factor * picture.width, factor * picture.height), Pillow.Resampling.NEAREST))


def with_inset(png: bytes, where: Crop, factor: int) -> bytes:
    """Frame a rectangle and show it, magnified, in the lower right corner.

    Args:
        png: Any picture.
        where: The rectangle to show.
        factor: Pixels per pixel; the inset should stay well below half of the picture.

    Returns:
        A colour PNG of the same size.
    """
    picture = Pillow.open(BytesIO(png)).convert("RGB")
    box = (where.left, where.top, where.left + where.width, where.top + where.height)
    inset = picture.crop(box).resize((factor * where.width, factor * where.height), Pillow.Resampling.NEAREST)
    left, top = picture.width - inset.width, picture.height - inset.height
    picture.paste(inset, (left, top))
    draw = ImageDraw.Draw(picture)
    draw.rectangle(box, outline=(255, 196, 61))
    draw.rectangle((left - 1, top - 1, picture.width - 1, picture.height - 1), outline=(255, 196, 61))
    return _png(picture)


def panels(pictures: Sequence[tuple[str, bytes]]) -> bytes:
    """Pictures side by side, each with its label above.

    Args:
        pictures: Label and PNG of each.

    Returns:
        One colour PNG.
    """
    opened = [(label, Pillow.open(BytesIO(png)).convert("RGB")) for label, png in pictures]
    width = sum(picture.width for _, picture in opened) + _GAP * (len(opened) + 1)
    height = max((picture.height for _, picture in opened), default=0) + _LABEL + _GAP
    sheet = Pillow.new("RGB", (width, height), _BACKGROUND)
    draw, left = ImageDraw.Draw(sheet), _GAP
    for label, picture in opened:
        draw.text((left, 6), label, fill=_FOREGROUND, font=ImageFont.load_default(size=14))
        sheet.paste(picture, (left, _LABEL))
        left += picture.width + _GAP
    return _png(sheet)


def uri(png: bytes) -> str:
    """A PNG as a data URI."""
    return "data:image/png;base64," + b64encode(png).decode("ascii")


def _mapped(unit: Picture, colours: Sequence[tuple[int, int, int]]) -> Pillow.Image:
    """Values 0 to 1 on evenly spaced colours."""
    table = torch.tensor(colours, dtype=torch.float32)
    position = unit.float().cpu().nan_to_num().clamp(0.0, 1.0) * (len(table) - 1)
    lower = position.floor().clamp_max(len(table) - 2).long()
    weight = (position - lower)[..., None]
    mixed = table[lower] * (1.0 - weight) + table[lower + 1] * weight
    return Pillow.fromarray(mixed.round().to(torch.uint8).numpy())


def _png(picture: Pillow.Image) -> bytes:
    buffer = BytesIO()
    picture.save(buffer, format="PNG")
    return buffer.getvalue()
