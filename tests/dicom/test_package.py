import subprocess
import sys
import time

import numpy as np

from lucidmr.dicom.series import read_series


def test_dicom_does_not_import_torch():
    code = (
        "import sys, lucidmr.dicom.create, lucidmr.dicom.derived, lucidmr.dicom.inspect;"
        "sys.exit('torch' in sys.modules or 'jaxtyping' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_headers_of_200_files_take_less_than_two_seconds(make, tmp_path):
    make(images=[np.ones((64, 64))] * 200)
    start = time.process_time()
    assert len(read_series(tmp_path).series[0]) == 200
    assert time.process_time() - start < 2
