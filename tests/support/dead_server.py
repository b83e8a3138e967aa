"""Simulate a file server that stops answering: from one moment on, every access to a path in a folder waits forever.

This replaces a dead NFS server, which no test can mount. A process that runs with `PATCH` waits in a system call, as it
would there, and its other threads continue.
"""

from __future__ import annotations

from pathlib import Path

PATCH = """
import builtins, faulthandler, io, os, signal
faulthandler.register(signal.SIGUSR1, file=open({stacks!r}, "a"), all_threads=False)
_dead, _flag = {dead!r}, {flag!r}
_stat, _pipe = os.stat, os.pipe()
def _waiting(name, function):
    def call(path=None, *arguments, **options):
        given = os.fspath(path) if isinstance(path, (str, bytes, os.PathLike)) else ""
        text = os.fsdecode(given)
        if not text.startswith("/") and options.get("dir_fd") is not None:
            text = os.readlink("/proc/self/fd/%d" % options["dir_fd"]) + "/" + text
        if (text + "/").startswith(_dead + "/"):
            try:
                _stat(_flag)
            except FileNotFoundError:
                pass
            else:
                os.read(_pipe[0], 1)
        return function(path, *arguments, **options)
    return call
for _name in ("open", "stat", "lstat", "scandir", "listdir", "statvfs", "mkdir", "rename", "replace", "unlink",
              "rmdir", "access", "chmod", "link", "utime", "truncate"):
    _own, _put = getattr(os, _name), _waiting(_name, getattr(os, _name))
    for _able in (os.supports_dir_fd, os.supports_fd, os.supports_follow_symlinks):
        _able.update([_put] if _own in _able else [])
    setattr(os, _name, _put)
builtins.open = io.open = _waiting("open", builtins.open)
"""


class DeadServer:
    """A DeadServer is a folder that stops answering when `die` is called."""

    def __init__(self, folder: Path, place: Path) -> None:
        self.folder = folder
        self.stacks = place / "stacks"
        self._flag = place / "dead"

    @property
    def patch(self) -> str:
        """Return the code that a process runs first to see the folder as on that server."""
        return PATCH.format(dead=str(self.folder), flag=str(self._flag), stacks=str(self.stacks))

    def die(self) -> None:
        """Answer nothing from now on."""
        self._flag.touch()
