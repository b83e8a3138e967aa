"""Record a user's own training script: this package holds `gradtui.watch` and everything that it starts.

The flow of one step: `optimizer_hooks` measures gradients and calls `recorder`, which turns what was measured into
a step record and appends it to the run folder by `run_writer`. `distributed` adds up norms of sharded models.

The package is not called `watch`: a package of that name would replace the function `gradtui.watch`.
"""
