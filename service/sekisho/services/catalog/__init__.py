"""The catalog: definitions of services."""
