# SPDX-License-Identifier: AGPL-3.0-or-later
"""Two whole relays that have only addresses. Both send from 127.0.0.1, so one of them comes from its own address and the other has to be
asked back: the call-back from the queue of one to the door of the other and back."""

import subprocess
from pathlib import Path

import pytest
from tests.lab.peer import Imap, Smtp
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

pytestmark = pytest.mark.slow


def enter(relay: Relay, other: Relay) -> None:
    """`other` stands in the list of `relay`, with its ports and the certificate that it shows."""
    ports = ["--https-port", str(other.port("https")), "--smtp-port", str(other.port("smtp"))]
    command = relay.other_command("peer", "add", other.name, other.bind, *ports)
    subprocess.run(command, env=relay.environment(), check=True, capture_output=True)


def write(sender: Relay, receiver: Relay) -> bytes:
    """What the recipient hears once the message is there."""
    name, author = random_text(9), random_text(9)
    with Imap(receiver, name) as imap, Smtp(sender, author) as smtp:
        imap.ok("SELECT INBOX")
        imap.idle()
        to = f"{name}@{receiver.name}"
        assert smtp.submit([to], encrypted_message(f"{author}@{sender.name}", [to])).startswith(b"250")
        return imap.until(b"EXISTS")


def test_mail_between_two_addresses_in_both_directions(tmp_path: Path) -> None:
    one, two = Relay(tmp_path / "one", domain="[127.0.0.1]"), Relay(tmp_path / "two", domain="[127.0.0.2]", bind="127.0.0.2")
    with one, two:
        enter(one, two)
        enter(two, one)
        assert b"* 1 EXISTS" in write(one, two), "from the address that is its name"
        assert b"* 1 EXISTS" in write(two, one), "from another address, and confirmed"
        assert '"event": "bug"' not in one.output() + two.output()
