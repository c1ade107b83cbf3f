"""One spelling turned into another: AWS's `CreateUser` is our `create_user`, and `CREATE_USER` as a reason."""

import re

_WORDS = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")


def snake(name: str) -> str:
    """`CreateUser` as `create_user`; a run of capitals is one word: `UploadSSHPublicKey`, `upload_ssh_public_key`."""
    return _WORDS.sub("_", name).lower()
