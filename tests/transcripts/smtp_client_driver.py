# SPDX-License-Identifier: AGPL-3.0-or-later
"""The client of SMTP in transcripts: what the other relay says is written down, and what ours must say.

The marks of player.py mean the same as there, `C:` the client and `S:` the server; only here it is the client that is looked at. The
directives:
    ! raw BYTES                    the server sends exactly these, no CRLF
    ! start tls|clear              a new connection; transcripts begin with one in clear
    ! tls                          the handshake is done
    ! send FROM TO,TO CONTENT      the next message (`<>`: null sender, EMPTY: no content)
    ! event NAME                   the next event, e.g. Ready; `none`
    ! sent / ! sent TO=550/5.1.1   everybody got it / but for these
    ! ended NAME                   the dialogue is over, why
    ! lost / ! quit                the connection is gone / QUIT is asked for
"""

from collections.abc import Callable, Mapping

from tests.transcripts.player import Player, Step, unescape

from razdar.model.address import Address, parse_address, undeliverable
from razdar.wire.smtp.client import SmtpClient
from razdar.wire.smtp.client_events import Ended, Farewell, Sent, TlsAgreed


def person(text: str) -> Address:
    """Also what is no address, as it comes out of a client's recipients."""
    found = parse_address(text) or undeliverable(text)
    assert found is not None
    return found


class ClientDriver:
    """One connection at a time."""

    def __init__(self) -> None:
        self.client = SmtpClient("relay.example")

    def receive(self, data: bytes) -> None:
        self.client.receive(data)

    def take_output(self) -> bytes:
        return self.client.take_output()

    @property
    def directives(self) -> Mapping[str, Callable[[str], None]]:
        return {
            "start": self._start,
            "tls": lambda _: self.client.tls_started(),
            "send": self._send,
            "event": self._expect_event,
            "sent": self._expect_sent,
            "ended": self._expect_ended,
            "lost": lambda _: self.client.lost(),
            "quit": lambda _: self.client.quit(),
        }

    def _start(self, how: str) -> None:
        self.client = SmtpClient("relay.example", is_tls=how == "tls")

    def _send(self, text: str) -> None:
        sender, recipients, content = text.split(" ", 2)
        people = [person(each) for each in recipients.split(",")]
        self.client.send(
            None if sender == "<>" else person(sender), people, b"" if content == "EMPTY" else unescape(content.replace("\\s", " "))
        )

    def _expect_event(self, name: str) -> None:
        event = self.client.next_event()
        assert (type(event).__name__ if event else "none") == name

    def _expect_sent(self, text: str) -> None:
        event = self.client.next_event()
        assert isinstance(event, Sent), event
        refused = {f"{who}={no.code}/{no.enhanced}" for who, no in event.refused.items()}
        assert refused == set(text.split()), refused

    def _expect_ended(self, name: str) -> None:
        event = self.client.next_event()
        if isinstance(event, TlsAgreed):  # agreed before the next packet came; nobody has begun the handshake
            event = self.client.next_event()
        assert event == Ended(Farewell[name]), event
        assert self.client.next_event() is None
        assert self.client.is_over


class ClientPlayer(Player):
    """The same dialogues, seen from the other side."""

    def _play(self, step: Step) -> None:
        if step.kind == "C:":
            self._expect(step)
        elif step.kind == "S:":
            self._expect_silence(step)
            self._send(unescape(step.text) + b"\r\n")
        elif step.text.startswith("raw "):
            self._expect_silence(step)
            self._send(unescape(step.text.removeprefix("raw ")))
        else:
            self._direct(step)
