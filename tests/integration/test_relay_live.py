# SPDX-License-Identifier: AGPL-3.0-or-later
"""A real relay and several devices: instant push, changes of other devices at the right places, and an end that everybody hears of."""

import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.lab.peer import Imap, Smtp
from tests.lab.relay import Relay, random_text
from tests.mail.make import encrypted_message

pytestmark = pytest.mark.slow
SENDERS = 50
END_S = 5.0


@pytest.fixture(scope="module")
def relay(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Relay]:
    with Relay(tmp_path_factory.mktemp("live")) as running:
        yield running
        assert '"event": "bug"' not in running.output()


def selected(relay: Relay, name: str, how: str = "SELECT INBOX") -> Imap:
    imap = Imap(relay, name)
    imap.ok(how)
    return imap


def untagged(lines: list[bytes], word: bytes) -> list[int]:
    """Numbers of `* n WORD` lines."""
    return [int(found[1]) for line in lines if (found := re.match(rb"\* (\d+) " + word, line))]


def fill(relay: Relay, name: str, count: int) -> None:
    with Smtp(relay, name) as smtp:
        for seed in range(count):
            assert smtp.write_to(name, seed=seed).startswith(b"250")


# instant push


def test_fifty_senders_at_once_and_three_devices(relay: Relay) -> None:
    """No message is missed and none comes out of order, although none of the senders knows of the others."""
    name = random_text(9)
    devices = [selected(relay, name) for _ in range(3)]
    senders = [Smtp(relay, random_text(9)) for _ in range(SENDERS)]
    for device in devices:
        device.idle()
    for sender in senders:
        own = f"{sender.name}@{relay.name}"
        sender.send(f"MAIL FROM:<{own}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode())
    for sender in senders:
        sender.until(b"354")
        sender.line()
    for sender in senders:  # nobody waits for the reply of another
        own = f"{sender.name}@{relay.name}"
        sender.send(encrypted_message(own, [f"{name}@{relay.name}"]) + b"\r\n.\r\n")
    for device in devices:
        heard = re.findall(rb"^\* (\d+) EXISTS\r$", device.until(b"* %d EXISTS\r\n" % SENDERS), re.MULTILINE)
        assert [int(number) for number in heard] == sorted({int(number) for number in heard})
    for sender in senders:
        assert sender.reply().startswith(b"250")
        sender.socket.close()
    for device in devices:
        device.done()
        fetched = re.findall(rb"\* (\d+) FETCH \(UID (\d+)\)", b"".join(device.ok("FETCH 1:* (UID)")))
        assert [(int(seq), int(uid)) for seq, uid in fetched] == [(number, number) for number in range(1, SENDERS + 1)]
        device.socket.close()


def test_news_comes_between_two_idles_too(relay: Relay) -> None:
    name = random_text(9)
    with selected(relay, name) as device, Smtp(relay, name) as smtp:
        device.idle()
        device.done()
        smtp.write_to(name)
        tag = device.start("IDLE")
        assert b"* 1 EXISTS\r\n" in device.until(b"EXISTS\r\n")
        assert tag


def test_a_message_wakes_every_folderless_device_of_all_recipients(relay: Relay) -> None:
    names = [random_text(9) for _ in range(5)]
    devices = [selected(relay, name) for name in names]
    for device in devices:
        device.idle()
    with Smtp(relay, names[0]) as smtp:
        assert smtp.write_to(*names).startswith(b"250")
    for device in devices:
        assert device.line() == b"* 1 EXISTS\r\n"
        device.socket.close()


# two devices


def test_flags_go_to_the_other_device_in_idle(relay: Relay) -> None:
    name = random_text(9)
    fill(relay, name, 2)
    with selected(relay, name) as phone, selected(relay, name) as laptop:
        laptop.idle()
        phone.ok(r"UID STORE 2 +FLAGS (\Seen $Work)")
        line = laptop.until(b"FETCH (UID 2 FLAGS (\\Seen $Work))\r\n")
        assert line.endswith(b"* 2 FETCH (UID 2 FLAGS (\\Seen $Work))\r\n")


def test_expunge_goes_to_the_other_device_in_idle_and_renumbers(relay: Relay) -> None:
    name = random_text(9)
    fill(relay, name, 4)
    with selected(relay, name) as phone, selected(relay, name) as laptop:
        laptop.idle()
        phone.ok(r"UID STORE 1,3 +FLAGS.SILENT (\Deleted)")
        phone.ok("EXPUNGE")
        laptop.until(b"EXPUNGE\r\n")
        laptop.until(b"EXPUNGE\r\n")
        laptop.done()
        fetched = re.findall(rb"\* (\d+) FETCH \(UID (\d+)\)", b"".join(laptop.ok("FETCH 1:* (UID)")))
        assert fetched == [(b"1", b"2"), (b"2", b"4")]


def test_no_expunge_while_numbers_are_in_use(relay: Relay) -> None:
    """RFC 3501 section 7.4.1: not during FETCH, STORE and SEARCH; the numbers stay until then."""
    name = random_text(9)
    fill(relay, name, 3)
    with selected(relay, name) as phone, selected(relay, name) as laptop:
        phone.ok(r"UID STORE 1 +FLAGS.SILENT (\Deleted)")
        phone.ok("EXPUNGE")
        for command in ("FETCH 2 (UID)", r"STORE 3 +FLAGS (\Seen)", "SEARCH ALL"):
            assert untagged(laptop.ok(command), b"EXPUNGE") == []
        assert untagged(laptop.ok("NOOP"), b"EXPUNGE") == [1]
        assert b"(UID 2)" in b"".join(laptop.ok("FETCH 1 (UID)"))


def test_what_another_device_removed_is_no_error(relay: Relay) -> None:
    name = random_text(9)
    fill(relay, name, 2)
    with selected(relay, name) as phone, selected(relay, name) as laptop:
        phone.ok(r"UID STORE 1 +FLAGS.SILENT (\Deleted)")
        phone.ok("CLOSE")
        assert untagged(laptop.ok("UID FETCH 1:* (FLAGS BODY.PEEK[])"), b"FETCH")[-1:] != [1]
        laptop.ok(r"UID STORE 1 +FLAGS (\Deleted)")
        laptop.ok("UID EXPUNGE 1")


def test_exists_comes_with_the_next_command(relay: Relay) -> None:
    name = random_text(9)
    with selected(relay, name) as phone:
        fill(relay, name, 2)
        assert untagged(phone.ok("UID SEARCH ALL"), b"EXISTS") == [2]
        assert untagged(phone.ok("NOOP"), b"EXISTS") == []


def test_a_move_is_seen_in_both_folders(relay: Relay) -> None:
    name = random_text(9)
    fill(relay, name, 2)
    with selected(relay, name) as phone:
        phone.ok("CREATE Archive")
        with selected(relay, name) as laptop, selected(relay, name, "SELECT Archive") as tablet:
            laptop.idle()
            tablet.idle()
            lines = phone.ok("UID MOVE 1 Archive")
            assert any(b"COPYUID" in line for line in lines)
            assert laptop.line() == b"* 1 EXPUNGE\r\n"
            assert tablet.line() == b"* 1 EXISTS\r\n"


def test_marking_what_was_fetched_wakes_no_other_device(relay: Relay) -> None:
    name = random_text(9)
    fill(relay, name, 1)
    with selected(relay, name) as phone, selected(relay, name) as laptop:
        laptop.idle()
        phone.ok("UID FETCH 1 (BODY.PEEK[])")
        phone.idle()  # marks
        phone.done()
        assert untagged(laptop.done(), b"FETCH") == []


# the end


def test_everybody_is_told_when_the_relay_stops(tmp_path: Path) -> None:
    name = random_text(9)
    with Relay(tmp_path) as relay:
        idling, selecting, fresh, smtp = selected(relay, name), selected(relay, name), Imap(relay), Smtp(relay, name)
        clear, half = Imap(relay, service="imap"), Imap(relay, service="imap")
        idling.idle()
        half.start("STARTTLS")
        half.line()
        writing = Smtp(relay, name)
        writing.send(f"MAIL FROM:<{name}@{relay.name}>\r\nRCPT TO:<{name}@{relay.name}>\r\nDATA\r\n".encode())
        writing.until(b"354")
        assert relay.process is not None
        began = time.monotonic()
        relay.process.send_signal(signal.SIGTERM)
        for imap in (idling, selecting, fresh, clear):
            assert b"* BYE" in imap.rest()
        assert smtp.rest().startswith(b"421")
        assert relay.process.wait(20) == 0
        assert time.monotonic() - began < END_S
        assert b"Traceback" not in relay.output().encode()


def test_clients_that_do_not_listen_do_not_hold_up_the_end(tmp_path: Path) -> None:
    with Relay(tmp_path) as relay:
        name = random_text(9)
        fill(relay, name, 3)
        deaf = [selected(relay, name) for _ in range(5)]
        for imap in deaf:
            imap.idle()  # nobody reads any more, nor answers the end of TLS
        assert relay.process is not None
        began = time.monotonic()
        relay.process.send_signal(signal.SIGTERM)
        assert relay.process.wait(20) == 0
        assert time.monotonic() - began < END_S


def test_what_was_acknowledged_before_the_end_is_there_after_it(tmp_path: Path) -> None:
    relay = Relay(tmp_path)
    name = random_text(9)
    with relay:
        fill(relay, name, 5)
    with relay, selected(relay, name) as imap:
        assert untagged(imap.ok("UID FETCH 1:* (FLAGS)"), b"FETCH") == [1, 2, 3, 4, 5]
