# SPDX-License-Identifier: AGPL-3.0-or-later
"""What leaves for other relays carries our signature, so that they and we can tell our people's mail from anybody else's."""

from collections.abc import Callable

from razdar.policy.ip import is_literal
from razdar.wire.dkim.sign import Signer, sign

SELECTOR = "razdar"
"""Where DNS has our key: `razdar._domainkey.` and the relay's name."""


def signing(domain: str, signer: Signer) -> Callable[[bytes], bytes]:
    """Takes a message that was accepted and gives it with our signature before it.

    A domain literal cannot have a key in DNS; its messages stay as they are and are proven by where they come from. No time is signed:
    peers refuse signatures from the future, and a machine's clock may be wrong. Takes half a millisecond. Raises MimeError.
    """

    def signed(message: bytes) -> bytes:
        if is_literal(domain):
            return message
        bounds = len(message)  # its header passed the limits of the day when it came
        return sign(message, domain=domain, selector=SELECTOR, signer=signer, header_bytes=bounds, header_fields=bounds) + message

    return signed
