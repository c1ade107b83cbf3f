"""Operations: the registry of functions by rpc, what the protos annotate, and how requests are validated."""

from sekisho.operations.registry import (
    OPERATIONS,
    PREPARATIONS,
    RESOURCES,
    VIOLATIONS,
    Check,
    Operation,
    Resource,
    Service,
    load,
    operation,
    prepare,
    resource,
    rpcs,
    service,
    unanswered,
    violations,
)

__all__ = [
    "OPERATIONS",
    "PREPARATIONS",
    "RESOURCES",
    "VIOLATIONS",
    "Check",
    "Operation",
    "Resource",
    "Service",
    "load",
    "operation",
    "prepare",
    "resource",
    "rpcs",
    "service",
    "unanswered",
    "violations",
]
