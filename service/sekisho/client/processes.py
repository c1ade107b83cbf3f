"""Helper programs that print credentials. Source: https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html"""

import json
import os
import shlex
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

from sekisho.client.sources import NoCredentialsError, Temporary
from sekisho.sigv4 import Credentials

DEPTH = "SEKISHO_CREDENTIAL_PROCESS_DEPTH"
"""The variable by which helper programs that start each other know how deep they are."""

DEEPEST = 4
"""Helper programs within each other: a profile whose program asks for the same profile would have no end."""


@dataclass(frozen=True, slots=True)
class Process:
    """A helper program, and the profile that names it."""

    command: str
    place: str

    def __call__(self) -> Temporary:
        """The credentials that the program prints; what it says on standard error is for people, and its output is never quoted."""
        within = int(said) if (said := os.environ.get(DEPTH, "")).isdecimal() else 0
        if within >= DEEPEST:
            raise NoCredentialsError(f"the credential_process of {self.place} asks for its own profile, or starts too many others")
        try:
            # The owner of the profile names the program.
            done = subprocess.run(  # noqa: S603  # as it is named
                shlex.split(self.command), stdout=subprocess.PIPE, check=False, env={**os.environ, DEPTH: str(within + 1)}
            )
        except (OSError, ValueError) as error:
            raise NoCredentialsError(f"the credential_process of {self.place} cannot be started: {error}") from None
        if done.returncode != 0:
            raise NoCredentialsError(f"the credential_process of {self.place} ended with code {done.returncode}")
        try:
            return parsed(json.loads(done.stdout))
        except ValueError:
            raise NoCredentialsError(f"the credential_process of {self.place} printed no credentials of version 1") from None


def parsed(said: object) -> Temporary:
    """The credentials of version 1 of the format; ValueError for what is not in it."""
    if not isinstance(said, Mapping) or said.get("Version") != 1:
        raise ValueError("not of version 1")
    texts = said.get("AccessKeyId"), said.get("SecretAccessKey"), said.get("SessionToken") or ""
    if not all(isinstance(text, str) for text in texts) or not texts[0] or not texts[1]:
        raise ValueError("no credentials")
    until = said.get("Expiration")
    if until is not None and not isinstance(until, str):
        raise ValueError("no end")
    ends = datetime.fromisoformat(until) if until else None
    zoned = ends if ends is None or ends.tzinfo is not None else ends.replace(tzinfo=UTC)
    return Temporary(Credentials(str(texts[0]), str(texts[1]), str(texts[2]) or None), zoned)


def printed(given: Temporary) -> dict[str, object]:
    """Credentials in version 1 of the format."""
    shown: dict[str, object] = {
        "Version": 1,
        "AccessKeyId": given.credentials.access_key_id,
        "SecretAccessKey": given.credentials.secret_access_key,
    }
    if given.credentials.session_token is not None:
        shown["SessionToken"] = given.credentials.session_token
    if given.ends is not None:
        shown["Expiration"] = given.ends.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    return shown
