# SPDX-License-Identifier: AGPL-3.0-or-later
"""`./razdar try`: the main job, shown to somebody who has no phone at hand.

A throw-away relay in a temporary folder on free loopback ports, and two real Delta Chat cores. Ali and Bahar meet by secure join, write,
send a picture and form a group with Cyrus, whose phone is then switched off, so that mail waits on the relay. The terminal shows the
conversation with the time that each message took, and then everything the relay's disk can tell about it. Nothing stays behind.

cast.py has the relay and the people, play.py what they say to each other, seizure.py reads the disk, words.py says what its columns mean.
"""

import tempfile
from contextlib import ExitStack
from pathlib import Path

from razdar.cli.terminal import persian_digits, say
from razdar.model.trouble import Trouble
from razdar.tryout import seizure
from razdar.tryout.stage import Stage
from razdar.tryout.words import AS_ABOVE, column_words, table_words


def run(words: list[str]) -> int:
    """0 when everything was shown and nothing about the people was found on the disk. Raises Trouble otherwise."""
    if words:
        raise Trouble("این فرمان واژهٔ دیگری نمی‌پذیرد: ‎./razdar try‎", "This command takes no other words: ./razdar try")
    try:
        from razdar.tryout import cast, play
    except ImportError as missing:
        raise Trouble(
            f"بستهٔ {missing.name} نصب نیست؛ فرمان را با ‎./razdar try‎ اجرا کنید تا محیطش ساخته شود.",
            f"The package {missing.name} is not installed; run ./razdar try, which makes the environment for it.",
        ) from missing
    stage = Stage()
    with tempfile.TemporaryDirectory(prefix="razdar-try-") as name, ExitStack() as running:
        folder = Path(name)
        stage.chapter("رله‌ای موقت روشن می‌شود.", "A throw-away relay starts.")
        relay = running.enter_context(cast.relay(folder / "relay"))
        stage.line(f"{relay.domain}   IMAP 127.0.0.1:{relay.imap_port}   SMTP 127.0.0.1:{relay.smtp_port}")
        secrets = play.perform(stage, folder, relay, running)
        _show_disk(stage, folder / "relay", secrets)
    stage.chapter("همه‌چیز پاک شد.", "Everything has been cleaned up.")
    return 0


def _show_disk(stage: Stage, relay: Path, secrets: list[str]) -> None:
    """All that the relay has written anywhere, its log at the most talkative level included."""
    stage.chapter(
        "روی دیسک رله همین‌هاست (یک پیام برای سیروس در انتظار است):", "This is all there is on the relay's disk (a message waits for Cyrus):"
    )
    for path, size in seizure.files(relay):
        say(f"  {size:>12,} B   {path}")
    stage.chapter("جدول‌ها، ستون به ستون:", "Its tables, column by column:")
    explained: set[tuple[str, str]] = set()
    for table in seizure.tables(relay):
        _show_table(table, explained)
    found = seizure.places(relay, secrets)
    if found:
        where = ", ".join(map(str, found))
        raise Trouble(
            f"چیزی دربارهٔ آدم‌ها روی دیسک پیدا شد ({where})؛ این ایراد رازدار است، لطفاً گزارش کنید.",
            f"Something about the people was found on the disk ({where}); this is a defect of Razdar, please report it.",
        )
    count = str(len(secrets))
    stage.chapter(
        f"{persian_digits(count)} نام، نشانی، گذرواژه و متن در همهٔ این پرونده‌ها، به هر نگارشی، جست‌وجو شد: ۰ بار پیدا شد.",
        f"{count} names, addresses, passwords and texts searched in all of these files in every spelling: found 0 times.",
    )


def _show_table(table: seizure.Table, explained: set[tuple[str, str]]) -> None:
    """What was said of an earlier table's column is not said again."""
    persian, english = table_words(table.name)
    say("", f"  {table.name:<10}{table.rows:>5}   {english} · {persian}")
    for column in table.columns:
        words = column_words(table.name, column)
        persian, english = words if words not in explained else AS_ABOVE
        explained.add(words)
        say(f"    {column:<14}    {english} · {persian}")
