"""Headers as the vendors write them, made up: protocols, compressed protocols, private attributes."""

import gzip
import struct

import pytest
from pydicom.dataset import Dataset
from pydicom.sequence import Sequence

from lucidmr.dicom.header import header_facts

PROTOCOL = {
    "sKSpace.ucDimension": "2", "sKSpace.lBaseResolution": "256", "sKSpace.dPhaseResolution": "0.75",
    "sKSpace.lPhaseEncodingLines": "216", "sSliceArray.asSlice[0].dPhaseFOV": "180.0",
    "sSliceArray.asSlice[0].dReadoutFOV": "240.0", "sKSpace.ucPhasePartialFourier": "4",
    "sKSpace.ucReadoutPartialFourier": "16", "sPat.ucPATMode": "2", "sPat.lAccelFactPE": "3", "sPat.lAccelFact3D": "1",
    "ucCoilCombineMode": "2", "sPreScanNormalizeFilter.ucOn": "0x1", "sDistortionCorrFilter.ucMode": "2",
}  # fmt: skip


@pytest.fixture
def protocol():
    """The text of a Siemens protocol; keys given (``__`` for the dot) replace the usual ones, ``None`` drops one."""

    def _protocol(**changes):
        entries = {
            **PROTOCOL,
            **{key.replace("__", ".").replace("_0_", "[0]"): value for key, value in changes.items()},
        }
        lines = "".join(f"{key}\t = \t{value}\n" for key, value in entries.items() if value is not None)
        return f'<XProtocol> {{ "junk" }}\n### ASCCONV BEGIN object=x ###\n{lines}### ASCCONV END ###" \n}}'

    return _protocol


@pytest.fixture
def header():
    """A data set with standard attributes by keyword, and a way to add private ones."""

    def _header(manufacturer, **attributes):
        found = Dataset()
        found.Manufacturer = manufacturer
        for name, value in attributes.items():
            setattr(found, name, value)
        return found

    return _header


@pytest.fixture
def add():
    """Put a private attribute into a data set, at an unusual place of its group."""

    def _add(dataset, group, creator, element, vr, value):
        dataset.private_block(group, creator, create=True).add_new(element, vr, value)
        return dataset

    return _add


@pytest.fixture
def ge_block():
    """GE's protocol data block of a text."""

    def _block(text):
        packed = gzip.compress(text if isinstance(text, bytes) else text.encode())
        return struct.pack("<I", len(packed)) + packed

    return _block


@pytest.fixture
def item():
    """A sequence of one item with attributes by keyword."""

    def _item(**attributes):
        found = Dataset()
        for name, value in attributes.items():
            setattr(found, name, value)
        return Sequence([found])

    return _item


@pytest.fixture
def values():
    """The values of some facts of a header by name."""

    def _values(dataset, *names):
        told = header_facts(dataset)
        return tuple(getattr(told, name).value for name in names)

    return _values
