"""Lists and pages: every rule is there, and what is written is what is shown."""

import inspect
from pathlib import Path

import pytest
import torch

from slalom.core.errors import BadValueError, SlalomError, StoreError
from slalom.core.rule import REGISTRY
from slalom.terminal.catalogues import rules as catalogue


def test_the_list_has_every_rule_with_its_settings(capsys: pytest.CaptureFixture[str]) -> None:
    catalogue.show_rules()
    listed = capsys.readouterr().out
    words = listed.replace(",", " ").split()
    for rule in catalogue.every_rule():
        assert rule.name in words
        assert rule.torch_name is None or hasattr(torch.optim, rule.torch_name)
    assert len(catalogue.every_rule()) == len(REGISTRY) >= 14


def test_defaults_that_are_shown_are_those_that_torch_documents() -> None:
    # b1, b2 are torch's betas; the rest of Adam's have torch's own names.
    shown = dict(part.split("=") for part in catalogue.defaults(REGISTRY["adam"]).split(", "))
    torch_s = {k: p.default for k, p in inspect.signature(torch.optim.Adam).parameters.items()}
    assert float(shown["lr"]) == torch_s["lr"]
    assert (float(shown["b1"]), float(shown["b2"])) == torch_s["betas"]
    assert float(shown["eps"]) == torch_s["eps"]
    assert shown["amsgrad"] == str(torch_s["amsgrad"])


def test_every_page_is_written_and_says_what_is_shown(tmp_path: Path) -> None:
    written = catalogue.write_rules(tmp_path / "pages")
    assert {p.name for p in written} == {"index.md", *(f"{name}.md" for name in REGISTRY)}
    assert set(written) == set((tmp_path / "pages").iterdir())
    assert (tmp_path / "pages" / "adam.md").read_text() == catalogue.rule_page("adam", "markdown") + "\n"
    assert "](adam.md)" in (tmp_path / "pages" / "index.md").read_text()


def test_a_page_follows_the_options_that_are_asked_for() -> None:
    assert catalogue.rule_page("adam", "latex") != catalogue.rule_page("adam(amsgrad=True)", "latex")
    assert r"\max" in catalogue.rule_page("adam(amsgrad=True)", "latex")
    assert "1412.6980" in catalogue.rule_page("adam", "text")


def test_what_has_no_page_is_said(tmp_path: Path) -> None:
    with pytest.raises(SlalomError, match="did you mean 'adam"):
        catalogue.rule_page("adma", "text")
    with pytest.raises(BadValueError, match="torch's own class"):
        catalogue.rule_page("torch.Adam", "text")
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write the pages"):
        catalogue.write_rules(tmp_path / "file")
