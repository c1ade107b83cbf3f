"""A house for each module, and an account for each test, where a module has no other."""

from tests.services.conftest import house, shared  # noqa: F401  # fixtures, found by their names here
