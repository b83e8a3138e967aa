"""`python -m gradtui.training FOLDER` trains the run in FOLDER; `--standby` waits for one."""

from __future__ import annotations

import sys

from gradtui.training.process import main

sys.exit(main(sys.argv[1:]))
