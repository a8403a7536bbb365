"""A network without activations is one linear layer, whatever its depth (claim A1)."""

import torch
from torch import nn

from slalom.nets import fold_linear, mlp

X = torch.tensor([[-1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, 1.0]], dtype=torch.float64)
Y = torch.tensor([[0.0], [1.0], [1.0], [0.0]], dtype=torch.float64)  # XOR


def trained(act):
    torch.manual_seed(3)
    net = mlp((2,), [8, 8, 8], 1, act).double()
    optimizer = torch.optim.Adam(net.parameters(), lr=0.02)
    for _ in range(300):
        optimizer.zero_grad()
        nn.functional.mse_loss(net(X), Y).backward()
        optimizer.step()
    return net


def test_a_deep_linear_network_is_the_product_of_its_matrices_and_cannot_learn_xor():
    net = trained("identity")
    weight, bias = torch.eye(2, dtype=torch.float64), torch.zeros(2, dtype=torch.float64)
    for layer in (m for m in net if isinstance(m, nn.Linear)):
        weight, bias = layer.weight @ weight, layer.weight @ bias + layer.bias
    x = torch.randn(50, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    assert (net(x) - (x @ weight.T + bias)).abs().max() < 1e-6
    assert (fold_linear(net).model(x) - net(x)).abs().max() < 1e-6
    # Least squares on XOR has weights 0: every answer is the mean, right for half of the points whatever the threshold's side.
    assert (net(X) - 0.5).abs().max() < 1e-3
    assert (trained("relu")(X) - Y).abs().max() < 0.05
