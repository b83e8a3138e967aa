"""Trainings of several processes: who writes, and how the norms of sharded gradients come together.

Nothing of this is a collective operation: those have to be called by every process at the same moment, and one
that fails or is killed would leave the others waiting. What a process has measured it hands to process 0 through
the store by which torch's processes have met, from a thread of its own. Nobody waits for anybody; a step of which
a part does not arrive has no row.
"""
