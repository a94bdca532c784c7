"""Read the HDF5 files of the fastMRI data set and others of its kind.

Source: Zbontar et al., arXiv 1811.08839. ``kspace`` is (slice, coil, readout, phase), or (slice, readout, phase) of a
single coil, centred, on the whole encoded matrix and with readout oversampling; lines not acquired are 0. Files of the
test sets also have the ``mask`` of the lines left over.
"""

from pathlib import Path

import h5py
import numpy as np
import torch
from jaxtyping import Bool, Complex
from torch import Tensor

from lucidmr.errors import LucidError
from lucidmr.physics.fourier import FREQ
from lucidmr.raw.hdf5 import check_dataset, read_dataset
from lucidmr.raw.ismrmrd_header import Header, parse_header
from lucidmr.raw.measurement import Facts, Measurement
from lucidmr.raw.readout import crop_readout
from lucidmr.raw.selection import Selection


def is_fastmri(file: h5py.File) -> bool:
    """Whether an HDF5 file is of this kind."""
    return {"kspace", "ismrmrd_header"} <= set(file)


def read_fastmri(path: Path, selection: Selection) -> Measurement:
    """Read the slices of a volume, each a scan of its own.

    Args:
        path: The file.
        selection: Which slices to take.

    Raises:
        LucidError: The file is damaged, or what is selected is not in it.
    """
    if selection.averages not in ("mean", 0) or selection.contrast or selection.repetition:
        raise LucidError(f"{path}: holds one average, contrast and repetition as fastMRI; select slices only")
    with h5py.File(path) as file:
        header = parse_header(read_dataset(file["ismrmrd_header"]).item(), path)
        kspace, acquired = _kspace(file, selection, path)
        facts = _facts(header, file)
    encoding = header.encodings[0]
    kept = encoding.samples(kspace.shape[FREQ])
    slices = [crop_readout(one, mask, kept, FREQ) for one, mask in zip(kspace, acquired, strict=True)]
    acquired = torch.stack([mask for _, mask in slices])
    return Measurement(
        torch.stack([one * mask for one, mask in slices]),
        acquired,
        field_of_view_mm=encoding.cropped_mm,
        facts=facts,
        source=selection.source(path.name),
    )


def _kspace(
    file: h5py.File, selection: Selection, path: Path
) -> tuple[Complex[Tensor, "scan coil slice freq phase"], Bool[Tensor, "scan slice freq phase"]]:
    dataset = file["kspace"]
    if dataset.ndim not in (3, 4) or dataset.dtype.kind != "c":
        raise LucidError(
            f"{path}: its kspace is {dataset.dtype} {dataset.shape}; fastMRI's is complex with 3 or 4 axes"
        )
    check_dataset(dataset)
    chosen = range(len(dataset)) if selection.slices is None else sorted(set(selection.slices))
    if not chosen or chosen[-1] >= len(dataset):
        raise LucidError(f"{path}: has {len(dataset)} slices, numbered from 0 on; select among these")
    samples = np.stack([dataset[number] for number in chosen]).astype(np.complex64)
    if "mask" in file:
        samples *= read_dataset(file["mask"]).astype(bool).reshape(-1)
    kspace = torch.from_numpy(samples)
    kspace = (kspace if kspace.ndim == 4 else kspace.unsqueeze(1)).unsqueeze(2)
    return kspace, (kspace != 0).any(1)


def _facts(header: Header, file: h5py.File) -> Facts:
    """Those of the header; the attributes tell the subject where it does not."""
    known = header.facts
    attributes = {name: str(file.attrs[name]) for name in ("patient_id", "acquisition") if name in file.attrs}
    return Facts(
        known.vendor,
        known.model,
        known.field_strength,
        known.anatomy,
        known.protocol or attributes.get("acquisition"),
        attributes.get("patient_id") or known.subject,
    )
