# SPDX-License-Identifier: AGPL-3.0-or-later
"""Messages that the standards give as examples: RFC 6376 appendix A.2 (with its errata) and RFC 8463 appendix A."""

import pytest

from razdar.vault.dkim_key import verify
from razdar.wire.dkim.message import SignedMessage

_LETTER = b"""\
From: Joe SixPack <joe@football.example.com>
To: Suzie Q <suzie@shopping.example.net>
Subject: Is dinner ready?
Date: Fri, 11 Jul 2003 21:00:37 -0700 (PDT)
Message-ID: <20030712040037.46341.5F8J@football.example.com>

Hi.

We lost the game. Are you hungry yet?

Joe.
"""

RFC_6376 = (
    b"""\
DKIM-Signature: v=1; a=rsa-sha256; s=brisbane; d=example.com;
      c=simple/simple; q=dns/txt; i=joe@football.example.com;
      h=Received : From : To : Subject : Date : Message-ID;
      bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
      b=AuUoFEfDxTDkHlLXSZEpZj79LICEps6eda7W3deTVFOk4yAUoqOB
      4nujc7YopdG5dWLSdNg6xNAZpOPr+kHxt1IrE+NahM6L/LbvaHut
      KVdkLLkpVaVVQPzeRDI009SO2Il5Lu7rDNH6mZckBdrIx0orEtZV
      4bmp/YzhwvcubU4=;
Received: from client1.football.example.com  [192.0.2.1]
      by submitserver.example.com with SUBMISSION;
      Fri, 11 Jul 2003 21:01:54 -0700 (PDT)
"""
    + _LETTER
).replace(b"\n", b"\r\n")
RFC_6376_KEY = (
    b"v=DKIM1; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDwIRP/UC3SBsEmGqZ9ZJW3/DkMoGeLnQg1fWn7/zYtIxN2SnFCjxOCKG9v3b4jYfcTNh5ij"
    b"Ssq631uBItLa7od+v/RtdC2UzJ1lWT947qR+Rcac2gbto/NMqJ0fzfVjH4OuKhitdY9tf6mcwGjaNBcWToIMmPSPDdQPNUYckcQ2QIDAQAB"
)

RFC_8463 = (
    b"""\
DKIM-Signature: v=1; a=ed25519-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=brisbane; t=1528637909; h=from : to :
 subject : date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=/gCrinpcQOoIfuHNQIbq4pgh9kyIK3AQUdt9OdqQehSwhEIug4D11Bus
 Fa3bT3FY5OsU7ZbnKELq+eXdp1Q1Dw==
DKIM-Signature: v=1; a=rsa-sha256; c=relaxed/relaxed;
 d=football.example.com; i=@football.example.com;
 q=dns/txt; s=test; t=1528637909; h=from : to : subject :
 date : message-id : from : subject : date;
 bh=2jUSOH9NhtVGCQWNr9BrIAPreKQjO6Sn7XIkfJVOzv8=;
 b=F45dVWDfMbQDGHJFlXUNB2HKfbCeLRyhDXgFpEL8GwpsRe0IeIixNTe3
 DhCVlUrSjV4BwcVcOF6+FF3Zo9Rpo1tFOeS9mPYQTnGdaSGsgeefOsk2Jz
 dA+L10TeYt9BgDfQNZtKdN1WO//KgIqXP7OdEFE4LjFYNcUxZQ4FADY+8=
"""
    + _LETTER.replace(b"game. Are", b"game.  Are")
).replace(b"\n", b"\r\n")
RFC_8463_KEYS = {
    "brisbane": b"v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo=",
    "test": b"v=DKIM1; k=rsa; p=MIGfMA0GCSqGSIb3DQEBAQUAA4GNADCBiQKBgQDkHlOQoBTzWRiGs5V6NpP3idY6Wk08a5qhdR6wy5bdOKb2jLQiY/"
    b"J16JYi0Qvx/byYzCNb3"
    b"W91y3FutACDfzwQ/BC/e/8uBsCR+yz1Lxj+PL6lHvqMKrM3rG4hstT5QjvHO9PzoxZyVYLzBfO2EeC3Ip3G+2kryOTIKT+l/K4w3QIDAQAB",
}


def test_rfc_6376_simple_and_rsa() -> None:
    signed = SignedMessage(RFC_6376)
    (signature,) = signed.signatures()
    assert (signature.domain, signature.key_name) == ("example.com", "brisbane._domainkey.example.com")
    assert signed.check(signature, RFC_6376_KEY, verify, 0)


def test_rfc_8463_relaxed_with_both_algorithms() -> None:
    signed = SignedMessage(RFC_8463)
    found = signed.signatures()
    assert [each.algorithm for each in found] == ["ed25519-sha256", "rsa-sha256"]
    assert all(signed.check(each, RFC_8463_KEYS[each.selector], verify, 0) for each in found)


@pytest.mark.parametrize("number", [0, 1])
def test_the_key_of_the_other_proves_nothing(number: int) -> None:
    signed = SignedMessage(RFC_8463)
    signature = signed.signatures()[number]
    (other,) = RFC_8463_KEYS.keys() - {signature.selector}
    assert not signed.check(signature, RFC_8463_KEYS[other], verify, 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"lost the game", b"won the game"),
        (b"dinner", b"supper"),
        (b"Suzie Q", b"Susie Q"),
        (b"Joe.\r\n", b"Joe.\r\n\r\nPS\r\n"),
        (b"h=from : to", b"h=to : from"),
        (b"t=1528637909", b"t=1528637908"),
        (b"/gCrinpc", b"/gCrinpd"),
        (b"F45dVWDf", b"F45dVWDg"),
    ],
)
def test_whatever_was_signed_cannot_be_changed(old: bytes, new: bytes) -> None:
    signed = SignedMessage(RFC_8463.replace(old, new))
    good = [each for each in signed.signatures() if signed.check(each, RFC_8463_KEYS[each.selector], verify, 0)]
    assert len(good) == (1 if old in (b"/gCrinpc", b"F45dVWDf") else 0)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Subject: Is dinner ready?", b"subject:  Is   dinner \t ready? "),
        (b"To: Suzie Q <", b"To: Suzie Q\r\n\t<"),
        (b"yet?\r\n", b"yet?  \t\r\n"),
        (b"Joe.\r\n", b"Joe.\r\n\r\n\r\n"),
        (b"DKIM-Signature: v=1; a=ed", b"Received: by a relay\r\nDKIM-Signature: v=1; a=ed"),
    ],
)
def test_what_relays_change_on_the_way_breaks_nothing(old: bytes, new: bytes) -> None:
    """RFC 6376 sections 3.4.2 and 3.4.4."""
    changed = RFC_8463.replace(old, new)
    assert changed != RFC_8463
    signed = SignedMessage(changed)
    assert [signed.check(each, RFC_8463_KEYS[each.selector], verify, 0) for each in signed.signatures()] == [True, True]
