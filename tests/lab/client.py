# SPDX-License-Identifier: AGPL-3.0-or-later
"""The real Delta Chat core, for tests: one `deltachat-rpc-server` process holds many profiles, a `Person` is one of them.

Nothing here sleeps. A test waits with `Person.until(condition)`: the condition is looked at again after each event of that profile, and the
whole wait has an end; what was seen until then stands in the failure.
"""

import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from queue import Empty
from typing import Any, Self, TypeVar

from deltachat_rpc_client import Account, Chat, DeltaChat, Message, Rpc
from deltachat_rpc_client.const import MessageState
from deltachat_rpc_client.rpc import JsonRpcError

T = TypeVar("T")

PATIENCE_S = 45.0
"""Longest wait for one thing: a few round trips on a busy machine with two cores; below the client's own network timeout of 60 s."""

NOTABLE = ("Warning", "Error", "ErrorSelfNotInGroup", "MsgFailed")


class GaveUpError(AssertionError):
    """What was waited for did not come."""


@dataclass(eq=False)
class Person:
    """One profile of a core. `notes` keeps the last warnings and errors of the client for the report of a failed test."""

    name: str
    account: Account
    notes: deque[str] = field(default_factory=lambda: deque(maxlen=40))

    @property
    def address(self) -> str:
        address: str | None = self.account.get_config("configured_addr")
        assert address is not None, "not set up yet"
        return address

    def set_up(self, code: str) -> Self:
        """Logged in with the account that `code` (`DCACCOUNT:`, `dclogin:`) names or makes; the mailbox is watched."""
        self.set_up_later(code)()
        return self

    def set_up_later(self, code: str) -> Callable[[], None]:
        """The same in two halves, so that several people can begin at once; call the answer to wait."""
        self.account.set_config("displayname", self.name)
        done = self.account._rpc.add_transport_from_qr.future(self.account.id, code)

        def finish() -> None:
            done()
            self.is_listening()

        return finish

    def is_listening(self) -> None:
        """Wait until the client waits in IDLE: from here on, mail is announced to it by the relay."""
        self.account.start_io()
        self.event("ImapInboxIdle")

    def events(self, timeout_s: float = PATIENCE_S) -> Iterator[dict[str, Any]]:
        """Events of this profile as they come; GaveUpError when the time is over."""
        queue, end = self.account._rpc.get_queue(self.account.id), time.monotonic() + timeout_s
        while True:
            try:
                event: dict[str, Any] = queue.get(timeout=max(0.0, end - time.monotonic()))
            except Empty:
                raise GaveUpError(f"{self.name} waited {timeout_s:.0f} s; the client noted:\n" + "\n".join(self.notes)) from None
            if event["kind"] in NOTABLE:
                self.notes.append(f"{event['kind']}: {event.get('msg', event)}")
            yield event

    def event(self, kind: str, timeout_s: float = PATIENCE_S, **fields: object) -> dict[str, Any]:
        """The next event of this kind whose fields have these values."""
        for event in self.events(timeout_s):
            if event["kind"] == kind and all(event.get(name) == value for name, value in fields.items()):
                return event
        raise AssertionError("unreachable: events() has no end")

    def until(self, look: Callable[[], T | None], timeout_s: float = PATIENCE_S) -> T:
        """What `look` answers as soon as it answers something that is not None and not False."""
        found = look()
        events = self.events(timeout_s)
        while found is None or found is False:
            next(events)
            found = look()
        return found

    def forget_events(self) -> None:
        """Events until now are no answer to what comes."""
        self.account._rpc.clear_all_events(self.account.id)

    def chats(self) -> list[Chat]:
        return [chat for chat in self.account.get_chatlist() if isinstance(chat, Chat)]

    def chat_named(self, name: str) -> Chat | None:
        return next((chat for chat in self.chats() if chat.get_basic_snapshot().name == name), None)

    def message(self, text: str, chat: Chat | None = None) -> Message | None:
        """A message with just this text, wherever it is; None as long as there is none."""
        for each in [chat] if chat else self.chats():
            for message in reversed(each.get_messages()):
                with suppress(JsonRpcError):  # deleted since the list was made
                    if message.get_snapshot().text == text:
                        return message
        return None

    def reads(self, text: str, timeout_s: float = PATIENCE_S) -> Message:
        """Wait until a message with this text is there."""
        return self.until(lambda: self.message(text), timeout_s)

    def chat_with(self, other: "Person") -> Chat:
        """A chat with somebody whose key came along with a contact card (no secure join)."""
        return self.account.create_chat(other.account)

    def writes(self, text: str, chat: Chat) -> Message:
        return chat.send_text(text)

    def delivered(self, message: Message, timeout_s: float = PATIENCE_S) -> None:
        """Wait until the relay has taken the message for everybody in the chat; a refusal fails at once."""
        state = self.until(lambda: state_of(message) if state_of(message) >= MessageState.OUT_FAILED else None, timeout_s)
        assert state != MessageState.OUT_FAILED, message.get_snapshot().error

    def failed(self, message: Message, timeout_s: float = PATIENCE_S) -> str:
        """Wait until the client shows the message as failed; the words it shows."""
        self.until(lambda: state_of(message) == MessageState.OUT_FAILED, timeout_s)
        return str(message.get_snapshot().error)


def state_of(message: Message) -> int:
    """A number of `MessageState`."""
    return int(message.get_snapshot().state)


class Core:
    """A running `deltachat-rpc-server` with its profiles in a folder of its own."""

    def __init__(self, folder: Path, rpc: Rpc) -> None:
        self.folder, self.rpc = folder, rpc
        self.manager = DeltaChat(rpc)

    def person(self, name: str) -> Person:
        """A new profile that is not set up yet."""
        return Person(name, self.manager.add_account())

    def people(self, names: Sequence[str], code: Callable[[], str]) -> list[Person]:
        """Several new people at once, each with the code that a call of `code` gives."""
        people = [self.person(name) for name in names]
        finish = [person.set_up_later(code()) for person in people]
        for wait in finish:
            wait()
        return people

    def network_changed(self) -> None:
        """What the app tells the core when the phone finds a network: reconnect now instead of waiting."""
        self.manager.maybe_network()


def server_program() -> Path:
    """The rpc server beside the Python that runs the tests."""
    return Path(sys.executable).with_name("deltachat-rpc-server")


@contextmanager
def running_core(folder: Path) -> Iterator[Core]:
    """A core that ends with the block; what it wrote to standard error stands in `folder/core.log`."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "core.log").open("wb") as log:
        rpc = Rpc(str(folder / "accounts"), str(server_program()), stderr=log)
        with rpc:
            yield Core(folder, rpc)
        assert rpc.process.stdout is not None
        rpc.process.stdout.close()  # the library leaves both to the garbage collector
        rpc.process.wait(PATIENCE_S)


def meet(inviter: Person, guest: Person, timeout_s: float = PATIENCE_S) -> Chat:
    """Secure join by QR code; afterwards both have the other's verified key. The guest's chat with the inviter."""
    chat = guest.account.secure_join(inviter.account.get_qr_code())
    inviter.event("SecurejoinInviterProgress", timeout_s, progress=1000)
    guest.event("SecurejoinJoinerProgress", timeout_s, progress=1000)
    return chat
