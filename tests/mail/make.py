# SPDX-License-Identifier: AGPL-3.0-or-later
"""Makes mail that looks like what the Delta Chat apps send, for tests, benchmarks and the linkage attacker.

The form is that of core 2.65.0, as recorded in the folder `accepted` beside this file.
The OpenPGP packets have the right shape (PKESK version 6 with hidden recipients, SEIPD version 2, RFC 9580 section 5) and random
content: nobody can decrypt them, and a relay cannot tell. The same arguments give the same bytes. The pieces are public, so that a test
can bend one of them and leave the others whole.
"""

import base64
import random
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime
from email.utils import format_datetime

PKESK, SKESK, LITERAL, SEIPD = 1, 3, 11, 18

ARMOR_BEGIN = b"-----BEGIN PGP MESSAGE-----"
ARMOR_END = b"-----END PGP MESSAGE-----"

PARTIAL_BYTES = 1 << 19
"""The client's OpenPGP library cuts what is longer into partial lengths of this size."""

_DATE_SECONDS = 1_760_000_000


def packet(tag: int, body: bytes, *, partial_bytes: int = 0) -> bytes:
    """One packet in the new format (RFC 9580 section 4.2.1), cut into partial lengths of `partial_bytes` (a power of two)."""
    pieces = [bytes([0xC0 | tag])]
    at = 0
    while partial_bytes and len(body) - at > partial_bytes:
        pieces += [bytes([0xE0 | partial_bytes.bit_length() - 1]), body[at : at + partial_bytes]]
        at += partial_bytes
    return b"".join([*pieces, new_length(len(body) - at), body[at:]])


def new_length(length: int) -> bytes:
    """A definite length in as few octets as possible."""
    if length < 192:
        return bytes([length])
    if length < 8384:
        return (length - 192 + 0xC000).to_bytes(2, "big")
    return b"\xff" + length.to_bytes(4, "big")


def old_packet(tag: int, body: bytes, *, length_octets: int = 4) -> bytes:
    """One packet in the old format (RFC 9580 section 4.2.2); 0 length octets: indeterminate length."""
    length_type = {1: 0, 2: 1, 4: 2, 0: 3}[length_octets]
    length = len(body).to_bytes(length_octets, "big") if length_octets else b""
    return bytes([0x80 | tag << 2 | length_type]) + length + body


def pkesk(rng: random.Random) -> bytes:
    """A session key for one hidden recipient: version 6, no key named, ECDH."""
    ephemeral = b"\x01\x07\x40" + rng.randbytes(32)
    return packet(PKESK, b"\x06\x00\x12" + ephemeral + b"\x20" + rng.randbytes(32))


def skesk(rng: random.Random) -> bytes:
    """A session key for those who know a shared secret, as in channels: version 6, AES-128, OCB, salted."""
    s2k = b"\x01\x08" + rng.randbytes(8)
    parameters = b"\x07\x02" + bytes([len(s2k)]) + s2k + rng.randbytes(15)
    return packet(SKESK, b"\x06" + bytes([len(parameters)]) + parameters + rng.randbytes(32))


def seipd(rng: random.Random, size_bytes: int, *, partial_bytes: int = PARTIAL_BYTES) -> bytes:
    """Encrypted data with a body of about `size_bytes`: version 2, AES-128, OCB, chunks of 8 KiB."""
    return packet(SEIPD, b"\x02\x07\x02\x07" + rng.randbytes(max(size_bytes - 4, 48)), partial_bytes=partial_bytes)


def armor(data: bytes, *, checksum: bytes = b"=YKqo\r\n", line_end: bytes = b"\r\n") -> bytes:
    """ASCII armor (RFC 9580 section 6.2), lines of 64 characters. Nobody checks the checksum, so it is always the same."""
    text = base64.b64encode(data)
    lines = [text[at : at + 64] for at in range(0, len(text), 64)]
    return line_end.join([ARMOR_BEGIN, b"", *lines, checksum + ARMOR_END, b""])


def header(sender: str, rng: random.Random, *, more: Sequence[bytes] = ()) -> bytes:
    """The clear fields of an encrypted message, each with its CRLF, without Content-Type."""
    date = format_datetime(datetime.fromtimestamp(_DATE_SECONDS + rng.randrange(518_400), UTC)).encode()
    fields = [
        b"From: <" + sender.encode() + b">",
        b"Date: " + date,
        b"Message-ID: <" + message_id(rng).encode() + b">",
        b"MIME-Version: 1.0",
        b'To: "hidden-recipients": ;',
        b"Subject: [...]",
        *more,
    ]
    return b"".join(field + b"\r\n" for field in fields)


def message_id(rng: random.Random) -> str:
    """As the apps make it: random, and the same domain for everybody."""
    return f"{uuid.UUID(bytes=rng.randbytes(16), version=4)}@localhost"


def boundary(rng: random.Random) -> bytes:
    """50 characters that occur nowhere else."""
    return b"%016x_%016x_%016x" % (rng.getrandbits(64), rng.getrandbits(64), rng.getrandbits(64))


def envelope_part(armored: bytes, mark: bytes, *, version: bytes = b"Version: 1\r\n") -> bytes:
    """Content-Type field, empty line and the two parts of multipart/encrypted (RFC 3156 section 4)."""
    return b"\r\n".join(
        [
            b'Content-Type: multipart/encrypted; protocol="application/pgp-encrypted";',
            b' boundary="' + mark + b'"',
            b"",
            b"",
            b"--" + mark,
            b'Content-Type: application/pgp-encrypted; charset="utf-8"',
            b"Content-Transfer-Encoding: 7bit",
            b"",
            version,
            b"--" + mark,
            b'Content-Type: application/octet-stream; charset="utf-8"',
            b"Content-Transfer-Encoding: 7bit",
            b"",
            armored,
            b"--" + mark + b"--",
            b"",
        ]
    )


def openpgp_message(readers: int, size_bytes: int, rng: random.Random) -> bytes:
    """Packets of about `size_bytes` together; readers that would not fit share a secret, as they do in a channel."""
    keys = b"".join(pkesk(rng) for _ in range(readers)) if readers * 100 < size_bytes else skesk(rng)
    return keys + seipd(rng, size_bytes - len(keys))


def encrypted_message(sender: str, recipients: Sequence[str], size_bytes: int = 3000, seed: int = 0) -> bytes:
    """A whole message of about `size_bytes` (at least 1 kB), as a Delta Chat app would submit it. It passes the encryption gate.

    Recipients are hidden; only their number shows in the bytes. One more key is for the sender's own devices.
    """
    rng = random.Random(f"{seed} {sender}")
    binary_bytes = max(size_bytes - 900, 100) * 48 // 66
    more = [b"Chat-Is-Post-Message: 1"] if size_bytes > 140_000 else []
    packets = openpgp_message(len(recipients) + 1, binary_bytes, rng)
    return header(sender, rng, more=more) + envelope_part(armor(packets), boundary(rng))


def plain_message(sender: str, recipient: str, text: str = "hello in clear", seed: int = 0) -> bytes:
    """What must not pass."""
    rng = random.Random(seed)
    fields = header(sender, rng).replace(b'"hidden-recipients": ;', recipient.encode())
    return fields + b"Content-Type: text/plain; charset=utf-8\r\n\r\n" + text.encode() + b"\r\n"


def secure_join_request(sender: str, recipient: str, word: str = "vc-request", seed: int = 0) -> bytes:
    """The one message of secure join that older clients send in clear, in the form that chatmail relays let through."""
    rng = random.Random(seed)
    fields = header(sender, rng, more=[b"Secure-Join: " + word.encode()]).replace(b'"hidden-recipients": ;', recipient.encode())
    mark = boundary(rng)
    return fields + b"\r\n".join(
        [
            b'Content-Type: multipart/mixed; boundary="' + mark + b'"',
            b"",
            b"",
            b"--" + mark,
            b'Content-Type: text/plain; charset="utf-8"',
            b"Content-Transfer-Encoding: 7bit",
            b"",
            b"Secure-Join: " + word.encode(),
            b"",
            b"--" + mark + b"--",
            b"",
        ]
    )
