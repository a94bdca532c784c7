"""What was acquired, from the header: every fact with its source and confidence, and what other places say of it.

Each vendor's module holds one function, header -> facts place by place. The order is: protocol, private attribute,
multi-frame macro, standard attribute, measured in the image, what silence usually means.
"""

from pydicom.dataset import Dataset

from lucidmr.dicom.header.acquisition import acquisition
from lucidmr.dicom.header.bruker import bruker
from lucidmr.dicom.header.canon import canon
from lucidmr.dicom.header.consequences import along_slice, consequences, fallbacks
from lucidmr.dicom.header.fact import Confidence, Fact, Facts, HeaderFacts, Told, merged
from lucidmr.dicom.header.ge import ge
from lucidmr.dicom.header.hitachi_fujifilm import hitachi_fujifilm
from lucidmr.dicom.header.philips import philips
from lucidmr.dicom.header.siemens_csa import siemens_csa
from lucidmr.dicom.header.siemens_xa import is_siemens_xa, siemens_xa
from lucidmr.dicom.header.standard import standard_facts
from lucidmr.dicom.header.uih import uih
from lucidmr.dicom.header.vendor import vendor_of
from lucidmr.dicom.source import Source
from lucidmr.dicom.values import quiet

__all__ = ["Confidence", "Fact", "Facts", "HeaderFacts", "Told", "acquisition", "facts", "header_facts", "told_of"]


def facts(series: Source, measured: Facts | None = None) -> HeaderFacts:
    """Read how a series was acquired.

    Args:
        series: The series.
        measured: Facts measured from the images by the caller, by name. They fill in what the header leaves out, and
            give way to what it says. What only follows from the header (``filled_phase``: some scanners fill the
            square with signal after all; ``interpolation_*``) gives way to them.

    Returns:
        All facts; those that nothing tells are unknown.
    """
    with quiet():
        told = series.told()
        found = merged([*told.sources, measured or {}])
        found = merged([found, fallbacks(found, (series.rows, series.columns), series.depth)])
        found = merged([along_slice(found, series.depth), found])
        found = merged([found, consequences(found, (series.rows, series.columns), series.depth)])
    return HeaderFacts(**found, warnings=told.warnings)


def header_facts(header: Dataset) -> HeaderFacts:
    """What the header of one file says, nothing concluded: for files that are no series to process.

    Args:
        header: The file's attributes.
    """
    with quiet():
        told = told_of(header)
    return HeaderFacts(**merged(told.sources), warnings=told.warnings)


def told_of(header: Dataset) -> Told:
    """What the header of one file says, place by place."""
    match vendor_of(header):
        case "siemens":
            return siemens_xa(header) if is_siemens_xa(header) else siemens_csa(header)
        case "ge":
            return ge(header)
        case "philips":
            return philips(header)
        case "canon":
            return canon(header)
        case "uih":
            return uih(header)
        case "hitachi":
            return hitachi_fujifilm(header)
        case "bruker":
            return bruker(header)
        case _:
            return Told((standard_facts(header),))
