"""DICOM in, DICOM out: reads series, reads what was acquired from their headers, writes derived series."""
