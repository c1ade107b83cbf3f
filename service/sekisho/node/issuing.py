"""The address of a server, as the issuers that are enabled on it have it in their tokens."""

from sekisho.node import listeners
from sekisho.node.options import Options


def address(options: Options) -> str:
    """What it was told, else where it listens over HTTP; empty where others could not reach it there, or not know it for the right one."""
    if options.issuer_url:
        return options.issuer_url.rstrip("/")
    host, _ = listeners.split(options.http)
    if listeners.is_loopback(host):
        return f"{'https' if options.encrypted else 'http'}://{options.http}"
    return f"https://{options.http}" if options.encrypted and host not in _ANY else ""


_ANY = ("0.0.0.0", "::")  # noqa: S104  # every address of the machine: the name of none
