# SPDX-License-Identifier: AGPL-3.0-or-later
"""The relay's certificate: self-signed and kept in DIR/tls, or given by the operator and picked up again when its files change.

Gives three server contexts that live as long as the relay; a reload changes the certificate inside them, so that listeners need not know.
Each answers only to its own protocol's name (ALPN, RFC 7301), which keeps a TLS connection of one protocol from being replayed to
another. A mistake in new files leaves the old certificate in use. The self-signed one keeps its key when it is renewed, and carries every
name and address that links may carry, because clients check that even where they skip the chain.
"""

import datetime
import hashlib
import ipaddress
import os
import ssl
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from razdar.adapters.files import private_folder, write_private
from razdar.model.trouble import Trouble, certificate_unreadable

_YEARS = 10
_NOT_BEFORE = datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC)
"""The same for everybody: tells nothing of the day of installation, and holds for machines whose clock is years behind."""
_RENEW_BEFORE = datetime.timedelta(days=365)


class TlsMaterial:
    """The certificate in use and the contexts that serve it."""

    def __init__(self, certificate: Path, key: Path, *, self_signed: bool) -> None:
        """Trouble if the files cannot be used."""
        self.imap = _context("imap")
        self.smtp = _context("smtp")
        self.shared = _context("imap", "smtp", "http/1.1")
        self.self_signed = self_signed
        self.fingerprint = ""
        """SHA-256 of the certificate, upper-case hexadecimal in pairs, as browsers show it."""
        self.expires = _NOT_BEFORE
        self._files = (certificate, key)
        self._seen: object = None
        self.reload()

    def reload(self) -> None:
        """New connections get the certificate as it is in the files now. Trouble, and the old one stays, if they cannot be used."""
        seen = _state(self._files)
        chain, key = (_read(file) for file in self._files)
        leaf = _leaf(chain, self._files[0])
        self._load(_context(), chain, key)  # a mistake must not reach the contexts in use
        for context in (self.imap, self.smtp, self.shared):
            self._load(context, chain, key)
        self.fingerprint = hashlib.sha256(leaf.public_bytes(serialization.Encoding.DER)).digest().hex(":").upper()
        self.expires = leaf.not_valid_after_utc
        self._seen = seen

    def reload_if_changed(self) -> bool:
        """Whether the files had changed and the new certificate is in use. Trouble as in `reload`; asked again, it is tried again."""
        if _state(self._files) == self._seen:
            return False
        self.reload()
        return True

    def _load(self, context: ssl.SSLContext, chain: bytes, key: bytes) -> None:
        """From memory, so that what was checked is what is used although the files may change in between."""
        with ExitStack() as stack:
            paths: list[str] = []
            for content in (chain, key):
                descriptor = os.memfd_create("razdar-tls")
                stack.callback(os.close, descriptor)
                os.write(descriptor, content)
                paths.append(f"/proc/self/fd/{descriptor}")
            try:
                context.load_cert_chain(paths[0], paths[1], password=lambda: b"")  # never ask on the terminal
            except (ssl.SSLError, OSError) as error:
                raise certificate_unreadable(self._files[1], "key and certificate do not fit, or the key has a password") from error


def open_tls(data: Path, names: Sequence[str], now: int, *, certificate: str = "", key: str = "") -> TlsMaterial:
    """The given certificate, or the self-signed one in `data` for `names` (domains, also with underscores, and IP addresses).

    `now` in unix seconds. Trouble if files cannot be read or written.
    """
    if certificate:
        return TlsMaterial(Path(certificate), Path(key), self_signed=False)
    folder = private_folder(data / "tls")
    files = folder / "certificate.pem", folder / "key.pem"
    today = max(datetime.datetime.fromtimestamp(now, datetime.UTC), _NOT_BEFORE)
    if not _serves(files, set(names), today):
        private_key = _kept_key(files[1])
        write_private(files[1], private_key.private_bytes(*_KEY_FORMAT))
        write_private(files[0], _self_signed(private_key, names, today).public_bytes(serialization.Encoding.PEM))
    return TlsMaterial(*files, self_signed=True)


_KEY_FORMAT = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())


def _context(*protocols: str) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    # CRIME (CVE-2012-4929) and renegotiation floods (CVE-2011-1473)
    context.options |= ssl.OP_NO_COMPRESSION | ssl.OP_NO_RENEGOTIATION
    if protocols:
        context.set_alpn_protocols(list(protocols))
    return context


def _state(files: Sequence[Path]) -> object:
    """Something that differs when a file was written, replaced, or its link turned elsewhere."""
    try:
        return [(status.st_mtime_ns, status.st_ino, status.st_size) for status in (file.stat() for file in files)]
    except OSError:
        return None


def _read(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        raise certificate_unreadable(file, error.strerror or "not readable") from error


def _leaf(chain: bytes, file: Path) -> x509.Certificate:
    try:
        return x509.load_pem_x509_certificates(chain)[0]
    except ValueError as error:
        raise certificate_unreadable(file, "not a PEM certificate") from error


def _serves(files: Sequence[Path], names: set[str], today: datetime.datetime) -> bool:
    """Whether the kept certificate fits its key, carries all `names` and is good for a while."""
    try:
        certificate = _leaf(_read(files[0]), files[0])
        TlsMaterial(files[0], files[1], self_signed=True)
        carried = certificate.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    except (Trouble, x509.ExtensionNotFound, InvalidSignature, UnsupportedAlgorithm):
        return False
    return {_general_name(each) for each in names} <= set(carried) and certificate.not_valid_after_utc > today + _RENEW_BEFORE


def _kept_key(file: Path) -> ec.EllipticCurvePrivateKey:
    """The key of the former certificate, so that whoever remembered the key still knows the relay; a new one if there is none."""
    try:
        key = serialization.load_pem_private_key(file.read_bytes(), password=None)
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm):
        key = None
    return key if isinstance(key, ec.EllipticCurvePrivateKey) else ec.generate_private_key(ec.SECP256R1())


def _general_name(name: str) -> x509.GeneralName:
    bare = name.removeprefix("[").removesuffix("]").removeprefix("ipv6:")
    try:
        return x509.IPAddress(ipaddress.ip_address(bare))
    except ValueError:
        return x509.DNSName(name)


def _self_signed(key: ec.EllipticCurvePrivateKey, names: Sequence[str], today: datetime.datetime) -> x509.Certificate:
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, names[0][:64])])
    public = key.public_key()
    builder = (
        x509.CertificateBuilder(subject, subject, public, x509.random_serial_number())
        .not_valid_before(_NOT_BEFORE)
        .not_valid_after(datetime.datetime(today.year, 1, 1, tzinfo=datetime.UTC) + datetime.timedelta(days=366 * (_YEARS + 1)))
        .add_extension(x509.SubjectAlternativeName([_general_name(each) for each in dict.fromkeys(names)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=False, path_length=None), critical=True)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(public), critical=False)
    )
    return builder.sign(key, hashes.SHA256())
