"""The network on whole images, and on overlapping tiles where memory does not suffice."""

from collections.abc import Callable, Iterator
from typing import Final

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn import functional as F

from lucidmr.errors import LucidError

Parts = Callable[[Float[Tensor, "b slice h w"]], Float[Tensor, "b part h w"]]

OVERLAP: Final = 64
"""Pixels by which tiles overlap on either side; about the network's effective reach."""
_LEAST_TILE: Final = 128


def parts_of(network: Parts, images: Float[Tensor, "b slice h w"], stride: int) -> Float[Tensor, "b part h w"]:
    """Run the network on images of any size; halve the tiles for as long as memory does not suffice.

    Args:
        network: Takes images whose sides are multiples of ``stride``.
        images: Standardized images.
        stride: The network's stride.

    Returns:
        Its output on the images' size.

    Raises:
        LucidError: Memory does not suffice for the smallest tile either.
    """
    tile = max(images.shape[-2:])
    while True:
        try:
            return _tiled(network, images, stride, tile)
        except (RuntimeError, MemoryError) as error:
            if not _out_of_memory(error):
                raise
        if tile <= _LEAST_TILE:
            raise LucidError(
                f"out of memory on {images.device} even for tiles of {tile} pixels; free memory or use --device cpu"
            )
        tile = max(_LEAST_TILE, tile // 2)
        if images.device.type == "cuda":
            torch.cuda.empty_cache()


def _tiled(network: Parts, images: Tensor, stride: int, tile: int) -> Tensor:
    height, width = images.shape[-2:]
    if tile >= max(height, width):
        return _padded(network, images, stride)
    return torch.cat([_row(network, images, rows, stride, tile) for rows in _spans(height, tile)], -2)


def _row(network: Parts, images: Tensor, rows: tuple[slice, slice], stride: int, tile: int) -> Tensor:
    """A row of tiles, joined."""
    kept_rows = _inside(*rows)
    tiles = (
        _padded(network, images[..., rows[0], read], stride)[..., kept_rows, _inside(read, kept)]
        for read, kept in _spans(images.shape[-1], tile)
    )
    return torch.cat(list(tiles), -1)


def _inside(read: slice, kept: slice) -> slice:
    """Where what is kept lies in what was read."""
    return slice(kept.start - read.start, kept.stop - read.start)


def _spans(length: int, tile: int) -> Iterator[tuple[slice, slice]]:
    """What to read and, inside it, what to keep."""
    for start in range(0, length, tile):
        stop = min(start + tile, length)
        yield slice(max(0, start - OVERLAP), min(length, stop + OVERLAP)), slice(start, stop)


def _padded(network: Parts, images: Tensor, stride: int) -> Tensor:
    """Repeat the border up to the next multiple of the stride."""
    height, width = images.shape[-2:]
    padding = (0, -width % stride, 0, -height % stride)
    return network(F.pad(images, padding, mode="replicate"))[..., :height, :width]


def _out_of_memory(error: BaseException) -> bool:
    text = str(error).lower()
    return (
        isinstance(error, (MemoryError, torch.OutOfMemoryError))
        or "out of memory" in text
        or "not enough memory" in text
        or "can't allocate memory" in text
    )
