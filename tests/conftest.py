"""Slalom comes first: it sets how MKL rounds before MKL is first called."""

import slalom  # noqa: F401
