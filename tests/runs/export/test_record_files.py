"""Test the checksums and the framing of TensorBoard's record files."""

from __future__ import annotations

import io
import random

import pytest

from gradtui.runs.export.tensorboard import EventFile, masked_checksums


def test_checksums_are_those_of_the_standard() -> None:
    # RFC 3720, appendix B.4: 32 bytes of zeros, of ones, and 0 to 31; and the usual check value of CRC-32C.
    known = {
        bytes(32): 0x8A9136AA,
        b"\xff" * 32: 0x62A8AB43,
        bytes(range(32)): 0x46DD794E,
        b"123456789": 0xE3069283,
        b"": 0,
    }

    def masked(crc: int) -> bytes:
        return (((crc >> 15 | crc << 17) + 0xA282EAD8) & 0xFFFFFFFF).to_bytes(4, "little")

    assert masked_checksums(list(known)) == [masked(crc) for crc in known.values()]


def test_file_equals_the_one_that_tensorboard_writes() -> None:
    writer = pytest.importorskip("tensorboard.summary.writer.record_writer")
    rng = random.Random(0)
    records = [rng.randbytes(rng.choice([0, 1, 7, 7, 300])) for _ in range(200)]
    ours, theirs = io.BytesIO(), io.BytesIO()
    file, other = EventFile(ours), writer.RecordWriter(theirs)
    for record in records:
        file.write(record)
        other.write(record)
    file.flush()
    assert ours.getvalue() == theirs.getvalue()
