"""Registered resources: PutResource and its like, tags and policies."""
