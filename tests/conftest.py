"""Slalom comes first: it sets how MKL rounds before MKL is first called."""

import slalom  # noqa: F401, I001

import pytest
import torch


@pytest.fixture
def one_thread():
    """Lanes in one chunk, whatever the machine has."""
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)
