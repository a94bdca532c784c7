"""Facts from the measurement protocol of Siemens scanners, a text of ``key = value`` lines.

Classic images keep it in the CSA header (MrPhoenixProtocol), NUMARIS/X images in a private attribute of their own; the
keys are the same. What is off or at its default is left out. VB releases write whole numbers in hexadecimal.
"""

import re
from collections.abc import Mapping
from math import floor
from typing import Any, Final

from lucidmr.dicom.header.fact import Fact, Facts, exact, inferred, unknown

Protocol = Mapping[str, str]

_BEGIN: Final = "### ASCCONV BEGIN"
_END: Final = "### ASCCONV END"
_LINE: Final = re.compile(r"^([\w.\[\]]{1,200})[ \t]*=[ \t]*([^\r\n#]*)", re.M)

# The keys' codes. What is not listed was never seen and is not guessed.
_FRACTIONS: Final = {1: 4 / 8, 2: 5 / 8, 4: 6 / 8, 8: 7 / 8, 16: 1.0}
_DIMENSIONS: Final = {2: False, 4: True}
_TECHNIQUES: Final = {1: "none", 2: "GRAPPA", 4: "mSENSE", 8: "CAIPIRINHA", 32: "SMS", 256: "CS"}
_COMBINATIONS: Final = {1: "sum of squares", 2: "adaptive"}
_DISTORTION: Final = {1: "none", 2: "2D", 4: "3D"}
_FILTERS: Final = {"raw": "sRawFilter.ucOn", "elliptical": "sEllipticalFilter.ucOn", "Hamming": "sHammingFilter.ucOn"}
_MOST: Final = 1e6
"""No number that is asked for comes near it."""
_NO_PAT: Final = 1
_COMPRESSED_SENSING: Final = 256


def read_protocol(text: str) -> Protocol:
    """The last complete protocol in a text, its values as text; empty if there is none."""
    end = text.rfind(_END)
    begin = text.rfind(_BEGIN, 0, max(end, 0))
    if begin < 0:
        return {}
    return {key: value.strip().strip('"') for key, value in _LINE.findall(text[begin:end])}


def protocol_facts(protocol: Protocol) -> Facts:
    """What was measured, by the protocol."""
    volume = _coded(protocol, "sKSpace.ucDimension", _DIMENSIONS)
    found: dict[str, Fact[Any]] = {
        **_matrix(protocol),
        **_partial_fourier(protocol, bool(volume)),
        **_parallel(protocol),
        **_reconstruction(protocol),
    }
    if volume is not None:
        found["three_dimensional"] = exact(volume, _key("sKSpace.ucDimension"))
    if volume:
        found.update(_slices(protocol))
    return found


def _number(protocol: Protocol, key: str) -> float | None:
    value = protocol.get(key, "")
    try:
        number = float(int(value, 16) if value.lower().startswith("0x") else float(value))
    except (ValueError, OverflowError):
        return None
    return number if abs(number) < _MOST else None


def _on(protocol: Protocol, key: str) -> bool:
    return bool(_number(protocol, key))


def _coded(protocol: Protocol, key: str, codes: Mapping[int, Any]) -> Any:
    number = _number(protocol, key)
    return None if number is None else codes.get(int(number))


def _key(name: str) -> str:
    return f"protocol {name}"


def _matrix(protocol: Protocol) -> Facts:
    found: dict[str, Fact[Any]] = {}
    base = _number(protocol, "sKSpace.lBaseResolution") or 0.0
    resolution = _number(protocol, "sKSpace.dPhaseResolution") or 0.0
    phase_mm = _number(protocol, "sSliceArray.asSlice[0].dPhaseFOV") or 0.0
    freq_mm = _number(protocol, "sSliceArray.asSlice[0].dReadoutFOV") or 0.0
    if base >= 1:
        found["matrix_freq"] = exact(base, _key("sKSpace.lBaseResolution"))
    if min(phase_mm, freq_mm) > 0:
        found["phase_fov"] = exact(100 * phase_mm / freq_mm, _key("sSliceArray.asSlice[0].dPhaseFOV / dReadoutFOV"))
    if 0 < resolution <= 1:
        found["phase_resolution"] = exact(resolution, _key("sKSpace.dPhaseResolution"))
    if len(found) == 3 and (lines := float(floor(base * resolution * phase_mm / freq_mm + 0.5))) >= 1:
        found["matrix_phase"] = exact(lines, _key("lBaseResolution x dPhaseResolution x phase field of view"))
        found.update(_oversampling(protocol, lines))
    return found


def _oversampling(protocol: Protocol, lines: float) -> Facts:
    encoded = _number(protocol, "sKSpace.lPhaseEncodingLines")
    if encoded is None or encoded < lines:
        return {}
    # More than the wanted share where the number of lines had to be a multiple of the echo train.
    return {"oversampling_phase": exact(encoded / lines - 1, _key("sKSpace.lPhaseEncodingLines"))}


def _slices(protocol: Protocol) -> Facts:
    resolution = _number(protocol, "sKSpace.dSliceResolution")
    images, partitions = (_number(protocol, f"sKSpace.{key}") for key in ("lImagesPerSlab", "lPartitions"))
    if not resolution or not 0 < resolution <= 1:
        return {}
    found = {"slice_resolution": exact(resolution, _key("sKSpace.dSliceResolution"))}
    if images and partitions and images >= 1:
        inside = max(1.0, floor(images * resolution + 0.5))
        found["oversampling_slice"] = exact(max(0.0, partitions / inside - 1), _key("sKSpace.lPartitions"))
    return found


def _partial_fourier(protocol: Protocol, volume: bool) -> Facts:
    keys = {"partial_fourier_phase": "sKSpace.ucPhasePartialFourier"}
    keys["partial_fourier_freq"] = "sKSpace.ucReadoutPartialFourier"
    if volume:
        keys["partial_fourier_slice"] = "sKSpace.ucSlicePartialFourier"
    found: dict[str, Fact[Any]] = {}
    for name, key in keys.items():
        # A code beyond the list ("allowed") leaves the choice to the scanner.
        if (fraction := _coded(protocol, key, _FRACTIONS)) is not None:
            found[name] = exact(fraction, _key(key))
    asymmetric = _number(protocol, "sKSpace.ucAsymmetricEchoMode")
    if asymmetric is not None and asymmetric > 1 and found.get("partial_fourier_freq", exact(1.0, "")).value == 1.0:
        found["partial_fourier_freq"] = unknown(f"{_key('sKSpace.ucAsymmetricEchoMode')}: an asymmetric echo")
    return found


def _parallel(protocol: Protocol) -> Facts:
    mode = _number(protocol, "sPat.ucPATMode")
    if mode is None:
        return {}
    where = _key("sPat.ucPATMode")
    found: dict[str, Fact[Any]] = {"acceleration_random": exact(1.0, where)}
    if technique := _TECHNIQUES.get(int(mode)):
        found["technique"] = exact(technique, where)
    if mode == _COMPRESSED_SENSING:
        # The other modes leave a factor of an earlier protocol behind.
        total = _number(protocol, "sPat.dTotalAccelFact")
        random = exact(total, _key("sPat.dTotalAccelFact")) if total and total >= 1 else unknown(f"{where}: no factor")
        one = exact(1.0, where)
        return {**found, "acceleration_random": random, "acceleration_phase": one, "acceleration_slice": one}
    # Without parallel imaging the factors of an earlier protocol remain.
    factors = (_number(protocol, f"sPat.lAccelFact{direction}") for direction in ("PE", "3D"))
    phase, across = (1.0 if mode == _NO_PAT else max(1.0, factor or 1.0) for factor in factors)
    bands = _number(protocol, "sSliceAcceleration.lMultiBandFactor") or 1.0
    found["acceleration_phase"] = exact(phase, _key("sPat.lAccelFactPE") if phase > 1 else where)
    if bands > 1:
        found["acceleration_slice"] = exact(bands, _key("sSliceAcceleration.lMultiBandFactor"))
    elif _coded(protocol, "sKSpace.ucDimension", _DIMENSIONS):
        # A 2D sequence of a third party may excite several slices at once without telling the protocol.
        found["acceleration_slice"] = exact(across, _key("sPat.lAccelFact3D") if across > 1 else where)
    if across > 1:
        shift = _number(protocol, "sPat.lReorderingShift3D") or 0.0
        found["caipi_shift"] = exact(shift, _key("sPat.lReorderingShift3D"))
    return found


def _reconstruction(protocol: Protocol) -> Facts:
    filters = ", ".join(name for name, key in _FILTERS.items() if _on(protocol, key)) or "none"
    found: dict[str, Fact[Any]] = {"filters": exact(filters, _key("s*Filter.ucOn"))}
    if combination := _coded(protocol, "ucCoilCombineMode", _COMBINATIONS):
        found["coil_combination"] = exact(combination, _key("ucCoilCombineMode"))
    if _on(protocol, "sKSpace.ucEnableEllipticalScanning"):
        found["elliptical"] = exact(True, _key("sKSpace.ucEnableEllipticalScanning"))
    else:
        found["elliptical"] = inferred(False, f"{_key('sKSpace.ucEnableEllipticalScanning')} is not set")
    # Where unfiltered copies are saved too, the protocol does not tell which copy this is.
    if not _on(protocol, "sPreScanNormalizeFilter.ucSaveUnfiltered"):
        on = _on(protocol, "sPreScanNormalizeFilter.ucOn") or _on(protocol, "sNormalizeFilter.ucOn")
        found["normalized"] = exact(on, _key("sPreScanNormalizeFilter.ucOn"))
    distortion = _coded(protocol, "sDistortionCorrFilter.ucMode", _DISTORTION)
    if distortion and not _on(protocol, "sDistortionCorrFilter.ucSaveUnfiltered"):
        found["distortion_correction"] = exact(distortion, _key("sDistortionCorrFilter.ucMode"))
    return found
