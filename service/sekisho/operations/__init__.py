"""Operations: the registry of functions by rpc, what the protos annotate, and how requests are validated."""

from sekisho.operations.registry import (
    OPERATIONS,
    PREPARATIONS,
    RESOURCES,
    Check,
    Operation,
    Resource,
    Service,
    load,
    operation,
    packages,
    prepare,
    resource,
    rpcs,
    service,
    unanswered,
)

__all__ = [
    "OPERATIONS",
    "PREPARATIONS",
    "RESOURCES",
    "Check",
    "Operation",
    "Resource",
    "Service",
    "load",
    "operation",
    "packages",
    "prepare",
    "resource",
    "rpcs",
    "service",
    "unanswered",
]
