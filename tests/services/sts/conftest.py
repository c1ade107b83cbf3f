"""A house for each module, an account for each test, and a role in it."""

from tests.services.conftest import house, refused, shared  # noqa: F401  # fixtures, found by their names here
