"""The house holds: imports run one way, the base needs torch and numpy alone, files are short, the import is light."""

import ast
import pathlib
import subprocess
import sys

import pytest

import slalom

ROOT = pathlib.Path(slalom.__file__).parent

# What each room may import of Slalom; later rooms may import all earlier ones.
BASE = ["rules", "schedules", "nets", "data", "engines"]
LATER = [["race"], ["tune", "doctor", "landscape"], ["claims"], ["figures"], ["report"], ["terminal"], ["cli"]]
LAYERS = [["core"], BASE, ["optim"], *LATER]
LEVEL = {room: k for k, layer in enumerate(LAYERS) for room in layer}
LIGHT = {"core", "rules", "engines", "optim"}
HEAVY = ["pandas", "sklearn", "pydantic", "rich", "typer", "jinja2", "pyarrow"]


def room_of(path):
    return path.relative_to(ROOT).parts[0].removesuffix(".py")


def imported(tree, package):
    """Every module that a file imports, at any depth, relative imports resolved; `from a import b` gives a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (a.name for a in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                base = ".".join([*package.split(".")[: len(package.split(".")) - node.level + 1], *([base] if base else [])])
            yield from (f"{base}.{a.name}" for a in node.names)


def wrong_imports(path, text):
    room = room_of(path)
    package = ".".join(["slalom", *path.relative_to(ROOT).parent.parts])
    for name in imported(ast.parse(text), package):
        parts = name.split(".")
        if parts[0] == "slalom" and room in LEVEL and len(parts) > 1 and parts[1] != room:
            if parts[1] == "testing":
                yield f"{name}: nothing in the product imports testing"
            elif parts[1] in LEVEL and LEVEL[parts[1]] >= LEVEL[room]:
                yield f"{name}: {room} may not import {parts[1]}"
            elif parts[1] not in LEVEL and (ROOT / parts[1]).exists():
                yield f"{name}: {parts[1]} has no place in the house"
        elif parts[0] != "slalom" and room in LIGHT and parts[0] not in {"torch", "numpy", *sys.stdlib_module_names}:
            yield f"{name}: {room} needs torch and numpy alone"


FILES = sorted(ROOT.rglob("*.py"))


@pytest.mark.parametrize("path", FILES, ids=lambda p: str(p.relative_to(ROOT)))
def test_file_keeps_the_house(path):
    text = path.read_text()
    assert not list(wrong_imports(path, text))
    assert len(text.splitlines()) <= 400


def test_every_room_has_its_place():
    rooms = {room_of(p) for p in FILES} - {"__init__", "__main__", "testing"}
    assert rooms <= set(LEVEL), rooms - set(LEVEL)


@pytest.mark.parametrize(
    ("where", "text", "said"),
    [
        ("core/x.py", "from slalom.rules import adam", "core may not import rules"),
        ("rules/x.py", "def f():\n    from slalom.engines.state import complete", "rules may not import engines"),
        ("engines/x.py", "import slalom.race.api", "engines may not import race"),
        ("engines/x.py", "from slalom import race", "engines may not import race"),
        ("data/x.py", "from ..nets import build", "data may not import nets"),
        ("race/x.py", "from slalom.testing import zoo", "nothing in the product imports testing"),
        ("core/x.py", "def f():\n    import pandas as pd", "core needs torch and numpy alone"),
        ("rules/x.py", "from scipy import special", "rules needs torch and numpy alone"),
    ],
)
def test_wrong_imports_are_seen(where, text, said):
    assert any(said in found for found in wrong_imports(ROOT / where, text))


@pytest.mark.parametrize(
    ("where", "text"),
    [("race/x.py", "from slalom.core import Hyper\nimport pandas"), ("core/x.py", "from . import ops\nimport torch.nn")],
)
def test_right_imports_pass(where, text):
    assert not list(wrong_imports(ROOT / where, text))


def test_importing_slalom_stays_light():
    # in a process of its own: this one has imported everything already
    code = f"import sys, slalom; print([m for m in {HEAVY!r} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_rules_alone_import_torch_and_numpy_alone():
    base = "import sys, torch, numpy; before = set(sys.modules); import slalom.rules, slalom.core; "
    code = base + "print({m.split('.')[0] for m in set(sys.modules) - before} - set(sys.stdlib_module_names))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ast.literal_eval(done.stdout) <= {"slalom", "torch", "numpy"}
