# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the real client does when a relay refuses, reports or restores: the facts of docs/interop.md that this relay is built upon.

The relay here is a scripted one. When a new version of the client makes one of these tests fail, a fact has changed and docs/interop.md and
perhaps the relay have to change with it.
"""

import email.policy
from email.message import EmailMessage

import pytest
from deltachat_rpc_client import Message
from tests.lab.client import Core, Person
from tests.lab.scripted import DOMAIN, Mailbox, ScriptedRelay

pytestmark = [pytest.mark.client, pytest.mark.slow]


def people(core: Core, scripted: ScriptedRelay, *names: str) -> list[Person]:
    codes = iter([scripted.code(name * 3) for name in names])
    return core.people(names, lambda: next(codes))


def report(to: str, about: str, action: str = "failed") -> bytes:
    """A delivery report in the form of RFC 3464."""
    status = f"Reporting-MTA: dns; {DOMAIN}\n\nFinal-Recipient: rfc822; x@{DOMAIN}\nAction: {action}\nStatus: 5.1.1\n"
    text = f"""\
From: MAILER-DAEMON@{DOMAIN}
To: {to}
Subject: Not delivered
Message-ID: <{action}.{about.strip("<>")}>
Auto-Submitted: auto-replied
MIME-Version: 1.0
Content-Type: multipart/report; report-type=delivery-status; boundary=b

--b
Content-Type: text/plain

Nobody there.
--b
Content-Type: message/delivery-status

{status}
--b
Content-Type: text/rfc822-headers

Message-ID: {about}

--b--
"""
    return text.replace("\n", "\r\n").encode()


def salam(scripted: ScriptedRelay, ali: Person, bahar: Person) -> tuple[Message, bytes]:
    """Ali wrote it to Bahar and it was delivered; the message, and the mail that it was. What was heard until now is forgotten."""
    seen: list[bytes] = []
    scripted.keep = seen.append
    message = ali.writes("salam", ali.chat_with(bahar))
    ali.delivered(message)
    ali.forget_events()
    return message, seen[-1]


def message_id(mail: bytes) -> str:
    parsed = email.message_from_bytes(mail, policy=email.policy.default)
    assert isinstance(parsed, EmailMessage)
    return str(parsed["Message-ID"])


def test_a_report_in_clear_is_read_only_with_force_encryption_off(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 1: by default the client throws reports away unread, so a report alone is no notice."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    message, mail = salam(scripted, ali, bahar)
    about = message_id(mail)
    scripted.put("alialiali", report(ali.address, about))
    ali.event("ImapMessageDeleted")
    assert message.get_snapshot().error is None

    ali.account.set_config("force_encryption", "0")
    scripted.put("alialiali", report(ali.address, about).replace(b"<failed.", b"<again."))
    assert ali.failed(message) == "Not delivered – Nobody there."


def test_a_report_about_a_group_is_not_shown(core: Core, scripted: ScriptedRelay) -> None:
    """Not even with force_encryption off, and for a good reason: the others have the message."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    ali.account.set_config("force_encryption", "0")
    seen: list[bytes] = []
    scripted.keep = seen.append
    group = ali.account.create_group("two")
    group.add_contact(bahar.account)
    message = ali.writes("salam", group)
    ali.delivered(message)
    scripted.put("alialiali", report(ali.address, message_id(seen[-1])))
    ali.until(lambda: scripted.count("UID STORE 1 +FLAGS (\\Seen)") or None)
    assert message.get_snapshot().error is None


def test_action_must_be_failed(core: Core, scripted: ScriptedRelay) -> None:
    ali, bahar = people(core, scripted, "ali", "bahar")
    ali.account.set_config("force_encryption", "0")
    message, mail = salam(scripted, ali, bahar)
    scripted.put("alialiali", report(ali.address, message_id(mail), "delayed"))
    ali.until(lambda: scripted.count("UID STORE 1 +FLAGS (\\Seen)") or None)
    assert message.get_snapshot().error is None


def test_one_refused_recipient_stops_the_message_for_all(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 5: the whole transaction ends; Bahar gets nothing because Cyrus is refused."""
    ali, bahar, cyrus = people(core, scripted, "ali", "bahar", "cyrus")
    group = ali.account.create_group("three")
    group.add_contact(bahar.account)
    group.add_contact(cyrus.account)
    scripted.refuse = lambda line: "550 5.1.1 no such person" if line.startswith("RCPT TO:<cyrus") else None
    message = ali.writes("salam", group)
    assert ali.failed(message) == "Permanent SMTP error: permanent: 5.1.1 no such person"
    assert scripted.count("RCPT TO:<bahar") == 1
    assert bahar.message("salam") is None


def test_a_temporary_refusal_is_tried_six_times_and_each_new_message_costs_a_try(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 6: somebody who writes on while the relay says 450 loses his first message within a second."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    chat = ali.chat_with(bahar)
    scripted.refuse = lambda line: "450 4.7.1 slow down" if line.startswith("RCPT") else None
    first = ali.writes("first", chat)
    for number in range(7):
        tries = scripted.count("RCPT")
        ali.writes(f"more {number}", chat)
        ali.until(lambda tries=tries: scripted.count("RCPT") > tries or first.get_snapshot().error)  # type: ignore[misc]
    assert ali.failed(first) == "Number of retries exceeded the limit."


def test_a_greeting_of_421_costs_no_try(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 7: a relay that cannot take anything says so before the transaction, and nothing is lost however long it lasts."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    chat = ali.chat_with(bahar)
    scripted.greeting = "421 4.3.2 closed for now"
    first = ali.writes("first", chat)
    for number in range(10):
        refused = scripted.count("greeted 421")
        ali.writes(f"more {number}", chat)
        ali.until(lambda refused=refused: scripted.count("greeted 421") > refused)  # type: ignore[misc]
    scripted.greeting = "220 open"
    core.network_changed()
    ali.delivered(first)
    bahar.reads("first")


def test_523_is_shown_as_what_it_is(core: Core, scripted: ScriptedRelay) -> None:
    ali = people(core, scripted, "ali")[0]
    ali.account.set_config("force_encryption", "0")
    scripted.refuse = lambda line: "523 5.7.1 Invalid Unencrypted Mail" if line == "end of data" else None
    chat = ali.account.create_contact(f"somebody@{DOMAIN}").create_chat()
    message = ali.writes("in clear", chat)
    ali.failed(message)
    kinds = ali.until(
        lambda: [k for m in chat.get_messages() if (k := m.get_snapshot().system_message_type) == "InvalidUnencryptedMail"] or None
    )
    assert kinds == ["InvalidUnencryptedMail"]


def test_a_second_device_puts_the_own_address_last(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 2: the sender's own mailbox is one of the recipients."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    ali.account.set_config("bcc_self", "1")
    ali.delivered(ali.writes("salam", ali.chat_with(bahar)))
    recipients = [line for line in scripted.heard if line.startswith("RCPT")]
    assert recipients[-2:] == [f"RCPT TO:<baharbaharbahar@{DOMAIN}>", f"RCPT TO:<alialiali@{DOMAIN}>"]


def away(scripted: ScriptedRelay, writer: Person, reader: Person, text: str) -> Mailbox:
    """`reader` is offline and a message waits for him."""
    reader.account.stop_io()
    writer.delivered(writer.writes(text, writer.chat_with(reader)))
    return scripted.mailboxes[reader.address]


def test_a_new_uidvalidity_hides_what_waits(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 3: mail that waited when UIDVALIDITY changed is never fetched, only what comes later."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    box = away(scripted, ali, bahar, "waiting")
    box.uidvalidity += 1
    bahar.is_listening()
    ali.writes("later", ali.chat_with(bahar))
    bahar.reads("later")
    assert bahar.message("waiting") is None


def test_uids_may_jump_ahead(core: Core, scripted: ScriptedRelay) -> None:
    """The other way after a restore: same UIDVALIDITY, UIDs far ahead; everything is fetched, at one FETCH for 500 UIDs."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    box = away(scripted, ali, bahar, "waiting")
    box.uidnext += 5000
    bahar.is_listening()
    bahar.reads("waiting")
    ali.writes("later", ali.chat_with(bahar))
    bahar.reads("later")
    assert scripted.count("UID FETCH") < 30


def test_the_first_select_starts_at_uidnext(core: Core, scripted: ScriptedRelay) -> None:
    """Fact 4: what lies in a mailbox before a device selects it for the first time is not fetched."""
    ali, bahar = people(core, scripted, "ali", "bahar")
    seen: list[bytes] = []
    scripted.keep = seen.append
    ali.delivered(ali.writes("salam", ali.chat_with(bahar)))
    bahar.reads("salam")
    scripted.put("cyruscyruscyrus", seen[-1])
    people(core, scripted, "cyrus")
    assert list(scripted.mailboxes[f"cyruscyruscyrus@{DOMAIN}"].mails) == [1]
