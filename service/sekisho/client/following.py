"""The place at which a list goes on: IAM's answers say it by a marker, the newer services' by a token."""

from typing import Any


def following(page: Any) -> dict[str, str] | None:
    """What to ask for the next page with; None after the last one."""
    if "next_token" in page.DESCRIPTOR.fields_by_name:
        return {"next_token": page.next_token} if page.next_token else None
    return {"marker": page.marker} if page.is_truncated else None
