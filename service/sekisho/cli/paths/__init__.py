"""Paths to administrators, as people see them: tables and pictures."""
