"""What type checkers and editors see of the optimizers: as the rules declare it, and what mypy makes of it."""

import ast
import pathlib
import subprocess
import sys

import slalom
import slalom.optim
from slalom.testing.stubs import optim_stub, path

ROOT = pathlib.Path(slalom.__file__).parent.parent
SNIPPET = """
import torch
from torch import nn
import slalom
from slalom.optim import EMA, Accumulate, Adam, AdamW, Lookahead, RMSprop, SGD, decay_groups

model = nn.Linear(2, 2)
AdamW(model.parameters(), 1e-3, (0.9, 0.99), weight_decay=0.1, amsgrad=True, convention="tf")
AdamW(model.named_parameters(), lr=torch.tensor(0.1), maximize=True, decoupled_weight_decay=False)
slalom.optim.SGD([{"params": model.parameters(), "lr": 0.1}], momentum=0.9, nesterov=True).step()
RMSprop(decay_groups(model, 0.1), centered=True, foreach=False)
optimizer: torch.optim.Optimizer = Accumulate(Lookahead(Adam(model.parameters()), k=5), every=4, mean=True)
EMA(optimizer, 0.9, start="ramp").update()
torch.optim.lr_scheduler.StepLR(Lookahead(SGD(model.parameters())), 3)
AdamW(model.parameters(), weight_decy=0.1)  # wrong
AdamW(model.parameters(), lr="fast")  # wrong
AdamW(model.parameters(), betas=0.9)  # wrong
AdamW(model.parameters(), amsgrad=1.5)  # wrong
AdamW(model.parameters(), convention="keras")  # wrong
AdamW(model.parameters(), fused=True)  # wrong
SGD(model.parameters(), 0.1, 0.9, 0.0, 0.0, True, True)  # wrong
AdamW()  # wrong
Lookahead(Adam(model.parameters()), momentum="forget")  # wrong
EMA(model, start="zero")  # wrong
"""


def test_the_stub_is_what_the_declarations_make():
    assert path().read_text() == optim_stub(), "run python -m slalom.testing.stubs"


def test_the_stub_names_all_that_is_public():
    body = ast.parse(path().read_text()).body
    (listed,) = [ast.literal_eval(node.value) for node in body if isinstance(node, ast.Assign)]
    assert listed == slalom.optim.__all__
    classes = {node.name for node in body if isinstance(node, ast.ClassDef)}
    assert set(listed) <= classes | {a.asname for node in body if isinstance(node, ast.ImportFrom) for a in node.names}
    assert classes == {n for n in listed if hasattr(getattr(slalom.optim, n), "rule")}


def test_mypy_passes_right_calls_and_finds_each_wrong_one(tmp_path):
    file = tmp_path / "snippet.py"
    file.write_text(SNIPPET)
    command = [sys.executable, "-m", "mypy", "--config-file", str(ROOT / "pyproject.toml"), "--no-error-summary", str(file)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    found = {int(line.split(":")[1]) for line in done.stdout.splitlines() if ": error:" in line}
    wrong = {k for k, line in enumerate(SNIPPET.splitlines(), 1) if line.endswith("# wrong")}
    assert found == wrong, done.stdout + done.stderr
