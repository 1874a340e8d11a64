# SPDX-License-Identifier: AGPL-3.0-or-later
"""smtplib, which knows nothing of us, against the engine over a pair of sockets. No TLS: the engine only hears that it is there."""

import smtplib
import socket
import threading
from collections.abc import Iterator

import pytest
from tests.transcripts.smtp_driver import PASSWORD, SmtpDriver


class PairedSMTP(smtplib.SMTP):
    """Talks through a socket that is connected already."""

    def __init__(self, paired: socket.socket) -> None:
        self._paired = paired
        super().__init__("relay.example", timeout=10)

    def _get_socket(self, *_: object) -> socket.socket:
        return self._paired


def serve(driver: SmtpDriver, connection: socket.socket) -> None:
    """As short as a server can be."""
    with connection:
        connection.sendall(driver.take_output())
        while not driver.session.is_closing and (data := connection.recv(1000)):
            driver.receive(data)
            connection.sendall(driver.take_output())


@pytest.fixture
def driver() -> SmtpDriver:
    return SmtpDriver()


@pytest.fixture
def client(driver: SmtpDriver) -> Iterator[smtplib.SMTP]:
    ours, theirs = socket.socketpair()
    server = threading.Thread(target=serve, args=(driver, ours))
    server.start()
    smtp = PairedSMTP(theirs)
    yield smtp
    smtp.close()
    server.join(10)
    assert not server.is_alive()


def test_smtplib_submits(driver: SmtpDriver, client: smtplib.SMTP) -> None:
    client.login("alice@relay.example", PASSWORD)
    content = b"Subject: [...]\r\n\r\n.dot\r\n..\r\nbye\r\n" + b"x" * 70_000 + b"\r\n"
    recipients = [f"u{i}@relay.example" for i in range(100)]
    assert client.sendmail("alice@relay.example", recipients, content, mail_options=["BODY=8BITMIME"]) == {}
    assert [message.content for message in driver.messages] == [content]
    assert list(map(str, driver.messages[0].envelope.recipients)) == recipients
    assert client.quit()[0] == 221


@pytest.mark.parametrize("mechanism", ["auth_plain", "auth_login"])
def test_smtplib_logs_in_either_way(driver: SmtpDriver, client: smtplib.SMTP, mechanism: str) -> None:
    client.ehlo()
    client.user, client.password = "alice@relay.example", PASSWORD
    name = mechanism.removeprefix("auth_").upper()
    assert client.auth(name, getattr(client, mechanism), initial_response_ok=False)[0] == 235
    assert driver.session.login == "alice@relay.example"


def test_smtplib_hears_a_wrong_password(client: smtplib.SMTP) -> None:
    with pytest.raises(smtplib.SMTPAuthenticationError) as caught:
        client.login("alice@relay.example", "wrong")
    assert caught.value.smtp_code == 535


def test_smtplib_reads_the_limits(client: smtplib.SMTP) -> None:
    client.ehlo()
    assert client.esmtp_features["size"] == "31457280"
    assert client.esmtp_features["limits"] == "RCPTMAX=1000"
    assert not client.has_extn("starttls")
