# SPDX-License-Identifier: AGPL-3.0-or-later
"""`python -m razdar`, in an environment that has everything."""

import sys

from razdar.cli import main

sys.exit(main())
