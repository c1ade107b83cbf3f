"""Policies made of what was used."""

from sekisho.analysis.generation.policies import Used, filled, generate

__all__ = ["Used", "filled", "generate"]
