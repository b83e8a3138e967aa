"""One thread: small tensors gain nothing by two, and spinning threads starve the tests beside these."""

from __future__ import annotations

import torch

torch.set_num_threads(1)
