"""docs/specifications.md names exactly the capabilities that are announced."""

import re

from razdar.app import CAPABILITIES
from razdar.environment import CHECKOUT

TEXT = (CHECKOUT / "docs/specifications.md").read_text(encoding="utf-8")


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
