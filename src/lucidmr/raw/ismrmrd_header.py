"""The XML header of ISMRM Raw Data (ISMRMRD), which fastMRI files carry too.

Source: the schema ismrmrd.xsd of Inati et al., Magn. Reson. Med. 77:411, 2017.
"""

from dataclasses import dataclass
from math import inf, isclose
from pathlib import Path
from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from lucidmr.errors import LucidError
from lucidmr.raw.measurement import Facts
from lucidmr.raw.ramp import Trapezoid

_MOST_BYTES = 1 << 24
_MOST_SAMPLES = 65536.0
"""Counters have 16 bits."""
_SAME_FIELD_OF_VIEW = 0.02
"""Largest difference."""
_CARTESIAN = ("cartesian", "epi")


@dataclass(frozen=True)
class Encoding:
    """One encoding space.

    Attributes:
        matrix: (slice, freq, phase) samples, with oversampling.
        field_of_view_mm: (slice, freq, phase) of that matrix.
        reconstructed_mm: Field of view along freq that is reconstructed.
        centre: (slice, phase) counters at DC.
        calibration: Mode of parallel imaging calibration: "embedded", "separate", ...; empty where nothing is said.
        ramp: The readout gradient where it was sampled on its ramps.
    """

    matrix: tuple[int, int, int]
    field_of_view_mm: tuple[float, float, float]
    reconstructed_mm: float
    centre: tuple[int, int]
    calibration: str
    ramp: Trapezoid | None

    def samples(self, width: int) -> int:
        """How many of ``width`` oversampled samples along freq are left over the reconstructed field of view."""
        return max(1, min(width, round(width * self.reconstructed_mm / self.field_of_view_mm[1])))

    @property
    def cropped_mm(self) -> tuple[float, float, float]:
        """The field of view (slice, freq, phase) once readout oversampling is removed."""
        across, along, phase = self.field_of_view_mm
        return across, min(along, self.reconstructed_mm), phase

    def covers_what(self, other: "Encoding") -> bool:
        """Whether both have samples of k-space equally far apart, so that one can calibrate the other."""
        is_3d = other.matrix[0] > 1
        pairs = zip(self.cropped_mm[not is_3d :], other.cropped_mm[not is_3d :], strict=True)
        return all(isclose(one, wanted, rel_tol=_SAME_FIELD_OF_VIEW) for one, wanted in pairs)


@dataclass(frozen=True)
class Header:
    """What the header tells.

    Attributes:
        encodings: Encoding spaces.
        facts: About the scanner and the subject.
        noise_bandwidth: Share of the receiver's band in which the noise scan has noise.
    """

    encodings: tuple[Encoding, ...]
    facts: Facts
    noise_bandwidth: float


def parse_header(content: Any, path: Path) -> Header:
    """Read the header.

    Args:
        content: XML as bytes or text.
        path: The file, for messages.

    Raises:
        LucidError: It is no ISMRMRD header, not Cartesian or incomplete.
    """
    root = _root(content, path)
    encodings = tuple(_encoding(node, path) for node in root.findall("{*}encoding"))
    if not encodings:
        raise LucidError(f"{path}: its XML header has no encoding; replace the file")
    bandwidth = _number(root, "acquisitionSystemInformation/relativeReceiverNoiseBandwidth", path, 1.0)
    return Header(encodings, _facts(root, path), bandwidth)


def _root(content: Any, path: Path) -> Element:
    text = content.decode("utf-8") if isinstance(content, bytes) else str(content)
    # Entities, which can be nested to fill any memory, need a document type; no ISMRMRD header has one.
    if len(text) > _MOST_BYTES or "<!DOCTYPE" in text:
        raise LucidError(f"{path}: its XML header is oversized or declares a document type; replace the file")
    try:
        root = ElementTree.fromstring(text.strip().rstrip("\0"))
    except ElementTree.ParseError as error:
        raise LucidError(f"{path}: its XML header is damaged ({error}); replace the file") from error
    if not root.tag.endswith("ismrmrdHeader"):
        raise LucidError(f"{path}: its XML header starts with {root.tag[:40]!r}, not ismrmrdHeader; replace the file")
    return root


def _encoding(node: Element, path: Path) -> Encoding:
    trajectory = (_text(node, "trajectory") or "cartesian").lower()
    if trajectory not in _CARTESIAN:
        raise LucidError(f"{path}: has a {trajectory} trajectory; only Cartesian k-space can be read")
    axes = ("z", "x", "y")
    slices, freq, phase = (
        int(_number(node, f"encodedSpace/matrixSize/{axis}", path, least=1.0, most=_MOST_SAMPLES)) for axis in axes
    )
    across, along, wide = (_number(node, f"encodedSpace/fieldOfView_mm/{axis}", path, least=1e-6) for axis in axes)
    return Encoding(
        (slices, freq, phase),
        (across, along, wide),
        _number(node, "reconSpace/fieldOfView_mm/x", path, along, least=1e-6),
        (_centre(node, 2, slices, path), _centre(node, 1, phase, path)),
        (_text(node, "parallelImaging/calibrationMode") or "").lower(),
        _ramp(node),
    )


def _ramp(node: Element) -> Trapezoid | None:
    """The readout gradient of EPI from the description of its trajectory, in microseconds."""
    values = {
        name.text: float(value.text or "nan")
        for kind in ("Long", "Double")
        for parameter in node.findall(f"{{*}}trajectoryDescription/{{*}}userParameter{kind}")
        for name, value in zip(parameter.findall("{*}name"), parameter.findall("{*}value"), strict=True)
    }
    if not values.get("rampUpTime"):
        return None
    rise, flat, fall = (values[name] for name in ("rampUpTime", "flatTopTime", "rampDownTime"))
    return Trapezoid(rise, flat, fall, values["acqDelayTime"], values["numSamples"] * values["dwellTime"])


def _centre(node: Element, step: int, samples: int, path: Path) -> int:
    where = f"encodingLimits/kspace_encoding_step_{step}/center"
    return int(_number(node, where, path, float(samples // 2), most=_MOST_SAMPLES))


def _facts(root: Element, path: Path) -> Facts:
    field_strength = _number(root, "acquisitionSystemInformation/systemFieldStrength_T", path, 0.0)
    return Facts(
        vendor=_text(root, "acquisitionSystemInformation/systemVendor"),
        model=_text(root, "acquisitionSystemInformation/systemModel"),
        field_strength=field_strength or None,
        anatomy=_text(root, "studyInformation/bodyPartExamined"),
        protocol=_text(root, "measurementInformation/protocolName"),
        subject=_text(root, "subjectInformation/patientID"),
    )


def _text(node: Element, names: str) -> str | None:
    """Text of a descendant, in whatever namespace; ``None`` where it is missing or empty."""
    found = node.findtext("/".join(f"{{*}}{name}" for name in names.split("/")))
    return (found or "").strip() or None


def _number(
    node: Element, names: str, path: Path, default: float | None = None, least: float = 0.0, most: float = inf
) -> float:
    text = _text(node, names)
    if text is None and default is not None:
        return default
    try:
        value = float(text or "")
    except ValueError:
        value = -1.0
    if not least <= value <= most:
        given = "is missing" if text is None else f"is {text[:40]!r}"
        raise LucidError(f"{path}: {names} of its XML header {given}; a number is needed: replace the file")
    return value
