"""Remove readout oversampling."""

from jaxtyping import Bool, Complex
from torch import Tensor, arange

from lucidmr.physics.fourier import central_band, to_image, to_kspace


def crop_readout(
    kspace: Complex[Tensor, "..."], acquired: Bool[Tensor, "..."], samples: int, axis: int
) -> tuple[Complex[Tensor, "..."], Bool[Tensor, "..."]]:
    """Crop the field of view along the readout to its middle, which leaves ``samples`` of k-space over the same k_max.

    White noise keeps its standard deviation per sample. Where an asymmetric echo ends, the crop spreads a little signal
    beyond its last sample; that is cleared.

    Args:
        kspace: Centred k-space, 0 where nothing was acquired.
        acquired: Where something was, with the same readout axis.
        samples: Samples to keep.
        axis: The readout axis of both, counted from the end.

    Returns:
        Cropped k-space and where it was acquired.
    """
    width = kspace.shape[axis]
    if samples >= width:
        return kspace, acquired
    image = to_image(kspace, (axis,)).narrow(axis, central_band(width, samples)[0], samples)
    nearest = ((arange(samples) - samples // 2) * (width / samples)).round().long() + width // 2
    acquired = acquired.index_select(axis, nearest.clamp_(0, width - 1))
    return to_kspace(image, (axis,)), acquired
