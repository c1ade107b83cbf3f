"""The AWS edge: the registry's operations over AWS's own protocols, made from botocore's models of its services.

The only package that knows botocore, and at run time only what it read from the models at start.
"""

from sekisho.edges.aws.app import application

__all__ = ["application"]
