"""Sekisho (関所, the checkpoint): a self-hosted authorization service with the semantics of AWS IAM."""

__version__ = "0.1.0"
