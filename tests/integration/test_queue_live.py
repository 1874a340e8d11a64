# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two relays as processes of their own: mail waits while the other one is away, survives kill -9, and goes when it is back."""

import imaplib
import smtplib
import ssl
import time
from collections.abc import Callable
from pathlib import Path

import pytest
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

from razdar.adapters.identity import published_key
from razdar.cli import main
from razdar.servers.control import ask
from razdar.services.dkim_signing import SELECTOR

pytestmark = pytest.mark.slow
PASSWORD = "a password for everybody"
SETTINGS = {"push": "false", "log_level": "debug"}


def unchecked() -> ssl.SSLContext:
    context = ssl.create_default_context()
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context


def send(relay: Relay, sender: str, recipient: str) -> None:
    with smtplib.SMTP_SSL(relay.bind, relay.port("submissions"), context=unchecked()) as smtp:
        smtp.login(sender, PASSWORD)
        smtp.sendmail(sender, [recipient], encrypted_message(sender, [recipient]))


def count(relay: Relay, address: str) -> int:
    with imaplib.IMAP4_SSL(relay.bind, relay.port("imaps"), ssl_context=unchecked()) as imap:
        imap.login(address, PASSWORD)
        return int((imap.select()[1][0] or b"0").decode())


def waiting(relay: Relay) -> list[tuple[str, int]]:
    return [(each["relay"], each["waiting"]) for each in ask(relay.data, {"op": "queue"})["relays"]]


def until(condition: Callable[[], bool], patience_s: float = 60.0) -> None:
    end = time.monotonic() + patience_s
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.1)  # another process; nothing announces it


def introduce(relay: Relay, other: Relay) -> None:
    """The operator of `relay` enters `other`, with its key; the certificate that answers is pinned."""
    domain, key = published_key(other.data)
    ports = ["--https-port", str(other.port("https")), "--smtp-port", str(other.port("smtp"))]
    key_words = ["--dkim", f"{SELECTOR}:{key}"]
    assert main(["peer", "add", domain, other.bind, "--data", str(relay.data), *ports, *key_words]) == 0


def test_mail_waits_for_a_relay_that_is_away_and_goes_when_it_writes_to_us(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    here = Relay(tmp_path / "here", domain="here.alt", settings=SETTINGS)
    there = Relay(tmp_path / "there", domain="there.alt", settings=SETTINGS)
    anna, boris = f"{random_text(9)}@here.alt", f"{random_text(9)}@there.alt"
    with here, there:
        introduce(here, there)
        introduce(there, here)
        assert count(here, anna) == count(there, boris) == 0
        there.stop()
        send(here, anna, boris)
        assert waiting(here) == [("there.alt", 1)]
        here.kill()
        here.start()
        assert waiting(here) == [("there.alt", 1)]
        capsys.readouterr()
        assert main(["queue", "--data", str(here.data)]) == 0
        shown = capsys.readouterr().out
        assert "there.alt" in shown
        assert boris.split("@")[0] not in shown
        there.start()
        send(there, boris, anna)
        until(lambda: count(here, anna) == 1)
        until(lambda: count(there, boris) == 1)
        assert waiting(here) == waiting(there) == []
        log = here.output() + there.output()
        assert not [name for name in (anna, boris, "there.alt") if name in log.replace("here.alt", "")]
