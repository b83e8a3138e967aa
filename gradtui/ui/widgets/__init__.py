"""Several screens share these widgets."""
