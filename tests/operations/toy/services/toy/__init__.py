"""A service that the tests add."""
