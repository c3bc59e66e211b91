"""``python -m laptime.cli``."""

import sys

from laptime.cli import main

sys.exit(main())
