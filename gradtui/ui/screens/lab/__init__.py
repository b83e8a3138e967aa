"""Show one run, live or finished, with the experiment that is edited beside it: the lab."""
