# SPDX-License-Identifier: AGPL-3.0-or-later
"""A server without sockets around an SmtpSession: it answers events as a transcript tells it to, and remembers them.

Directives for transcripts (player.py):
    ! role submission clear        another session: `submission` or `relay`, `tls` or `clear`; before the greeting
    ! limits recipients=2 errors=3 the same with other limits
    ! refuse SenderOffered BUSY    from now on that event is refused with that name of replies.py; `! accept SenderOffered` undoes it
    ! hold / ! release / ! fail    events wait for their answer / the waiting one is answered / fails, and no more are held
    ! tls / ! timeout / ! shutdown what the name says
    ! message FROM TO,TO CONTENT   the next message is exactly this one (`<>`: null sender, EMPTY: no content); or `none`
    ! login NAME                   who is logged in; `none`
    ! closed / ! open              whether the session is closing
"""

from collections.abc import Callable, Mapping
from dataclasses import replace

from tests.transcripts.player import unescape

from razdar.model.verdict import ACCEPT, Refusal, Verdict
from razdar.wire.smtp import events, replies
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

PASSWORD = "correct horse"
DEFAULT_LIMITS = SmtpLimits()


class SmtpDriver:
    """Everybody who knows PASSWORD may log in; everything else is accepted unless a transcript refuses it."""

    def __init__(self, *, role: Role = Role.SUBMISSION, is_tls: bool = True, limits: SmtpLimits = DEFAULT_LIMITS) -> None:
        self.role, self.is_tls, self.limits = role, is_tls, limits
        self.refusals: dict[str, Refusal] = {}
        self.seen: list[events.Event] = []
        self.messages: list[events.MessageReceived] = []
        self.is_holding = False
        self.waiting: events.Event | None = None
        self._start()

    def _start(self) -> None:
        self.session = SmtpSession(role=self.role, hostname="relay.example", limits=self.limits, is_tls=self.is_tls)

    def receive(self, data: bytes) -> None:
        self.session.receive(data)
        self.serve()

    def take_output(self) -> bytes:
        return self.session.take_output()

    def serve(self) -> None:
        """Every event is fetched and, unless held, answered."""
        while (event := self.session.next_event()) is not None:
            self.seen.append(event)
            if isinstance(event, events.TlsRequested | events.Closed):
                continue
            if self.is_holding:
                self.waiting = event
            else:
                self._answer(event)

    def _answer(self, event: events.Event) -> None:
        if isinstance(event, events.MessageReceived):
            self.messages.append(event)
        self.session.answer(self.verdict(event))

    def verdict(self, event: events.Event) -> Verdict:
        if isinstance(event, events.LoginOffered) and event.password != PASSWORD:
            return replies.AUTH_FAILED
        return self.refusals.get(type(event).__name__, ACCEPT)

    # directives

    @property
    def directives(self) -> Mapping[str, Callable[[str], None]]:
        return {
            "role": self._set_role,
            "limits": self._set_limits,
            "refuse": self._refuse,
            "accept": lambda name: self.refusals.__delitem__(name),
            "hold": self._hold,
            "release": self._release,
            "fail": self._fail,
            "tls": lambda _: self.session.tls_started(),
            "timeout": lambda _: self.session.time_out(),
            "shutdown": lambda _: self.session.shut_down(),
            "message": self._expect_message,
            "login": self._expect_login,
            "closed": lambda _: self._expect_closing(True),
            "open": lambda _: self._expect_closing(False),
        }

    def _set_role(self, text: str) -> None:
        role, tls = text.split()
        self.role, self.is_tls = Role[role.upper()], tls == "tls"
        self._start()

    def _set_limits(self, text: str) -> None:
        changes = {name: int(value) for name, value in (word.split("=") for word in text.split())}
        self.limits = replace(self.limits, **changes)
        self._start()

    def _refuse(self, text: str) -> None:
        name, refusal = text.split()
        assert hasattr(events, name)
        self.refusals[name] = getattr(replies, refusal)

    def _hold(self, _: str) -> None:
        self.is_holding = True

    def _release(self, _: str) -> None:
        self.is_holding = False
        assert self.waiting is not None
        self._answer(self.waiting)
        self.serve()

    def _fail(self, _: str) -> None:
        self.is_holding = False
        self.session.fail()
        self.serve()

    def _expect_message(self, text: str) -> None:
        if text == "none":
            assert not self.messages
            return
        sender, recipients, content = text.split(" ", 2)
        assert self.messages, "no message"
        message = self.messages.pop(0)
        assert f"{message.envelope.sender or '<>'}" == sender
        assert ",".join(map(str, message.envelope.recipients)) == recipients
        assert message.content == (b"" if content == "EMPTY" else unescape(content))

    def _expect_login(self, name: str) -> None:
        assert self.session.login == (None if name == "none" else name)

    def _expect_closing(self, expected: bool) -> None:
        assert self.session.is_closing is expected
