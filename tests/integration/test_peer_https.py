# SPDX-License-Identifier: AGPL-3.0-or-later
"""`/mxdeliv` and the call-back on real sockets with real TLS (VECTORS "HTTP", "relay", "smuggling in")."""

import asyncio
import hashlib
import ssl
from pathlib import Path

import pytest
from tests.lab.load import any_certificate
from tests.mail.make import plain_message
from tests.peer_house import House, Plan, live, request
from tests.peer_world import AUTHOR, letter, signed

from razdar.adapters.confirm import HttpsConfirmer
from razdar.adapters.tls import open_tls
from razdar.model.address import Address
from razdar.model.verdict import Refusal
from razdar.ports.confirm import Place, Unanswered
from razdar.servers.http import HttpLimits
from razdar.servers.memory import MemoryBudget
from razdar.services.accounts import Login
from razdar.services.confirmations import digest_of
from razdar.settings import Settings
from razdar.wire.confirm import answer_to, question
from razdar.wire.smtp import replies

pytestmark = pytest.mark.slow
LITERAL = Address("parisa123", "[127.0.0.1]")
TAKEN = replies.render(replies.MESSAGE_ACCEPTED)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("tls")


# what is taken


def test_mxdeliv_messages_arrive_many_on_one_connection(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.line() as line:
            for seed in range(3):
                await line.say(request(signed(letter(seed=seed)), anna.address))
                status, _, text = await line.answer()
                assert (status, text) == (200, TAKEN)
        assert await house.world.read(anna) == [letter(seed=seed) for seed in range(3)]

    live(folder, test)


def test_mxdeliv_a_large_message_in_chunks(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        whole = signed(letter(size_bytes=2_500_000))
        pieces = [whole[at : at + 100_000] for at in range(0, len(whole), 100_000)]
        chunked = b"".join(b"%x\r\n%s\r\n" % (len(piece), piece) for piece in pieces) + b"0\r\n\r\n"
        sent = request(b"", anna.address, more=b"Transfer-Encoding: chunked\r\n", length=False) + chunked
        assert (await house.post(sent))[0] == 200
        assert await house.world.read(anna) == [letter(size_bytes=2_500_000)]
        assert house.desk.memory.used_bytes == 0

    live(folder, test)


def test_mxdeliv_many_recipients_have_a_wide_head(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        many = [f"{'n' * 60}{number:03}@{'d' * 200}.example" for number in range(39)]
        sent = request(signed(letter()), *many, anna.address, more=b"X-Padding: " + b"x" * 6_000 + b"\r\n")
        assert len(sent.partition(b"\r\n\r\n")[0]) > house.edge.limits.head.head_bytes
        assert (await house.post(sent))[0] == 200
        assert [str(to) for to, _ in house.world.reports] == [str(AUTHOR)]

    live(folder, test)


def test_mxdeliv_whoever_can_receive_does(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        sent = request(signed(letter()), anna.address, "nobody123@relay.example", "x@elsewhere.example", "what is this")
        assert (await house.post(sent))[2] == TAKEN
        ((_, report),) = house.world.reports
        assert all(missed in report for missed in (b"nobody123@relay.example", b"x@elsewhere.example", b"what is this"))
        assert (await house.post(request(signed(letter()), "nobody123@relay.example")))[::2] == (400, replies.render(replies.NO_SUCH_USER))

    live(folder, test)


def test_mxdeliv_the_null_sender_and_a_body_without_its_last_newline(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        assert (await house.post(request(signed(letter(LITERAL))[:-2], anna.address, sender=None)))[2] == TAKEN
        assert await house.world.read(anna) == [letter(LITERAL)]

    live(folder, test)


def test_mxdeliv_an_address_that_is_a_name(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        assert (await house.post(request(letter(LITERAL), anna.address, sender=LITERAL)))[2] == TAKEN
        other = Address("parisa123", "[127.0.0.9]")
        assert (await house.post(request(letter(other), anna.address, sender=other)))[2] == replies.render(replies.NOT_CONFIRMED)

    live(folder, test)


# what is refused, and in which words


def test_mxdeliv_refusals_are_400_with_the_words_of_smtp(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.line() as line:
            for content, refusal in [
                (letter(), replies.NO_DKIM),
                (signed(plain_message(str(AUTHOR), str(anna.address))), replies.UNENCRYPTED),
                (letter(anna.address), replies.OWN_DOMAIN),
                (b"no header", replies.MALFORMED_MESSAGE),
                (b"", replies.MALFORMED_MESSAGE),
            ]:
                await line.say(request(content, anna.address))
                assert (await line.answer())[::2] == (400, replies.render(refusal))
        counted = {name: number for name, number in house.journal.counts.items() if name.startswith(("incoming.", "proof."))}
        assert counted == {"proof.refused": 2, "incoming.refused.proof": 2, "incoming.refused.523": 1, "incoming.refused.554": 2}
        assert await house.world.read(anna) == []

    live(folder, test)


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])
def test_mxdeliv_other_methods(folder: Path, method: str) -> None:
    async def test(house: House, _: Login) -> None:
        async with house.line() as line:
            await line.say(f"{method} /mxdeliv HTTP/1.1\r\nHost: x\r\n\r\n".encode())
            head = await line.reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 405 ")
        assert b"\r\nallow: POST\r\n" in head

    live(folder, test)


def test_mxdeliv_only_under_tls(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.line("http") as line:
            await line.say(request(signed(letter()), anna.address))
            assert (await line.answer())[::2] == (400, replies.render(replies.TLS_REQUIRED))
        assert await house.world.read(anna) == []

    live(folder, test)


def test_mxdeliv_too_large(folder: Path) -> None:
    """413, so that the peer falls back to SMTP; announced or not."""

    async def test(house: House, anna: Login) -> None:
        async with house.line() as line:
            await line.say(request(b"", anna.address, more=b"Content-Length: 3000001\r\n", length=False))
            assert (await line.rest()).startswith(b"HTTP/1.1 413 ")
        async with house.line() as line:
            await line.say(request(b"", anna.address, more=b"Transfer-Encoding: chunked\r\n", length=False))
            await line.say(b"%x\r\n%s\r\n" % (3_000_001, b"x" * 3_000_001))
            assert (await line.rest()).startswith(b"HTTP/1.1 413 ")
        assert house.desk.memory.used_bytes == 0
        assert len(house.desk.slots) == 0

    live(folder, test)


@pytest.mark.parametrize("path", ["/mxdeliv/", "/MXDELIV", "/mxdeliv/../mxdeliv", "//mxdeliv", "/%2fmxdeliv"])
def test_mxdeliv_other_paths_are_pages(folder: Path, path: str) -> None:
    async def test(house: House, anna: Login) -> None:
        sent = request(signed(letter()), anna.address).replace(b"POST /mxdeliv ", f"POST {path} ".encode())
        assert (await house.post(sent))[2] == b"a page"
        assert await house.world.read(anna) == []

    live(folder, test)


# HTTP vectors


@pytest.mark.parametrize(
    ("fields", "refusal"),
    [
        (b"X-MAIL-TO: anna@relay.example\r\n", replies.BAD_MAIL_SYNTAX),
        (b"X-MAIL-FROM: a@peer.example\r\nX-MAIL-FROM: b@peer.example\r\nX-MAIL-TO: anna@relay.example\r\n", replies.BAD_MAIL_SYNTAX),
        (b"X-MAIL-FROM: a@peer.example\r\n", replies.NO_VALID_RECIPIENT),
        (b"X-MAIL-FROM: a@peer.example\r\nX-MAIL-TO: \r\n", replies.BAD_RECIPIENT_ADDRESS),
        (b"X-MAIL-FROM: a@peer.example, b@peer.example\r\nX-MAIL-TO: anna@relay.example\r\n", replies.BAD_SENDER_ADDRESS),
        (b"X-MAIL-FROM: <a@peer.example>\r\nX-MAIL-TO: anna@relay.example\r\n", replies.BAD_SENDER_ADDRESS),
        (b"X-MAIL-FROM: \xd0\xb0@peer.example\r\nX-MAIL-TO: anna@relay.example\r\n", replies.BAD_SENDER_ADDRESS),
        (b"X-MAIL-FROM: a\x09@peer.example\r\nX-MAIL-TO: anna@relay.example\r\n", replies.BAD_SENDER_ADDRESS),
        (b"X-MAIL-FROM: a%b@peer.example\r\nX-MAIL-TO: anna@relay.example\r\n", replies.BAD_SENDER_ADDRESS),
        (b"X-MAIL-FROM: a@peer.example\r\n" + b"X-MAIL-TO: anna@relay.example\r\n" * 41, replies.TOO_MANY_RECIPIENTS),
    ],
)
def test_mxdeliv_fields_that_are_not_what_they_should_be(folder: Path, fields: bytes, refusal: Refusal) -> None:
    async def test(house: House, anna: Login) -> None:
        content = signed(letter())
        sent = b"POST /mxdeliv HTTP/1.1\r\nHost: x\r\n" + fields + b"Content-Length: %d\r\n\r\n" % len(content) + content
        assert (await house.post(sent))[::2] == (400, replies.render(refusal))
        assert await house.world.read(anna) == []

    live(folder, test)


@pytest.mark.parametrize(
    "field",
    [
        b"X-MAIL-TO: a@relay.example\nX-MAIL-TO: anna@relay.example\r\n",
        b"X-MAIL-TO: a@relay.example\rX-MAIL-TO: anna@relay.example\r\n",
        b"X-MAIL-TO: anna\0@relay.example\r\n",
        b"X-MAIL-TO: a@relay.example\r\n anna@relay.example\r\n",
        b"X-MAIL-TO : anna@relay.example\r\n",
        b"Content-Length: 5\r\n",
        b"Transfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: identity\r\n",
        b"X-Bomb: " + b"x" * 40_000 + b"\r\n",
        b"X: y\r\n" * 200,
    ],
    ids=["LF", "CR", "NUL", "folded", "space before the colon", "two lengths", "length and chunked", "identity", "bomb", "many fields"],
)
def test_mxdeliv_heads_that_two_readers_could_read_differently(folder: Path, field: bytes) -> None:
    """RFC 9112 section 11.2 and header bombs; nothing behind such a head is read."""

    async def test(house: House, anna: Login) -> None:
        async with house.line() as line:
            await line.say(request(signed(letter()), anna.address, more=field) + request(signed(letter(seed=2)), anna.address))
            said = await line.rest()
        assert said.startswith((b"HTTP/1.1 400 ", b"HTTP/1.1 431 "))
        assert said.count(b"HTTP/1.1 ") == 1
        assert await house.world.read(anna) == []

    live(folder, test)


@pytest.mark.parametrize("end", [b"\n.\n", b"\n.\r\n", b"\r.\r", b"\r\n.\n", b"\r\n.\r", b"\r\n\0.\r\n", b"\n", b"\r"])
def test_smuggling_through_mxdeliv_is_refused_and_closed(folder: Path, end: bytes) -> None:
    """CVE-2023-51764 and its family: a bare CR, LF or NUL anywhere; the connection ends."""

    async def test(house: House, anna: Login) -> None:
        for content in (signed(letter())[:-2] + end + b"MAIL FROM:<evil@peer.example>\r\n", signed(letter()) + end):
            async with house.line() as line:
                await line.say(request(content, anna.address) + request(signed(letter(seed=2)), anna.address))
                said = await line.rest()
            assert said.startswith(b"HTTP/1.1 400 ")
            assert said.endswith(replies.render(replies.BARE_NEWLINE))
        assert await house.world.read(anna) == []
        assert house.journal.counts["smuggling.refused"] == 2

    live(folder, test)


def test_smuggling_the_strict_end_mark_is_only_text_in_a_body(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        inner = b"\r\n.\r\nMAIL FROM:<evil@peer.example>\r\n"
        for content in (signed(letter()) + inner, signed(letter() + inner)):
            assert (await house.post(request(content, anna.address)))[2] == replies.render(replies.UNENCRYPTED)
        assert await house.world.read(anna) == []

    live(folder, test)


def test_a_slow_body_is_waited_for_while_it_gets_on(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("razdar.servers.http.PROGRESS_S", 0.3)
    monkeypatch.setattr("razdar.servers.http.PROGRESS_BYTES", 20)

    async def test(house: House, anna: Login) -> None:
        sent = request(signed(letter()), anna.address)
        async with house.line() as line:
            at = len(sent) - 1000
            await line.say(sent[:at])
            for start in range(at, len(sent), 100):
                await asyncio.sleep(0.1)  # time is what is tested here
                await line.say(sent[start : start + 100])
            assert (await line.answer())[2] == TAKEN
        async with house.line() as line:
            await line.say(sent[:-10])
            assert (await line.rest()).startswith(b"HTTP/1.1 408 ")
        assert len(house.desk.slots) == 0
        assert house.desk.memory.used_bytes == 0

    live(folder, test, Plan(http=HttpLimits(request_s=0.3)))


def test_whoever_leaves_in_the_middle_leaves_nothing(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        async with house.line() as line:
            await line.say(request(signed(letter(size_bytes=1_000_000)), anna.address)[:-100])
            while not len(house.desk.slots):  # noqa: ASYNC110 - until the relay is at it
                await asyncio.sleep(0)
        while len(house.desk.slots):  # noqa: ASYNC110
            await asyncio.sleep(0)
        assert house.desk.memory.used_bytes == 0
        assert await house.world.read(anna) == []

    live(folder, test)


def test_mxdeliv_no_memory_for_a_large_one(folder: Path) -> None:
    async def test(house: House, anna: Login) -> None:
        large = request(signed(letter(size_bytes=1_000_000)), anna.address)
        async with house.line() as line:
            await line.say(large)
            assert (await line.rest()).endswith(replies.render(replies.OVERLOADED))
        assert (await house.post(request(signed(letter()), anna.address)))[0] == 200

    live(folder, test, Plan(memory=MemoryBudget(500_000)))


# the call-back


def test_confirm_both_sides(folder: Path) -> None:
    async def test(house: House, _: Login) -> None:
        confirmer, digest = HttpsConfirmer(), digest_of(letter(), Settings())
        right = hashlib.sha256(ssl.PEM_cert_to_DER_cert((folder / "tls/certificate.pem").read_text())).hexdigest()
        place = Place("127.0.0.1", house.ports["https"], right)
        assert not await confirmer.ask(place, digest)
        house.sending.note(letter())
        assert await confirmer.ask(place, digest)
        assert await confirmer.ask(Place("127.0.0.1", house.ports["https"], ""), digest)
        assert not await confirmer.ask(Place("127.0.0.1", house.ports["https"], "00" * 32), digest), "somebody else's certificate"
        with pytest.raises(Unanswered):
            await confirmer.ask(Place("127.0.0.1", house.ports["http"], ""), digest)
        with pytest.raises(Unanswered):
            await confirmer.ask(Place("127.0.0.1", 1, ""), digest)
        await confirmer.close()

    live(folder, test)


def test_confirm_only_under_tls_and_only_to_a_whole_question(folder: Path) -> None:
    async def test(house: House, _: Login) -> None:
        house.sending.note(letter())
        digest = digest_of(letter(), Settings())
        asked = f"GET {question(digest)} HTTP/1.1\r\nHost: x\r\n\r\n".encode()
        assert (await house.post(asked))[::2] == (200, answer_to(digest))
        async with house.line("http") as line:
            await line.say(asked)
            assert (await line.answer())[0] == 404
        for changed in (
            asked.replace(b"?", b"?x="),
            asked.replace(b"?", b"/?"),
            asked.replace(question(digest).encode(), b"/.well-known/razdar/confirm"),
        ):
            status, _head, text = await house.post(changed)
            assert (status, text) in {(404, b"Not known here"), (200, b"a page")}
        assert (await house.post(asked.replace(b"GET", b"PUT")))[0] == 405

    live(folder, test)


def test_confirm_a_server_that_says_too_much_or_nothing(folder: Path) -> None:
    """Bounded in bytes and in time; a page for everything is no yes."""

    async def test(_house: House, _anna: Login) -> None:
        said = {
            "endless": b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 5_000_000,
            "silent": b"",
            "page": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nOK",
        }
        said["moved"] = b"HTTP/1.1 302 Found\r\nLocation: https://127.0.0.1:1/\r\nContent-Length: 0\r\n\r\n"
        words = ["endless", "page", "moved", "silent"]

        async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            await reader.readuntil(b"\r\n\r\n")
            word = words.pop(0)
            writer.write(said[word])
            if word == "silent":
                await reader.read()
            writer.close()

        tls = open_tls(folder, ["127.0.0.1"], 0).smtp
        server = await asyncio.start_server(answer, "127.0.0.1", 0, ssl=tls)
        place = Place("127.0.0.1", server.sockets[0].getsockname()[1], "")
        confirmer = HttpsConfirmer(0.5)
        for _ in range(3):
            assert not await confirmer.ask(place, bytes(32))
        with pytest.raises(Unanswered):
            await confirmer.ask(place, bytes(32))
        await confirmer.close()
        server.close()

    live(folder, test)


def test_the_pages_learn_nothing_of_the_peer(folder: Path) -> None:
    """Where a request comes from is for the two paths that need it."""

    async def test(house: House, _: Login) -> None:
        seen: list[object] = []

        async def page(scope: dict[str, object], receive: object, send: object) -> None:
            seen.append((scope["client"], "source" in scope["state"]))  # type: ignore[operator]
            raise RuntimeError

        house.edge.app._pages = type(house.edge.app._pages)(page, 10)  # type: ignore[attr-defined]
        async with house.line() as line:
            await line.say(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
            await line.rest()
        assert seen == [(None, False)]
        house.journal.counts["bug"] = 0

    live(folder, test)


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion.TLSv1:DeprecationWarning")
def test_tls_of_yesterday_is_refused(folder: Path) -> None:
    async def test(house: House, _: Login) -> None:
        old = any_certificate()
        old.set_ciphers("DEFAULT:@SECLEVEL=0")
        old.maximum_version = ssl.TLSVersion.TLSv1_1
        for door in ("https", "smtp"):
            reader, writer = await asyncio.open_connection("127.0.0.1", house.ports[door])
            if door == "smtp":
                await reader.readuntil(b"\r\n")
                writer.write(b"EHLO a\r\nSTARTTLS\r\n")
                await reader.readuntil(b"220 2.0.0 Ready to start TLS\r\n")
            with pytest.raises((ssl.SSLError, ConnectionError)):
                await writer.start_tls(old)
            writer.close()

    live(folder, test)
