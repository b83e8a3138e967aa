"""Run a command of the shell for a finding, as `gradtui watch --on-finding` does."""

from __future__ import annotations

import json
import os
import subprocess
from typing import Any

from gradtui.monitor.launch.options import VARIABLE

STDERR = 2
"""The file descriptor of stderr."""
LONGEST_SECONDS = 30.0
"""The most seconds that the command may take."""


def run_command(command: str, finding: dict[str, Any]) -> None:
    """Run a command of the shell, with a finding as JSON on its standard input.

    Its output goes to stderr, since stdout belongs to the script. Raises CalledProcessError and TimeoutExpired.
    """
    subprocess.run(
        command,
        shell=True,
        check=True,
        input=json.dumps(finding) + "\n",
        stdout=STDERR,
        # A Python command must not be watched itself.
        env={name: value for name, value in os.environ.items() if name != VARIABLE},
        text=True,
        timeout=LONGEST_SECONDS,
    )
