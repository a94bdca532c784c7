"""The scanner's chain in the scanner's order, in one readable place.

Steps 1 to 5 turn the k-space of the coils into images of the reconstructed matrix; given calibration and phase
reference they are linear (compressed sensing apart), so that signal and noise can be sent through side by side.
Steps 6 to 10 are those of one image: combination, component, normalization, distortion, storage.
"""

import torch
from jaxtyping import Complex, Float
from torch import Tensor

from lucidmr.degrade.apply import Acquired
from lucidmr.physics.fourier import resize_kspace, to_image, to_kspace
from lucidmr.physics.sampling import Sampling, plane_mask, sampling_mask, support_mask
from lucidmr.physics.undersampling import UniformUndersampling
from lucidmr.reconstruct.combine import phase_sum, root_sum_of_squares, sensitivity_weighted
from lucidmr.reconstruct.component import background_phase, component
from lucidmr.reconstruct.compressed_sensing import compressed_sensing
from lucidmr.reconstruct.distortion import correct_distortion
from lucidmr.reconstruct.filter import anti_ringing
from lucidmr.reconstruct.grappa import grappa, grappa_weights
from lucidmr.reconstruct.normalize import image_based_gain, prescan_gain
from lucidmr.reconstruct.partial_fourier import PhaseReference, partial_fourier, phase_reference
from lucidmr.reconstruct.quantize import quantize, stored_range
from lucidmr.reconstruct.sense import sense, sense_lattice
from lucidmr.reconstruct.sensitivities import Sensitivities
from lucidmr.reconstruct.settings import CompressedSensing, Grappa, Reconstruction, Sense
from lucidmr.shapes import CoilImages, CoilMaps, ComplexImage, Image, KSpace


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
    kspace = unalias(acquired, how, sensitivities)
    coils = coil_images(kspace, acquired.sampling, how, phase_reference(kspace, acquired.sampling))
    combined = combine(coils, how, sensitivities)
    image = correct(combined, normalization_gain(combined, how, sensitivities), how)
    return store(image, float(image.abs().amax()) if top is None else top, how)


def unalias(
    acquired: Acquired, how: Reconstruction, sensitivities: Sensitivities
) -> Complex[Tensor, "... channel slice freq phase"]:
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
        image = sensitivity_weighted(to_image(kspace), maps)
    elif isinstance(method, Sense):
        image = _sense(kspace, maps, sampling, method)
    else:
        image = _compressed_sensing(kspace, maps, sampling, method)
    return to_kspace(image).unsqueeze(-4) * support


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


def coil_images(
    kspace: KSpace, sampling: Sampling, how: Reconstruction, reference: PhaseReference
) -> Complex[Tensor, "... coil s f p"]:
    """Steps 3 to 5: partial Fourier, anti-ringing filter, zero-padding interpolation to the reconstructed matrix.

    Args:
        kspace: k-space without gaps inside the support.
        sampling: Its sampling.
        how: The scenario.
        reference: Image phase that partial Fourier methods go by (:func:`phase_reference` of the measured data).

    Returns:
        Images (..., coil, slice, freq, phase) on ``how.matrix``.
    """
    complete = partial_fourier(kspace, sampling, how.partial_fourier, reference)
    filtered = anti_ringing(complete, sampling, how.window, how.window_strength, how.window_shape)
    return to_image(resize_kspace(filtered, how.matrix))


def combine(images: CoilImages, how: Reconstruction, sensitivities: Sensitivities) -> ComplexImage:
    """Step 6, channel combination; nothing to do where unaliasing combined the channels."""
    if images.shape[-4] == 1:
        return images.squeeze(-4)
    match how.combination:
        case "root_sum_of_squares":
            return root_sum_of_squares(images)
        case "phase_sum":
            return phase_sum(images)
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
