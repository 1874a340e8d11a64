# SPDX-License-Identifier: AGPL-3.0-or-later
"""What Dovecot reads: its main file, how it asks for accounts, and what it does for every new message.

As a chatmail relay has it: maildirs with compressed files, quota, metadata and last login by way of little servers, notices of new mail in
Lua. The sockets of those servers are one here (accounts.py).
"""

MESSAGE_BYTES = 31_457_280
DICT = "/run/peer/dict.sock"


def main(domain: str, bind: str, logs: bool) -> str:
    """Dovecot 2.3. Devices in IDLE are hibernated after 30 s, new mail is written without fsync: both as a chatmail relay has it."""
    log = "/mnt/log/dovecot.log" if logs else "/dev/null"
    return f"""listen = {bind}
protocols = imap lmtp
base_dir = /run/dovecot
state_dir = /mnt/dovecot
log_path = /mnt/log/dovecot-errors.log
info_log_path = {log}
auth_mechanisms = plain
auth_username_chars = abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ01234567890.-_@[]
default_client_limit = 20000
mail_server_admin = mailto:admin@{domain}
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
  user = vmail
  unix_listener /mnt/spool/private/dovecot-lmtp {{
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


ACCOUNTS = f"""uri = proxy:{DICT}:auth
iterate_disable = yes
default_pass_scheme = plain
password_key = passdb/%Ew"%Eu
user_key = userdb/%s/%Eu
"""

NOTIFY = """function dovecot_lua_notify_begin_txn(user)
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
