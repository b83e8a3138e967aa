"""Tests of gradtui; the folders mirror the package."""
