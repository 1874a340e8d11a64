# SPDX-License-Identifier: AGPL-3.0-or-later
"""Is the certificate good for the relay's name, and for how long?"""

import datetime
import ipaddress
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509

from razdar.adapters.tls import TlsMaterial
from razdar.checkup.finding import Finding, fine, note, troubled, wrong
from razdar.config import RunConfig
from razdar.model.trouble import Trouble

_ABOUT = "certificate"
SOON_DAYS, VERY_SOON_DAYS = 21, 7
_OTHERS_MAY_READ = 0o004


def examine(config: RunConfig, domain: str, now: datetime.datetime) -> list[Finding]:
    """`domain`: the relay's name, empty if it has none yet."""
    settings, folder = config.settings, config.data / "tls"
    files = (
        (Path(settings.certificate), Path(settings.certificate_key))
        if settings.certificate
        else (folder / "certificate.pem", folder / "key.pem")
    )
    if not settings.certificate and not files[0].exists():
        return [fine(_ABOUT, "رله هنگام روشن شدن گواهی خودامضا می‌سازد.", "The relay will make a self-signed certificate at its start.")]
    try:
        material = TlsMaterial(*files, self_signed=not settings.certificate)
        chain = x509.load_pem_x509_certificates(files[0].read_bytes())
    except Trouble as trouble:
        return [troubled(_ABOUT, trouble)]
    if material.self_signed:
        return [*_time(chain[0], now, files[0]), _self_signed(domain)]
    found = [*_time(chain[0], now, files[0]), *_name(chain[0], domain), *_chain(chain, files[0]), *_key(files[1])]
    days = (chain[0].not_valid_after_utc - now).days
    return found or [
        fine(_ABOUT, f"گواهی برای {domain} است و {days} روز دیگر اعتبار دارد.", f"It is for {domain} and good for {days} days.")
    ]


def _self_signed(domain: str) -> Finding:
    if domain and not domain.endswith(".alt") and not domain.startswith("["):
        return note(
            _ABOUT,
            f"رله نام {domain} را دارد ولی گواهی‌اش خودامضاست: کسی که شبکه را در دست دارد می‌تواند گذرواژه‌ها را بگیرد. "
            "با certificate و certificate_key گواهی معتبر بدهید.",
            f"The relay is called {domain}, but its certificate is self-signed: whoever controls the network can take passwords. "
            "Give it a real certificate with certificate and certificate_key.",
        )
    return fine(
        _ABOUT,
        "گواهی خودامضاست؛ اثر انگشتش را که ‎./razdar up‎ نشان می‌دهد با مردم در میان بگذارید.",
        "It is self-signed; share the fingerprint that ./razdar up shows.",
    )


def _time(leaf: x509.Certificate, now: datetime.datetime, file: Path) -> Iterator[Finding]:
    days = (leaf.not_valid_after_utc - now).days
    if now < leaf.not_valid_before_utc:
        yield wrong(
            _ABOUT,
            f"مهلت گواهی {file} هنوز آغاز نشده است؛ ساعت دستگاه را درست کنید یا گواهی دیگری بدهید.",
            f"{file} is not valid yet; set the machine's clock, or give another certificate.",
        )
    elif days < 0:
        yield wrong(
            _ABOUT,
            f"گواهی {file} {-days} روز است که مهلتش گذشته و برنامه‌ها وصل نمی‌شوند؛ آن را تازه کنید. رله خودش پروندهٔ تازه را برمی‌دارد.",
            f"{file} ended {-days} days ago and apps refuse it; renew it. The relay picks the new file up by itself.",
        )
    elif days < SOON_DAYS:
        level = wrong if days < VERY_SOON_DAYS else note
        yield level(
            _ABOUT,
            f"گواهی {file} تنها {days} روز دیگر اعتبار دارد؛ برنامهٔ تمدید را بررسی کنید.",
            f"{file} is good for only {days} more days; look at what renews it.",
        )


def _name(leaf: x509.Certificate, domain: str) -> Iterator[Finding]:
    names = _names(leaf)
    if domain and not any(_fits(name, domain) for name in names):
        shown = ", ".join(names) or "-"
        yield wrong(
            _ABOUT,
            f"گواهی برای {shown} است، نه برای {domain}؛ گواهی‌ای بگیرید که این نام در آن باشد.",
            f"The certificate is for {shown}, not for {domain}; get one with this name in it.",
        )


def _names(leaf: x509.Certificate) -> Sequence[str]:
    try:
        carried = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except x509.ExtensionNotFound:
        return ()
    return [*carried.get_values_for_type(x509.DNSName), *map(str, carried.get_values_for_type(x509.IPAddress))]


def _fits(name: str, domain: str) -> bool:
    """RFC 9525 section 6.3: a star stands for the whole first label, and never in an address."""
    bare = domain.removeprefix("[").removesuffix("]").removeprefix("ipv6:")
    try:
        return ipaddress.ip_address(bare) == ipaddress.ip_address(name)
    except ValueError:
        return name.lower() == bare or (name.startswith("*.") and name[2:].lower() == bare.partition(".")[2])


def _chain(chain: Sequence[x509.Certificate], file: Path) -> Iterator[Finding]:
    if len(chain) == 1 and chain[0].issuer != chain[0].subject:
        yield note(
            _ABOUT,
            f"در {file} تنها یک گواهی است و گواهی میانی صادرکننده در آن نیست؛ بسیاری از برنامه‌ها این را نمی‌پذیرند. fullchain.pem را بدهید.",
            f"{file} holds one certificate without that of its issuer, which many apps refuse; give fullchain.pem.",
        )


def _key(file: Path) -> Iterator[Finding]:
    if file.stat().st_mode & _OTHERS_MAY_READ:
        yield wrong(
            _ABOUT,
            f"کلید خصوصی {file} را هر کاربر این دستگاه می‌تواند بخواند؛ اجرا کنید: ‎chmod o= {file}‎",
            f"Every user of this machine can read the private key {file}; run: chmod o= {file}",
        )
