# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the tables and columns of the store mean, in words. What is not here is shown as not explained, and a test fails."""

UNEXPLAINED = ("توضیح داده نشده", "not explained")
AS_ABOVE = ("همان", "as above")

_TABLES = {
    "meta": ("شمارنده‌های رله", "the relay's own counters"),
    "account": ("حساب‌ها", "accounts"),
    "mailbox": ("پوشه‌های حساب‌ها", "folders of accounts"),
    "entry": ("پیام‌های در انتظار، یکی برای هر گیرنده", "waiting mail, one for each recipient"),
    "body": ("خود پیام‌ها، رمزشده، یکی برای همهٔ گیرندگان", "the messages themselves, encrypted, one for all recipients"),
    "large": ("پیام‌های بزرگ، رمزشده", "large messages, encrypted"),
    "token": ("کدهای بیدارباش گوشی‌ها", "wake-up tokens of phones"),
    "invite": ("دعوت‌های پذیرفته‌نشده", "invitations that nobody has claimed"),
}

_ACCOUNT = (
    "چکیدهٔ نشانی، که ساختنش زمان می‌برد؛ بی کلید رله و خود نشانی هیچ نمی‌گوید",
    "slow keyed hash of the address: tells nothing without key and address",
)
_EXPIRES = ("روزی که می‌رود، به روزهای کار رله", "day on which it goes, in days that the relay has run")
_COLUMNS = {
    "meta.key": ("نام شمارنده", "name of the counter"),
    "meta.value": ("عدد آن", "its number"),
    "account.id": _ACCOUNT,
    "account.salt": ("نمک تصادفی گذرواژه", "random salt of the password"),
    "account.public_key": ("کلیدی که پیام‌ها با آن مهر می‌شود", "key that mail is sealed with"),
    "account.locked_key": ("کلیدی که تنها گذرواژهٔ صاحب حساب بازش می‌کند", "key that only the owner's password opens"),
    "account.expires": _EXPIRES,
    "account.folders_made": ("تاکنون چند پوشه ساخته شده", "how many folders were ever made"),
    "mailbox.account": _ACCOUNT,
    "mailbox.folder": ("شمارهٔ پوشه", "number of the folder"),
    "mailbox.uid_validity": ("دورهٔ شماره‌گذاری", "era of the numbering"),
    "mailbox.uid_next": ("شمارهٔ پیام بعدی: تاکنون چند پیام رسیده", "number of the next message: how many ever came"),
    "mailbox.used": ("پُری صندوق، گِردشده به یک شصت‌وچهارم", "how full it is, rounded to a sixty-fourth"),
    "mailbox.sealed": ("نام پوشه، مهرشده", "the folder's name, sealed"),
    "entry.account": _ACCOUNT,
    "entry.folder": ("شمارهٔ پوشه", "number of the folder"),
    "entry.uid": ("شمارهٔ پیام در پوشه", "number of the message in the folder"),
    "entry.expires": _EXPIRES,
    "entry.seal": ("کدام پیام، کِی، چه اندازه: مهرشده، همیشه به یک درازا", "which message, when, how large: sealed, always of one length"),
    "body.id": ("عدد تصادفی", "a random number"),
    "body.expires": _EXPIRES,
    "body.balance": ("چند گیرنده مانده، با عددهای تصادفی پوشیده", "readers left, hidden in random numbers"),
    "body.blob": ("متن رمزشده، با درازای گِردشده", "ciphertext, its length rounded up"),
    "large.id": ("عدد تصادفی", "a random number"),
    "large.blob": ("متن رمزشده، با درازای گِردشده", "ciphertext, its length rounded up"),
    "token.account": _ACCOUNT,
    "token.token": ("کدی که تنها سرویس بیدارباش می‌خواند", "token that only the push service can read"),
    "token.expires": _EXPIRES,
    "invite.digest": ("چکیدهٔ دعوت", "hash of the invitation"),
    "invite.uses": ("چند بار دیگر پذیرفته می‌شود", "how many may still claim it"),
    "invite.expires": _EXPIRES,
}


def table_words(table: str) -> tuple[str, str]:
    """Persian and English."""
    return _TABLES.get(table, UNEXPLAINED)


def column_words(table: str, column: str) -> tuple[str, str]:
    """Persian and English."""
    return _COLUMNS.get(f"{table}.{column}", UNEXPLAINED)
