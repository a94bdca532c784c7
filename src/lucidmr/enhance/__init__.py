"""Enhancing DICOM series: standardize, network, restore; and the measurement of what was achieved.

The package can be called: ``lucidmr.enhance(series, lucidmr.Enhancement(noise_reduction=2.0))`` is
:func:`lucidmr.enhance.pipeline.enhance`. Importing a subpackage binds its name in the parent, so a function of the same
name there would be lost with the first import of anything in here.
"""

import sys
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from lucidmr.enhance.pipeline import EnhancedSeries


class _CallablePackage(ModuleType):
    def __call__(self, *args: Any, **kwargs: Any) -> "EnhancedSeries":
        from lucidmr.enhance.pipeline import enhance

        return enhance(*args, **kwargs)


sys.modules[__name__].__class__ = _CallablePackage
