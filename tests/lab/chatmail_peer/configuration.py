"""What the peer's programs read: the same decisions as a chatmail relay 1.12 has taken, in files of our own words.

Paths are those inside the peer's mount namespace (inside.py): /mnt is the peer's folder on the disk, /run a fresh tmpfs. What differs
from a real chatmail relay is told in docs/performance.md; every difference that touches speed makes the peer faster, not slower.
"""

from collections.abc import Mapping
from dataclasses import dataclass

USERS: Mapping[str, int] = {"postfix": 60001, "postdrop": 60002, "dovecot": 60003, "dovenull": 60004, "vmail": 60005, "opendkim": 60006}
"""Known inside only. Each has a group of the same number."""
SELECTOR = "opendkim"
MESSAGE_BYTES = 31_457_280
DICT = "/run/peer/dict.sock"
ACCOUNT_IDS = 10_000
"""First of the numbers that accounts get as user ids where one id may not have enough inotify instances (inotify(7))."""


@dataclass(frozen=True, slots=True)
class Wishes:
    """What may differ from peer to peer.

    `verify`: certificates of other servers must be good; `logs`: write them; `account_ids`: every account has a user id of its own.
    """

    domain: str
    bind: str
    verify: bool = False
    logs: bool = True
    account_ids: bool = False


def files(wishes: Wishes) -> dict[str, str]:
    """Path below /etc → content."""
    return {
        "passwd": "".join(f"{name}:x:{number}:{number}::/:/usr/sbin/nologin\n" for name, number in _users().items()),
        "group": "".join(f"{name}:x:{number}:{'postfix' if name == 'opendkim' else ''}\n" for name, number in _users().items()),
        "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files\nservices: files\nprotocols: files\n",
        "resolv.conf": "nameserver 127.0.0.1\noptions timeout:1 attempts:1\n",
        "postfix/main.cf": _main(wishes),
        "postfix/master.cf": _master(wishes),
        "postfix/login_map": "/^(.*)$/ ${1}\n",
        "postfix/submission_headers": _rules(("Received", "X-Originating-IP", "X-Mailer", "User-Agent"))
        + "/^Subject:/ REPLACE Subject: [...]\n",
        "postfix/delivery_headers": _rules(("DKIM-Signature", "Authentication-Results", "Received")),
        "dovecot/dovecot.conf": _dovecot(wishes),
        "dovecot/accounts.conf": _ACCOUNTS,
        "dovecot/notify.lua": _NOTIFY,
        "opendkim.conf": _opendkim(wishes.domain),
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
disable_mime_input_processing = yes
lmtp_header_checks = regexp:/etc/postfix/delivery_headers
smtpd_peername_lookup = no
smtp_dns_support_level = disabled
smtp_host_lookup = native
smtp_tls_security_level = {trust}
smtp_tls_protocols = >=TLSv1.2
smtp_tls_mandatory_protocols = >=TLSv1.2
smtpd_tls_cert_file = /mnt/keys/certificate.pem
smtpd_tls_key_file = /mnt/keys/key.pem
smtpd_tls_security_level = may
smtpd_tls_exclude_ciphers = aNULL, RC4, MD5, DES
tls_preempt_cipherlist = yes
smtpd_relay_restrictions = reject
smtpd_sender_login_maps = regexp:/etc/postfix/login_map
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
    return f"""{wishes.bind}:smtp inet n - n - - smtpd
  -o smtpd_tls_security_level=encrypt
  -o smtpd_tls_mandatory_protocols=>=TLSv1.2
  -o smtpd_relay_restrictions=reject_unauth_destination
{wishes.bind}:submission inet n - n - 1000 smtpd
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


def _dovecot(wishes: Wishes) -> str:
    """Dovecot 2.3. Devices in IDLE are hibernated after 30 s, new mail is written without fsync: both as a chatmail relay has it."""
    log = "/mnt/log/dovecot.log" if wishes.logs else "/dev/null"
    lmtp = "" if wishes.account_ids else "  user = vmail\n"  # each mailbox of an id of its own: only root may write to all
    return f"""listen = {wishes.bind}
protocols = imap lmtp
base_dir = /run/dovecot
state_dir = /mnt/dovecot
log_path = /mnt/log/dovecot-errors.log
info_log_path = {log}
auth_mechanisms = plain
auth_username_chars = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@[]
default_client_limit = 20000
mail_server_admin = mailto:admin@{wishes.domain}
mail_plugins = zlib quota
imap_capability = +XDELTAPUSH XCHATMAIL
mail_temp_dir = /mnt/temporary
mail_location = maildir:/mnt/mail/%u
mail_cache_max_size = 500K
mail_uid = vmail
mail_gid = vmail
mail_privileged_group = vmail
mail_attribute_dict = proxy:{DICT}:metadata
imap_hibernate_timeout = 30s
lmtp_add_received_header = no
ssl = required
ssl_cert = </mnt/keys/certificate.pem
ssl_key = </mnt/keys/key.pem
ssl_dh = </usr/share/dovecot/dh.pem
ssl_min_protocol = TLSv1.3
ssl_prefer_server_ciphers = yes
passdb {{
  driver = dict
  args = /etc/dovecot/accounts.conf
}}
userdb {{
  driver = dict
  args = /etc/dovecot/accounts.conf
}}
namespace inbox {{
  inbox = yes
}}
protocol imap {{
  mail_plugins = $mail_plugins imap_quota last_login
  imap_metadata = yes
}}
protocol lmtp {{
  mail_plugins = $mail_plugins mail_lua notify push_notification push_notification_lua
  mail_fsync = never
}}
plugin {{
  last_login_dict = proxy:{DICT}:lastlogin
  last_login_precision = s
  zlib_save = gz
  quota = maildir:User quota
  quota_max_mail_size = {MESSAGE_BYTES}
  quota_grace = 0
  quota_rule = *:storage=500M
  push_notification_driver = lua:file=/etc/dovecot/notify.lua
}}
service imap {{
  process_limit = 10000
  extra_groups = $default_internal_group
  unix_listener imap-master {{
    user = $default_internal_user
  }}
}}
service imap-hibernate {{
  unix_listener imap-hibernate {{
    mode = 0660
    group = $default_internal_group
  }}
}}
service imap-login {{
  service_count = 0
  vsz_limit = 1G
  process_min_avail = 10
  inet_listener imap {{
    port = 143
  }}
  inet_listener imaps {{
    port = 993
    ssl = yes
  }}
}}
service lmtp {{
{lmtp}  unix_listener /mnt/spool/private/dovecot-lmtp {{
    user = postfix
    group = postfix
    mode = 0600
  }}
}}
service auth {{
  unix_listener /mnt/spool/private/auth {{
    user = postfix
    group = postfix
    mode = 0660
  }}
}}
service auth-worker {{
  user = vmail
}}
service anvil {{
  unix_listener anvil-auth-penalty {{
    mode = 0
  }}
}}
"""


_ACCOUNTS = f"""uri = proxy:{DICT}:auth
iterate_disable = yes
default_pass_scheme = plain
password_key = passdb/%Ew"%Eu
user_key = userdb/%Eu
"""

_NOTIFY = """function dovecot_lua_notify_begin_txn(user)
  return user
end
function dovecot_lua_notify_event_message_new(user, event)
  local folder = user:mailbox(event.mailbox)
  folder:sync()
  if event.from_address ~= user.username then
    folder:metadata_set("/private/messagenew", "")
  end
  folder:free()
end
function dovecot_lua_notify_end_txn(user, success)
end
"""


def _opendkim(domain: str) -> str:
    return f"""Syslog yes
Canonicalization relaxed/simple
Domain {domain}
Selector {SELECTOR}
KeyFile /mnt/keys/dkim.pem
KeyTable /etc/dkimkeys/KeyTable
SigningTable refile:/etc/dkimkeys/SigningTable
SignHeaders *,+autocrypt,+content-type
OversignHeaders from,reply-to,subject,date,to,cc,in-reply-to,references,autocrypt
UserID opendkim
UMask 007
Socket local:/mnt/spool/opendkim/opendkim.sock
PidFile /run/peer/opendkim.pid
MTA ORIGINATING
InternalHosts -
"""
