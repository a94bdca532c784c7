"""The scanner's chain in the scanner's order, in one readable place.

Steps 1 to 4 go from k-space to k-space on the acquired matrix, where data are smallest. Steps 5 and 6, interpolation
and combination, go coil by coil: all coils on the interpolated matrix would be the largest array by far. Steps 7 to 10
are those of one image: component, normalization, distortion, storage.
"""

from collections.abc import Iterator

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.degrade.apply import Acquired
from lucidmr.physics.fourier import COIL, resize_kspace, to_image, to_kspace
from lucidmr.physics.sampling import Sampling, plane_mask, sampling_mask, support_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.combine import phase_sum, root_sum_of_squares, sensitivity_weighted, virtual_coil
from lucidmr.reconstruct.component import background_phase, component
from lucidmr.reconstruct.compressed_sensing import compressed_sensing
from lucidmr.reconstruct.distortion import correct_distortion
from lucidmr.reconstruct.filter import anti_ringing
from lucidmr.reconstruct.grappa import grappa, grappa_weights
from lucidmr.reconstruct.normalize import image_based_gain, prescan_gain
from lucidmr.reconstruct.partial_fourier import PartialFourierMethods, partial_fourier, phase_reference
from lucidmr.reconstruct.quantize import quantize, stored_range
from lucidmr.reconstruct.sense import sense, sense_lattice
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense
from lucidmr.shapes import CoilMaps, ComplexImage, Image, KSpace

Filtered = Complex[Tensor, "... channel k_slice k_freq k_phase"]
"""k-space on the acquired matrix, of the coils or, once a step has combined them, of one channel."""


def reconstruct(
    acquired: Acquired, how: Reconstruction, known: CoilMaps | None = None, top: float | None = None
) -> Image:
    """The whole chain: what the scanner would have stored.

    Args:
        acquired: Acquired k-space (..., coil, slice, freq, phase) with its calibration lines and sampling.
        how: The scenario.
        known: Sensitivities of a simulated array, where the scenario asks for them.
        top: Largest magnitude, as scanners find it over a whole series to scale all of it alike; that of these data
            unless given.

    Returns:
        (..., slice, freq, phase) image on ``how.matrix``, in units of the data.

    Raises:
        ValueError: Data and scenario do not fit; the message names what.
    """
    sensitivities = Sensitivities(acquired.calibration, how.sensitivities, known)
    combined = combine(filtered(acquired, how, sensitivities), how, sensitivities)
    image = correct(combined, normalization_gain(combined, how, sensitivities), how)
    return store(image, float(image.abs().amax()) if top is None else top, how)


def filtered(acquired: Acquired, how: Reconstruction, sensitivities: Sensitivities) -> Filtered:
    """Steps 1 to 4: unaliasing, partial Fourier, anti-ringing filter.

    Args:
        acquired: What was measured.
        how: The scenario.
        sensitivities: The examination's sensitivities.

    Returns:
        k-space on the acquired matrix, as it is to be zero-filled; one channel where unaliasing combines the coils.
    """
    sampling = acquired.sampling
    kspace = completed(unalias(acquired, how, sensitivities), sampling, how.partial_fourier)
    return anti_ringing(kspace, sampling, how.window, how.window_strength, how.window_shape)


def unalias(acquired: Acquired, how: Reconstruction, sensitivities: Sensitivities) -> Filtered:
    """Steps 1 and 2, parallel imaging and compressed sensing: k-space without gaps inside the support.

    Args:
        acquired: What was measured. GRAPPA fits each item of a batch to its own calibration lines.
        how: The scenario.
        sensitivities: The examination's sensitivities.

    Returns:
        k-space on the acquired matrix; one channel where the method combines the coils.
    """
    kspace, sampling, method = acquired.kspace, acquired.sampling, how.unaliasing
    if method is None or (sampling.undersampling is None and isinstance(method, Grappa)):
        return kspace
    support = support_mask(sampling).to(kspace.device)
    if isinstance(method, Grappa):
        lattice = _uniform(sampling)
        weights = grappa_weights(acquired.calibration, lattice, method.kernel, method.regularization)
        return grappa(kspace, sampling_mask(sampling).to(kspace.device), weights) * support
    maps = sensitivities.maps(sampling.matrix)
    if sampling.undersampling is None:
        image = sensitivity_weighted(coil_images(kspace, sampling.matrix), maps)
    elif isinstance(method, Sense):
        image = _sense(kspace, maps, sampling, method)
    else:
        image = _compressed_sensing(kspace, maps, sampling, method)
    return to_kspace(image).unsqueeze(COIL) * support


def _sense(kspace: KSpace, maps: CoilMaps, sampling: Sampling, how: Sense) -> ComplexImage:
    """The closed form where every alias lies on a pixel and nothing but the lattice was measured, else iterations."""
    lattice = _uniform(sampling)
    if _is_bare_lattice(lattice, sampling):
        return sense_lattice(kspace, maps, lattice, how.regularization)
    mask = sampling_mask(sampling).to(kspace.device)
    return sense(kspace, maps, mask, how.regularization, how.iterations)


def _is_bare_lattice(lattice: UniformUndersampling, sampling: Sampling) -> bool:
    """Whether the lattice is all that was acquired, and a whole number of its cells."""
    n_slice, _, n_phase = sampling.matrix
    if not lattice.is_lattice or n_slice % lattice.period[0] or n_phase % lattice.period[1]:
        return False
    return torch.equal(plane_mask(sampling), lattice.lattice(n_slice, n_phase))


def _compressed_sensing(kspace: KSpace, maps: CoilMaps, sampling: Sampling, how: CompressedSensing) -> ComplexImage:
    mask = sampling_mask(sampling).to(kspace.device)
    return compressed_sensing(kspace, maps, mask, how.prior, how.regularization, how.iterations)


def _uniform(sampling: Sampling) -> UniformUndersampling:
    if not isinstance(sampling.undersampling, UniformUndersampling):
        raise ValueError(f"undersampling is {sampling.undersampling}; GRAPPA and SENSE need uniform undersampling")
    return sampling.undersampling


def completed(kspace: Filtered, sampling: Sampling, methods: PartialFourierMethods) -> Filtered:
    """Step 3, partial Fourier, coil by coil, each by the phase of its own symmetric band.

    Args:
        kspace: k-space without gaps inside the support.
        sampling: Its sampling.
        methods: Method per direction.

    Returns:
        k-space on the same matrix.
    """
    if not methods.completions(sampling):
        return kspace
    coils = (
        partial_fourier(coil, sampling, methods, phase_reference(coil, sampling))
        for coil in torch.split(kspace, 1, COIL)
    )
    return torch.cat(list(coils), COIL)


def coil_images(kspace: Filtered, matrix: tuple[int, int, int]) -> Iterator[ComplexImage]:
    """Step 5, zero-padding interpolation: the image of one coil after the other on the wanted matrix."""
    return (to_image(resize_kspace(coil, matrix)) for coil in kspace.unbind(COIL))


def combine(kspace: Filtered, how: Reconstruction, sensitivities: Sensitivities) -> ComplexImage:
    """Steps 5 and 6, interpolation and channel combination; nothing to combine where unaliasing did it.

    Args:
        kspace: From :func:`filtered`.
        how: The scenario.
        sensitivities: The examination's sensitivities.

    Returns:
        (..., slice, freq, phase) image on ``how.matrix``.
    """
    images = coil_images(kspace, how.matrix)
    if kspace.shape[COIL] == 1:
        return next(images)
    match how.combination:
        case "root_sum_of_squares":
            return root_sum_of_squares(images)
        case "phase_sum":
            virtual = to_image(resize_kspace(virtual_coil(kspace), how.matrix))
            return phase_sum(images, virtual)
        case "sensitivity_weighted":
            return sensitivity_weighted(images, sensitivities.maps(how.matrix))


def normalization_gain(
    image: ComplexImage, how: Reconstruction, sensitivities: Sensitivities
) -> Float[Tensor, "... slice freq phase"] | None:
    """Factor of step 8, surface-coil intensity normalization; ``None`` where there is none."""
    match how.normalization:
        case "none":
            return None
        case "prescan":
            array = sensitivities.shading(how.matrix)
            return prescan_gain(array, torch.ones_like(array), how.normalization_strength)
        case "image_based":
            return image_based_gain(image.abs(), how.normalization_strength)


def correct(image: ComplexImage, gain: Float[Tensor, "... slice freq phase"] | None, how: Reconstruction) -> Image:
    """Steps 7 to 9: component, intensity normalization, distortion correction.

    Real and imaginary part are those relative to the image's own phase at low resolution; phase is as measured.
    """
    signed = how.component in ("real", "imaginary")
    shown = component(image, how.component, background_phase(image) if signed else None)
    if gain is not None and how.component != "phase":
        shown = shown * gain
    return shown if how.distortion is None else correct_distortion(shown, how.distortion)


def store(image: Image, top: float, how: Reconstruction) -> Image:
    """Step 10, integer storage; ``top`` is the largest magnitude that the scanner scaled to."""
    return quantize(image, how.levels, *stored_range(how.component, how.levels, top * how.headroom))
