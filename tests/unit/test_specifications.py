# SPDX-License-Identifier: AGPL-3.0-or-later
"""docs/specifications.md names exactly the capabilities and extensions that are announced."""

import re

from razdar.app.doors import CAPABILITIES
from razdar.environment import CHECKOUT
from razdar.wire.smtp.session import Role, SmtpLimits, SmtpSession

TEXT, _, SMTP = (CHECKOUT / "docs/specifications.md").read_text(encoding="utf-8").partition("\n## SMTP\n")


def test_every_capability_is_described_and_no_other() -> None:
    described = re.findall(r"^\| `([^`]+)` \|", TEXT, re.MULTILINE)
    assert sorted(described) == sorted(CAPABILITIES.after_login)


def test_what_is_announced_before_login() -> None:
    for names in (CAPABILITIES.before_login, CAPABILITIES.before_tls):
        assert f"`{' '.join(names)}`" in TEXT


def test_nothing_that_is_left_out_is_announced() -> None:
    left_out = TEXT[TEXT.index("### Left out") :]
    announced = {name.partition("=")[0] for name in CAPABILITIES.after_login} - {"LIST-EXTENDED"}
    assert not {word for word in re.findall(r"[A-Z0-9-]{4,}", left_out) if word in announced}


def test_every_smtp_extension_is_described_and_no_other() -> None:
    said = ""
    for is_tls in (False, True):
        session = SmtpSession(role=Role.SUBMISSION, hostname="relay.example", limits=SmtpLimits(), is_tls=is_tls)
        session.receive(b"EHLO c.example\r\n")
        said += session.take_output().decode()
    announced = {line[4:] for line in said.splitlines() if line.startswith("250") and "relay.example" not in line}
    described = set(re.findall(r"^\| `([^`]+)` \|", SMTP, re.MULTILINE))
    assert {re.sub(r"[= ]\d+$", "", line) for line in announced} == described
