# SPDX-License-Identifier: AGPL-3.0-or-later
"""An account of a running relay, its clients and its mail."""

from contextlib import ExitStack

from tests.conformance.client import Client
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message


class Person:
    """An account that begins with its first login."""

    def __init__(self, relay: Relay, stack: ExitStack) -> None:
        self.relay = relay
        self._stack = stack
        self.address = f"{random_text(9)}@{relay.name}"
        self.password = random_text(22)
        self._letters = 0

    def connect(self) -> Client:
        """A connection without login."""
        return self._stack.enter_context(Client(self.relay.port("imaps"), self.relay.bind))

    def client(self, mailbox: str = "") -> Client:
        """Logged in, perhaps with a mailbox selected."""
        client = self.connect().log_in(self.address, self.password)
        if mailbox:
            client(f"SELECT {mailbox}")
        return client

    def mail(self, size_bytes: int = 1500) -> bytes:
        """A message that may be appended, each a different one."""
        self._letters += 1
        return encrypted_message(self.address, [self.address], size_bytes, seed=self._letters)

    def filled(self, messages: int, mailbox: str = "INBOX") -> Client:
        """A client with so many new messages in that mailbox, which is selected."""
        client = self.client()
        for _ in range(messages):
            client.append(self.mail(), mailbox.encode())
        client(f"SELECT {mailbox}")
        return client
