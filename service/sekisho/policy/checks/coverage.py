"""How wildcard patterns relate: which matches all that another one matches, and which matches a given name."""

from sekisho.policy import patterns


def covers(general: str, special: str, *, resource: bool = False) -> bool:
    """Whether `general` certainly matches all that `special` matches: `s3:Get*` covers `s3:GetObject*`.

    `special` is read as a text, whose stars only a star can match: sound, since where a star of `special` can take a colon the star that
    matches it can too. Not complete: what is in doubt, as with variables, is not covered.
    """
    if general == special:
        return True
    if "${" in general or ("?" in general and "*" in special):
        return False
    return (patterns.resource_matcher if resource else patterns.matcher)(patterns.tokens(general))(special)


def matches(pattern: str, name: str) -> bool:
    """Whether the pattern matches a name that has no wildcards."""
    return patterns.matcher(patterns.tokens(pattern))(name)


def is_wild(pattern: str) -> bool:
    """Whether the pattern has a wildcard."""
    return "*" in pattern or "?" in pattern
