# SPDX-License-Identifier: AGPL-3.0-or-later
"""The words that each command understands, in both languages. docs/commands.md is made from this table; a test keeps it fresh."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

DATA = Path("razdar-data")


@dataclass(frozen=True, slots=True)
class Option:
    """One word of a command and what it means, in both languages."""

    flag: str
    persian: str
    english: str
    how: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Command:
    name: str
    persian: str
    english: str
    options: tuple[Option, ...] = ()


def _option(flag: str, persian: str, english: str, **how: Any) -> Option:
    return Option(flag, persian, english, how)


_DATA = _option("--data", "پوشهٔ داده‌های رله", "the relay's data folder", type=Path, default=DATA, metavar="DIR")
_JSON = _option("--json", "برای برنامه‌ها", "for programs", action="store_true")
_CONFIG = _option(
    "--config",
    "پروندهٔ تنظیم؛ پیش‌فرض: razdar.toml در پوشهٔ داده‌ها",
    "settings file; default: razdar.toml in the data folder",
    type=Path,
    metavar="FILE",
)
_SETTINGS = (
    _DATA,
    _CONFIG,
    _option(
        "--domain",
        "نام رله؛ پیش‌فرض: نامی برای همیشه از کلید خود رله",
        "the relay's name; default: a name for life from its own key",
        metavar="NAME",
    ),
    _option("--bind", "نشانی گوش دادن رله؛ تکرارپذیر", "address to listen on; may be repeated", action="append", metavar="ADDR"),
    _option(
        "--ports",
        "high، standard یا درگاه HTTPS که بقیه با آن جابه‌جا می‌شوند",
        "high, standard, or the HTTPS port that moves all others with it",
        metavar="high|standard|BASE",
    ),
    _option(
        "--set",
        "یک تنظیم؛ تکرارپذیر، نام‌ها در ./razdar config",
        "one setting; may be repeated, names as in ./razdar config",
        action="append",
        default=[],
        metavar="KEY=VALUE",
    ),
)

COMMANDS = (
    Command(
        "up",
        "رله را روشن می‌کند؛ با Ctrl-C خاموش می‌شود.",
        "Runs the relay in the foreground; Ctrl-C ends it.",
        (
            *_SETTINGS,
            _option(
                "--change-name",
                "نام تازه را می‌پذیرد، هرچند نشانی‌های کنونی از میان می‌روند",
                "takes a new name although all present addresses die",
                action="store_true",
            ),
            _option("--quiet", "چیزی چاپ نمی‌کند", "prints nothing", action="store_true"),
        ),
    ),
    Command(
        "invite",
        "دعوتی می‌سازد: پیوند و رمزینه. حساب هنگام پذیرفتن دعوت ساخته می‌شود و گذرواژه‌اش را تنها همان شخص می‌بیند.",
        "Makes an invitation: a link and its QR code. The account is made when it is claimed, and only that person sees the password.",
        (
            _DATA,
            _option("--uses", "چند نفر می‌توانند آن را بپذیرند", "how many people may claim it", type=int, default=1, metavar="N"),
            _option("--days", "چند روز اعتبار دارد", "how many days it is good for", type=int, default=7, metavar="D"),
            _option(
                "--note",
                "نوشته‌ای که دعوت‌شده می‌بیند؛ رله آن را نگه نمی‌دارد",
                "words that the invited person sees; the relay keeps none of them",
                metavar="TEXT",
            ),
            _option(
                "--sheet", "کارت‌های یک‌بارمصرف برای چاپ، در این پرونده", "one-use cards to print, into this file", type=Path, metavar="FILE"
            ),
            _option("--cards", "شمار کارت‌ها", "how many cards", type=int, default=8, metavar="N"),
            _option("--png", "رمزینه را در این پرونده هم می‌نویسد", "writes the QR code into this file, too", type=Path, metavar="FILE"),
            _option(
                "--direct",
                "حسابی آماده برای یک گوشی؛ رمزینه درون برنامه اسکن می‌شود",
                "a finished account for one phone, scanned inside the app",
                action="store_true",
            ),
        ),
    ),
    Command(
        "apps",
        "برنامه‌هایی که خود صفحهٔ رله به مردم می‌دهد، برای روزی که فروشگاه‌ها در دسترس نیستند: add، list یا remove. رلهٔ روشن بی‌درنگ می‌فهمد.",
        "Apps that the relay's page hands out itself, for days without the shops: add, list or remove. A running relay notices at once.",
        (
            _option("WHAT", "add، list یا remove", "add, list or remove", choices=("add", "list", "remove")),
            _option("FILE", "پرونده، یا برای remove نامش", "the file; for remove, its name", nargs="?"),
            _DATA,
            _option("--version", "نسخه، اگر پرونده خودش نمی‌گوید", "the version, if the file does not tell it", metavar="TEXT"),
            _option(
                "--number",
                "شماره‌ای که برنامه‌ها نسخه‌ها را با آن می‌سنجند",
                "the number by which apps compare versions",
                type=int,
                default=0,
                metavar="N",
            ),
        ),
    ),
    Command(
        "console",
        "پیوندی چاپ می‌کند که یک بار به میز گرداننده راه می‌دهد.",
        "Prints a link that opens the operator's console, once.",
        (_DATA,),
    ),
    Command(
        "verify",
        "می‌سنجد که شمار حساب‌های مسدود را خود آن رله امضا کرده باشد (status.json آن).",
        "Checks that a relay itself signed its number of blocked accounts (its status.json).",
        (_option("FILE", "پروندهٔ status.json که گرفته‌اید", "the status.json that you fetched", type=Path),),
    ),
    Command(
        "peer",
        "رله‌های دیگر را با دست می‌نویسد، به‌جای DNS: برای روزی که DNS نیست، و برای رله‌ای که نامی در DNS ندارد.",
        "Writes other relays down by hand, in place of DNS: for the day when DNS is gone, and for a relay without a name in DNS.",
        (
            _option("WHAT", "add، remove یا list", "add, remove or list", choices=("add", "remove", "list")),
            _option("NAME", "نام رله، همان که نشانی‌ها به آن پایان می‌یابد", "the relay's name, as addresses end in it", nargs="?"),
            _option("ADDRESS", "نشانی‌های IP آن", "its IP addresses", nargs="*"),
            _DATA,
            _option("--https-port", "درگاه HTTPS آن", "its HTTPS port", type=int, default=443, metavar="N"),
            _option("--smtp-port", "درگاه SMTP آن", "its SMTP port", type=int, default=25, metavar="N"),
            _option(
                "--pin",
                "اثر انگشت SHA-256 گواهی‌اش، که با گرداننده‌اش سنجیده‌اید؛ بی آن، گواهی دیده و نشان داده می‌شود",
                "SHA-256 of its certificate, compared with its operator; without it the certificate is looked at and shown",
                metavar="HEX",
            ),
            _option(
                "--dkim",
                "کلید امضای پیام‌هایش؛ تکرارپذیر؛ بی آن، کلید پیشین می‌ماند. ‎./razdar dns‎ نزد آن رله همین را چاپ می‌کند",
                "the key that signs its mail; may be repeated; without it a former one stays. ./razdar dns prints it at that relay",
                action="append",
                default=[],
                metavar="SELECTOR:RECORD",
            ),
            _JSON,
        ),
    ),
    Command(
        "dns",
        "رکوردهای DNS این رله را آمادهٔ کپی چاپ می‌کند و می‌گوید از بیرون چه دیده می‌شود؛ برای رلهٔ بی‌دامنه، خطی که به رله‌های دیگر بدهید.",
        "Prints this relay's DNS records ready to paste, and says what is seen of them; without a domain, the line for other relays.",
        (
            *_SETTINGS,
            _option(
                "--address",
                "نشانی بیرونی رله، اگر دستگاه خودش آن را ندارد؛ تکرارپذیر",
                "the relay's address seen from outside, if the machine itself does not have it; may be repeated",
                action="append",
                default=[],
                metavar="ADDR",
            ),
            _JSON,
        ),
    ),
    Command(
        "queue",
        "نشان می‌دهد برای کدام رله‌های دیگر چند پیام منتظر است، از کِی و چرا؛ نشانی هیچ‌کس در آن نیست.",
        "Shows how many messages wait for which other relays, since when and why; nobody's address is in it.",
        (_DATA, _JSON),
    ),
    Command("status", "آمار رلهٔ روشن را نشان می‌دهد.", "Shows the counts of the running relay.", (_DATA, _JSON)),
    Command(
        "config",
        "هر تنظیم را با مقدارش، جایی که از آن آمده و دلیل پیش‌فرضش نشان می‌دهد.",
        "Shows every setting, its value, where it comes from and why the default is what it is.",
        (
            *_SETTINGS,
            _JSON,
            _option("--lang", "زبان دلیل‌ها", "language of the reasons", choices=("fa", "en"), metavar="fa|en"),
        ),
    ),
    Command(
        "check",
        "نگاه می‌کند چه چیزی کم یا نادرست است و می‌گوید چگونه درست می‌شود: درگاه‌ها، گواهی، ساعت، دیسک، محدودیت‌ها، نسخه‌ها، پوشهٔ داده‌ها.",
        "Looks for what is wrong and says how to mend it: ports, certificate, clock, disk, limits, versions, data folder.",
        (*_SETTINGS, _JSON),
    ),
    Command(
        "backup",
        "از تنظیم‌ها، کلیدها و حساب‌ها پشتیبان می‌گیرد، هم‌زمان با کار رله؛ پیامی در آن نیست.",
        "Saves settings, keys and accounts while the relay runs; never a message.",
        (
            _option("FILE", "پرونده‌ای که ساخته می‌شود", "the file that is made", type=Path),
            _DATA,
            _CONFIG,
            _option(
                "--encrypt", "گذرواژه می‌پرسد و پرونده را رمز می‌کند", "asks for a passphrase and encrypts the file", action="store_true"
            ),
        ),
    ),
    Command(
        "restore",
        "پشتیبان را برمی‌گرداند؛ هر کس با همان گذرواژهٔ پیشین وارد می‌شود.",
        "Puts a backup back; everybody logs in with the old password.",
        (
            _option("FILE", "پروندهٔ پشتیبان", "the backup", type=Path),
            _DATA,
            _option(
                "--replace",
                "پوشه خالی نیست؛ آنچه در آن است کنار گذاشته می‌شود",
                "the folder is not empty; what lies there is put aside",
                action="store_true",
            ),
        ),
    ),
    Command(
        "try",
        "رله‌ای موقت و دو برنامهٔ واقعی دلتاچت: گفت‌وگو و آنچه را روی دیسک می‌ماند نشان می‌دهد.",
        "A throw-away relay and two real Delta Chat cores: shows the conversation, and what stays on the disk.",
    ),
    Command(
        "test",
        "همهٔ آزمون‌ها را اجرا می‌کند؛ واژه‌های دیگر به pytest می‌رسد و آن‌گاه تنها pytest اجرا می‌شود.",
        "Runs all checks; other words go to pytest, and then pytest runs alone.",
        (_option("--quick", "تنها بخش سریع، در یک دقیقه و نیم", "only the fast part, in a minute and a half", action="store_true"),),
    ),
    Command(
        "audit",
        "می‌پرسد آیا در بسته‌های قفل‌شده آسیب‌پذیری شناخته‌شده‌ای هست؛ اینترنت می‌خواهد و تنها نام و نسخهٔ بسته‌ها را می‌فرستد.",
        "Asks whether a vulnerability is known of the locked packages; needs the internet, and sends nothing but their names and versions.",
        (
            _option("--all", "بسته‌های آزمون و ساخت هم", "those for tests and building, too", action="store_true"),
            _option("--service", "سرویسی که پرسیده می‌شود", "whom to ask", choices=("pypi", "osv"), default="pypi", metavar="pypi|osv"),
        ),
    ),
    Command(
        "sbom",
        "فهرست بسته‌های رله را با اثر انگشت هر پرونده می‌نویسد (CycloneDX).",
        "Writes the list of the relay's packages with the hash of every file (CycloneDX).",
        (_option("FILE", "پرونده‌ای که ساخته می‌شود", "the file that is made", type=Path),),
    ),
    Command(
        "wheel",
        "برنامه را به‌شکل wheel می‌سازد؛ هر کس از همین متن بسازد، بایت‌به‌بایت به همین می‌رسد.",
        "Builds the program as a wheel; whoever builds from the same source gets the same bytes.",
        (_option("DIR", "پوشه‌ای که wheel در آن گذاشته می‌شود", "the folder to put it in", type=Path),),
    ),
    Command(
        "bench",
        "سرعت رله را می‌سنجد، تنها یا به‌نوبت با Postfix و Dovecot (--peer postfix-dovecot). گزینه‌ها در docs/performance.md آمده‌اند.",
        "Measures the relay, alone or in turn with Postfix and Dovecot (--peer postfix-dovecot); the options stand in docs/performance.md.",
    ),
)
