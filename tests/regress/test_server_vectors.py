# SPDX-License-Identifier: AGPL-3.0-or-later
"""The lines of attack on accounts, TLS and resources that only a running relay can answer; each test names its class.

Other classes: gate and sender in this folder, SMTP smuggling in tests/unit/test_smtp_smuggling.py, IMAP after login in
tests/conformance, doors and patience in tests/integration/test_relay_*.py.
"""

import base64
import json
import re
import shutil
import ssl
import subprocess
from collections.abc import Iterator

import pytest
from tests.lab.peer import PASSWORD, Imap, Peer, Smtp
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message, plain_message

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with Relay(tmp_path_factory.mktemp("vectors")) as running:
        yield running
        assert '"event": "bug"' not in running.output()


@pytest.fixture(scope="module")
def closed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    """Nobody can register; there is one account, `member123`."""
    relay = Relay(tmp_path_factory.mktemp("closed"))
    with relay, Imap(relay, "member123") as imap:
        imap.ok("CREATE used")  # an account that nobody used would not outlive the restart
    relay.settings = {"registration": "closed"}
    with relay:
        yield relay


def accounts(relay: Relay) -> int:
    answered = subprocess.run(relay.other_command("status", "--json"), env=relay.environment(), capture_output=True, check=True)
    return int(json.loads(answered.stdout)["accounts"])


def sasl(address: str, password: str = PASSWORD, authzid: str = "") -> bytes:
    return b"AUTH PLAIN " + base64.b64encode(f"{authzid}\0{address}\0{password}".encode()) + b"\r\n"


# accounts


def test_accounts_imap_and_smtp_create_race(relay: Relay) -> None:
    """Both are ready before either speaks, as an app does it with a code that it just scanned."""
    before = accounts(relay)
    names = [f"{random_text(9)}@{relay.name}" for _ in range(20)]
    pairs = [(Imap(relay), Smtp(relay)) for _ in names]
    for name, (imap, smtp) in zip(names, pairs, strict=True):
        imap.send(f"a LOGIN {name} {PASSWORD}\r\n".encode())
        smtp.send(sasl(name))
    for imap, smtp in pairs:
        assert imap.line().startswith(b"a OK")
        assert smtp.reply().startswith(b"235")
    assert accounts(relay) == before + len(names)


def test_accounts_same_name_with_different_passwords(relay: Relay) -> None:
    before = accounts(relay)
    for _ in range(10):
        name = f"{random_text(9)}@{relay.name}"
        imap, smtp = Imap(relay), Smtp(relay)
        imap.send(f"a LOGIN {name} {PASSWORD}\r\n".encode())
        smtp.send(sasl(name, PASSWORD[::-1]))
        won = [imap.line().startswith(b"a OK"), smtp.reply().startswith(b"235")]
        assert sorted(won) == [False, True]
    assert accounts(relay) == before + 10


@pytest.mark.parametrize("authzid", ["somebody", "postmaster@{domain}", "{address}x"])
def test_accounts_sasl_authzid_of_another_user(relay: Relay, authzid: str) -> None:
    address = f"{random_text(9)}@{relay.name}"
    with Smtp(relay) as smtp:
        smtp.send(sasl(address, authzid=authzid.format(domain=relay.name, address=address)))
        assert smtp.reply().startswith(b"535")
        smtp.send(sasl(address, authzid=address.upper()))
        assert smtp.reply().startswith(b"235")


def test_accounts_no_existence_oracle_where_registration_is_closed(closed: Relay) -> None:
    """The same words for both, in both protocols; that both cost the same work is tested in tests/unit/test_service_accounts.py."""
    words = set()
    for name in ("member123", "nobody123"):
        with Imap(closed) as imap, Smtp(closed) as smtp:
            smtp.send(sasl(f"{name}@{closed.name}", "wrong-password-of-22-x"))
            words.add((imap.command(f"LOGIN {name}@{closed.name} wrong-password-of-22-x")[-1], smtp.reply()))
    assert len(words) == 1
    assert accounts(closed) == 1


def test_accounts_a_school_behind_one_address_is_not_locked_out(relay: Relay) -> None:
    """One pupil's wrong passwords close that pupil's connections and nobody else's."""
    name = random_text(9)
    with Imap(relay, name):
        pass
    for _ in range(3):
        with Imap(relay) as guessing:
            for _ in range(10):
                guessing.send(f"a LOGIN {name}@{relay.name} wrong-password\r\n".encode())
            assert b"BYE" in guessing.rest()
    with Imap(relay, name) as owner, Imap(relay, random_text(9)) as classmate:
        owner.ok("NOOP")
        classmate.ok("NOOP")


# relay


def test_relay_nothing_for_strangers_and_no_backscatter(relay: Relay) -> None:
    """A forged message is refused while whoever brings it is there; nothing waits for the victim afterwards."""
    name = random_text(9)
    with Imap(relay, name) as imap:
        with Smtp(relay, service="smtp") as smtp:
            assert smtp.reply(b"STARTTLS").startswith(b"220")
            smtp.start_tls()
            smtp.reply(b"EHLO x")
            smtp.reply(b"MAIL FROM:<victim@elsewhere.alt>")
            assert smtp.reply(b"RCPT TO:<other@third.example>").startswith(b"550")
            assert smtp.reply(f"RCPT TO:<{name}@{relay.name}>".encode()).startswith(b"250")
            assert smtp.reply(b"DATA").startswith(b"354")
            assert smtp.reply(encrypted_message("victim@elsewhere.alt", [name]) + b".").startswith(b"554 5.7.1 No valid DKIM")
        assert b"* 0 EXISTS\r\n" in imap.ok("SELECT INBOX")
    waiting = subprocess.run(relay.other_command("queue", "--json"), env=relay.environment(), capture_output=True, check=True)
    assert b"elsewhere" not in waiting.stdout


@pytest.mark.parametrize(
    "sender", ["<>", "<{other}@{domain}>", "<{name}@other.example>", "<{name}%{domain}@{domain}>", "<{domain}!{name}@{domain}>"]
)
def test_sender_is_the_login_and_nobody_else(relay: Relay, sender: str) -> None:
    name = random_text(9)
    with Smtp(relay, name) as smtp:
        assert smtp.reply(b"MAIL FROM:" + sender.format(name=name, other=random_text(9), domain=relay.name).encode()).startswith(b"55")


def test_gate_and_sender_hold_on_the_way_through_the_engine(relay: Relay) -> None:
    name = random_text(9)
    own = f"{name}@{relay.name}"
    with Smtp(relay, name) as smtp:
        assert re.match(rb"523 .*Invalid Unencrypted Mail", smtp.submit([own], plain_message(own, own)))
        assert smtp.submit([own], encrypted_message(f"other@{relay.name}", [own])).startswith(b"500 5.7.1 Invalid FROM")
        assert smtp.write_to(name).startswith(b"250")


# cross-account


def test_cross_account_there_is_no_name_for_another_persons_things(relay: Relay) -> None:
    theirs, mine = random_text(9), random_text(9)
    with Imap(relay, theirs) as owner, Smtp(relay, theirs) as smtp:
        owner.ok("CREATE Secret")
        smtp.write_to(theirs)
    with Imap(relay, mine) as imap:
        for name in ("Secret", theirs, f"user/{theirs}", f"~{theirs}/INBOX", f"{theirs}@{relay.name}", "../INBOX", "#user/INBOX"):
            assert b" OK" not in imap.command(f'SELECT "{name}"')[-1][:10]
            assert b" OK" not in imap.command(f'STATUS "{name}" (MESSAGES)')[-1][:10]
        assert b"Secret" not in b"".join(imap.ok('LIST "" "*"'))
        imap.ok("SELECT INBOX")
        assert imap.ok("UID FETCH 1:* (FLAGS)") == []
        assert b" OK" not in imap.command(f'UID COPY 1 "user/{theirs}"')[-1][:10]


# TLS


def test_tls_is_of_today_and_does_not_compress(relay: Relay) -> None:
    """CVE-2012-4929."""
    with Peer(relay, "imaps") as peer:
        assert isinstance(peer.socket, ssl.SSLSocket)
        assert peer.socket.compression() is None
        assert peer.socket.version() in ("TLSv1.2", "TLSv1.3")


@pytest.mark.skipif(shutil.which("openssl") is None, reason="needs the openssl command")
def test_tls_renegotiation_is_refused(relay: Relay) -> None:
    """CVE-2011-1473: a client that asks for handshake after handshake. Python's own client cannot ask, openssl's does at a line "R"."""
    client = ["openssl", "s_client", "-tls1_2", "-connect", f"{relay.bind}:{relay.port('imaps')}"]
    ended = subprocess.run(client, input=b"R\n", capture_output=True, timeout=30, check=False)
    assert b"RENEGOTIATING" in ended.stderr
    assert b"no renegotiation" in ended.stderr
