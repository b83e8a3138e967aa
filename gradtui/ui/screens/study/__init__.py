"""These screens show studies: the list of them, one study, and the study of every cure of a run."""
