"""Print what the header of every MR series below a folder says: parameter, value, source.

    python benchmarks/headers.py FOLDER... [--table] [--all]

Without options one block per series: every fact that is known, how far to trust it, where it came from, and what other
places say otherwise. ``--all`` shows the facts that nothing tells too. ``--table`` prints one Markdown row per series
with the main ones: ``~`` marks what was inferred, ``?`` what silence usually means, ``-`` what is unknown and ``!`` a
fact that another place contradicts. Nothing of the patient or the hospital is printed, and of the paths only what lies
below the folder.
"""

import argparse
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Final, get_args

from lucidmr.dicom.files import find_files, read_header
from lucidmr.dicom.header import HeaderFacts, facts, header_facts
from lucidmr.dicom.header.fact import FACT_NAMES
from lucidmr.dicom.header.vendor import Vendor, vendor_of
from lucidmr.dicom.inspect import Row, rows
from lucidmr.dicom.series import read_series
from lucidmr.dicom.values import quiet, text

_TITLES: Final = {
    "siemens": "Siemens", "ge": "GE", "philips": "Philips", "canon": "Canon, Toshiba", "uih": "United Imaging",
    "hitachi": "Hitachi, Fujifilm", "bruker": "Bruker", "": "Others",
}  # fmt: skip
_COLUMNS: Final = {
    "matrix": ("matrix_freq", "matrix_phase", "matrix_slice"),
    "phase": ("phase_axis",),
    "resolution": ("phase_resolution", "slice_resolution"),
    "oversampling": ("oversampling_phase", "oversampling_slice"),
    "partial Fourier": ("partial_fourier_freq", "partial_fourier_phase", "partial_fourier_slice"),
    "acceleration": ("acceleration_phase", "acceleration_slice", "acceleration_random"),
    "technique": ("technique",),
    "elliptical": ("elliptical",),
    "normalized": ("normalized",),
    "distortion": ("distortion_correction",),
}


def main() -> None:
    """Print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--table", action="store_true")
    parser.add_argument("--all", action="store_true")
    options = parser.parse_args()
    seen: set[str] = set()
    found = [entry for folder in options.folders for entry in _series(folder, seen)]
    if options.table:
        for vendor in dict.fromkeys(get_args(Vendor)):
            _table(vendor, [(label, told) for maker, label, told in found if maker == vendor])
    else:
        for _, label, told in found:
            _block(label, told, options.all)


def _series(folder: Path, seen: set[str]) -> Iterator[tuple[str, str, HeaderFacts]]:
    """Every series not seen yet, processable or not: vendor, place and description, facts."""
    # Folders within folders first: each series is named by the innermost.
    for place in sorted({path.parent for path in find_files(folder)}, key=lambda path: (-len(path.parts), path)):
        collection = read_series(place)
        where = "/".join(place.relative_to(folder).parts[:2]) or folder.name
        for series in collection.series:
            if series.uid in seen:
                continue
            seen.add(series.uid)
            yield vendor_of(series.headers[0]), f"{where}: {series.label}", facts(series)
        for refusal in collection.refused:
            for path in refusal.paths:
                header = read_header(path).header
                with quiet():
                    uid = "" if header is None else text(header, "SeriesInstanceUID")
                if header is not None and "Rows" in header and uid not in seen:
                    seen.add(uid)
                    label = f"{where}: {refusal.label} ({refusal.reason.split(' (')[0]})"
                    yield vendor_of(header), label, header_facts(header)


def _block(label: str, found: HeaderFacts, everything: bool) -> None:
    print(f"\n{label}")
    for row in rows(found):
        if everything or row.confidence != "unknown":
            print(f"  {row.name:24} {row.value} {row.unit:12} {row.confidence:9} {row.source}")
            for other in row.others:
                print(f"  {'':24} {other.value} {other.unit:12} {other.confidence:9} {other.source}")
    for warning in found.warnings:
        print(f"  warning: {warning}")


def _table(vendor: str, found: list[tuple[str, HeaderFacts]]) -> None:
    """One row per series of a vendor; series of one folder that say the same share a row."""
    if not found:
        return
    grouped: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for label, told in sorted(found, key=lambda entry: entry[0]):
        named = {name: _cell(row) for name, row in zip(FACT_NAMES, rows(told), strict=True)}
        cells = [" x ".join(named[name] for name in names) for names in _COLUMNS.values()]
        grouped[(label.split(": ")[0], *cells, told.partial_fourier_phase.source.split(";")[0])].append(label)
    titles = ("series", *_COLUMNS, "source of the partial Fourier fraction")
    print(f"\n### {_TITLES[vendor]}\n\n| {' | '.join(titles)} |\n|{'---|' * len(titles)}")
    for (_, *cells), labels in grouped.items():
        more = f" and {len(labels) - 1} more" if len(labels) > 1 else ""
        print(f"| {labels[0]}{more} | {' | '.join(cells)} |")


def _cell(row: Row) -> str:
    mark = {"inferred": "~", "default": "?"}.get(row.confidence, "")
    return "-" if row.confidence == "unknown" else f"{mark}{row.value}{'!' if row.others else ''}"


if __name__ == "__main__":
    main()
