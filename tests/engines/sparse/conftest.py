import pytest
import torch


@pytest.fixture(autouse=True, scope="package")
def indices_are_checked():
    """torch warns until someone has said whether a sparse tensor's indices are to be checked."""
    with torch.sparse.check_sparse_tensor_invariants(True):
        yield
