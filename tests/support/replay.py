"""Replay a recorded run step by step into another folder, as if it were training now."""

from __future__ import annotations

import os
from pathlib import Path

from msgspec.structs import replace

from gradtui.runs.meta import RunMeta, read_meta, write_meta
from gradtui.runs.reader import open_run
from gradtui.runs.writer import RunWriter


class Replay:
    """A Replay writes what a trainer wrote: the rows of all tables, and the events in their place between them."""

    def __init__(self, recorded: Path, folder: Path) -> None:
        run = open_run(recorded)
        assert run.meta is not None
        self.folder = folder
        self.last = run.steps
        """The last step of the recorded run."""
        self.step = 0
        """The last step that was played."""
        self._tables = {name: run.table_or_empty(name).read(0) for name in run.meta.tables}
        self._rows = dict.fromkeys(self._tables, 0)
        self._events = run.events()
        folder.mkdir(parents=True)
        (folder / "experiment.toml").write_bytes((recorded / "experiment.toml").read_bytes())
        process = RunMeta.of_this_process(id=folder.name, name=run.meta.name)
        write_meta(folder, process.resumed_by(replace(read_meta(recorded), id=folder.name)))
        self._writer = RunWriter(
            folder, {name: about.columns * about.width for name, about in run.meta.tables.items()}
        )

    def play(self, step: int) -> None:
        """Write everything up to a step; with the last step also what came after it, such as the end."""
        moment = float("-inf")
        for name, rows in self._tables.items():
            at = self._rows[name]
            while at < len(rows) and (rows["step"][at] <= step or step >= self.last):
                row = rows[at]
                self._writer.append(name, int(row["step"]), row["values"], time=float(row["time"]))
                moment, at = max(moment, float(row["time"])), at + 1
            self._rows[name] = at
        while self._events and (step >= self.last or self._events[0]["time"] <= moment):
            fields = dict(self._events.pop(0))
            fields.pop("time")
            self._writer.event(fields.pop("event"), fields.pop("step", None), **fields)
        self._writer.flush()
        self.step = step

    def close(self) -> None:
        """End the writer's thread."""
        self._writer.close()
        os.utime(self.folder)
