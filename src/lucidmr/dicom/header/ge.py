"""GE: private attributes of the groups GEMS_*, and the protocol block, which tells what was prescribed.

The prescription is asked last: what was carried out can differ from it.
"""

import re
from typing import Any, Final

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Confidence, Fact, Facts, Told, exact, flagged, inferred
from lucidmr.dicom.header.ge_protocol import read_ge_protocol
from lucidmr.dicom.header.standard import private_source, source, standard_facts
from lucidmr.dicom.values import number, private_bytes, private_numbers, private_text, tokens

_IMAGE: Final = "GEMS_IMAG_01"
_PARAMETERS: Final = "GEMS_PARM_01"
_SERIES: Final = "GEMS_SERS_01"
_COMPONENTS: Final = {0: "magnitude", 1: "phase", 2: "real", 3: "imaginary"}
_HALF_FOURIER: Final = {0.5: 0.57, 0.75: 0.75}
"""GE calls half Fourier "0.5 averages"; a few lines beyond the centre are always there."""


def ge(header: Dataset) -> Told:
    """What a GE image says.

    Args:
        header: The file's attributes.
    """
    protocol, warnings = _protocol(header)
    private = {**_matrix(header), **_parallel(header), **_reconstruction(header)}
    standard, fourier = standard_facts(header), _partial_fourier(header)
    # The standard's meaning of the words that GE uses otherwise is no second opinion.
    standard = {name: fact for name, fact in standard.items() if name not in fourier}
    return Told((private, fourier, standard, protocol), warnings)


def _matrix(header: Dataset) -> Facts:
    found: dict[str, Fact[Any]] = {}
    for name, element in (("matrix_freq", 0x60), ("matrix_phase", 0x61)):
        value = private_numbers(header, 0x0027, _IMAGE, element)
        if value and value[0] >= 1:
            found[name] = exact(value[0], private_source(0x0027, element, "ImageDimension"))
    factor = private_numbers(header, 0x0043, _PARAMETERS, 0x9B)
    if factor and 1 <= factor[0] <= 4:
        found["oversampling_phase"] = exact(factor[0] - 1, private_source(0x0043, 0x9B, "NoPhaseWrapFactor"))
    return found


def _parallel(header: Dataset) -> Facts:
    found: dict[str, Fact[Any]] = {}
    where = private_source(0x0043, 0x83, "ASSETRFactors")
    technique = private_text(header, 0x0043, _PARAMETERS, 0x84).split("\\")
    used = technique[5].upper() if len(technique) > 5 else ""
    if used == "NO":
        # The factors of an earlier protocol can remain.
        off = exact(1.0, f"{private_source(0x0043, 0x84, 'AccelerationType')} NO")
        found.update(acceleration_phase=off, acceleration_slice=off)
    else:
        shares = private_numbers(header, 0x0043, _PARAMETERS, 0x83)
        for name, share in zip(("acceleration_phase", "acceleration_slice"), shares, strict=False):
            if 1 / 64 <= share <= 1:
                found[name] = exact(round(1 / share, 2), where)
        if used == "YES" and (name := technique[6] if len(technique) > 6 else ""):
            found["technique"] = exact(name, private_source(0x0043, 0x84, "AccelerationType"))
    bands = private_numbers(header, 0x0043, _PARAMETERS, 0xB6) or _leading(header, 0xB6)
    if bands and bands[0] > 1:
        found["acceleration_slice"] = exact(bands[0], private_source(0x0043, 0xB6, "HyperBand"))
    return {**found, **_compressed_sensing(header)}


def _leading(header: Dataset, element: int) -> tuple[float, ...]:
    """The numbers that a list of texts begins with."""
    texts = private_text(header, 0x0043, _PARAMETERS, element).split("\\")
    numbers = []
    for part in texts:
        if not re.fullmatch(r"\d{1,3}(\.\d{1,6})?", part):
            break
        numbers.append(float(part))
    return tuple(numbers)


def _compressed_sensing(header: Dataset) -> Facts:
    values, where = _leading(header, 0xB7), private_source(0x0043, 0xB7, "HyperSense")
    if len(values) < 2:
        return {}
    if values[1] != 1 or values[0] < 1:
        return {"acceleration_random": exact(1.0, where)}
    return {
        "acceleration_random": exact(values[0], where),
        "elliptical": inferred(True, f"{where} leaves the corners out"),
    }


def _partial_fourier(header: Dataset) -> Facts:
    options, where = tokens(header, "ScanOptions"), f"{source('ScanOptions')} PFF"
    if "PFF" in options and "EP" in tokens(header, "ScanningSequence"):
        # By the standard PFF is freq; GE writes it for the phase direction of its echo planar scans.
        along_phase = f"{where}, which GE's echo planar scans write for phase"
        return {"partial_fourier_phase": flagged(along_phase), "partial_fourier_freq": inferred(1.0, along_phase)}
    averages = number(header, "NumberOfAverages")
    if averages in _HALF_FOURIER:
        return {
            "partial_fourier_phase": Fact(
                _HALF_FOURIER[averages], f"{source('NumberOfAverages')} {averages:g}", Confidence.INFERRED, 0.15
            )
        }
    return {}


def _reconstruction(header: Dataset) -> Facts:
    found: dict[str, Fact[Any]] = {}
    component = private_numbers(header, 0x0043, _PARAMETERS, 0x2F)
    if component and component[0] in _COMPONENTS:
        found["component"] = exact(_COMPONENTS[int(component[0])], private_source(0x0043, 0x2F, "ImageComponent"))
    if learned := private_text(header, 0x0043, _PARAMETERS, 0xCA):
        found["dl_reconstructed"] = exact(True, f"{private_source(0x0043, 0xCA, 'AIRReconDL')} {learned}")
    warped = re.search(r":([23]D)", private_text(header, 0x0043, _PARAMETERS, 0xB5).upper())
    if warped:
        found["distortion_correction"] = inferred(warped[1], private_source(0x0043, 0xB5, "GradWarp"))
    mode, where = private_text(header, 0x0043, _PARAMETERS, 0x2D).lower(), private_source(0x0043, 0x2D, "FilterMode")
    if private_text(header, 0x0043, _PARAMETERS, 0x88):
        found["normalized"] = inferred(True, private_source(0x0043, 0x88, "PURECalibration"))
    elif "s" in mode:
        found["normalized"] = inferred(True, f"{where} {mode} (SCIC)")
    if chosen := mode.replace("s", ""):
        found["filters"] = inferred(f"mode {chosen.upper()}", where)
    return found


def _protocol(header: Dataset) -> tuple[Facts, tuple[str, ...]]:
    block = private_bytes(header, 0x0025, _SERIES, 0x1B)
    if not block:
        return {}, ()
    try:
        return _prescribed(read_ge_protocol(block)), ()
    except ValueError as error:
        return {}, (f"damaged private data: {error}; read without it",)


def _prescribed(protocol: dict[str, str]) -> Facts:
    found: dict[str, Fact[Any]] = {}
    scales = {
        "matrix_freq": ("MATRIXX", 1.0), "matrix_phase": ("MATRIXY", 1.0), "phase_fov": ("PHASEFOV", 100.0),
        "acceleration_phase": ("PHASEACCEL", 1.0), "acceleration_slice": ("SLICEACCEL", 1.0),
    }  # fmt: skip
    for name, (key, scale) in scales.items():
        if (value := _number(protocol, key)) > 0:
            found[name] = inferred(value * scale, f"protocol {key}")
    if (bands := _number(protocol, "MBACCEL")) > 1:
        found["acceleration_slice"] = inferred(bands, "protocol MBACCEL")
    found.update(_factor(protocol, "NPW_FACTOR", "oversampling_phase"))
    if protocol.get("IMODE") == "3D":
        found.update(_factor(protocol, "NSW_FACTOR", "oversampling_slice"))
        found.update(_slices(protocol))
    if (choice := protocol.get("DLRECONCHOICES", "")) not in ("", "None"):
        found["dl_reconstructed"] = inferred(choice != "Off", f"protocol DLRECONCHOICES {choice}")
    if (choice := protocol.get("FILTCHOICE", "")) not in ("", "None"):
        found["filters"] = inferred(f"mode {choice}", "protocol FILTCHOICE")
    return found


def _factor(protocol: dict[str, str], key: str, name: str) -> Facts:
    factor = _number(protocol, key)
    return {name: inferred(round(factor - 1, 4), f"protocol {key}")} if factor >= 1 else {}


def _slices(protocol: dict[str, str]) -> Facts:
    """Slices are interpolated twice or four times (ZIP), and from fewer partitions (percent)."""
    zipped = re.search(r"ZIP ?([24])\b", protocol.get("IOPT", ""), re.I)
    percent = _number(protocol, "MATRIXZ")
    if not zipped and not 0 < percent <= 100:
        return {}
    share = min(percent or 100.0, 100.0) / 100 / (int(zipped[1]) if zipped else 1)
    return {"slice_resolution": inferred(share, "protocol " + ("IOPT ZIP" if zipped else "MATRIXZ"))}


def _number(protocol: dict[str, str], key: str) -> float:
    """0 where there is no sensible number."""
    try:
        value = float(protocol.get(key, ""))
    except ValueError:
        return 0.0
    return value if 0 < value < 1e5 else 0.0
