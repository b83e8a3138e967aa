"""Use one thread: small tensors gain nothing from two, and spinning threads slow down other tests."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
