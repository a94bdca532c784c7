"""NIfTI in, NIfTI out: volumes with sidecars in BIDS words, as sources of :mod:`lucidmr.enhance`."""
