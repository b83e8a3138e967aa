"""The app itself, except that it looks at its run at another pace: ``python -m gradtui.bench.paced SECONDS WORDS…``"""

from __future__ import annotations

import sys

from gradtui.cli import main
from gradtui.ui import watching

if __name__ == "__main__":
    watching.PACE = float(sys.argv[1])
    sys.exit(main(sys.argv[2:]))
