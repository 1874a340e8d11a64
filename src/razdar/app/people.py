# SPDX-License-Identifier: AGPL-3.0-or-later
"""Who has an account: how people come, prove who they are, are turned away and leave, put together."""

from dataclasses import dataclass

from razdar.app.ground import Ground
from razdar.app.kept import open_blocks
from razdar.services.accounts import Accounts
from razdar.services.blocks import Blocks
from razdar.services.directory import Directory
from razdar.services.guesses import Guesses
from razdar.services.invites import Invites
from razdar.services.leaving import Leaving
from razdar.services.signups import SignUps, Tickets
from razdar.vault.cache import BOOT_KEY_BYTES, AddressCache, LoginCache


@dataclass(frozen=True, slots=True)
class People:
    accounts: Accounts
    blocks: Blocks
    signups: SignUps
    tickets: Tickets
    invites: Invites
    leaving: Leaving
    lookups: Directory
    """Finds the accounts of recipients, so that logins do not wait behind a large group."""


def open_people(ground: Ground) -> People:
    """Trouble if the list of those who were turned away is damaged. The key of the caches lives as long as the process."""
    store, clock, entropy, current, domain = ground.store, ground.clock, ground.entropy, ground.current, ground.identity.domain
    boot_key = entropy(BOOT_KEY_BYTES)
    directory = Directory(ground.doorkeeper, ground.identity.id_key, AddressCache(boot_key))
    lookups = Directory(ground.desk, ground.identity.id_key, directory.cache)
    blocks = open_blocks(current.config.data, directory, ground.bus, domain)
    signups, tickets = SignUps(current, clock, entropy, ground.journal.count), Tickets(clock, entropy, domain)
    accounts = Accounts(
        store,
        ground.doorkeeper,
        directory,
        ground.calendar,
        ground.bus,
        entropy,
        LoginCache(boot_key),
        current,
        domain,
        Guesses(current().account_failures_per_hour, clock),
        signups.first_login,
        blocks.is_blocked,
    )
    invites = Invites(store, accounts, directory, ground.calendar, entropy, current, domain, tickets, signups)
    return People(accounts, blocks, signups, tickets, invites, Leaving(accounts, signups, entropy), lookups)
