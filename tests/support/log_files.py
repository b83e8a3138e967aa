"""Write the formats in which TensorBoard and W&B frame the records of their files, whole or with damage."""

from __future__ import annotations

import io
import random
import struct
import zlib
from typing import Any


def usual(rng: random.Random, usual_value: Any, odd: tuple[Any, ...]) -> Any:
    """Return mostly the usual value."""
    return usual_value if rng.random() < 0.85 else rng.choice(odd)


def framed(record: bytes, rng: random.Random | None = None) -> bytes:
    """Return a record with its length and the two checksums; with `rng`, sometimes of a length that lies."""
    from tensorboard.summary.writer.record_writer import masked_crc32c

    size = len(record)
    if rng is not None and rng.randrange(9) == 0:
        size = usual(rng, size, (0, 2**31, 2**62, 2**64 - 1))
    length = struct.pack("<Q", size)
    checked = struct.pack("<I", masked_crc32c(length)), struct.pack("<I", masked_crc32c(record))
    return length + checked[0] + record + checked[1]


def leveldb(records: list[bytes], rng: random.Random | None = None) -> bytes:
    """Return records in the format of LevelDB's log; with `rng`, sometimes with fragments that do not fit together."""
    file = io.BytesIO(b":W&B\x00\x00\x00")
    file.seek(7)
    for record in records:
        first = True
        while first or record:
            room = (1 << 15) - file.tell() % (1 << 15)
            if room < 7:
                file.write(bytes(room))
                continue
            fragment, record = record[: room - 7], record[room - 7 :]
            kind = (1 if not record else 2) if first else (4 if not record else 3)
            if rng is not None and rng.randrange(5) == 0:
                kind = usual(rng, kind, (0, 1, 2, 3, 4, 9))
            checksum = zlib.crc32(bytes([kind]) + fragment)
            file.write(struct.pack("<IHB", checksum, len(fragment), kind) + fragment)
            first = False
    return file.getvalue()
