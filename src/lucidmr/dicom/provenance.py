"""Who made a derived series, from what and how: the identifiers and codes that say so.

DICOM: Derivation, Source Image and Contributing Equipment (PS3.3 C.7.6.1, C.12.1), Derivation Image macro
(C.7.6.16.2.6). No standard code means "deep learning reconstruction", so it is a private one.
"""

import uuid
from dataclasses import dataclass
from datetime import datetime
from typing import Final, Literal

from pydicom.dataset import Dataset
from pydicom.sequence import Sequence
from pydicom.uid import UID

from lucidmr.dicom.kinds import OWN_SCHEME
from lucidmr.dicom.values import items, text

_NAMESPACE: Final = uuid.UUID("0c9d1d1e-6a58-5f0b-9c5e-3f1d3a1c7b42")


@dataclass(frozen=True)
class Provenance:
    """What goes in the header about the processing. The same provenance and source give the same UIDs.

    Attributes:
        model: Name of the model.
        version: Version of the software.
        weights: Hash of the model's weights.
        settings: What was asked for, for people to read.
        manufacturer: Who made the software.
        examination: ImageType value 2. ``SECONDARY``: made after the examination, as the standard has it for an
            offline tool; ``PRIMARY``: part of the examination, which some viewers' hanging protocols need.
            Multi-frame images are always ``PRIMARY``: their definition knows no other value.
        created: When; ``None`` for now. Give one time to all series of one run.
        slices: How many adjoining slices of a stack each image was made from, itself in the middle.
    """

    model: str
    version: str
    weights: str
    settings: str
    manufacturer: str = "Lucid MR"
    examination: Literal["SECONDARY", "PRIMARY"] = "SECONDARY"
    created: datetime | None = None
    slices: int = 1

    @property
    def description(self) -> str:
        """One line for DerivationDescription."""
        return f"{self.manufacturer} {self.version}, model {self.model}, weights {self.weights}: {self.settings}"


def derived_uid(source: str, provenance: Provenance, kind: str) -> UID:
    """A UID that follows from the source's UID and the processing alone.

    Args:
        source: UID of the source series or instance.
        provenance: The processing.
        kind: Tells apart different objects from the same source.
    """
    parts = (kind, source, provenance.model, provenance.version, provenance.weights, provenance.settings)
    return UID(f"2.25.{uuid.uuid5(_NAMESPACE, chr(0).join(parts)).int}")


def plain(words: str, length: int) -> str:
    """ASCII only (a header without a character set allows no more), one line, cut to ``length``."""
    return " ".join(words.encode("ascii", "replace").decode("ascii").replace("\\", "/").split())[:length].strip()


def code(meaning: str, code_value: str, scheme: str = "DCM") -> Dataset:
    """A coded entry."""
    found = Dataset()
    found.CodeValue = code_value
    found.CodingSchemeDesignator = scheme
    found.CodeMeaning = meaning
    return found


def derivation_codes(resampled: bool) -> Sequence:
    """What was done, in codes."""
    codes = [code("Deep learning reconstruction", "DLRECON", OWN_SCHEME)]
    return Sequence([code("Spatial resampling", "113085"), *codes] if resampled else codes)


def source_image(source: Dataset, frame: int | None, neighbour: bool) -> Dataset:
    """A reference to an image that was processed.

    Args:
        source: Its header.
        frame: Its frame number, from 1, in a multi-frame file; ``None`` in others.
        neighbour: Whether it shows a slice beside the derived one: what is drawn on it fits the other at no place.
    """
    found = Dataset()
    found.ReferencedSOPClassUID = text(source, "SOPClassUID")
    found.ReferencedSOPInstanceUID = text(source, "SOPInstanceUID")
    if frame is not None:
        found.ReferencedFrameNumber = frame
    found.SpatialLocationsPreserved = "NO" if neighbour else "YES"
    purpose = code("Source image for image processing operation", "121322")
    found.PurposeOfReferenceCodeSequence = Sequence([purpose])
    return found


def add_equipment(header: Dataset, provenance: Provenance, created: datetime) -> None:
    """Append the software to the equipment that contributed, and name the private coding scheme."""
    used = Dataset()
    used.Manufacturer = plain(provenance.manufacturer, 64)
    used.ManufacturerModelName = plain(provenance.model, 64)
    used.SoftwareVersions = plain(provenance.version, 64)
    used.ContributionDateTime = created.strftime("%Y%m%d%H%M%S")
    used.ContributionDescription = plain(provenance.description, 1024)
    used.PurposeOfReferenceCodeSequence = Sequence([code("Processing Equipment", "109102")])
    header.ContributingEquipmentSequence = Sequence([*items(header, "ContributingEquipmentSequence"), used])
    scheme = Dataset()
    scheme.CodingSchemeDesignator = OWN_SCHEME
    scheme.CodingSchemeName = "Lucid MR private codes"
    scheme.CodingSchemeResponsibleOrganization = "Lucid MR"
    known = items(header, "CodingSchemeIdentificationSequence")
    header.CodingSchemeIdentificationSequence = Sequence([*known, scheme])


def add_source_evidence(header: Dataset, source: Dataset) -> None:
    """Study, series and instance of a multi-frame source, which its DerivationImageSequence makes mandatory."""
    instance = Dataset()
    instance.ReferencedSOPClassUID = source.SOPClassUID
    instance.ReferencedSOPInstanceUID = source.SOPInstanceUID
    series = Dataset()
    series.SeriesInstanceUID = text(source, "SeriesInstanceUID")
    series.ReferencedSOPSequence = Sequence([instance])
    study = Dataset()
    study.StudyInstanceUID = text(source, "StudyInstanceUID")
    study.ReferencedSeriesSequence = Sequence([series])
    header.SourceImageEvidenceSequence = Sequence([study])
