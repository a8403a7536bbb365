"""Arguments that contradict one another are refused as torch refuses them, in groups too."""

import pytest
import torch

import slalom.optim


@pytest.mark.parametrize(("cls", "said"), [(torch.optim.SGD, "zero dampening"), (slalom.optim.SGD, "SGD: dampening must be 0")])
def test_nesterov_with_dampening_is_refused_as_torch_refuses_it(cls, said):
    p = torch.nn.Parameter(torch.zeros(2))
    cls([p], momentum=0.9, nesterov=True)
    cls([p], momentum=0.9, dampening=0.1)
    with pytest.raises(ValueError, match=said):
        cls([p], momentum=0.9, nesterov=True, dampening=0.1)


def test_in_a_group_too():
    groups = [{"params": [torch.nn.Parameter(torch.zeros(n))], "dampening": d} for n, d in ((1, 0.0), (2, 0.1))]
    with pytest.raises(ValueError, match=r"SGD: dampening must be 0 with nesterov=True, got 0.1 \(parameter group 1\)"):
        slalom.optim.SGD(groups, momentum=0.9, nesterov=True)
