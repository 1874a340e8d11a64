# SPDX-License-Identifier: AGPL-3.0-or-later
"""What a signature and a key record must look like to prove anything (RFC 6376, RFC 8301), and what ours look like."""

import base64
import hashlib
from functools import cache
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from razdar.adapters.dkim_key import DkimKey
from razdar.vault.dkim_key import verify
from razdar.wire.dkim.canonical import body_digest
from razdar.wire.dkim.key import parse_key
from razdar.wire.dkim.message import CLOCK_LEEWAY_S, SIGNATURES_MAX, SignedMessage, header_digest
from razdar.wire.dkim.sign import SIGNED, sign
from razdar.wire.dkim.signature import parse_signature
from razdar.wire.dkim.tags import TagError, parse_tags
from razdar.wire.mime import Field, MimeError, read_header

NOW = 1_700_000_000
MESSAGE = (
    b"From: <a@one.example>\r\nTo: <b@two.example>\r\nSubject: [...]\r\nDate: Fri, 11 Jul 2003 21:00:37 +0000\r\n"
    b"Content-Type: text/plain\r\n\r\nHello\r\n"
)
TAGS = {"v": "1", "a": "rsa-sha256", "d": "one.example", "s": "sel", "h": "from", "bh": "", "b": ""}


@cache
def key() -> DkimKey:
    return DkimKey.generate()


def signed(message: bytes = MESSAGE, *, signer: DkimKey | None = None, **changes: str | None) -> bytes:
    """The message with a good signature over whatever the tags say; None leaves a tag out."""
    fields, start = read_header(message)
    tags = TAGS | {"bh": base64.b64encode(body_digest(message[start:], is_relaxed=False)).decode()} | changes
    text = "; ".join(f"{name}={value}" for name, value in tags.items() if value is not None)
    draft = f"DKIM-Signature: {text}\r\n".encode()
    signature = parse_signature(Field("dkim-signature", draft))
    if signature is not None:
        value = base64.b64encode((signer or key()).sign(header_digest(fields, signature)))
        draft = draft.replace(b"; b=", b"; b=" + value)
    return draft + message


def proves(message: bytes, record: bytes | None = None, now: int = NOW) -> bool:
    opened = SignedMessage(message)
    return any(opened.check(each, key().record() if record is None else record, verify, now) for each in opened.signatures())


def test_the_plain_one_is_good() -> None:
    assert proves(signed())
    assert proves(signed(c="relaxed", i="somebody@one.example", t=str(NOW), x=str(NOW + 10), q="dns/txt", z="From:x|To:y"))


@pytest.mark.parametrize(
    "change",
    [
        {"v": "2"},
        {"v": None},
        {"a": "rsa-sha1"},  # RFC 8301 section 3.1
        {"a": "rsa-sha512"},
        {"d": None},
        {"d": "öne.example"},
        {"d": "one..example"},
        {"d": "[192.0.2.7]"},
        {"d": ""},
        {"s": "a/b"},
        {"s": ""},
        {"h": None},
        {"h": "to:subject"},  # section 5.4: From must be signed
        {"h": "from::to"},
        {"l": "5"},  # section 8.2
        {"l": "0"},
        {"c": "strict"},
        {"c": "relaxed/relaxed/relaxed"},
        {"q": "https"},
        {"i": "@two.example"},  # section 6.1.1
        {"i": "a@evilone.example"},
        {"x": "-1"},
        {"x": "soon"},
        {"t": "20", "x": "10"},
        {"t": "20", "x": "20"},
        {"bh": None},
        {"bh": "***"},
        {"b": None},
    ],
    ids=str,
)
def test_what_proves_nothing_is_not_even_read(change: dict[str, Any]) -> None:
    assert SignedMessage(signed(**change)).signatures() == []


@pytest.mark.parametrize("text", ["v=1; v=1", "v=1;; a=b", "v", "=1", "1v=1", "v=1; a b=c", "a=\x7f", "a=é"])
def test_a_list_of_tags_is_read_in_one_way_or_not(text: str) -> None:
    with pytest.raises(TagError):
        parse_tags(text.encode())


def test_a_list_of_tags_keeps_what_it_says() -> None:
    assert parse_tags(b" v = 1 ;\r\n\th=a :\r\n b;_=x".replace(b";_=x", b"; x_1=a=b; ")) == {"v": "1", "h": "a :\r\n b", "x_1": "a=b"}
    assert parse_tags(b"") == {}


def test_a_signature_expires() -> None:
    """Section 3.5; our clock may be a day ahead."""
    message = signed(x=str(NOW))
    assert proves(message, now=NOW + CLOCK_LEEWAY_S)
    assert not proves(message, now=NOW + CLOCK_LEEWAY_S + 1)


def test_a_signature_from_the_future_counts() -> None:
    """A machine without a battery wakes up in 1970; it must not refuse everybody's mail for good."""
    assert proves(signed(t=str(NOW)), now=0)


@pytest.mark.parametrize("second", [b"Subject: Pay here", b"To: <c@three.example>", b"Content-Type: text/html", b"subject:x"])
def test_a_second_field_of_a_signed_name_takes_the_proof_away(second: bytes) -> None:
    """Section 8.15, and VECTORS: duplicated signed headers. Above or below the signed one makes no difference."""
    good = signed(h="from:to:subject:content-type")
    assert proves(good)
    above, below = second + b"\r\n" + good, good.replace(b"\r\n\r\n", b"\r\n" + second + b"\r\n\r\n")
    assert not proves(above)
    assert not proves(below)


def test_a_second_from_takes_the_proof_away_even_if_signed() -> None:
    twice = b"From: <boss@two.example>\r\n" + MESSAGE
    assert not proves(signed(twice, h="from:from"))
    assert not proves(b"From: <boss@two.example>\r\n" + signed())
    assert not proves(signed(MESSAGE.replace(b"From", b"Form")))


def test_what_relays_add_on_the_way_does_no_harm() -> None:
    """RFC 5321 section 4.4: a trace field on top; the signature covers the one below."""
    message = signed(b"Received: by one\r\n" + MESSAGE, h="from:received")
    assert proves(b"Received: by two\r\nX-Spam: no\r\n" + message)


def test_a_field_that_is_not_there_can_be_signed() -> None:
    """Section 5.4.2: then nobody can add it."""
    message = signed(h="from:reply-to")
    assert proves(message)
    assert not proves(b"Reply-To: <c@three.example>\r\n" + message)


def test_few_signatures_are_looked_at() -> None:
    bad = signed().split(b"From:")[0].replace(b"d=one", b"d=six")
    assert proves(bad * (SIGNATURES_MAX - 1) + signed())
    assert not proves(bad * SIGNATURES_MAX + signed())
    assert len(SignedMessage(bad * 50 + signed()).signatures()) == SIGNATURES_MAX


@pytest.mark.parametrize("body", [b"", b"\r\n", b"\r\n\r\n", b"Hello", b"Hello\r\n\r\n"])
@pytest.mark.parametrize("form", ["simple/simple", "simple/relaxed", "relaxed/simple", "relaxed/relaxed"])
def test_empty_and_unfinished_bodies(body: bytes, form: str) -> None:
    """Sections 3.4.3 and 3.4.4."""
    is_relaxed = form.endswith("/relaxed")
    message = MESSAGE.removesuffix(b"Hello\r\n") + body
    hashed = base64.b64encode(body_digest(body, is_relaxed=is_relaxed)).decode()
    assert proves(signed(message, c=form, bh=hashed))


def test_canonical_bodies_of_the_standard() -> None:
    """Section 3.4.5, and the digests of the empty body that section 3.4.3 and 3.4.4 give in base64."""
    example = b" C \r\nD \t E\r\n\r\n\r\n"
    assert body_digest(example, is_relaxed=True) == hashlib.sha256(b" C\r\nD E\r\n").digest()
    assert body_digest(example, is_relaxed=False) == hashlib.sha256(b" C \r\nD \t E\r\n").digest()
    assert base64.b64encode(body_digest(b"", is_relaxed=False)) == b"frcCV1k9oG9oKj3dpUqdJg1PxRT2RSN/XKdLCPjaYaY="
    assert base64.b64encode(body_digest(b"", is_relaxed=True)) == b"47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU="
    assert body_digest(b" \t\r\n\r\n \t", is_relaxed=True) == hashlib.sha256(b"").digest()


@pytest.mark.parametrize(
    "record",
    [
        b" ",
        b"v=DKIM2; p=%s",
        b"p=%s; v=DKIM1",  # section 3.6.1: first if there
        b"v=DKIM1; p=",  # revoked
        b"v=DKIM1; k=rsa",
        b"v=DKIM1; k=ed25519; p=%s",
        b"v=DKIM1; k=ec; p=%s",
        b"v=DKIM1; h=sha1; p=%s",
        b"v=DKIM1; s=tlsrpt; p=%s",
        b"v=DKIM1; p=%s; p=%s",
        b"v=DKIM1; p=!%s",
        b"v=spf1 -all",
    ],
)
def test_records_that_are_no_key_for_this(record: bytes) -> None:
    public = key().record().rpartition(b"p=")[2]
    assert not proves(signed(), record.replace(b"%s", public))


@pytest.mark.parametrize("extra", [b"", b"v=DKIM1;", b"v=DKIM1; t=y:s; s=*; h=sha1:sha256; n=note; g=*;", b"k=RSA;"])
def test_records_that_are_a_key(extra: bytes) -> None:
    assert proves(signed(), extra + b"p=" + key().record().rpartition(b"p=")[2])


def test_a_strict_key_is_not_for_subdomains() -> None:
    """Section 3.6.1, `t=s`."""
    message = signed(i="@sub.one.example")
    assert not proves(message)
    assert proves(message, key().record().replace(b" t=s;", b""))


@pytest.mark.parametrize("bits", [512, 768])
def test_short_keys_prove_nothing(bits: int) -> None:
    """RFC 8301 section 3.2. Keys this small cannot even be made here, so the modulus is any odd number of that size."""
    modulus = (1 << bits) - 1
    public = _der_of_rsa(modulus)
    assert not verify("rsa", public, bytes(32), bytes(bits // 8))
    assert not proves(signed(), b"p=" + base64.b64encode(public))


def test_huge_keys_and_exponents_cost_nothing() -> None:
    assert not verify("rsa", _der_of_rsa((1 << 16_384) - 1), bytes(32), bytes(2048))
    assert not verify("rsa", _der_of_rsa((1 << 2048) - 1, (1 << 2040) + 1), bytes(32), bytes(256))


def _der_of_rsa(modulus: int, exponent: int = 65_537) -> bytes:
    """RSAPublicKey (RFC 8017 appendix A.1.1), which the key record may also hold (RFC 6376 section 3.3.1)."""

    def number(value: int) -> bytes:
        content = value.to_bytes(value.bit_length() // 8 + 1, "big")
        return b"\x02" + _length(len(content)) + content

    content = number(modulus) + number(exponent)
    return b"\x30" + _length(len(content)) + content


def _length(length: int) -> bytes:
    if length < 128:
        return bytes([length])
    content = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([0x80 | len(content)]) + content


def test_keys_of_1024_bits_still_count_and_the_bare_form_too() -> None:
    private = rsa.generate_private_key(65_537, 1024)
    message = signed(signer=DkimKey(private))
    formats = (PublicFormat.SubjectPublicKeyInfo, PublicFormat.PKCS1)
    assert all(proves(message, b"p=" + base64.b64encode(private.public_key().public_bytes(Encoding.DER, form))) for form in formats)


def test_keys_of_other_kinds_are_refused_calmly() -> None:
    other = Ed25519PrivateKey.generate().public_key()
    assert not verify("rsa", other.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo), bytes(32), bytes(64))
    assert not verify("ed25519", b"short", bytes(32), bytes(64))
    assert not verify("rsa", b"\x30\x80", bytes(32), bytes(64))
    assert parse_key(b"k=ed25519; p=AAAA") is not None


# --- ours


def ours(message: bytes = MESSAGE, now: int | None = NOW) -> bytes:
    return sign(message, domain="one.example", selector="razdar", signer=key(), now=now) + message


def test_ours_proves_and_leaves_the_message_as_it_was() -> None:
    message = ours()
    assert proves(message)
    assert message.endswith(MESSAGE)
    assert max(map(len, message.split(b"\r\n"))) <= 78  # RFC 5322 section 2.1.1
    assert b"; t=" not in message.partition(b"\r\n")[0]


def test_ours_covers_each_name_once_more_than_it_occurs() -> None:
    (signature,) = SignedMessage(ours()).signatures()
    assert set(signature.signed) == set(SIGNED)
    assert [signature.signed.count(name) for name in ("from", "subject", "reply-to")] == [2, 2, 1]
    for name in SIGNED:
        assert not proves(name.encode() + b": added\r\n" + ours())


def test_ours_says_no_time_that_is_not_known_and_never_expires() -> None:
    """Peers refuse signatures from the future; a message may wait in our queue for 60 days."""
    for now in (None, NOW):
        (signature,) = SignedMessage(ours(now=now)).signatures()
        tags = parse_tags(signature.field.raw[len("dkim-signature:") : -2])
        assert tags.get("t") == (None if now is None else str(NOW))
        assert not tags.keys() & {"x", "l"}


def test_names_that_dns_cannot_hold_are_our_mistake() -> None:
    with pytest.raises(ValueError):
        sign(MESSAGE, domain="[192.0.2.7]", selector="razdar", signer=key())
    with pytest.raises(MimeError):
        sign(b"no header", domain="one.example", selector="razdar", signer=key())


def test_the_key_file_holds_the_key() -> None:
    again = DkimKey.load(key().pem())
    assert again.record() == key().record()
    assert key().record().startswith(b"v=DKIM1; k=rsa; ")
    for wrong in (b"", b"no key", DkimKey(rsa.generate_private_key(65_537, 1024)).pem()):
        with pytest.raises(ValueError):
            DkimKey.load(wrong)
