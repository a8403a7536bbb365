"""What type checkers and editors read of `slalom.optim`: its constructors are made from the rules, which they cannot follow.

`python -m slalom.testing.stubs` writes `slalom/optim/__init__.pyi`; a test compares the file with what this makes.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

import slalom.optim
from slalom.core.rule import Choice, Rule
from slalom.engines import signature
from slalom.engines.signature import Argument

HEAD = """\
# Made by `python -m slalom.testing.stubs` from the rules' declarations; do not edit.
# fmt: off
"""
BLOCKS = [  # of imports, each line with what calls for it
    {r"\bAny\b": "from typing import Any", r"\bLiteral\b": "from typing import Literal"},
    {r"\btorch\.": "import torch", r"\bTensor\b": "from torch import Tensor"},
    {r"\bParams\b": "from slalom.engines.optimizer import Params"},
]
SAMPLES = {"bool": True, "float": 0.5, "torch.dtype": torch.float32, "None": None}


def path() -> Path:
    """Where the stub lies."""
    return Path(inspect.getfile(slalom.optim)).with_suffix(".pyi")


def optim_stub() -> str:
    """The text of `slalom/optim/__init__.pyi`: the package's own imports and names, its classes with their arguments.

    >>> "class AdamW(RuleOptimizer):" in optim_stub()
    True
    """
    imports: list[str] = []
    lines: list[str] = []
    public = set(slalom.optim.__all__)
    for node in ast.parse(Path(inspect.getfile(slalom.optim)).read_text()).body:
        if isinstance(node, ast.ImportFrom):
            imports += [f"from {node.module} import {a.name} as {a.name}" for a in node.names if a.name in public]
        elif isinstance(node, ast.ClassDef):
            lines += ["", *_class(node.name, getattr(slalom.optim, node.name).rule)]
        elif isinstance(node, ast.Assign):
            lines += ["", "__all__ = [", *(f'    "{name}",' for name in ast.literal_eval(node.value)), "]"]
    body = "\n".join(lines)
    blocks = [[line for word, line in block.items() if re.search(word, body)] for block in BLOCKS]
    blocks[-1] += imports
    return HEAD + "\n\n".join("\n".join(block) for block in blocks if block) + "\n" + body + "\n"


def _class(name: str, rule: Rule) -> Iterator[str]:
    yield f"class {name}(RuleOptimizer):"
    yield f'    """{rule.doc.splitlines()[0]}"""'
    yield "    def __init__("
    yield "        self,"
    yield "        params: Params,"
    keywords = False
    for a in signature.arguments(rule):
        if a.keyword_only and not keywords:
            keywords = True
            yield "        *,"
        yield f"        {a.name}: {_type(rule, a)} = {a.default!r},"
    yield "    ) -> None: ..."


def _type(rule: Rule, a: Argument) -> str:
    number = "float | Tensor"
    if a.is_tuple:
        return f"tuple[{', '.join([number] * len(a.names))}]"
    if a.names:
        return number
    if a.is_option:
        option = rule.options[a.name]
        return _one_of(option.values) if isinstance(option, Choice) else "int"
    if a.name in signature.IMPLEMENTATION:
        return _one_of((False, None)) if a.default is None else _one_of((a.default,))
    return _engine_type(a, signature.ENGINE[a.name])


def _engine_type(a: Argument, declared: Any) -> str:
    """The type of what every optimizer takes: found out from what its declaration admits."""
    admits = getattr(declared, "admits", None)
    if admits is None:
        return "bool" if isinstance(a.default, bool) else "Any"
    words = re.findall(r"'([^']+)'", declared.allowed)
    types = [name for name, sample in SAMPLES.items() if name != "None" and admits(sample)]
    types += [_one_of(tuple(w for w in words if admits(w)))] if any(map(admits, words)) else []
    types += ["None"] if admits(None) else []
    return " | ".join(types) or "Any"


def _one_of(values: tuple[Any, ...]) -> str:
    if set(values) == {False, True}:
        return "bool"
    return f"Literal[{', '.join(repr(v).replace(chr(39), chr(34)) for v in values)}]"


if __name__ == "__main__":
    path().write_text(optim_stub())
