"""A run directory: kept as it goes, gone on with after a stop, clear about damage."""

import json

import pytest

import slalom.claims as claims
from slalom.claims import runner
from slalom.claims.store import write_run
from slalom.core.errors import BadValueError, StoreError


def test_a_stopped_run_goes_on(tmp_path, monkeypatch):
    where = tmp_path / "run"

    class StopError(Exception):
        pass

    def stop(result):
        raise StopError

    with pytest.raises(StopError):
        claims.run(["O27", "C1"], directory=where, on_result=stop)
    assert list(claims.load_run(where).results) == ["O27"]
    told = []
    done = claims.go_on(where, told.append)
    assert [r.id for r in told] == ["C1"]
    assert list(done.results) == ["O27", "C1"]
    notes = [json.loads(line)["text"] for line in (where / "journal.jsonl").read_text().splitlines()]
    assert [n.split(":")[0] for n in notes] == ["O27", "C1"]


def test_a_run_in_one_file(tmp_path):
    run = claims.run(["O27", "A13"])
    write_run(run, tmp_path / "run.json")
    again = claims.load_run(tmp_path / "run.json")
    assert again.results == run.results
    assert again.plan == run.plan
    assert again.date == run.date


def test_what_is_no_run_is_refused(tmp_path):
    for text in ("{", "[]", '{"results": 3}'):
        (tmp_path / "x.json").write_text(text)
        with pytest.raises(StoreError, match="cannot read"):
            claims.load_run(tmp_path / "x.json")
    with pytest.raises(StoreError, match="not a run directory"):
        claims.load_run(tmp_path)
    where = tmp_path / "run"
    claims.run("C1", directory=where)
    (where / "outcomes" / "C1.json").write_text('{"id": "C1"}')
    with pytest.raises(StoreError, match="damaged; delete it"):
        claims.load_run(where)
    with pytest.raises(StoreError, match="not an empty directory"):
        claims.run("C1", directory=where)


def test_quick_has_two_seeds_in_each_set(monkeypatch):
    seen = []
    entry = claims.every()["O7"]
    faked = {"O7": entry._replace(run=lambda plan: seen.append(plan) or claims.Outcome({"slope": (-1.0,), "time": (20.0,)}))}
    monkeypatch.setattr(runner, "every", lambda: faked)
    claims.run(quick=True)
    claims.run(seeds=7)
    claims.run()
    assert [(p.n, p.quick) for p in seen] == [(2, True), (7, False), (entry.claim.seeds, False)]
    assert seen[0].seeds == (0, 1, 2, 3)


def test_an_outcome_under_another_rule_is_told_apart(tmp_path):
    where = tmp_path / "run"
    claims.run(["C1", "O27"], directory=where)
    path = where / "outcomes" / "C1.json"
    body = json.loads(path.read_text())
    body["outcome"]["effects"] = {"old": [1.0]}
    path.write_text(json.dumps(body))
    found = claims.load_run(where)
    assert (list(found.results), found.stale) == (["O27"], ("C1",))


def test_seeds_are_counted_from_the_first(tmp_path, monkeypatch):
    seen = []
    entry = claims.every()["O7"]
    faked = {"O7": entry._replace(run=lambda plan: seen.append(plan) or claims.Outcome({"slope": (-1.0,), "time": (20.0,)}))}
    monkeypatch.setattr(runner, "every", lambda: faked)
    claims.run(seeds=2, first_seed=1000, directory=tmp_path / "run")
    assert seen[0].seeds == (1000, 1001, 1002, 1003)
    assert claims.load_run(tmp_path / "run").plan.first_seed == 1000


@pytest.mark.parametrize(("given", "told"), [({"first_seed": -1}, "first_seed must be 0"), ({"seeds": 1}, "seeds must be 2")])
def test_wrong_seeds_are_refused_before_a_directory_is_made(tmp_path, given, told):
    with pytest.raises(BadValueError, match=told):
        claims.run("O27", directory=tmp_path / "run", **given)
    assert not (tmp_path / "run").exists()
