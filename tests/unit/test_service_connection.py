# SPDX-License-Identifier: AGPL-3.0-or-later
"""servers/connection.py and what both protocols make of it, over a line in RAM: bugs, a peer that does not read, a store that fails.

What needs a real socket is in tests/integration/test_relay_*.py.
"""

import asyncio
import base64
import json
import logging
import ssl
from typing import Any

import pytest
from tests.mail.make import encrypted_message
from tests.service_world import DOMAIN, World, address

from razdar.model.ids import UID_NEXT_MAX
from razdar.ports.bus import Removed
from razdar.ports.store import StoreFull, StoreUnavailable
from razdar.servers.connection import Connection
from razdar.servers.imap import connection as imap_module
from razdar.servers.imap.connection import ImapConnection
from razdar.servers.imap.desk import ImapDesk
from razdar.servers.journal import Journal
from razdar.servers.registry import ConnectionLimits, Registry
from razdar.servers.smtp import SmtpConnection, SmtpDesk
from razdar.services import transfer
from razdar.services.accounts import Login
from razdar.wire.imap import commands as c
from razdar.wire.imap.session import Capabilities, ImapLimits
from razdar.wire.smtp import replies
from razdar.wire.smtp.session import SmtpLimits

pytestmark = pytest.mark.anyio
PASSWORD = "0123456789abcdefghijkl"
MARKER = "markermark"


@pytest.fixture
def world() -> World:
    return World()


class Line(asyncio.Transport):
    """A transport without a network. While `is_deaf` nothing leaves it."""

    def __init__(self, connection: Connection) -> None:
        super().__init__()
        self.connection = connection
        self.sent = b""
        self.unsent = b""
        self.is_deaf = self.is_reading_paused = self.is_closed = self.was_aborted = False
        self.high = 65_536
        connection.connection_made(self)

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return object() if name == "ssl_object" else default

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        self.high = high or self.high

    def get_write_buffer_size(self) -> int:
        return len(self.unsent)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        if not self.is_deaf:
            self.sent += data
            return
        self.unsent += data
        if len(self.unsent) > self.high:
            self.connection.pause_writing()

    def listen(self) -> None:
        """The peer reads again."""
        self.is_deaf = False
        self.sent, self.unsent = self.sent + self.unsent, b""
        self.connection.resume_writing()

    def pause_reading(self) -> None:
        self.is_reading_paused = True

    def resume_reading(self) -> None:
        self.is_reading_paused = False

    def is_closing(self) -> bool:
        return self.is_closed

    def close(self) -> None:
        if not self.is_closed:
            self.is_closed = True
            asyncio.get_running_loop().call_soon(self.connection.connection_lost, None)

    def abort(self) -> None:
        self.was_aborted = True
        self.close()

    async def turns(self, count: int = 50) -> None:
        for _ in range(count):
            await asyncio.sleep(0)

    async def says(self, data: bytes, answer: bytes) -> bytes:
        """Everything that was sent up to `answer`, after the peer said `data`."""
        self.sent = b""
        if data:
            self.connection.data_received(data)
        for _ in range(20_000):
            if answer in self.sent:
                return self.sent
            await asyncio.sleep(0)
        raise AssertionError(f"no {answer!r} in {self.sent[-1000:]!r}")


class Relay:
    """Makes connections to a world."""

    def __init__(self, world: World, limit: int = 100) -> None:
        self.world = world
        self.registry, self.journal = Registry(limit), Journal()

    def imap(self, limits: ConnectionLimits | None = None) -> Line:
        world = self.world
        desk = ImapDesk(
            world.accounts,
            world.folders,
            world.mailboxes,
            world.appender,
            world.tokens,
            world.clock,
            lambda: world.settings,
            dict,
            ImapLimits(commands_before_login=1_000_000),
            Capabilities(),
        )
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        return Line(ImapConnection(desk, self.registry, self.journal, tls, limits or ConnectionLimits()))

    def smtp(self) -> Line:
        desk = SmtpDesk(self.world.accounts, self.world.submit, DOMAIN, SmtpLimits())
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        return Line(SmtpConnection(desk, self.registry, self.journal, tls, ConnectionLimits()))

    async def imap_as(self, name: str, *commands: bytes) -> Line:
        line = self.imap()
        await line.says(f"l LOGIN {name}@{DOMAIN} {PASSWORD}\r\n".encode(), b"l OK")
        for command in commands:
            await line.says(b"b " + command + b"\r\n", b"b OK")
        return line

    async def smtp_as(self, name: str) -> Line:
        line = self.smtp()
        secret = base64.b64encode(f"\0{name}@{DOMAIN}\0{PASSWORD}".encode())
        await line.says(b"EHLO a\r\nAUTH PLAIN " + secret + b"\r\n", b"235")
        return line


@pytest.fixture
def relay(world: World) -> Relay:
    return Relay(world)


async def login(relay: Relay, name: str) -> Login:
    answer = await relay.world.accounts.log_in(address(name), PASSWORD)
    assert isinstance(answer, Login)
    return answer


# our own bugs


async def test_a_bug_in_a_handler_is_a_no_and_the_connection_lives(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken(*_: object) -> None:
        raise ValueError(f"{MARKER}@{DOMAIN}")

    line = await relay.imap_as("annaanna1")
    monkeypatch.setitem(imap_module.HANDLERS, c.Create, broken)
    with caplog.at_level(logging.DEBUG):
        await line.says(b"x CREATE a\r\n", b"x NO [SERVERBUG]")
    await line.says(b"y NOOP\r\n", b"y OK")
    assert relay.journal.counts["bug"] == 1
    assert MARKER not in caplog.text


async def test_a_bug_after_the_answer_ends_the_connection_and_nothing_else(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    line = await relay.smtp_as("annaanna1")

    async def answer_twice(self: SmtpConnection, _: object) -> None:
        self.engine.answer(replies.STORE_UNAVAILABLE)
        raise ValueError

    monkeypatch.setattr(SmtpConnection, "_wait_for", answer_twice)
    content = encrypted_message(f"annaanna1@{DOMAIN}", [])
    line.connection.data_received(f"MAIL FROM:<annaanna1@{DOMAIN}>\r\nRCPT TO:<annaanna1@{DOMAIN}>\r\nDATA\r\n".encode())
    line.connection.data_received(content + b"\r\n.\r\n")
    await line.turns()
    assert line.was_aborted
    assert relay.journal.counts["bug"] == 1


async def test_a_bug_while_reading_ends_the_connection_without_a_word_of_it(
    relay: Relay, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    line = relay.imap()

    def broken(data: bytes) -> None:
        raise ValueError(data.decode())

    monkeypatch.setattr(line.connection.engine, "receive", broken)
    with caplog.at_level(logging.DEBUG):
        line.connection.data_received(MARKER.encode())
        await line.turns()
    assert line.was_aborted
    assert relay.registry.live == set()
    assert [json.loads(record.getMessage())["kind"] for record in caplog.records] == ["ValueError"]
    assert MARKER not in caplog.text


async def test_a_bug_in_one_listener_does_not_harm_the_sender_or_the_others(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """Else the sender would hear of a failure and send again what everybody has."""
    broken = await relay.imap_as("annaanna1", b"SELECT INBOX")
    sound = await relay.imap_as("annaanna1", b"SELECT INBOX")
    await sound.says(b"i IDLE\r\n", b"+ ")

    def fail(*_: object) -> None:
        raise ValueError

    assert isinstance(broken.connection, ImapConnection)
    assert broken.connection.selection is not None
    monkeypatch.setattr(broken.connection.selection, "view", None)
    boris = await relay.smtp_as("borisbori")
    envelope = f"MAIL FROM:<borisbori@{DOMAIN}>\r\nRCPT TO:<annaanna1@{DOMAIN}>\r\nDATA\r\n".encode()
    message = encrypted_message(f"borisbori@{DOMAIN}", [f"annaanna1@{DOMAIN}"])
    await boris.says(envelope + message + b"\r\n.\r\n", b"250 2.6.0")
    assert b"* 1 EXISTS" in sound.sent
    assert broken.was_aborted
    assert relay.journal.counts["bug"] == 1


# a store that fails


@pytest.mark.parametrize("error", [StoreFull("full"), StoreUnavailable("gone")])
async def test_a_failing_store_is_a_no_and_then_all_is_well(relay: Relay, error: Exception) -> None:
    line = await relay.imap_as("annaanna1")
    relay.world.staged.broken["create_mailbox"] = error
    await line.says(b"x CREATE a\r\n", b"x NO [UNAVAILABLE]")
    relay.world.staged.broken.clear()
    await line.says(b"x CREATE a\r\n", b"x OK")


@pytest.mark.parametrize(("error", "code"), [(StoreFull("full"), b"452 4.3.1"), (StoreUnavailable("gone"), b"451 4.3.0")])
async def test_a_message_that_could_not_be_stored_may_be_sent_again(relay: Relay, error: Exception, code: bytes) -> None:
    line = await relay.smtp_as("annaanna1")
    envelope = f"MAIL FROM:<annaanna1@{DOMAIN}>\r\nRCPT TO:<annaanna1@{DOMAIN}>\r\nDATA\r\n".encode()
    message = encrypted_message(f"annaanna1@{DOMAIN}", []) + b"\r\n.\r\n"
    relay.world.staged.broken["deliver"] = error
    await line.says(envelope + message, code)
    relay.world.staged.broken.clear()
    await line.says(envelope + message, b"250 2.6.0")


async def test_a_command_that_succeeded_is_ok_although_the_news_cannot_be_told(relay: Relay) -> None:
    phone = await relay.imap_as("annaanna1")
    message = encrypted_message(f"annaanna1@{DOMAIN}", [])
    phone.connection.data_received(b"a APPEND INBOX {%d}\r\n" % len(message))
    await phone.turns()
    await phone.says(message + b"\r\n", b"a OK")
    await phone.says(b"s SELECT INBOX\r\n", b"s OK")
    laptop = await relay.imap_as("annaanna1", b"SELECT INBOX", rb"UID STORE 1 +FLAGS (\Seen)")
    relay.world.staged.broken["entries"] = StoreUnavailable("no")
    assert b"FETCH" not in await phone.says(b"n NOOP\r\n", b"n OK")
    relay.world.staged.broken.clear()
    assert b"* 1 FETCH (UID 1 FLAGS (\\Seen))" in await phone.says(b"n NOOP\r\n", b"n OK")
    assert laptop.sent


# a peer that does not read


async def test_nothing_more_is_read_or_done_for_a_peer_that_does_not_read(relay: Relay) -> None:
    line = relay.imap()
    line.is_deaf = True
    for _ in range(2000):
        if line.is_reading_paused:
            break
        line.connection.data_received(b"a CAPABILITY\r\n" * 100)
        await asyncio.sleep(0)
    assert line.is_reading_paused
    assert len(line.unsent) < ConnectionLimits().ahead_bytes + 100_000
    line.listen()
    await line.says(b"z NOOP\r\n", b"z OK")
    await line.turns()
    assert not line.is_reading_paused


async def test_what_is_pipelined_behind_a_slow_command_is_not_read_without_end(relay: Relay) -> None:
    line = await relay.imap_as("annaanna1")
    hold = asyncio.Event()

    async def wait() -> None:
        await hold.wait()

    relay.world.staged.before["create_mailbox"] = wait
    line.connection.data_received(b"x CREATE a\r\n")
    for _ in range(1000):
        if line.is_reading_paused:
            break
        line.connection.data_received(b'n LIST "" "%s"\r\n' % (b"y" * 900))
        await asyncio.sleep(0)
    assert line.is_reading_paused
    assert line.connection.engine is not None
    assert line.connection.engine.buffered_bytes < ConnectionLimits().ahead_bytes + 10_000
    hold.set()
    await line.says(b"", b"x OK")
    await line.says(b"z NOOP\r\n", b"z OK")
    await line.turns()
    assert not line.is_reading_paused


async def test_the_last_word_has_a_moment_to_leave_and_no_more(relay: Relay) -> None:
    line = relay.imap(ConnectionLimits(linger_s=0.01))
    line.is_deaf = True
    line.connection.pause_writing()
    line.connection.say_goodbye()
    assert not line.is_closed
    await asyncio.wait_for(relay.registry.empty(), 10)
    assert line.was_aborted


# the end of an account, of a session, of the relay


async def test_all_sessions_of_a_deleted_account_end(relay: Relay) -> None:
    """VECTORS "accounts": a session kept after deletion or denial."""
    idle = await relay.imap_as("annaanna1", b"SELECT INBOX")
    await idle.says(b"i IDLE\r\n", b"+ ")
    unselected, smtp, other = await relay.imap_as("annaanna1"), await relay.smtp_as("annaanna1"), await relay.imap_as("borisbori")
    await relay.world.accounts.delete(await login(relay, "annaanna1"))
    for line, farewell in ((idle, b"* BYE"), (unselected, b"* BYE"), (smtp, b"421")):
        await line.says(b"", farewell) if farewell not in line.sent else None
        await line.turns()
        assert line.is_closed
    await other.says(b"n NOOP\r\n", b"n OK")


async def test_a_move_that_fails_half_way_tells_where_the_others_went(relay: Relay, monkeypatch: pytest.MonkeyPatch) -> None:
    """RFC 6851 section 4.3: COPYUID comes before the messages are said to be gone."""
    monkeypatch.setattr(transfer, "CHANGED_AT_ONCE", 2)
    anna = await login(relay, "annaanna1")
    for number in range(5):
        await relay.world.send(anna, anna, seed=number)
    line = await relay.imap_as("annaanna1", b"CREATE Archive", b"SELECT INBOX")

    async def later() -> None:
        async def now() -> None:
            raise StoreFull

        relay.world.staged.before["move"] = now

    relay.world.staged.before["move"] = later
    said = await line.says(b"m UID MOVE 1:* Archive\r\n", b"m NO [")
    validity = (await relay.world.folders.find(anna, "Archive")).record.uid_validity  # type: ignore[union-attr]
    assert b"* OK [COPYUID %d 1:2 1:2] Moved\r\n" % validity in said
    assert (await line.says(b"n NOOP\r\n", b"n OK")).count(b"EXPUNGE") == 2


async def test_a_worn_out_inbox_is_full_and_a_worn_out_folder_says_so(relay: Relay) -> None:
    """RFC 3501 section 9: UIDs have 32 bits."""
    anna = await login(relay, "annaanna1")
    await relay.world.send(anna, anna)
    line = await relay.imap_as("annaanna1", b"CREATE Archive", b"SELECT INBOX")
    state = relay.world.staged.inner._state
    archive = (await relay.world.folders.find(anna, "Archive")).id  # type: ignore[union-attr]
    for mailbox in (anna.inbox, archive):
        state.folder(mailbox).uid_next = UID_NEXT_MAX  # type: ignore[union-attr]
    await line.says(b"m UID MOVE 1 Archive\r\n", b"m NO [LIMIT] That folder takes no more messages, use another one")
    assert await relay.world.send(anna, anna) == replies.MAILBOX_FULL
    await line.says(b"c UID COPY 1 INBOX\r\n", b"c NO [OVERQUOTA] The mailbox is full")
    state.folder(anna.inbox).uid_next = 2  # type: ignore[union-attr]
    message = encrypted_message(f"annaanna1@{DOMAIN}", [])
    await line.says(b"a APPEND Archive {%d}\r\n" % len(message), b"+ OK")
    await line.says(message + b"\r\n", b"a NO [LIMIT] That folder takes no more messages, use another one")


async def test_nothing_listens_for_a_connection_that_is_gone(relay: Relay) -> None:
    lines = [await relay.imap_as("annaanna1", b"SELECT INBOX"), await relay.imap_as("annaanna1"), await relay.smtp_as("annaanna1")]
    for line in lines:
        line.abort()
    await lines[0].turns(200)
    assert relay.world.bus.watched_accounts() == ()
    assert relay.registry.live == set()


async def test_a_connection_lost_in_the_middle_of_a_select_listens_no_more(relay: Relay) -> None:
    for turns in range(12):
        line = await relay.imap_as("annaanna1")
        line.connection.data_received(b"s SELECT INBOX\r\n")
        await line.turns(turns)
        line.abort()
        await line.turns(200)
        assert relay.world.bus.watched_accounts() == ()


async def test_more_connections_than_allowed_are_cut_off(world: World) -> None:
    relay = Relay(world, limit=2)
    lines = [relay.imap() for _ in range(4)]
    await lines[0].turns()
    assert [line.is_closed for line in lines] == [False, False, True, True]
    assert relay.registry.refused == 2
    lines[0].abort()
    await lines[0].turns()
    assert not relay.imap().is_closed


async def test_an_idle_device_hears_a_sign_of_life(relay: Relay) -> None:
    """docs/interop.md: at least every two minutes; the app gives up after five of silence."""
    line = await relay.imap_as("annaanna1", b"SELECT INBOX")
    await line.says(b"i IDLE\r\n", b"+ ")
    line.sent = b""
    line.connection.tick()
    line.connection.flush()
    assert line.sent == b"* OK Still here\r\n"


async def test_flags_that_changed_while_idle_began_are_told(relay: Relay) -> None:
    """No command follows an IDLE for a long time, so what came between the last look and the `+` must not wait for one."""
    phone = await relay.imap_as("annaanna1")
    message = encrypted_message(f"annaanna1@{DOMAIN}", [])
    phone.connection.data_received(b"a APPEND INBOX {%d}\r\n" % len(message))
    await phone.turns()
    await phone.says(message + b"\r\n", b"a OK")
    for turns in range(10):
        phone = await relay.imap_as("annaanna1", b"SELECT INBOX")
        laptop = await relay.imap_as("annaanna1", b"SELECT INBOX")
        flag = b"\\Seen" if turns % 2 == 0 else b"\\Flagged"
        phone.connection.data_received(b"i IDLE\r\n")
        await phone.turns(turns)
        await laptop.says(b"f UID STORE 1 FLAGS (" + flag + b")\r\n", b"f OK")
        await phone.turns(100)
        assert b"FLAGS (" + flag + b")" in phone.sent
        for line in (phone, laptop):
            line.abort()
            await line.turns(100)


async def test_a_mailbox_whose_messages_vanish_under_it(relay: Relay) -> None:
    line = await relay.imap_as("annaanna1", b"SELECT INBOX")
    relay.world.bus.publish((await login(relay, "annaanna1")).inbox, Removed([7]))  # type: ignore[list-item]
    await line.says(b"n NOOP\r\n", b"n OK")


# other people's things


@pytest.mark.parametrize(
    "command",
    [
        b'SELECT "borisbori@relay.example"',
        b'SELECT "user/borisbori"',
        b'STATUS "../INBOX" (MESSAGES)',
        b'SELECT "&AAA-INBOX"',
        b"GETQUOTA borisbori",
        b'GETMETADATA "user/borisbori" (/private/devicetoken)',
    ],
)
async def test_nobody_can_name_another_persons_things(relay: Relay, command: bytes) -> None:
    """VECTORS "cross-account": there is no name for them at all."""
    await relay.imap_as("borisbori", b"CREATE secret")
    line = await relay.imap_as("annaanna1")
    answer = await line.says(b"x " + command + b"\r\n", b"\r\n")
    await line.turns()
    assert b"x OK [" not in answer
    assert b"EXISTS" not in line.sent
    assert b"devicetoken" not in line.sent
    listed = await line.says(b'y LIST "" "*"\r\n', b"y OK")
    assert b"secret" not in listed
