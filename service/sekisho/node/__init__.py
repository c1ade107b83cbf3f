"""A running server: its options, what it prepares, its workers and their threads."""
