# SPDX-License-Identifier: AGPL-3.0-or-later
"""What the peer's programs read: the same decisions as a chatmail relay 1.12 has taken, in files of our own words.

Paths are those inside the peer's mount namespace (inside.py): /mnt is the peer's folder on the disk, /run a fresh tmpfs. What differs
from a real chatmail relay is told in docs/performance.md; every difference that touches speed makes the peer faster, not slower.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from tests.lab.chatmail_peer import dovecot
from tests.lab.chatmail_peer.dovecot import MESSAGE_BYTES

USERS: Mapping[str, int] = {"postfix": 60001, "postdrop": 60002, "dovecot": 60003, "dovenull": 60004, "vmail": 60005, "opendkim": 60006}
"""Known inside only. Each has a group of the same number."""
SELECTOR = "opendkim"
ACCOUNT_IDS = 10_000
"""First of the user ids that IMAP sessions get, one for each account, where one id may not have enough inotify instances (inotify(7)). All
are in the group vmail, which may write in every maildir, and deliveries are made as vmail: so Dovecot shares the file of a message
between its recipients by hard links, as on a chatmail relay."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may differ from peer to peer.

    `verify`: certificates of other servers must be good; `logs`: write them. `resolver`: the name server by which it checks the
    signatures of what comes in, and without which it checks nothing. `unsigned_ok`: domains whose mail it takes without one.
    `signs_bounces`: as a chatmail relay does since 1.11. `retry_s`: what is put off is tried again so soon.
    """

    domain: str
    bind: str
    verify: bool = False
    logs: bool = True
    resolver: str = ""
    unsigned_ok: tuple[str, ...] = ()
    signs_bounces: bool = True
    retry_s: int = 300


def files(wishes: Wishes) -> dict[str, str]:
    """Path below /etc → content."""
    return {
        "passwd": "".join(f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n" for name, number in _users().items()),
        "group": "".join(f"{name}:x:{number}:{'postfix' if name == 'opendkim' else ''}\n" for name, number in _users().items()),
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "postfix/main.cf": _main(wishes),
        "postfix/master.cf": _master(wishes),
        "postfix/tls_policy": "/^\\[[^]]+\\]$/ encrypt\n/^_/ encrypt\n",
        "postfix/login_map": "/^(.*)$/ ${1}\n",
        "postfix/submission_headers": _rules(("Received", "X-Originating-IP", "X-Mailer", "User-Agent"))
        + "/^Subject:/ REPLACE Subject: [...]\n",
        "postfix/delivery_headers": _rules(("DKIM-Signature", "Authentication-Results", "Received")),
        "dovecot/dovecot.conf": dovecot.main(wishes.domain, wishes.bind, wishes.logs),
        "dovecot/accounts.conf": dovecot.ACCOUNTS,
        "dovecot/notify.lua": dovecot.NOTIFY,
        "opendkim.conf": _opendkim(wishes),
        "opendkim-resolver.conf": 'server:\n  local-zone: "test." nodefault\n',  # RFC 6761 would have it never asked for
        "dkimkeys/KeyTable": f"{SELECTOR}._domainkey.{wishes.domain} {wishes.domain}:{SELECTOR}:/mnt/keys/dkim.pem\n",
        "dkimkeys/SigningTable": f"*@{wishes.domain} {SELECTOR}._domainkey.{wishes.domain}\n",
    }


def _users() -> dict[str, int]:
    return {"root": 0, **USERS, "nobody": 65534}


def _rules(names: tuple[str, ...]) -> str:
    return "".join(f"/^{name}:/ IGNORE\n" for name in names)


def _main(wishes: Wishes) -> str:
    """postconf(5). No DNS: names come from /etc/hosts, which is the peer's own file."""
    log = "maillog_file = /mnt/log/postfix.log\nmaillog_file_prefixes = /mnt\n" if wishes.logs else ""
    trust = "verify\nsmtp_tls_CAfile = /mnt/keys/trusted.pem" if wishes.verify else "encrypt"
    bounces = "non_smtpd_milters = unix:opendkim/opendkim.sock\ninternal_mail_filter_classes = bounce\n" if wishes.signs_bounces else ""
    return f"""compatibility_level = 3.6
queue_directory = /mnt/spool
data_directory = /mnt/postfix
command_directory = /usr/sbin
daemon_directory = /usr/lib/postfix/sbin
shlib_directory = /usr/lib/postfix
mail_owner = postfix
setgid_group = postdrop
{log}myhostname = {wishes.domain}
myorigin = {wishes.domain}
mydestination = {wishes.domain}
mynetworks = 127.0.0.0/8
inet_interfaces = all
inet_protocols = ipv4
smtp_bind_address = {wishes.bind}
alias_maps =
alias_database =
local_recipient_maps =
local_transport = lmtp:unix:private/dovecot-lmtp
default_transport = smtp
relayhost =
recipient_delimiter = +
append_dot_mydomain = no
biff = no
mailbox_size_limit = 0
message_size_limit = {MESSAGE_BYTES}
maximal_queue_lifetime = 2d
bounce_queue_lifetime = 2d
minimal_backoff_time = {wishes.retry_s}s
queue_run_delay = {wishes.retry_s}s
disable_mime_input_processing = yes
lmtp_header_checks = regexp:/etc/postfix/delivery_headers
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = {trust}
smtp_tls_policy_maps = regexp:/etc/postfix/tls_policy
smtp_tls_servername = hostname
smtp_tls_protocols = >=TLSv1.2
smtp_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_cert_file = /mnt/keys/certificate.pem
smtpd_tls_key_file = /mnt/keys/key.pem
smtpd_tls_security_level = may
smtpd_tls_exclude_ciphers = aNULL, RC4, MD5, DES
tls_preempt_cipherlist = yes
smtpd_relay_restrictions = reject
smtpd_sender_login_maps = regexp:/etc/postfix/login_map
{bounces}milter_macro_daemon_name = ORIGINATING
mua_client_restrictions = permit_sasl_authenticated, reject
mua_sender_restrictions = reject_sender_login_mismatch, permit_sasl_authenticated, reject
mua_helo_restrictions = permit_mynetworks, reject_invalid_helo_hostname, reject_non_fqdn_helo_hostname, permit
"""


_SUBMISSION = """  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_mandatory_protocols=>=TLSv1.3
  -o smtpd_sasl_auth_enable=yes
  -o smtpd_sasl_type=dovecot
  -o smtpd_sasl_path=private/auth
  -o smtpd_tls_auth_only=yes
  -o smtpd_reject_unlisted_recipient=no
  -o smtpd_client_restrictions=$mua_client_restrictions
  -o smtpd_helo_restrictions=$mua_helo_restrictions
  -o smtpd_sender_restrictions=$mua_sender_restrictions
  -o smtpd_recipient_restrictions=
  -o smtpd_relay_restrictions=permit_sasl_authenticated,reject
  -o smtpd_client_connection_count_limit=200
  -o cleanup_service_name=authclean
  -o milter_macro_daemon_name=ORIGINATING
  -o smtpd_milters=unix:opendkim/opendkim.sock
"""


def _master(wishes: Wishes) -> str:
    """master(5). A chatmail relay passes submitted mail through its filter and takes it back on another port; here it goes straight on."""
    helpers = {"tlsmgr": "1000? 1", "rewrite": "- -", "bounce": "- 0", "defer": "- 0", "trace": "- 0", "verify": "- 1", "proxymap": "- -"}
    helpers |= {
        "smtp": "- -",
        "relay": "- -",
        "error": "- -",
        "retry": "- -",
        "discard": "- -",
        "lmtp": "- -",
        "anvil": "- 1",
        "scache": "- 1",
    }
    programs = {"rewrite": "trivial-rewrite", "defer": "bounce", "trace": "bounce", "relay": "smtp", "retry": "error"}
    lines = [f"{name} unix - - n {rest} {programs.get(name, name)}" for name, rest in helpers.items()]
    check = "  -o milter_macro_daemon_name=INCOMING\n  -o smtpd_milters=unix:opendkim/opendkim.sock\n" if wishes.resolver else ""
    return f"""{wishes.bind}:smtp inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_mandatory_protocols=>=TLSv1.2
  -o smtpd_relay_restrictions=reject_unauth_destination
{check}{wishes.bind}:submission inet n - n - 1000 smtpd
  -o syslog_name=postfix/submission
{_SUBMISSION}{wishes.bind}:submissions inet n - n - 1000 smtpd
  -o syslog_name=postfix/submissions
  -o smtpd_tls_wrappermode=yes
{_SUBMISSION}pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
authclean unix n - n - 0 cleanup
  -o header_checks=regexp:/etc/postfix/submission_headers
qmgr unix n - n 300 1 qmgr
flush unix n - n 1000? 0 flush
showq unix n - n - - showq
proxywrite unix - - n - 1 proxymap
postlog unix-dgram n - n - 1 postlogd
{chr(10).join(lines)}
"""


def _opendkim(wishes: Wishes) -> str:
    exempt = f"ExemptDomains csl:{','.join(wishes.unsigned_ok)}\n" if wishes.unsigned_ok else ""
    check = f"Nameservers {wishes.resolver}\nResolverConfiguration /etc/opendkim-resolver.conf\n{exempt}" if wishes.resolver else ""
    return f"""Syslog yes
Canonicalization relaxed/simple
Domain {wishes.domain}
Selector {SELECTOR}
KeyFile /mnt/keys/dkim.pem
KeyTable /etc/dkimkeys/KeyTable
SigningTable refile:/etc/dkimkeys/SigningTable
SignHeaders *,+autocrypt,+content-type
OversignHeaders from,reply-to,subject,date,to,cc,in-reply-to,references,autocrypt
On-BadSignature reject
On-KeyNotFound reject
On-NoSignature reject
{check}UserID opendkim
UMask 007
Socket local:/mnt/spool/opendkim/opendkim.sock
PidFile /run/peer/opendkim.pid
MTA ORIGINATING
InternalHosts -
"""
