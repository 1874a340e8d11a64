# SPDX-License-Identifier: AGPL-3.0-or-later
"""packaging/razdar.service under a real systemd: it starts and says that it is ready, people are served, and whatever ends it is mended.

tests/integration/test_service_unit.py holds what needs no systemd as process 1.
"""

import sys
from collections.abc import Iterator

import pytest
from tests.lab.real_systemd import DATA, NoSystemd, System, booted

pytestmark = [pytest.mark.slow, pytest.mark.namespace]

SETTINGS = 'domain = "relay.example"\nports = "standard"\npush = false\n'
SHORT_WATCHDOG = "WatchdogSec=3\nRestartSec=0\n"
WRONG_WORDS = 'ExecStart=\nExecStart=/bin/sh -c "exit 2"\n'
A_PERSON = """
import imaplib, smtplib, ssl, sys, urllib.request
sys.path.insert(0, "/opt/razdar")
from tests.mail.make import encrypted_message
context = ssl._create_unverified_context()
who, password = "abcdefghi@relay.example", "0123456789abcdefghijkl"
imap = imaplib.IMAP4_SSL("127.0.0.1", 993, ssl_context=context)
imap.login(who, password)
before = int(imap.select()[1][0])
smtp = smtplib.SMTP_SSL("127.0.0.1", 465, context=context)
smtp.login(who, password)
assert smtp.sendmail(who, [who], encrypted_message(who, [who], 3_000, seed=before)) == {}
assert int(imap.select()[1][0]) == before + 1
assert urllib.request.urlopen("https://127.0.0.1/", context=context).status == 200
print("served", before)
"""


@pytest.fixture(scope="module")
def system(tmp_path_factory: pytest.TempPathFactory) -> Iterator[System]:
    try:
        with booted(tmp_path_factory.mktemp("systemd"), SETTINGS) as system:
            yield system
    except NoSystemd as reason:
        pytest.skip(f"no systemd of our own: {reason}")


def visit(system: System) -> str:
    """Somebody logs in, writes to themselves, finds it, and looks at the page."""
    return system.run([sys.executable, "-c", A_PERSON])


def test_it_says_that_it_is_ready_and_serves_people(system: System) -> None:
    system.until("ActiveState", "active")
    assert system.of_service("User") == "razdar"
    assert visit(system) == "served 0\n"


def test_a_reload_keeps_the_process(system: System) -> None:
    before = system.of_service("MainPID")
    system.run(["systemctl", "reload", "razdar"])
    assert system.of_service("MainPID") == before
    assert visit(system) == "served 1\n"


def test_killed_it_comes_back_with_everything(system: System) -> None:
    before = int(system.of_service("NRestarts"))
    system.run(["kill", "-KILL", system.of_service("MainPID")])
    system.until("NRestarts", str(before + 1))
    system.until("ActiveState", "active")
    assert visit(system) == "served 2\n"


def test_hanging_it_is_ended_and_started_anew(system: System) -> None:
    """With a watchdog of seconds in place of a minute."""
    system.override(SHORT_WATCHDOG)
    system.run(["systemctl", "restart", "razdar"])
    before = int(system.of_service("NRestarts"))
    system.run(["kill", "-STOP", system.of_service("MainPID")])
    system.until("NRestarts", str(before + 1))
    system.until("ActiveState", "active")
    assert visit(system) == "served 3\n"


def test_a_wrong_command_line_is_not_tried_again(system: System) -> None:
    """Exit code 2, in place of the relay's own start, which `ExecStart` of the unit would give."""
    system.override(WRONG_WORDS)
    system.run(["systemctl", "stop", "razdar"])
    system.run(["systemctl", "start", "razdar"], check=False)
    system.until("ActiveState", "failed")
    assert system.of_service("ExecMainStatus") == "2"
    system.override("")


def test_a_stop_is_clean_and_the_data_is_nobody_elses(system: System) -> None:
    system.run(["systemctl", "reset-failed", "razdar"])
    system.run(["systemctl", "start", "razdar"])
    system.run(["systemctl", "stop", "razdar"])
    assert (system.of_service("ActiveState"), system.of_service("Result")) == ("inactive", "success")
    assert system.run(["stat", "-c", "%a %U", DATA]) == "700 razdar\n"
