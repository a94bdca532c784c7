"""``python -m lucidmr``."""

from lucidmr.cli import main

main()
