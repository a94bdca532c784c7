"""CE U-Net: a U-Net told by contextual data (Jeong et al., arXiv 2405.03684, section 2.3, figure 2).

Ours, beside the paper: a gated head. The network predicts the noise and one detail image per direction, and the output
is y - (1 - 1/NRF) noise + sum_d gate_d detail_d, with gate_d = 0 where nothing is asked along d. Asking for nothing
then changes nothing by construction, and the noise dial is linear in (1 - 1/NRF). And a space-to-depth stem:
standardized images are interpolated at least twofold, so a 2 x 2 block of pixels is one position with four channels.

A network for 3D acquisitions looks at a stack of neighbouring slices and enhances the middle one.
"""

from dataclasses import asdict, dataclass
from typing import Any, Literal

import torch
from jaxtyping import Float
from torch import Tensor, nn
from torch.nn import functional as F

from lucidmr.context import CONTEXT_FIELDS, Directions
from lucidmr.shapes import ContextVectors

Modulation = Literal["none", "film", "bottleneck", "decoder"]
Head = Literal["gated", "plain"]


@dataclass(frozen=True)
class NetworkSettings:
    """Shape of the network.

    Attributes:
        channels: Output channels of the blocks from the finest to the bottleneck.
        stem: Side of the space-to-depth block; 1 works on single pixels as the paper does.
        modulation: Where the dynamic modulation pathway acts: nowhere, at the bottleneck, or there and after every
            decoder block; ``film`` scales and shifts features there, but filters none (Perez et al., AAAI 2018).
        hidden: Units of the pathway's hidden layers.
        slices: Neighbouring slices that the network looks at, odd; 1 for 2D acquisitions.
        head: Whether what is asked for gates what the network predicts, or that is taken as it is.

    Raises:
        ValueError: The number of slices is not odd.
    """

    channels: tuple[int, ...] = (64, 128, 256, 256, 512)
    stem: int = 2
    modulation: Modulation = "decoder"
    hidden: int = 128
    slices: int = 1
    head: Head = "gated"

    def __post_init__(self) -> None:
        if self.slices < 1 or self.slices % 2 == 0:
            raise ValueError(f"slices is {self.slices}; it must be odd, so that one of them is the middle")

    @property
    def parts(self) -> int:
        """Images that the network predicts: the noise, and the detail along freq, phase and, in 3D, slice.

        Of a plain head it is the one image that is to be taken off the input.
        """
        if self.head == "plain":
            return 1
        return 3 if self.slices == 1 else 4

    @property
    def stride(self) -> int:
        """The network's input sides must be multiples of this."""
        return int(self.stem * 2 ** (len(self.channels) - 1))

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        return {**asdict(self), "channels": list(self.channels)}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "NetworkSettings":
        """The inverse of :meth:`to_json`."""
        return cls(**{**values, "channels": tuple(values["channels"])})


class DynamicModulation(nn.Module):
    """Context to depthwise convolution kernels and biases, one set per sample, applied as a residual.

    The last layer starts at zero, so the pathway starts as the identity. Kernels of a single pixel scale and shift.
    """

    def __init__(self, embedded: int, channels: int, side: int = 3) -> None:
        super().__init__()
        self.side = side
        self.kernels = nn.Linear(embedded, channels * (side**2 + 1))
        nn.init.zeros_(self.kernels.weight)
        nn.init.zeros_(self.kernels.bias)

    def forward(self, features: Float[Tensor, "b c h w"], embedding: Float[Tensor, "b e"]) -> Float[Tensor, "b c h w"]:
        """Modulate the features of each sample with the kernels that its context asks for."""
        batch, channels, _, _ = features.shape
        parameters = self.kernels(embedding).view(batch, channels, -1).to(features.dtype)
        kernels, biases = parameters[..., :-1].unflatten(2, (1, self.side, self.side)), parameters[..., -1]
        # On CPUs filters of one sample are several times as fast as those of many in one, but their gradients are not.
        if torch.is_grad_enabled():
            modulated: Tensor = features + self._together(features, kernels) + biases[..., None, None]
            return modulated
        samples = zip(torch.tensor_split(features, batch), kernels, biases, strict=True)
        return torch.cat([self._alone(*sample).add_(sample[0]) for sample in samples])

    def _together(
        self, features: Float[Tensor, "b c h w"], kernels: Float[Tensor, "b c 1 k k"]
    ) -> Float[Tensor, "b c h w"]:
        grouped = features.flatten(0, 1)[None]
        filtered = F.conv2d(grouped, kernels.flatten(0, 1), padding=self.side // 2, groups=grouped.shape[1])
        return filtered.view_as(features)

    def _alone(
        self, features: Float[Tensor, "1 c h w"], kernels: Float[Tensor, "c 1 k k"], biases: Float[Tensor, " c"]
    ) -> Float[Tensor, "1 c h w"]:
        return F.conv2d(features, kernels, biases, padding=self.side // 2, groups=features.shape[1])


class CEUNet(nn.Module):
    """Context enhanced U-Net with a gated head.

    Call it with standardized images (batch, slice, freq, phase), sides multiples of ``settings.stride``, and context
    vectors (batch, field); it returns the enhanced middle slices (batch, 1, freq, phase).
    """

    def __init__(self, settings: NetworkSettings) -> None:
        super().__init__()
        self.settings = settings
        widths = settings.channels
        inputs = (settings.slices * settings.stem**2, *widths[:-1])
        self.encoder = nn.ModuleList(_block(i, o) for i, o in zip(inputs, widths, strict=True))
        self.decoder = nn.ModuleList(
            _block(deep + skip, skip) for deep, skip in zip(widths[:0:-1], widths[-2::-1], strict=True)
        )
        modulated = {"none": (), "bottleneck": widths[-1:]}.get(settings.modulation, widths[::-1])
        self.embedding = nn.Sequential(
            nn.Linear(len(CONTEXT_FIELDS), settings.hidden),
            nn.SiLU(),
            nn.Linear(settings.hidden, settings.hidden),
            nn.SiLU(),
        )
        side = 1 if settings.modulation == "film" else 3
        self.modulation = nn.ModuleList(DynamicModulation(settings.hidden, width, side) for width in modulated)
        self.head = nn.Conv2d(widths[0], settings.parts * settings.stem**2, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type]

    def forward(self, images: Float[Tensor, "b slice h w"], context: ContextVectors) -> Float[Tensor, "b 1 h w"]:
        """Enhance the middle slices of standardized images as their context asks."""
        middle = self.settings.slices // 2
        removal = nominal_removal(context) if self.settings.head == "gated" else 1.0
        return blend(images[:, middle : middle + 1], self.parts(images, context), context, removal)

    def parts(self, images: Float[Tensor, "b slice h w"], context: ContextVectors) -> Float[Tensor, "b part h w"]:
        """The predicted noise of the middle slices and their details along freq, phase (and slice), not yet blended.

        Raises:
            ValueError: The number of slices is not the network's, or a side is not a multiple of its stride.
        """
        if images.shape[1] != self.settings.slices:
            raise ValueError(f"{images.shape[1]} slices for a network of {self.settings.slices}")
        if images.shape[-2] % self.settings.stride or images.shape[-1] % self.settings.stride:
            raise ValueError(
                f"the sides {tuple(images.shape[-2:])} must be multiples of the stride {self.settings.stride}"
            )
        embedding = self.embedding(context)
        x = F.pixel_unshuffle(images, self.settings.stem).contiguous(memory_format=torch.channels_last)
        skips = []
        for level, block in enumerate(self.encoder):
            x = block(x if level == 0 else F.max_pool2d(x, 2))
            skips.append(x)
        skips.pop()
        x = self._modulate(0, x, embedding)
        for level, block in enumerate(self.decoder, start=1):
            x = block(torch.cat([F.interpolate(x, scale_factor=2, mode="nearest"), skips.pop()], 1))
            x = self._modulate(level, x, embedding)
        return F.pixel_shuffle(self.head(x), self.settings.stem).float()

    def _modulate(self, level: int, features: Tensor, embedding: Tensor) -> Tensor:
        if level >= len(self.modulation):
            return features
        modulated: Tensor = self.modulation[level](features, embedding)
        return modulated


def blend(
    images: Float[Tensor, "b 1 h w"],
    parts: Float[Tensor, "b part h w"],
    context: ContextVectors,
    removal: Float[Tensor, "b 1 1 1"] | float,
) -> Float[Tensor, "b 1 h w"]:
    """The gated head: y - removal * noise + sum_d gate_d detail_d.

    Args:
        images: Standardized input y.
        parts: What :meth:`CEUNet.parts` predicted for it.
        context: Its context.
        removal: Share of the predicted noise to remove; 1 - 1/NRF is the nominal one.

    Returns:
        The enhanced images, in float32.
    """
    return sum(gated_details(parts, context), start=images - removal * parts[:, 0:1])


def gated_details(parts: Float[Tensor, "b part h w"], context: ContextVectors) -> list[Float[Tensor, "b 1 h w"]]:
    """What of the predicted detail is let through, per direction."""
    directions = Directions._fields[: parts.shape[1] - 1]
    return [gate(context, name) * parts[:, part : part + 1] for part, name in enumerate(directions, start=1)]


def nominal_removal(context: ContextVectors) -> Float[Tensor, "b 1 1 1"]:
    """1 - 1/NRF: what is to be removed of a perfectly predicted noise."""
    return 1.0 - torch.exp2(-_field(context, "noise_reduction"))


def gate(context: ContextVectors, direction: str) -> Float[Tensor, "b 1 1 1"]:
    """How far the detail along a direction is let through: 0 where nothing is asked, near 1 from a gain of 1.5.

    The request is log2 of the gain plus four times the share of k-space that partial Fourier left out and that is to
    be restored.
    """
    asked = _field(context, f"gain_{direction}") + 4.0 * _field(context, f"restore_{direction}")
    return 1.0 - torch.exp(-4.0 * asked)


def _field(context: ContextVectors, name: str) -> Float[Tensor, "b 1 1 1"]:
    return context[:, CONTEXT_FIELDS.index(name), None, None, None]


def _block(n_in: int, n_out: int) -> nn.Sequential:
    """Two 3 x 3 convolutions with ReLU, He-initialised (no normalization layers: intensities carry meaning)."""
    convolutions = [nn.Conv2d(n_in, n_out, 3, padding=1), nn.Conv2d(n_out, n_out, 3, padding=1)]
    for convolution in convolutions:
        nn.init.kaiming_normal_(convolution.weight, nonlinearity="relu")
        nn.init.zeros_(convolution.bias)  # type: ignore[arg-type]
    return nn.Sequential(convolutions[0], nn.ReLU(inplace=True), convolutions[1], nn.ReLU(inplace=True))
