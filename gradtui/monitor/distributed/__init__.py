"""Watch distributed trainings: choose the process that writes, and add up the norms of sharded gradients.

Nothing here is a collective operation: those have to be called by every process at the same moment, and a process
that fails or is killed would leave the others waiting. Instead, each process has a thread that sends its measurements
to rank 0 through the store of torch's process group. No process waits for another; if a part of a step does not
arrive, the step has no row.
"""
