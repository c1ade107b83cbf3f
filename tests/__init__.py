"""The tests; a package by name, so that no other `tests` that some distribution installs is taken for it."""
