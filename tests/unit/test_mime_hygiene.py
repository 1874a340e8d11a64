# SPDX-License-Identifier: AGPL-3.0-or-later
"""Header hygiene: what is taken out at submission and before the mailbox, and that nothing else changes."""

import pytest
from tests.mail.make import encrypted_message

from razdar.wire.hygiene import for_mailbox, for_submission
from razdar.wire.mime import MimeError


def test_submission_removes_what_tells_of_app_and_network_and_sets_the_subject() -> None:
    before = (
        b"Received: from phone (1.2.3.4)\r\n\tby relay\r\nFrom: <a@b.test>\r\nX-Originating-IP: 1.2.3.4\r\nuser-agent: App\r\n"
        b"X-Mailer: App\r\nSubject: meet at nine\r\nBcc: <c@d.test>\r\nReturn-Path: <a@b.test>\r\nX-Folded: a\r\n  b\r\n"
        b"SUBJECT: and again\r\nChat-Is-Post-Message: 1\r\n\r\nbody with\r\nReceived: inside\r\n"
    )
    after = b"From: <a@b.test>\r\nSubject: [...]\r\nX-Folded: a\r\n  b\r\nChat-Is-Post-Message: 1\r\n\r\nbody with\r\nReceived: inside\r\n"
    assert for_submission(before) == after


def test_a_missing_subject_is_added() -> None:
    assert for_submission(b"From: <a@b.test>\r\n\r\nx") == b"From: <a@b.test>\r\nSubject: [...]\r\n\r\nx"


def test_what_the_app_sends_passes_unchanged() -> None:
    message = encrypted_message("a@b.test", ["c@d.test"], 200_000)
    assert for_submission(message) == message
    assert for_mailbox(message) is message


def test_the_mailbox_gets_nothing_that_servers_wrote_for_each_other() -> None:
    before = b"DKIM-Signature: v=1;\r\n b=x\r\nAuthentication-Results: ok\r\nReceived: by y\r\nFrom: <a@b.test>\r\nSubject: s\r\n\r\nbody"
    assert for_mailbox(before) == b"From: <a@b.test>\r\nSubject: s\r\n\r\nbody"


@pytest.mark.parametrize("function", [for_submission, for_mailbox])
def test_a_malformed_header_is_an_error(function: object) -> None:
    assert callable(function)
    with pytest.raises(MimeError):
        function(b"no header at all")
