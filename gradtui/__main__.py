"""Running ``python -m gradtui`` is the same as the command ``gradtui``."""

import sys

from gradtui.cli import main

sys.exit(main())
