"""Finds everything below a path that can be enhanced: DICOM series and NIfTI files."""

from pathlib import Path

from lucidmr.dicom.files import find_files
from lucidmr.dicom.series import ImageSeries, Refusal, SeriesCollection, read_series
from lucidmr.dicom.source import Source
from lucidmr.errors import LucidError
from lucidmr.nifti.file import is_nifti, open_nifti
from lucidmr.nifti.inheritance import applying
from lucidmr.nifti.series import read_nifti_series
from lucidmr.nifti.sidecar import SIDECAR
from lucidmr.nifti.write import companions


def read_sources(path: Path) -> SeriesCollection[Source]:
    """Read the headers of all DICOM and NIfTI files under a path.

    Nothing under the path stops the rest from being read; whatever cannot be processed is named in ``refused``.

    Args:
        path: A file, a folder (read recursively) or a DICOMDIR.

    Raises:
        LucidError: There is nothing at the path, or the folder is empty.
    """
    files = [file for file in find_files(path) if is_nifti(file)]
    beside = {other for file in files for other in (*applying(file, SIDECAR), *companions(file))}
    dicom: SeriesCollection[ImageSeries] = read_series(path, {*files, *beside})
    series: list[Source] = [*dicom.series]
    refused, warnings = list(dicom.refused), list(dicom.warnings)
    for file in files:
        damaged = True
        try:
            open_nifti(file)
            damaged = False
            found = read_nifti_series(file, path)
        except LucidError as error:
            refused.append(Refusal(file.name, str(error).removeprefix(f"{file}: "), (file,), damaged))
        else:
            series.append(found)
            warnings += [f"{found.label}: {line}" for line in found.warnings]
    return SeriesCollection(tuple(series), tuple(refused), tuple(warnings))
