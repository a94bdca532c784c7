"""Hitachi and Fujifilm: standard attributes throughout; what they leave out is not to be had elsewhere."""

from pydicom.dataset import Dataset

from lucidmr.dicom.header.fact import Told, unknown
from lucidmr.dicom.header.standard import standard_facts


def hitachi_fujifilm(header: Dataset) -> Told:
    """What a Hitachi or Fujifilm image says.

    Args:
        header: The file's attributes.
    """
    silence = {"acceleration_phase": unknown("RAPID's factor is not stored"), "acceleration_slice": unknown("the same")}
    return Told((standard_facts(header), silence))
