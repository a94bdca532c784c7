"""Enhancing DICOM series: standardize, network, restore; and the measurement of what was achieved."""
