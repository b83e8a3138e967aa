"""The trainer process. This file stays empty of torch: ``launch.py`` is imported by the screens."""
