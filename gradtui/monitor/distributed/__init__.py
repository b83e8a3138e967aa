"""Watch distributed trainings: choose the process that writes, and add up the norms of sharded gradients.

Nothing here is a collective operation: those have to be called by every process at the same moment, and a process
that fails or is killed would leave the others waiting. Each process sends what it has measured to rank 0 through
the store by which torch's process group was formed, from a thread of its own. No process waits for another; a step
of which a part does not arrive has no row.
"""
