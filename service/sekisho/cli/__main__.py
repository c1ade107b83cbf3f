"""`python -m sekisho.cli` is `sekisho`."""

from sekisho.cli import main

main()
