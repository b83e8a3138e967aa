"""One experiment trained by several processes, each on its part of every batch. This file stays empty of torch.

torchrun (agent.py) starts them. Process 0 leads, a trainer like any other (rank.py): it alone has the optimizer,
writes the run's folder and obeys the viewers. The others, its helpers, hold no state that matters: at each step they
are told which batch it is and given the weights, and give back the gradient of their part of it. So pausing, resuming,
forking, going back to before a run broke: all of it is what it is with one process.

That moves as many bytes as when all hold an optimizer each: a reduction and a broadcast are the two halves of an
all-reduce.
"""
