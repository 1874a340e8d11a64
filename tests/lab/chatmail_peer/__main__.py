# SPDX-License-Identifier: AGPL-3.0-or-later
# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m tests.lab.chatmail_peer`: the packages are there afterwards, or it is said why not. `./razdar test` asks for it while there is
still a network; the tests themselves run where there is none."""

from tests.lab.chatmail_peer import Unavailable, require

if __name__ == "__main__":
    try:
        require()
    except Unavailable as reason:
        print(reason)
