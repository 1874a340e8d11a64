# SPDX-License-Identifier: AGPL-3.0-or-later
"""Random dialogues against a model of SMTP that is written down a second time, in its simplest form.

The model knows who may do what and counts: one reply for each command, a sender only after TLS and login, a message with exactly the
recipients that were accepted since MAIL. It shares no code with the table that it checks.
"""

import base64

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule
from tests.transcripts.smtp_driver import PASSWORD, SmtpDriver

from razdar.wire.smtp import replies
from razdar.wire.smtp.events import MessageReceived
from razdar.wire.smtp.session import Role, SmtpLimits

PERMANENT = replies.NO_SUCH_USER
HUGE = SmtpLimits(errors=10_000, login_failures=10_000, recipients=3)


class Conversation(RuleBasedStateMachine):
    """One connection; `said` looks at exactly one reply for each thing the client sends."""

    @initialize(role=st.sampled_from(Role), is_tls=st.booleans())
    def connect(self, role: Role, is_tls: bool) -> None:
        self.driver = SmtpDriver(role=role, is_tls=is_tls, limits=HUGE)
        self.role, self.is_tls = role, is_tls
        self.is_greeted = self.is_logged_in = self.is_open = False
        self.recipients: list[str] = []
        assert self.driver.take_output().startswith(b"220 ")

    def said(self, line: bytes) -> int:
        self.driver.receive(line + b"\r\n")
        lines = self.driver.take_output().split(b"\r\n")
        assert lines.pop() == b""
        assert len({line[:3] for line in lines}) == 1
        assert [line[3:4] for line in lines] == [b"-"] * (len(lines) - 1) + [b" "]
        return int(lines[0][:3])

    @property
    def may_mail(self) -> bool:
        return self.is_greeted and self.is_tls and (self.role is Role.RELAY or self.is_logged_in)

    def end_transaction(self) -> None:
        self.is_open = False
        self.recipients = []

    @rule(verb=st.sampled_from([b"EHLO", b"helo"]))
    def hello(self, verb: bytes) -> None:
        assert self.said(verb + b" c.example") == 250
        self.is_greeted = True
        self.end_transaction()

    @rule(is_right=st.booleans(), mechanism=st.sampled_from(["PLAIN", "LOGIN"]))
    def log_in(self, is_right: bool, mechanism: str) -> None:
        password = PASSWORD.encode() if is_right else b"wrong"
        may = self.is_greeted and self.role is Role.SUBMISSION and self.is_tls and not self.is_logged_in
        if mechanism == "PLAIN":
            code = self.said(b"AUTH PLAIN " + base64.b64encode(b"\0alice\0" + password))
        else:
            code = self.said(b"AUTH LOGIN " + base64.b64encode(b"alice"))
            code = self.said(base64.b64encode(password)) if code == 334 else code
        assert (code in (235, 535)) == may
        self.is_logged_in |= code == 235
        assert (code == 235) == (may and is_right)

    @rule(is_refused=st.booleans())
    def mail(self, is_refused: bool) -> None:
        self.driver.refusals = {"SenderOffered": PERMANENT} if is_refused else {}
        code = self.said(b"MAIL FROM:<alice@relay.example>")
        assert (code == 250) == (self.may_mail and not self.is_open and not is_refused)
        self.is_open |= code == 250

    @rule(is_refused=st.booleans(), name=st.sampled_from("bcd"))
    def rcpt(self, is_refused: bool, name: str) -> None:
        self.driver.refusals = {"RecipientOffered": PERMANENT} if is_refused else {}
        is_full = len(self.recipients) >= HUGE.recipients
        code = self.said(f"RCPT TO:<{name}@relay.example>".encode())
        assert (code == 250) == (self.is_open and not is_refused and not is_full)
        assert (code == 452) == (self.is_open and is_full)
        if code == 250:
            self.recipients.append(f"{name}@relay.example")

    @rule(verdicts=st.tuples(st.booleans(), st.booleans()))
    def data(self, verdicts: tuple[bool, bool]) -> None:
        names = ("ContentOffered", "MessageReceived")
        self.driver.refusals = {name: PERMANENT for name, is_refused in zip(names, verdicts, strict=True) if is_refused}
        expected = list(self.recipients)
        code = self.said(b"DATA")
        assert (code == 354) == (bool(expected) and not verdicts[0])
        if code == 354:
            assert self.said(b"hi\r\n.") == (550 if verdicts[1] else 250)
            event = self.driver.seen[-1]
            assert isinstance(event, MessageReceived)
            assert list(map(str, event.envelope.recipients)) == expected
        if expected:
            self.end_transaction()

    @rule()
    def rset(self) -> None:
        assert self.said(b"RSET") == 250
        self.end_transaction()

    @rule()
    def starttls(self) -> None:
        may = self.is_greeted and not self.is_tls and not self.is_open
        code = self.said(b"STARTTLS")
        assert (code == 220) == may
        if may:
            self.driver.session.tls_started()
            self.is_tls, self.is_greeted = True, False

    @rule(line=st.sampled_from([b"XYZZY", b"", b"EXPN all", b"MAIL TO:<b@relay.example>", b"DATA x", b"EHLO", b"AUTH CRAM-MD5"]))
    def mistake(self, line: bytes) -> None:
        assert 500 <= self.said(line) < 600

    @rule(line=st.sampled_from([b"NOOP", b"HELP", b"VRFY bob"]))
    def harmless(self, line: bytes) -> None:
        assert 200 <= self.said(line) < 300

    @precondition(lambda self: self.is_open)
    @rule()
    def recipient_that_is_no_address(self) -> None:
        """A person's goes into the delivery report (docs/interop.md, fact 5), another relay's is refused."""
        self.driver.refusals = {}
        code = self.said(b"RCPT TO:<not an address>")
        if self.role is Role.RELAY:
            assert code == 553
        elif len(self.recipients) >= HUGE.recipients:
            assert code == 452
        else:
            assert code == 250
            self.recipients.append("not an address@")

    @precondition(lambda self: self.is_open)
    @rule()
    def recipient_with_a_foreign_parameter(self) -> None:
        assert self.said(b"RCPT TO:<b@relay.example> FOO=1") == 555

    @invariant()
    def login_is_told(self) -> None:
        assert (self.driver.session.login == "alice") == self.is_logged_in
        assert not self.driver.session.is_closing
        assert self.driver.session.buffered_bytes == 0


TestConversation = Conversation.TestCase
TestConversation.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
