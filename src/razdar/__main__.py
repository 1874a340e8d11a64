"""`python -m razdar`, in an environment that has everything."""

import sys

from razdar.cli import main

sys.exit(main())
