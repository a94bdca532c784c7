"""Names for arrays. Axes are named by encoding direction; leading axes (``...``) are batches.

The last axes are always (slice, freq, phase), in k-space and in the image. A 2D acquisition has one partition (slice
of length 1, whose Fourier transform is the identity); its slices, each measured and reconstructed by itself, are a
batch. So one function serves 2D and 3D.

The shapes are checked at run time in the tests only (jaxtyping's import hook with beartype) and cost nothing otherwise.
"""

from jaxtyping import Bool, Complex, Float
from torch import Tensor

KSpace = Complex[Tensor, "... coil slice freq phase"]
"""Multi-coil k-space, centred: the sample at index n // 2 of each axis is DC."""
CoilImages = Complex[Tensor, "... coil slice freq phase"]
"""One complex image per receive coil."""
CoilMaps = Complex[Tensor, "... coil slice freq phase"]
"""Complex receive sensitivities, dimensionless."""
ComplexImage = Complex[Tensor, "... freq phase"]
Image = Float[Tensor, "... freq phase"]
"""A real image, of a plane or (with slice before freq) of a volume; rows (last axis) run along phase."""
Mask = Bool[Tensor, "... freq phase"]
"""True where a sample or pixel counts."""
ContextVectors = Float[Tensor, "batch field"]
"""One row of :attr:`lucidmr.context.Context.vector` per image."""
