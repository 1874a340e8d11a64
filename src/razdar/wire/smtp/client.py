# SPDX-License-Identifier: AGPL-3.0-or-later
"""One SMTP connection to another relay as a value: bytes in, events out, commands queued. The client's side of session.py.

    client.receive(data)                        as often as bytes arrive; client.lost() when the connection is gone
    while event := client.next_event(): ...     TlsAgreed: do the handshake, then client.tls_started()
    client.send(sender, recipients, message)    once Ready; exactly one Sent or Ended follows, then the next message may be sent
    transport.write(client.take_output())       after each receive: a reply to what was not taken yet is the server's error

It touches no socket and no clock and never raises because of what the peer sent. Nothing but EHLO and STARTTLS is ever said without
TLS. All recipients go into as few transactions as the server takes, and each gets its own verdict. What the table (client_states.py)
says is done in here, one small method for each act; what is said for a message stands in client_commands.py.
"""

from collections import deque
from collections.abc import Callable, Mapping, Sequence

from razdar.model.address import Address
from razdar.wire.errors import PeerError
from razdar.wire.smtp import replies
from razdar.wire.smtp.client_commands import fault, is_sendable, recipients_at_once, transaction
from razdar.wire.smtp.client_events import ClientEvent, Ended, Farewell, Job, Ready, Sent, TlsAgreed
from razdar.wire.smtp.client_replies import Extensions, ReplyReader, ServerReply, extensions, refusal
from razdar.wire.smtp.client_states import TABLE, Act, Awaited
from razdar.wire.smtp.stuffing import stuff

_TOO_MANY = ("4.5.3", "5.5.3")


class SmtpClient:
    """The dialogue."""

    def __init__(self, name: str, *, is_tls: bool = False) -> None:
        """`name` is ours, for EHLO. `is_tls`: from the first byte on."""
        self._name = name.encode("ascii")
        self._is_tls = is_tls
        self._reader = ReplyReader()
        self._awaited: deque[Awaited] = deque([Awaited.GREETING])
        self._todo: deque[tuple[Awaited, bytes]] = deque()
        self._output: list[bytes] = []
        self._events: deque[ClientEvent] = deque()
        self._job: Job | None = None
        self._is_shaking_hands = False
        self._is_dirty = False
        self.extensions = Extensions()
        self.is_over = False

    @property
    def awaits_verdict(self) -> bool:
        """A whole message was sent and not answered: this may take long (RFC 5321 section 4.5.3.2.6)."""
        return bool(self._awaited) and self._awaited[0] is Awaited.CONTENT

    @property
    def has_output(self) -> bool:
        """`take_output` will not be empty."""
        return bool(self._output)

    @property
    def has_event(self) -> bool:
        """`next_event` will not be None."""
        return bool(self._events)

    def receive(self, data: bytes) -> None:
        """Everything that follows is done; see `next_event` and `take_output`."""
        if self.is_over or not data:
            return None
        if self._is_shaking_hands:
            return self._end(Farewell.NONSENSE)  # sent in clear to be read as if it were protected (CVE-2021-38371)
        self._reader.feed(data)
        try:
            while not self.is_over and (reply := self._reader.next_reply()) is not None:
                self._hear(reply)
        except PeerError:
            self._end(Farewell.NONSENSE)
        return None

    def next_event(self) -> ClientEvent | None:
        """The next event, each once."""
        return self._events.popleft() if self._events else None

    def take_output(self) -> bytes:
        """What to send now; empty if nothing."""
        output, self._output = self._output, []
        return b"".join(output)

    def tls_started(self) -> None:
        """The handshake is done: everything learnt in clear is forgotten (RFC 3207 section 4.2)."""
        if not self._is_shaking_hands:
            raise RuntimeError("no handshake was agreed")
        self._is_shaking_hands, self._is_tls = False, True
        self.extensions = Extensions()
        self._greet()

    def send(self, sender: Address | None, recipients: Sequence[Address], message: bytes) -> None:
        """Begins; RuntimeError unless ready. A message that must not be sent is refused at once, without a word to the server."""
        if self.is_over or self._job is not None or self._awaited or not self._is_tls:
            raise RuntimeError("not ready")
        people = list(dict.fromkeys(recipients))
        self._job = job = Job(sender, message, deque(people))
        why = fault(sender, message, self.extensions)
        unfit = people if why else [each for each in people if not is_sendable(each)]
        job.refused = dict.fromkeys(unfit, why or replies.BAD_RECIPIENT_ADDRESS)
        job.waiting = deque(each for each in people if each not in job.refused)
        self._next_transaction()

    def quit(self) -> None:
        """QUIT is queued; Ended follows. Without effect while something else is going on."""
        if not (self.is_over or self._awaited or self._job or self._is_shaking_hands):
            self._say(Awaited.QUIT, b"QUIT")

    def lost(self) -> None:
        """The connection is gone."""
        self._end(Farewell.LOST)

    # replies

    def _hear(self, reply: ServerReply) -> None:
        if not self._awaited or self._output:  # nothing was asked, or it was not even sent
            return self._end(Farewell.BUSY if reply.code == 421 else Farewell.NONSENSE)
        awaited = self._awaited.popleft()
        act = TABLE[awaited][reply.kind]
        if reply.code == 421 and act is not Act.GONE:
            act = Act.BUSY
        _ACTS[act](self, reply)
        return self._pump()

    def _greet(self, _: ServerReply | None = None) -> None:
        self._say(Awaited.EHLO, b"EHLO " + self._name)

    def _greet_simply(self, _: ServerReply) -> None:
        """RFC 5321 section 3.2. A server without EHLO has no STARTTLS."""
        if not self._is_tls:
            return self._end(Farewell.NO_TLS)
        return self._say(Awaited.HELO, b"HELO " + self._name)

    def _learn(self, reply: ServerReply) -> None:
        self.extensions = extensions(reply.lines)
        if self._is_tls:
            self._events.append(Ready())
        elif self.extensions.starttls:
            self._say(Awaited.STARTTLS, b"STARTTLS")
        else:
            self._end(Farewell.NO_TLS)

    def _know_nothing(self, _: ServerReply) -> None:
        self._events.append(Ready())

    def _shake_hands(self, _: ServerReply) -> None:
        if not self._reader.is_empty:
            return self._end(Farewell.NONSENSE)
        self._is_shaking_hands = True
        return self._events.append(TlsAgreed())

    def _go_on(self, _: ServerReply) -> None:
        """The next command is on its way already, or will be (`_pump`)."""

    def _take(self, _: ServerReply) -> None:
        job = self._busy()
        person = job.named.pop(0)
        if not job.is_mail_refused:
            job.taken.append(person)

    def _refuse_one(self, reply: ServerReply) -> None:
        """Too many for one transaction is not a refusal as long as some got in (RFC 5321 section 4.5.3.1.10)."""
        job = self._busy()
        person, no = job.named.pop(0), refusal(reply)
        is_too_many = no.enhanced in _TOO_MANY or (no.code == 452 and no.enhanced == "4.0.0")
        if is_too_many and job.taken:
            job.waiting.append(person)
        else:
            job.refuse([person], no)

    def _refuse_all(self, reply: ServerReply) -> None:
        """MAIL was refused, and with it everybody, also those of later transactions."""
        job = self._busy()
        job.is_mail_refused = True
        job.refuse((*job.named, *job.waiting), refusal(reply))
        job.waiting.clear()
        self._is_dirty = True
        if not self.extensions.pipelining:
            self._todo.clear()
            self._next_transaction()

    def _refuse_taken(self, reply: ServerReply) -> None:
        job = self._busy()
        job.refuse(job.taken, refusal(reply))
        self._is_dirty = True
        self._next_transaction()

    def _send_content(self, _: ServerReply) -> None:
        job = self._busy()
        if job.taken:
            self._output.append(stuff(job.message))
            self._awaited.append(Awaited.CONTENT)
        else:
            self._output.append(b".\r\n")
            self._awaited.append(Awaited.NOTHING)

    def _delivered(self, _: ServerReply) -> None:
        self._busy().delivered += 1
        self._is_dirty = False
        self._next_transaction()

    def _clear_up(self, _: ServerReply) -> None:
        self._is_dirty = True
        self._next_transaction()

    def _busy(self) -> Job:
        assert self._job is not None
        return self._job

    # commands

    def _next_transaction(self) -> None:
        """For those who wait; if nobody does, the message is dealt with."""
        job = self._busy()
        if not job.waiting:
            self._job = None
            return self._events.append(Sent(job.refused))
        job.name_next(recipients_at_once(self.extensions))
        if self._is_dirty:
            self._todo.append((Awaited.RSET, b"RSET"))
            self._is_dirty = False
        self._todo += transaction(job, self.extensions)
        return self._pump()

    def _pump(self) -> None:
        """Says all that may be said now: everything with PIPELINING (RFC 2920), else one command at a time."""
        while self._todo and not self.is_over and (self.extensions.pipelining or not self._awaited):
            awaited, command = self._todo.popleft()
            if awaited is Awaited.DATA and not self.extensions.pipelining and not self._busy().taken:
                self._is_dirty = True
                return self._next_transaction()
            self._say(awaited, command)
        return None

    def _say(self, awaited: Awaited, command: bytes) -> None:
        self._output.append(command + b"\r\n")
        self._awaited.append(awaited)

    def _end(self, farewell: Farewell) -> None:
        """Nothing is said or read any more. A message that some got already is told as `Sent`, so that they do not get it twice."""
        if self.is_over:
            return
        self.is_over = True
        job, self._job = self._job, None
        if job is not None and job.delivered:
            self._events.append(Sent(job.cut_short()))
        self._awaited.clear()
        self._todo.clear()
        self._output.clear()
        self._events.append(Ended(farewell))


def _ends(farewell: Farewell) -> Callable[[SmtpClient, ServerReply], None]:
    return lambda client, _: client._end(farewell)


_ACTS: Mapping[Act, Callable[[SmtpClient, ServerReply], None]] = {
    Act.GREET: SmtpClient._greet,
    Act.GREET_SIMPLY: SmtpClient._greet_simply,
    Act.LEARN: SmtpClient._learn,
    Act.KNOW_NOTHING: SmtpClient._know_nothing,
    Act.SHAKE_HANDS: SmtpClient._shake_hands,
    Act.GO_ON: SmtpClient._go_on,
    Act.TAKE: SmtpClient._take,
    Act.REFUSE_ALL: SmtpClient._refuse_all,
    Act.REFUSE_ONE: SmtpClient._refuse_one,
    Act.REFUSE_TAKEN: SmtpClient._refuse_taken,
    Act.SEND_CONTENT: SmtpClient._send_content,
    Act.DELIVERED: SmtpClient._delivered,
    Act.CLEAR_UP: SmtpClient._clear_up,
    Act.NO_TLS: _ends(Farewell.NO_TLS),
    Act.BUSY: _ends(Farewell.BUSY),
    Act.NONSENSE: _ends(Farewell.NONSENSE),
    Act.GONE: _ends(Farewell.QUIT),
}
