# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the people of `./razdar try` do: meet, talk, send a picture, form a group, and one of them goes away."""

import struct
import time
import zlib
from contextlib import ExitStack
from pathlib import Path

from deltachat_rpc_client import Chat

from razdar.tryout.cast import Person, Relay, core
from razdar.tryout.stage import Stage

GREETING, ANSWER, CAPTION = "سلام بهار! صدایم می‌رسد؟", "می‌رسد! And in English: loud and clear.", "از پنجرهٔ من · from my window"
GROUP = "همسایه‌ها · Neighbours"
QUESTION, REPLY, LAST = (
    "آب فردا قطع است؟ Is the water off tomorrow?",
    "از ۸ تا ۱۲. From 8 to 12.",
    "پس امشب پر می‌کنیم. Then we fill up tonight.",
)


def perform(stage: Stage, folder: Path, relay: Relay, running: ExitStack) -> list[str]:
    """Plays it; the cores run until `running` ends. Everything that nobody should find on the relay's disk."""
    stage.chapter("سه نفر با دلتاچت واقعی حساب می‌گیرند.", "Three people get accounts, with real Delta Chat cores.")
    (ali,) = running.enter_context(core(folder / "ali", relay, "Ali"))
    bahar, cyrus = running.enter_context(core(folder / "bahar", relay, "Bahar", "Cyrus"))
    people = (ali, bahar, cyrus)
    for person in people:
        stage.line(f"{person.name:<6}  {person.address}")

    stage.chapter("با رمزینه آشنا می‌شوند (secure join).", "They meet by QR code (secure join).")
    for guest in (bahar, cyrus):
        _meet(stage, ali, guest)

    stage.chapter("گفت‌وگو", "The conversation")
    _speak(stage, ali, ali.chat(bahar), GREETING, bahar)
    _speak(stage, bahar, bahar.chat(ali), ANSWER, ali)
    _speak(stage, ali, ali.chat(bahar), CAPTION, bahar, picture=_picture(folder / "window.png"))

    stage.chapter("گروه", "A group")
    group = ali.account.create_group(GROUP)
    group.add_contact(bahar.account, cyrus.account)
    stage.line(f"Ali + Bahar + Cyrus                      {GROUP}")
    _speak(stage, ali, group, QUESTION, bahar, cyrus)
    _speak(stage, bahar, bahar.chat_named(GROUP), REPLY, ali, cyrus)
    cyrus.account.stop_io()
    stage.line("Cyrus   گوشی‌اش خاموش می‌شود. His phone is switched off.")
    _speak(stage, ali, group, LAST, bahar)

    texts = [GREETING, ANSWER, CAPTION, GROUP, QUESTION, REPLY, LAST]
    words = [word for person in people for word in (person.address, person.address.partition("@")[0], person.password)]
    return texts + words


def _meet(stage: Stage, inviter: Person, guest: Person) -> None:
    begin = time.monotonic()
    guest.account.secure_join(inviter.account.get_qr_code())
    guest.event("SecurejoinJoinerProgress", progress=1000)
    inviter.event("SecurejoinInviterProgress", progress=1000)
    stage.speech(guest.name, inviter.name, time.monotonic() - begin, "✓")


def _speak(stage: Stage, writer: Person, chat: Chat, text: str, *readers: Person, picture: Path | None = None) -> None:
    """Written, and read by all readers; the time is that of the last of them."""
    begin = time.monotonic()
    chat.send_message(text=text, file=str(picture) if picture else None)
    for reader in readers:
        reader.until(lambda reader=reader: reader.message(text, whole=picture is not None), text)  # type: ignore[misc]
    note = f"   [{picture.name}, {picture.stat().st_size:,} B]" if picture else ""
    stage.speech(writer.name, ", ".join(reader.name for reader in readers), time.monotonic() - begin, text + note)


def _picture(path: Path, width: int = 240, height: int = 160) -> Path:
    """A PNG (RFC 2083) of a sunset, made here and now."""
    rows = bytearray()
    for y in range(height):
        rows.append(0)  # no filter
        for x in range(width):
            is_sun = (x - 170) ** 2 + (y - 90) ** 2 < 900
            rows += bytes((255, 220, 120) if is_sun else (40 + y, 40 + y // 2 + x // 8, 120 - y // 3))
    head = struct.pack("!IIBBBBB", width, height, 8, 2, 0, 0, 0)  # 8 bits a colour, red green blue
    parts = ((b"IHDR", head), (b"IDAT", zlib.compress(bytes(rows))), (b"IEND", b""))
    chunks = [struct.pack("!I", len(body)) + kind + body + struct.pack("!I", zlib.crc32(kind + body)) for kind, body in parts]
    path.write_bytes(b"\x89PNG\r\n\x1a\n" + b"".join(chunks))
    return path
