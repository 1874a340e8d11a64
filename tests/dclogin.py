# SPDX-License-Identifier: AGPL-3.0-or-later
"""Reads `dclogin:` links, which the relay only writes (wire/links.py)."""

from urllib.parse import parse_qs, unquote

from razdar.model.address import Address, parse_address
from razdar.wire.links import Server


def parse_dclogin(link: str) -> tuple[Address, str, Server | None]:
    """Address, password and server of a link that `dclogin` made. Raises ValueError for any other text."""
    scheme, _, rest = link.partition(":")
    written, _, query = rest.partition("?")
    address = parse_address(unquote(written))
    values = {name: each[0] for name, each in parse_qs(query, strict_parsing=True).items()}
    if scheme.lower() != "dclogin" or address is None or values.get("v") != "1" or "p" not in values:
        raise ValueError("no dclogin link of ours")
    if "ih" not in values:
        return address, values["p"], None
    try:
        server = Server(values["ih"], int(values["ip"]), int(values["sp"]), values["is"], int(values["ic"]))
    except KeyError:
        raise ValueError("no dclogin link of ours") from None
    return address, values["p"], server
