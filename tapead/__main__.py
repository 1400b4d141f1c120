"""``python -m tapead``: the ``tapead`` command."""

import sys

from .cli import main

sys.exit(main())
