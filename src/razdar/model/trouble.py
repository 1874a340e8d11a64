# SPDX-License-Identifier: AGPL-3.0-or-later
"""What stops the operator and what to do about it, in one sentence, in Persian and in English.

A trouble is the fault of the surroundings: a port that is taken, a folder that cannot be written, a setting with a wrong value. It is
raised where it is found and shown by the command line, without a traceback. It may name paths, ports and settings of this machine;
it never names a person, and it is never sent to one.
"""

from pathlib import Path


class Trouble(Exception):  # noqa: N818 - not an error of the program, and named like what it is
    """One sentence in each language that says what to do."""

    def __init__(self, persian: str, english: str) -> None:
        super().__init__(english)
        self.persian = persian
        self.english = english


def port_taken(address: str, port: int) -> Trouble:
    return Trouble(
        f"درگاه {port} روی {address} در دست برنامهٔ دیگری است؛ آن برنامه را ببندید یا با ‎--ports BASE‎ درگاه‌های دیگری برگزینید.",
        f"Port {port} on {address} is in use by another program; stop that one or choose other ports with --ports BASE.",
    )


def port_forbidden(address: str, port: int) -> Trouble:
    return Trouble(
        f"رله اجازهٔ درگاه {port} روی {address} را ندارد؛ ‎--ports high‎ را به کار ببرید یا اجازهٔ درگاه‌های زیر ۱۰۲۴ را بدهید.",
        f"Port {port} on {address} may not be opened by this user; use --ports high, or allow ports below 1024 (CAP_NET_BIND_SERVICE).",
    )


def address_absent(address: str) -> Trouble:
    return Trouble(
        f"این دستگاه نشانی {address} را ندارد؛ ‎--bind‎ را درست کنید.",
        f"This machine does not have the address {address}; correct --bind.",
    )


def data_not_writable(folder: Path) -> Trouble:
    return Trouble(
        f"در پوشهٔ {folder} نمی‌توان نوشت؛ با ‎--data DIR‎ پوشهٔ دیگری بدهید یا مالک آن را درست کنید.",
        f"The data folder {folder} cannot be written; give another one with --data DIR or correct its owner.",
    )


def disk_full(folder: Path) -> Trouble:
    return Trouble(
        f"دیسک پوشهٔ {folder} پر است؛ کمی جا باز کنید و دوباره رله را روشن کنید.",
        f"The disk of {folder} is full; make some room and start again.",
    )


def data_in_use(folder: Path) -> Trouble:
    return Trouble(
        f"رلهٔ دیگری با پوشهٔ {folder} در حال کار است؛ نخست آن را ببندید یا با ‎--data DIR‎ پوشهٔ دیگری بدهید.",
        f"Another relay is running on {folder}; stop it first or give another folder with --data DIR.",
    )


def blocks_damaged(file: Path) -> Trouble:
    return Trouble(
        f"پروندهٔ {file}، که حساب‌های مسدود در آن است، خراب شده است. آن را از پشتیبان برگردانید؛ اگر پاکش کنید، همه دوباره راه می‌یابند.",
        f"The file {file} with the blocked accounts is damaged. Put it back from a backup; if you delete it, everybody is let in again.",
    )


def data_newer(folder: Path) -> Trouble:
    return Trouble(
        f"داده‌های {folder} را نسخهٔ تازه‌تری از رازدار نوشته است؛ همان نسخه یا تازه‌تر را اجرا کنید.",
        f"The data in {folder} was written by a newer Razdar; run that version or a later one.",
    )


def certificate_unreadable(file: Path, why: str) -> Trouble:
    return Trouble(
        f"گواهی {file} خوانده نشد ({why})؛ پرونده و اجازهٔ خواندنش را بررسی کنید.",
        f"The certificate file {file} cannot be used ({why}); check the file, its key and who may read it.",
    )


def name_differs(remembered: str, wanted: str) -> Trouble:
    return Trouble(
        f"نام این رله {remembered} است و نشانی همهٔ کاربران به آن بسته است؛ دامنهٔ {wanted} را بردارید "
        "یا، اگر می‌خواهید این نشانی‌ها از میان بروند، ‎--change-name‎ را بیفزایید.",
        f"This relay is called {remembered} and everybody's address ends in that; "
        f"leave out the domain {wanted}, or add --change-name if all of these addresses may die.",
    )


def keys_incomplete(folder: Path) -> Trouble:
    return Trouble(
        f"در {folder} کلیدی کم یا خراب است؛ آن را از پشتیبان برگردانید، زیرا بی آن هیچ حسابی باز نمی‌شود.",
        f"A key in {folder} is missing or damaged; restore it from a backup, without it no account can be found.",
    )


def dns_server_malformed(text: str) -> Trouble:
    return Trouble(
        f"«{text}» نشانی کارساز DNS نیست؛ در dns_servers نشانی IP بنویسید، اگر لازم است با درگاه: ‎192.0.2.1:53‎",
        f"{text!r} is not the address of a DNS server; dns_servers takes IP addresses, with a port if need be: 192.0.2.1:53",
    )


def never_started(folder: Path) -> Trouble:
    return Trouble(
        f"رلهٔ {folder} هنوز روشن نشده است و کلیدی ندارد؛ نخست ‎./razdar up‎ را اجرا کنید یا ‎--data DIR‎ را درست کنید.",
        f"The relay in {folder} has never been started and has no key yet; run ./razdar up first, or correct --data DIR.",
    )


def names_line_malformed(file: Path, line: int, word: str) -> Trouble:
    return Trouble(
        f"خط {line} از {file} درست نیست ({word})؛ آن را درست کنید. تا آن وقت فهرست پیشین به کار می‌رود.",
        f"Line {line} of {file} is wrong ({word}); correct it. Until then the former list stays in force.",
    )


def not_running(folder: Path) -> Trouble:
    return Trouble(
        f"هیچ رله‌ای با پوشهٔ {folder} در حال کار نیست؛ نخست ‎./razdar up‎ را اجرا کنید یا ‎--data DIR‎ را درست کنید.",
        f"No relay is running on {folder}; start one with ./razdar up first, or correct --data DIR.",
    )


def not_a_backup() -> Trouble:
    return Trouble("این پرونده پشتیبان رازدار نیست.", "This file is not a backup of a Razdar relay.")


def backup_newer() -> Trouble:
    return Trouble(
        "این پشتیبان را نسخهٔ تازه‌تری از رازدار ساخته است؛ همان نسخه یا تازه‌تر را اجرا کنید.",
        "This backup was made by a newer Razdar; use that version or a later one.",
    )


def backup_damaged() -> Trouble:
    return Trouble(
        "این پشتیبان آسیب دیده است؛ رونوشت دیگری از آن را بردارید. چیزی عوض نشد.",
        "This backup is damaged; take another copy of it. Nothing was changed.",
    )


def passphrase_wrong() -> Trouble:
    return Trouble(
        "گذرواژهٔ پشتیبان درست نیست یا پرونده آسیب دیده است. چیزی عوض نشد.",
        "The passphrase of the backup is wrong, or the file is damaged. Nothing was changed.",
    )


def nothing_to_back_up(folder: Path) -> Trouble:
    return Trouble(
        f"در {folder} رله‌ای نیست؛ ‎--data DIR‎ را درست کنید.",
        f"There is no relay in {folder}; correct --data DIR.",
    )


def data_not_empty(folder: Path) -> Trouble:
    return Trouble(
        f"پوشهٔ {folder} خالی نیست؛ با ‎--data DIR‎ پوشهٔ دیگری بدهید یا، اگر پشتیبان باید جای آن را بگیرد، ‎--replace‎ را بیفزایید.",
        f"The folder {folder} is not empty; give another one with --data DIR, or add --replace if the backup is to take its place.",
    )


def owned_by_another(folder: Path, owner: str) -> Trouble:
    return Trouble(
        f"پوشهٔ {folder} از آن کاربر {owner} است؛ فرمان را با همان کاربر اجرا کنید: ‎sudo -u {owner} …‎",
        f"The folder {folder} belongs to the user {owner}; run the command as that user: sudo -u {owner} …",
    )


def file_not_written(file: Path, why: str) -> Trouble:
    return Trouble(f"{file} نوشته نشد: {why}.", f"{file} cannot be written: {why}.")


def note_too_long() -> Trouble:
    return Trouble(
        "یادداشت دعوت بلند است؛ تا شصت نویسه جا دارد.",
        "The invitation's note is too long; it has room for 120 bytes, about 60 Persian letters.",
    )


def file_not_read(file: Path, why: str) -> Trouble:
    return Trouble(f"{file} خوانده نشد: {why}.", f"{file} cannot be read: {why}.")


def file_is_something_else(file: Path) -> Trouble:
    return Trouble(
        f"{file} از پیش هست و پشتیبان رازدار نیست؛ نام دیگری بدهید.",
        f"{file} exists and is not a backup of Razdar; give another name.",
    )
