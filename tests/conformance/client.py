# SPDX-License-Identifier: AGPL-3.0-or-later
"""A strict IMAP client: it reads by `grammar.py`, keeps what RFC 3501 says a client may believe, and raises `Violation` when the server
contradicts it.

What it knows of a selected mailbox (`Believed`): how many messages there are, the UID and the flags of those it heard of, which flags
exist. It checks every untagged response against that: message numbers that exist, UIDs that ascend and stay, EXPUNGE only where section
7.4.1 lets it be, flags that FLAGS has named, EXISTS that never shrinks. Sockets are blocking with a time limit, one thread per client.
"""

import select
import socket
import ssl
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Self

from tests.conformance.grammar import SYSTEM_FLAGS, Code, Reader, Response, Violation

PATIENCE_S = 30.0
NO_EXPUNGE = frozenset({"FETCH", "STORE", "SEARCH"})
"""Not with UID before it (RFC 3501 section 7.4.1)."""
Words = str | bytes


class Failed(AssertionError):  # noqa: N818 - read as "the command failed"
    """The command was answered NO or BAD, and that was not expected."""


@dataclass
class Message:
    """What was heard of one message."""

    uid: int | None = None
    flags: frozenset[str] | None = None


@dataclass
class Believed:
    """The selected mailbox."""

    messages: list[Message] = field(default_factory=list)
    flags: frozenset[str] = frozenset()
    permanent: frozenset[str] = frozenset()
    uid_validity: int = 0
    uid_next: int = 0
    is_read_only: bool = False
    expunged: list[int | None] = field(default_factory=list)
    """UIDs of the messages that went, as far as known."""

    @property
    def uids(self) -> list[int]:
        """All; Violation if some were never told."""
        return [self._known(message) for message in self.messages]

    @staticmethod
    def _known(message: Message) -> int:
        if message.uid is None:
            raise Violation("a UID was never told")
        return message.uid

    def seq(self, uid: int) -> int:
        return [message.uid for message in self.messages].index(uid) + 1


@dataclass
class Answer:
    """A command's untagged responses and its end."""

    untagged: list[Response]
    tagged: Response

    @property
    def code(self) -> Code | None:
        return self.tagged.code

    @property
    def status(self) -> str:
        return self.tagged.status

    def all(self, kind: str) -> list[Response]:
        return [response for response in self.untagged if response.kind == kind]

    def one(self, kind: str) -> Any:
        """The value of the only response of that kind."""
        found = self.all(kind)
        if len(found) != 1:
            raise Violation(f"{len(found)} responses {kind}")
        return found[0].value

    def fetched(self) -> dict[int, dict[str, Any]]:
        """Message number → all that was told of it."""
        found: dict[int, dict[str, Any]] = {}
        for response in self.all("FETCH"):
            found.setdefault(response.number or 0, {}).update(response.value)
        return found

    def by_uid(self) -> dict[int, dict[str, Any]]:
        return {values["UID"]: values for values in self.fetched().values()}

    def untagged_code(self, name: str) -> Any:
        """The value of the code of that name in an untagged OK."""
        found = [response.code.value for response in self.all("OK") if response.code and response.code.name == name]
        if len(found) != 1:
            raise Violation(f"{len(found)} codes {name}")
        return found[0]


class Client:
    """One connection over TLS."""

    def __init__(self, port: int, host: str = "127.0.0.1") -> None:
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        plain = socket.create_connection((host, port), PATIENCE_S)
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.socket = context.wrap_socket(plain)
        self._reader = Reader(lambda: self.socket.recv(262_144))
        self._tags = 0
        self.box: Believed | None = None
        self._under_way: deque[tuple[str, str]] = deque()
        self.observe: Callable[[Response], None] = lambda _: None
        greeting = self._reader.response()
        if (greeting.tag, greeting.kind) != ("*", "OK"):
            raise Violation(f"greeting {greeting.kind}")
        self.greeting = greeting

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        self.socket.close()

    # speaking

    @property
    def _command(self) -> str:
        """The name of the command that is being answered: the first that has no end yet (RFC 3501 section 5.5)."""
        return self._under_way[0][1] if self._under_way else ""

    def send(self, data: bytes) -> None:
        """As it is."""
        self.socket.sendall(data)

    def begin(self, command: Words) -> str:
        """Sends a command without waiting for its end. Returns its tag."""
        self._tags += 1
        tag = f"t{self._tags}"
        octets = command.encode("ascii") if isinstance(command, str) else command
        self._under_way.append((tag, command_name(octets)))
        self.send(tag.encode() + b" " + octets + b"\r\n")
        return tag

    def __call__(self, *pieces: Words, ok: bool = True) -> Answer:
        """One command; between two pieces stands a literal: `("APPEND x {5}", b"12345", "")`. `ok=False` returns NO and BAD too."""
        answer = self._exchange([piece.encode("ascii") if isinstance(piece, str) else piece for piece in pieces])
        if ok and answer.tagged.kind != "OK":
            raise Failed(f"{answer.tagged.kind} to {pieces[0]!r}: {answer.tagged.text} {answer.code}")
        return answer

    def _exchange(self, pieces: Sequence[bytes]) -> Answer:
        tag = self.begin(pieces[0])
        early: list[Response] = []
        for literal, after in zip(pieces[1::2], pieces[2::2], strict=True):
            refused = self._wait_for_plus(tag, early)
            if refused is not None:
                return self._done(pieces[0], Answer(early, refused))
            self.send(literal + after + b"\r\n")
        return self._done(pieces[0], self.finish(tag, early))

    def _wait_for_plus(self, tag: str, early: list[Response]) -> Response | None:
        while True:
            response = self.next()
            if response.tag == "+":
                return None
            if response.tag == tag:
                return response
            early.append(response)

    def finish(self, tag: str, early: Sequence[Response] = ()) -> Answer:
        """Reads to the end of the command with this tag."""
        untagged = list(early)
        while True:
            response = self.next()
            if response.tag == tag:
                return Answer(untagged, response)
            if response.tag != "*":
                raise Violation(f"{response.tag} while {tag} was under way")
            untagged.append(response)

    def _done(self, octets: bytes, answer: Answer) -> Answer:
        name = command_name(octets)
        if answer.tagged.kind == "OK":
            if name in ("SELECT", "EXAMINE"):
                self._selected(answer, name)
            elif name in ("CLOSE", "UNSELECT", "LOGOUT"):
                self.box = None
            elif name.startswith("UID FETCH") and any("UID" not in response.value for response in answer.all("FETCH")):
                raise Violation("UID FETCH answered without UID (RFC 3501 section 6.4.8)")
        elif name in ("SELECT", "EXAMINE") and answer.tagged.kind == "NO":
            self.box = None
        if name == "LOGOUT" and not answer.all("BYE"):
            raise Violation("LOGOUT without BYE (RFC 3501 section 6.1.3)")
        return answer

    def idle(self) -> str:
        """Begins to IDLE; end it with `done`. Returns the tag."""
        tag = self.begin("IDLE")
        early: list[Response] = []
        refused = self._wait_for_plus(tag, early)
        if refused is not None:
            raise Failed(f"IDLE: {refused.text}")
        return tag

    def done(self, tag: str) -> Answer:
        self.send(b"DONE\r\n")
        return self.finish(tag)

    # hearing

    def next(self) -> Response:
        """The next response; it has been checked, and what is believed is up to date."""
        response = self._reader.response()
        if response.tag == "*":
            self._hear(response)
        elif response.tag != "+" and self._under_way and self._under_way.popleft()[0] != response.tag:
            raise Violation(f"{response.tag} is answered out of turn")
        return response

    def has_more(self, patience_s: float = 0.0) -> bool:
        """Whether something can be read within that time."""
        if self._reader.has_bytes or self.socket.pending():
            return True
        return bool(select.select([self.socket], [], [], patience_s)[0])

    def _hear(self, response: Response) -> None:
        self.observe(response)
        if response.kind == "FETCH" and self.box is not None:
            self._hear_fetch(self.box, response.number or 0, response.value)
        elif response.kind == "EXISTS" and self._command not in ("SELECT", "EXAMINE"):
            self._hear_exists(response.number or 0)
        elif response.kind == "EXPUNGE":
            self._hear_expunge(response.number or 0)
        elif response.kind == "RECENT" and response.number:
            raise Violation("RECENT is always 0 here (docs/specifications.md)")
        elif response.kind == "FLAGS" and self.box is not None:
            self.box.flags = folded(response.value)
        elif response.kind == "OK" and response.code and response.code.name == "PERMANENTFLAGS" and self.box is not None:
            self.box.permanent = folded(response.code.value)

    def _hear_exists(self, count: int) -> None:
        if self.box is None:
            raise Violation("EXISTS and no mailbox is selected")
        if count < len(self.box.messages):
            raise Violation("EXISTS shrank without EXPUNGE (RFC 3501 section 7.3.1)")
        self.box.messages += [Message() for _ in range(count - len(self.box.messages))]

    def _hear_expunge(self, number: int) -> None:
        if self.box is None or not self._command:
            raise Violation("EXPUNGE and no mailbox is selected, or no command under way")
        if self._command in NO_EXPUNGE:
            raise Violation(f"EXPUNGE while {self._command} is answered (RFC 3501 section 7.4.1)")
        if number > len(self.box.messages):
            raise Violation("EXPUNGE of a message that does not exist")
        self.box.expunged.append(self.box.messages.pop(number - 1).uid)

    @staticmethod
    def _hear_fetch(box: Believed, number: int, values: dict[str, Any]) -> None:
        if number > len(box.messages):
            raise Violation(f"FETCH {number} of {len(box.messages)} messages")
        message = box.messages[number - 1]
        if "UID" in values:
            _check_uid(box, number, values["UID"])
            message.uid = values["UID"]
        if "FLAGS" in values:
            message.flags = folded(values["FLAGS"])
            strangers = message.flags - box.flags - {"\\recent"}
            if strangers:
                raise Violation(f"flags {strangers} are in no FLAGS response (RFC 3501 section 7.2.6)")

    def _selected(self, answer: Answer, name: str) -> None:
        """RFC 3501 section 6.3.1: what SELECT must say, once."""
        box = Believed(flags=folded(answer.one("FLAGS")), is_read_only=name == "EXAMINE")
        exists = answer.all("EXISTS")
        if len(exists) != 1 or len(answer.all("RECENT")) != 1:
            raise Violation("SELECT says EXISTS and RECENT once")
        box.messages = [Message() for _ in range(exists[0].number or 0)]
        box.uid_validity = answer.untagged_code("UIDVALIDITY")
        box.uid_next = answer.untagged_code("UIDNEXT")
        box.permanent = folded(answer.untagged_code("PERMANENTFLAGS"))
        if not box.flags >= SYSTEM_FLAGS or not box.flags | {"\\*"} >= box.permanent:
            raise Violation("FLAGS without the system flags, or PERMANENTFLAGS that FLAGS does not name")
        if answer.code != Code("READ-ONLY" if box.is_read_only else "READ-WRITE"):
            raise Violation(f"{name} ended with {answer.code}")
        if box.is_read_only and box.permanent:
            raise Violation("EXAMINE with PERMANENTFLAGS")
        self.box = box

    # the usual

    def log_in(self, user: str, password: str) -> Self:
        self(f'LOGIN "{user}" "{password}"')
        return self

    @property
    def selected(self) -> Believed:
        if self.box is None:
            raise RuntimeError("nothing is selected")
        return self.box

    def learn(self) -> dict[int, frozenset[str]]:
        """UID → flags of every message."""
        if self.selected.messages:
            self("FETCH 1:* (UID FLAGS)")
        return {self.selected.uids[index]: message.flags or frozenset() for index, message in enumerate(self.selected.messages)}

    def append(self, message: bytes, mailbox: bytes = b"INBOX", *, flags: str = "", date: str = "", ok: bool = True) -> Answer:
        options = b"".join(b" " + piece.encode() for piece in (flags, date) if piece)
        return self(b"APPEND " + mailbox + options + b" {%d}" % len(message), message, b"", ok=ok)


def _check_uid(box: Believed, number: int, uid: int) -> None:
    known = box.messages[number - 1].uid
    if known is not None and known != uid:
        raise Violation(f"message {number} has UID {uid}, and had {known}")
    below = next((message.uid for message in reversed(box.messages[max(0, number - 9) : number - 1]) if message.uid), 0)
    above = next((message.uid for message in box.messages[number : number + 8] if message.uid), uid + 1)
    if not below < uid < above:
        raise Violation(f"UIDs do not ascend at message {number} (RFC 3501 section 2.3.1.1)")


def command_name(command: bytes) -> str:
    """`FETCH`, `UID FETCH`."""
    words = command.decode("ascii", "replace").upper().split(" ")
    return " ".join(words[:2]) if words[0] == "UID" else words[0]


def folded(flags: Sequence[str]) -> frozenset[str]:
    return frozenset(flag.lower() for flag in flags)
