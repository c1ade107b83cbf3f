"""Benchmarks, written by ourselves, with the peers measured in the same run: `make bench`, or `python -m bench NAME …`."""
