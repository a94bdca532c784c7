"""Files for the fuzzer: healthy DICOM to start from, and what is done to it."""

import struct
import zlib
from collections.abc import Callable, Sequence
from functools import cache
from io import BytesIO
from pathlib import Path
from random import Random
from typing import Any

import numpy as np
import pydicom
from pydicom.datadict import tag_for_keyword
from pydicom.dataset import Dataset
from pydicom.encaps import encapsulate
from pydicom.filewriter import write_dataset
from pydicom.sequence import Sequence as Items
from pydicom.uid import UID

from lucidmr.dicom.create import Protocol, create_series, image_header
from lucidmr.dicom.kinds import ENHANCED
from lucidmr.dicom.storage import put_pixels

_LARGEST = 300_000
"""Bytes of a file to start from: a fuzzer is as good as it is fast."""
_MATRIX = (64, 48)
_BOMB = 1 << 28
_ODD_TEXTS = ("", "***", "9" * 500, "-1", "0", "nan", "inf", "1e308", "1e-308", "\\" * 50, "a\\b",
              "1\\2\\3\\4\\5\\6\\7", "\xff\xfe\x00", "%s%n", "../../etc", "\x1b[31m", "1" + "\\1" * 9000)  # fmt: skip
_ODD_NUMBERS = (0, 1, -1, 2, 3, 7, 32, 64, 255, 4096, 65535, 65536, 2**31 - 1, 2**32 - 1, 1e300, -1e-300)
_KINDS = ("AE", "AS", "AT", "CS", "DA", "DS", "DT", "FD", "FL", "IS", "LO", "LT", "OB", "OF", "OW", "PN", "SH", "SL",
          "SQ", "SS", "ST", "TM", "UI", "UL", "UN", "US", "UT")  # fmt: skip
_SIZES = ("Rows", "Columns", "NumberOfFrames", "BitsAllocated", "BitsStored", "HighBit", "SamplesPerPixel",
          "PixelRepresentation")  # fmt: skip
_READ = (*_SIZES, "SOPClassUID", "SOPInstanceUID", "SeriesInstanceUID", "StudyInstanceUID", "ImageType", "PixelSpacing",
         "ImagePositionPatient", "ImageOrientationPatient", "RescaleSlope", "RescaleIntercept", "AcquisitionMatrix",
         "InPlanePhaseEncodingDirection", "PercentPhaseFieldOfView", "PercentSampling", "SliceThickness",
         "SpacingBetweenSlices", "MRAcquisitionType", "Manufacturer", "SeriesNumber", "SeriesDescription",
         "PhotometricInterpretation", "PixelPaddingValue", "WindowCenter", "WindowWidth", "ParallelAcquisition",
         "PartialFourier", "EchoTime", "TriggerTime", "TemporalPositionIdentifier", "SpecificCharacterSet",
         "PatientName", "SmallestImagePixelValue", "NumberOfAverages", "MagneticFieldStrength",
         "SharedFunctionalGroupsSequence", "PerFrameFunctionalGroupsSequence", "ContributingEquipmentSequence",
         "CodingSchemeIdentificationSequence", "DerivationDescription", "OverlayData")  # fmt: skip
_PRIVATE = ((0x0029, "SIEMENS CSA HEADER", 0x10), (0x0029, "SIEMENS CSA HEADER", 0x20),
            (0x0021, "SIEMENS MR SDS 01", 0x19), (0x0025, "GEMS_SERS_01", 0x1B), (0x0043, "GEMS_PARM_01", 0x83),
            (0x2005, "Philips MR Imaging DD 001", 0x11), (0x2005, "Philips MR Imaging DD 005", 0x0F),
            (0x0065, "Image Private Header", 0x32))  # fmt: skip
_SYNTAXES = ("1.2.840.10008.1.2", "1.2.840.10008.1.2.1", "1.2.840.10008.1.2.1.99", "1.2.840.10008.1.2.2",
             "1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.50", "1.2.840.10008.1.2.4.57", "1.2.840.10008.1.2.4.70",
             "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90", "1.2.840.10008.1.2.4.91", "1.2.3")  # fmt: skip
_LOSSLESS = ("1.2.840.10008.1.2.5", "1.2.840.10008.1.2.4.80", "1.2.840.10008.1.2.4.90")


def starting_files(folder: Path, data: Path | None) -> list[Path]:
    """Healthy files: synthetic ones (classic, multi-frame, compressed), pydicom's own, and those below a folder.

    Args:
        folder: Where the synthetic ones are written.
        data: Folder of real headers, if there is one.
    """
    made = _synthetic(folder)
    own = Path(pydicom.__file__).parent / "data" / "test_files"
    found = [path for home in (own, data) if home is not None for path in sorted(home.rglob("*")) if path.is_file()]
    # A third of the draws go to each kind.
    small = [path for path in found if path.stat().st_size <= _LARGEST]
    mr = [path for path in small if path.parent == own and "MR" in path.name]
    return made * max(1, len(small) // (2 * len(made))) + mr * 5 + small


def _synthetic(folder: Path) -> list[Path]:
    rng = np.random.default_rng(1)
    images = [rng.integers(0, 4000, _MATRIX).astype(np.float32) for _ in range(3)]
    plain = create_series(images, folder / "classic", Protocol(partial_fourier=True, acceleration=2.0))
    volume = create_series(images, folder / "volume", Protocol(three_dimensional=True, slope=0.5, intercept=-3.0))
    made = [plain[1], volume[0], folder / "multi.dcm"]
    pydicom.dcmwrite(made[-1], _multi_frame(images), enforce_file_format=True)
    for number, syntax in enumerate(_LOSSLESS):
        image = pydicom.dcmread(made[2 * (number == 1)])
        image.compress(UID(syntax), encoding_plugin="" if number else "pydicom")
        made.append(folder / f"packed{number}.dcm")
        image.save_as(made[-1])
    return made


def _multi_frame(images: Sequence[Any]) -> Dataset:
    header = image_header(Protocol(number=2), 0, _MATRIX)
    header.SOPClassUID = header.file_meta.MediaStorageSOPClassUID = UID(ENHANCED[0])
    header.NumberOfFrames, header.ImageType = len(images), ["ORIGINAL", "PRIMARY", "M", "NONE"]
    shared = Dataset()
    shared.PixelMeasuresSequence = _item(SliceThickness="5", PixelSpacing=["1", "1"])
    shared.PlaneOrientationSequence = _item(ImageOrientationPatient=["1", "0", "0", "0", "1", "0"])
    shared.MRModifierSequence = _item(PartialFourier="YES", PartialFourierDirection="PHASE")
    header.SharedFunctionalGroupsSequence = Items([shared])
    groups = []
    for place in range(len(images)):
        group = Dataset()
        group.PlanePositionSequence = _item(ImagePositionPatient=["0", "0", str(5 * place)])
        group.MRImageFrameTypeSequence = _item(FrameType=["ORIGINAL", "PRIMARY", "M", "NONE"])
        groups.append(group)
    header.PerFrameFunctionalGroupsSequence = Items(groups)
    put_pixels(header, np.stack(images).astype("<u2"))
    return header


def _item(**values: Any) -> Items:
    found = Dataset()
    for name, value in values.items():
        setattr(found, name, value)
    return Items([found])


def mutated(content: bytes, chance: Random) -> tuple[bytes, str]:
    """Damage a file.

    Args:
        content: A healthy file.
        chance: Source of randomness.

    Returns:
        The damaged file, and the names of what was done to it.
    """
    done = []
    for _ in range(chance.choice((1, 1, 1, 2, 3))):
        change = chance.choice(_BYTE_CHANGES if chance.random() < 0.4 else _HEADER_CHANGES)
        done.append(change.__name__.strip("_"))
        if change is _deflate_bomb:
            return _deflate_bomb(), "+".join(done)
        content = change(content, chance) if change in _BYTE_CHANGES else _changed(content, change, chance)
    return content, "+".join(done)


def _changed(content: bytes, change: Callable[[Dataset, Random], None], chance: Random) -> bytes:
    """Change a parsed file; bytes that pydicom cannot read or write stay as they were."""
    out = BytesIO()
    try:
        header = pydicom.dcmread(BytesIO(content), force=True)
        change(header, chance)
        pydicom.dcmwrite(out, header, enforce_file_format=False)
    except Exception:  # noqa: BLE001 (whatever pydicom says of files that are broken already)
        return content
    return out.getvalue()


def _truncate(content: bytes, chance: Random) -> bytes:
    return content[: chance.randrange(len(content) + 1)]


def _flip(content: bytes, chance: Random) -> bytes:
    found = bytearray(content)
    reach = min(len(found), chance.choice((400, 4000, len(found) or 1)))
    for _ in range(chance.choice((1, 3, 10, 50))):
        if reach:
            found[chance.randrange(reach)] = chance.randrange(256)
    return bytes(found)


def _cut_out(content: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + content[start + chance.choice((1, 2, 8, 200)) :]


def _insert(content: bytes, chance: Random) -> bytes:
    start = chance.randrange(len(content) + 1)
    return content[:start] + chance.randbytes(chance.choice((1, 4, 100))) + content[start:]


def _long_lengths(content: bytes, chance: Random) -> bytes:
    """Element lengths beyond the file."""
    found = bytearray(content)
    for _ in range(chance.choice((1, 2, 5))):
        if len(found) > 8:
            start = chance.randrange(len(found) - 4)
            found[start : start + 4] = chance.choice((b"\xff" * 4, b"\xfe\xff\xff\x7f", b"\x00\x00\x00\x10"))
    return bytes(found)


def _nested_items(content: bytes, chance: Random) -> bytes:
    """Sequences of undefined length in each other, half the time without their ends."""
    depth = chance.choice((5, 60, 400, 20_000))
    opened = struct.pack("<HH2sHIHHI", 0x0008, 0x1140, b"SQ", 0, 0xFFFFFFFF, 0xFFFE, 0xE000, 0xFFFFFFFF)
    closed = struct.pack("<HHIHHI", 0xFFFE, 0xE00D, 0, 0xFFFE, 0xE0DD, 0)
    start = max(content.find(b"\x08\x00", 132), 0)
    return content[:start] + opened * depth + closed * (depth * chance.randrange(2)) + content[start:]


def _deflate_bomb(_content: bytes = b"", _chance: Random | None = None) -> bytes:
    """A deflated file that grows to a quarter of a gigabyte."""
    header = Dataset()
    header.file_meta = pydicom.dataset.FileMetaDataset()
    header.file_meta.TransferSyntaxUID = UID(_SYNTAXES[2])
    header.file_meta.MediaStorageSOPClassUID = header.file_meta.MediaStorageSOPInstanceUID = UID("1.2")
    out = BytesIO()
    pydicom.dcmwrite(out, header, enforce_file_format=True)
    head = struct.pack("<HH2sHI", 0x0009, 0x1001, b"OB", 0, _BOMB)
    return out.getvalue() + _packed_zeros(head, -zlib.MAX_WBITS)


@cache
def _packed_zeros(head: bytes, window: int) -> bytes:
    """Something that grows to a quarter of a gigabyte."""
    packer = zlib.compressobj(1, zlib.DEFLATED, window)
    return b"".join(
        [packer.compress(head), *(packer.compress(bytes(1 << 20)) for _ in range(_BOMB >> 20)), packer.flush()]
    )


def _delete(header: Dataset, chance: Random) -> None:
    there = [name for name in _READ if name in header]
    for name in chance.sample(there, min(len(there), chance.choice((1, 1, 3, 10)))):
        del header[name]


def _odd_value(header: Dataset, chance: Random) -> None:
    """Values that do not fit their element, written as they are."""
    name, kind = chance.choice(_READ), chance.choice(_KINDS)
    text = chance.choice(_ODD_TEXTS).encode("latin-1")
    _put_raw(header, name, kind, text + b" " * (len(text) % 2))


def _odd_size(header: Dataset, chance: Random) -> None:
    for name in chance.sample(_SIZES, chance.choice((1, 2, 3))):
        number = chance.choice(_ODD_NUMBERS)
        raw = struct.pack("<H", int(number) & 0xFFFF)
        if name == "NumberOfFrames":
            text = str(int(number)).encode()[:12]
            _put_raw(header, name, "IS", text + b" " * (len(text) % 2))
        else:
            _put_raw(header, name, "US", raw)


def _odd_number(header: Dataset, chance: Random) -> None:
    name = chance.choice(_READ)
    count = chance.choice((1, 2, 3, 4, 6))
    text = "\\".join(f"{chance.choice(_ODD_NUMBERS):.10g}" for _ in range(count)).encode()
    _put_raw(header, name, "DS", text + b" " * (len(text) % 2))


def _wrong_kind(header: Dataset, chance: Random) -> None:
    """The bytes of one element under the VR of another."""
    tags = [tag for tag in header.keys() if tag != 0x7FE00010]  # noqa: SIM118 (values are elements)
    for tag in chance.sample(tags, min(len(tags), chance.choice((1, 3, 8)))):
        raw = header.get_item(tag)
        if raw is not None and isinstance(raw.value, bytes):
            header[tag] = raw._replace(VR=chance.choice(_KINDS))


def _put_raw(header: Dataset, name: str, kind: str, raw: bytes) -> None:
    tag = pydicom.tag.Tag(tag_for_keyword(name) or 0)
    little = header.original_encoding[1] is not False
    header[tag] = pydicom.dataelem.RawDataElement(tag, kind, len(raw), raw, 0, False, little)


def _wide(header: Dataset, chance: Random) -> None:
    """Sequences of very many items."""
    name = chance.choice(("ReferencedImageSequence", "PerFrameFunctionalGroupsSequence"))
    setattr(header, name, Items(Dataset() for _ in range(chance.choice((100, 3000)))))


def _private_block(header: Dataset, chance: Random) -> None:
    group, creator, element = chance.choice(_PRIVATE)
    bomb = _packed_zeros(b"", 16 + zlib.MAX_WBITS) if chance.random() < 0.1 else b""
    odd = (b"", b"SV10\4\3\2\1" + b"\xff" * 400, b"SV10\4\3\2\1" + struct.pack("<II", 128, 77) + bytes(600),
           struct.pack("<I", len(bomb)) + bomb, chance.randbytes(chance.choice((4, 300, 4000))),
           b"### ASCCONV BEGIN ###\n" + b"sKSpace.lBaseResolution = 0x" + b"f" * 300 + b"\n### ASCCONV END ###",
           b"### ASCCONV BEGIN " * 3000)  # fmt: skip
    vendor = {0x0029: "SIEMENS", 0x0021: "Siemens", 0x0025: "GE MEDICAL SYSTEMS", 0x0043: "GE MEDICAL SYSTEMS",
              0x2005: "Philips", 0x0065: "UIH"}[group]  # fmt: skip
    header.Manufacturer = vendor
    header.private_block(group, creator, create=True).add_new(element, chance.choice(("OB", "UN")), chance.choice(odd))


def _syntax(header: Dataset, chance: Random) -> None:
    """A transfer syntax that is not that of the file."""
    header.file_meta.TransferSyntaxUID = UID(chance.choice(_SYNTAXES))


def _packed_damage(header: Dataset, chance: Random) -> None:
    """Compressed pixel data with damage within."""
    if header.file_meta.TransferSyntaxUID not in _LOSSLESS:
        # Encoders are no match for sizes that lie, and they are not what is tested here.
        size = header.Rows * header.Columns * int(header.get("NumberOfFrames", 1)) * 2
        if header.SamplesPerPixel != 1 or header.BitsAllocated != 16 or len(header.PixelData) != size:
            return
        header.compress(UID(chance.choice(_LOSSLESS)))
    data = bytearray(b"".join(pydicom.encaps.generate_frames(header.PixelData, number_of_frames=1)))
    change = chance.choice((_flip, _truncate, _long_lengths, _insert))
    header.PixelData = encapsulate([change(bytes(data), chance)])


def _classic_as_enhanced(header: Dataset, chance: Random) -> None:
    header.SOPClassUID = UID(chance.choice((*ENHANCED, "1.2.840.10008.5.1.4.1.1.4", "1.2.3", "")))


def _moved_groups(header: Dataset, chance: Random) -> None:
    """Functional groups with items of the wrong kind, or empty ones."""
    groups = header.get("PerFrameFunctionalGroupsSequence") or [header]
    group = chance.choice(list(groups))
    for name in ("PlanePositionSequence", "PixelMeasuresSequence", "MRImageFrameTypeSequence",
                 "PlaneOrientationSequence", "PixelValueTransformationSequence"):  # fmt: skip
        if chance.random() < 0.5:
            setattr(group, name, Items([Dataset()] if chance.random() < 0.5 else []))


def _explicit_dump(header: Dataset, _chance: Random) -> None:
    """The dataset once more, inside a private element of itself."""
    out = pydicom.filebase.DicomBytesIO()
    out.is_little_endian, out.is_implicit_VR = True, False
    write_dataset(out, header)
    header.private_block(0x0011, "NESTED", create=True).add_new(1, "OB", out.getvalue())


_BYTE_CHANGES: tuple[Callable[[bytes, Random], bytes], ...] = (
    _truncate, _flip, _flip, _cut_out, _insert, _long_lengths, _nested_items, _deflate_bomb,
)  # fmt: skip
_HEADER_CHANGES: tuple[Callable[[Dataset, Random], None], ...] = (
    _delete, _odd_value, _odd_value, _odd_size, _odd_size, _odd_number, _odd_number, _wrong_kind, _wrong_kind, _wide,
    _private_block, _syntax, _packed_damage, _classic_as_enhanced, _moved_groups, _explicit_dump,
)  # fmt: skip
