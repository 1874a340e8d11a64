# SPDX-License-Identifier: AGPL-3.0-or-later
"""The certificate: made, renewed, replaced; and what a handshake with it agrees on."""

import ipaddress
import ssl
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization

from razdar.adapters.tls import TlsMaterial, open_tls
from razdar.model.trouble import Trouble

NOW = 1_790_000_000
YEAR_S = 365 * 86_400
NAMES = ["_chat.test", "k7f3q9d2.razdar.alt", "[192.0.2.7]", "2001:db8::1"]


def _certificate(folder: Path) -> x509.Certificate:
    return x509.load_pem_x509_certificate((folder / "tls/certificate.pem").read_bytes())


def _handshake(server: ssl.SSLContext, alpn: list[str] | None = None, *, most: ssl.TLSVersion | None = None) -> ssl.SSLObject:
    """The client's end after a handshake in memory."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if most is not None:
        context.maximum_version = most
    if alpn is not None:
        context.set_alpn_protocols(alpn)
    to_server, to_client = ssl.MemoryBIO(), ssl.MemoryBIO()
    client = context.wrap_bio(to_client, to_server)
    served = server.wrap_bio(to_server, to_client, server_side=True)
    open_ends = [client, served]
    while open_ends:
        for end in tuple(open_ends):
            try:
                end.do_handshake()
                open_ends.remove(end)
            except ssl.SSLWantReadError:
                continue
    return client


def _copy(source: Path, target: Path) -> tuple[str, str]:
    """The self-signed files of `source` as if an operator had put them into `target`; returns both paths."""
    target.mkdir(exist_ok=True)
    paths = [target / "chain.pem", target / "key.pem"]
    for path, name in zip(paths, ("certificate.pem", "key.pem"), strict=True):
        path.write_bytes((source / "tls" / name).read_bytes())
    return str(paths[0]), str(paths[1])


def test_it_carries_every_name_and_address(tmp_path: Path) -> None:
    material = open_tls(tmp_path, NAMES, NOW)
    carried = _certificate(tmp_path).extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert carried.get_values_for_type(x509.DNSName) == NAMES[:2]
    assert carried.get_values_for_type(x509.IPAddress) == [ipaddress.ip_address("192.0.2.7"), ipaddress.ip_address("2001:db8::1")]
    assert material.self_signed
    assert material.expires.timestamp() > NOW + 10 * YEAR_S


def test_it_is_kept_while_it_serves(tmp_path: Path) -> None:
    first = open_tls(tmp_path, NAMES, NOW).fingerprint
    assert open_tls(tmp_path, NAMES[:2], NOW + YEAR_S).fingerprint == first


@pytest.mark.parametrize(("names", "now"), [([*NAMES, "198.51.100.1"], NOW), (NAMES, NOW + 12 * YEAR_S)])
def test_it_is_renewed_with_the_same_key_when_names_or_time_run_out(tmp_path: Path, names: list[str], now: int) -> None:
    before, public = open_tls(tmp_path, NAMES, NOW).fingerprint, _certificate(tmp_path).public_key()
    assert open_tls(tmp_path, names, now).fingerprint != before
    assert _certificate(tmp_path).public_key() == public


def test_a_clock_before_the_first_day_still_gives_a_valid_one(tmp_path: Path) -> None:
    open_tls(tmp_path, NAMES, 0)
    certificate = _certificate(tmp_path)
    assert certificate.not_valid_before_utc < certificate.not_valid_after_utc


@pytest.mark.parametrize("broken", ["certificate.pem", "key.pem"])
def test_a_damaged_self_signed_one_is_made_anew(tmp_path: Path, broken: str) -> None:
    open_tls(tmp_path, NAMES, NOW)
    (tmp_path / "tls" / broken).write_text("damaged")
    assert _handshake(open_tls(tmp_path, NAMES, NOW).imap).version() == "TLSv1.3"


def test_files_are_private(tmp_path: Path) -> None:
    open_tls(tmp_path, NAMES, NOW)
    assert {(path.name, path.stat().st_mode & 0o777) for path in (tmp_path / "tls").iterdir()} == {
        ("certificate.pem", 0o600),
        ("key.pem", 0o600),
    }


def test_the_fingerprint_is_what_a_client_sees(tmp_path: Path) -> None:
    material = open_tls(tmp_path, NAMES, NOW)
    seen = _handshake(material.shared).getpeercert(binary_form=True)
    assert seen == _certificate(tmp_path).public_bytes(serialization.Encoding.DER)
    assert material.fingerprint.replace(":", "").lower() == _certificate(tmp_path).fingerprint(hashes.SHA256()).hex()


@pytest.mark.parametrize(
    ("door", "offered", "agreed"),
    [
        ("shared", ["imap"], "imap"),
        ("shared", ["smtp"], "smtp"),
        ("shared", ["h2", "http/1.1"], "http/1.1"),
        ("shared", None, None),
        ("imap", ["imap"], "imap"),
        ("imap", ["smtp"], None),  # ALPACA: one protocol's name is not answered by another's port
        ("smtp", ["smtp"], "smtp"),
        ("smtp", ["imap"], None),
        ("imap", None, None),
    ],
)
def test_alpn_per_door(tmp_path: Path, door: str, offered: list[str] | None, agreed: str | None) -> None:
    assert _handshake(getattr(open_tls(tmp_path, NAMES, NOW), door), offered).selected_alpn_protocol() == agreed


def test_tls_1_2_is_the_oldest_and_nothing_is_compressed(tmp_path: Path) -> None:
    material = open_tls(tmp_path, NAMES, NOW)
    agreed = _handshake(material.imap, most=ssl.TLSVersion.TLSv1_2)
    assert (agreed.version(), agreed.compression()) == ("TLSv1.2", None)
    assert material.imap.minimum_version == ssl.TLSVersion.TLSv1_2
    assert material.imap.options & ssl.OP_NO_RENEGOTIATION


def test_given_files_are_picked_up_when_they_change(tmp_path: Path) -> None:
    old, new = open_tls(tmp_path / "old", ["a.example"], NOW), open_tls(tmp_path / "new", ["a.example"], NOW)
    certificate, key = _copy(tmp_path / "old", tmp_path / "given")
    material = open_tls(tmp_path, ["a.example"], NOW, certificate=certificate, key=key)
    assert (material.fingerprint, material.self_signed, material.reload_if_changed()) == (old.fingerprint, False, False)
    _copy(tmp_path / "new", tmp_path / "given")
    assert material.reload_if_changed()
    assert material.fingerprint == new.fingerprint
    assert _handshake(material.imap).getpeercert(binary_form=True) == _certificate(tmp_path / "new").public_bytes(
        serialization.Encoding.DER
    )
    assert not material.reload_if_changed()


def test_half_renewed_files_leave_the_old_one_in_use_until_both_fit(tmp_path: Path) -> None:
    old = open_tls(tmp_path / "old", ["a.example"], NOW)
    new = open_tls(tmp_path / "new", ["a.example"], NOW)
    certificate, key = _copy(tmp_path / "old", tmp_path / "given")
    material = open_tls(tmp_path, [], NOW, certificate=certificate, key=key)
    Path(certificate).write_bytes((tmp_path / "new/tls/certificate.pem").read_bytes())
    for _attempt in range(2):
        with pytest.raises(Trouble, match="do not fit"):
            material.reload_if_changed()
    assert material.fingerprint == old.fingerprint
    assert _handshake(material.shared).getpeercert(binary_form=True) == _certificate(tmp_path / "old").public_bytes(
        serialization.Encoding.DER
    )
    Path(key).write_bytes((tmp_path / "new/tls/key.pem").read_bytes())
    assert material.reload_if_changed()
    assert material.fingerprint == new.fingerprint


def test_a_turned_link_is_a_change(tmp_path: Path) -> None:
    """certbot and its kin keep links in a folder `live` and turn them."""
    for name in ("old", "new"):
        open_tls(tmp_path / name, ["a.example"], NOW)
    links = [tmp_path / "chain.pem", tmp_path / "key.pem"]
    for link, name in zip(links, ("certificate.pem", "key.pem"), strict=True):
        link.symlink_to(tmp_path / "old/tls" / name)
    material = TlsMaterial(links[0], links[1], self_signed=False)
    for link, name in zip(links, ("certificate.pem", "key.pem"), strict=True):
        link.unlink()
        link.symlink_to(tmp_path / "new/tls" / name)
    assert material.reload_if_changed()


def test_files_that_cannot_be_used_are_told(tmp_path: Path) -> None:
    open_tls(tmp_path, NAMES, NOW)
    certificate, key = _copy(tmp_path, tmp_path / "given")
    with pytest.raises(Trouble, match="No such file"):
        open_tls(tmp_path, NAMES, NOW, certificate=str(tmp_path / "none.pem"), key=key)
    with pytest.raises(Trouble, match="PEM"):
        open_tls(tmp_path, NAMES, NOW, certificate=key, key=key)
    with pytest.raises(Trouble, match="do not fit"):
        open_tls(tmp_path, NAMES, NOW, certificate=certificate, key=certificate)


def test_a_key_with_a_password_is_told_and_nobody_is_asked(tmp_path: Path) -> None:
    open_tls(tmp_path, NAMES, NOW)
    certificate, key = _copy(tmp_path, tmp_path / "given")
    loaded = serialization.load_pem_private_key(Path(key).read_bytes(), None)
    locked = serialization.BestAvailableEncryption(b"secret")
    Path(key).write_bytes(loaded.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, locked))
    with pytest.raises(Trouble, match="password"):
        open_tls(tmp_path, NAMES, NOW, certificate=certificate, key=key)


def test_reloading_leaks_no_descriptor(tmp_path: Path) -> None:
    material = open_tls(tmp_path, NAMES, NOW)
    before = len(list(Path("/proc/self/fd").iterdir()))
    for _again in range(20):
        material.reload()
    assert len(list(Path("/proc/self/fd").iterdir())) == before
