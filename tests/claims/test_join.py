"""Two runs as one: what each of them is, is a set of seeds; what does not fit together is refused."""

import dataclasses

import pytest

import slalom.claims as claims
from slalom.claims import runner
from slalom.claims.store import write_run
from slalom.core.errors import BadValueError


@pytest.fixture
def run_of(monkeypatch):
    """Runs of O7 whose slope is what is given, for every seed alike but for a small spread."""
    entry = claims.every()["O7"]

    def made(slope, first, **given):
        def experiment(plan):
            values = tuple(slope + 0.001 * (s % 3) for s in plan.seeds)
            return claims.Outcome(
                {"slope": values, "time": tuple(20.0 + 0.01 * s for s in range(len(values)))}, (f"from {first}",)
            )

        monkeypatch.setattr(runner, "every", lambda: {"O7": entry._replace(run=experiment)})
        return claims.run(first_seed=first, **given)

    return made


def test_each_run_is_one_set_of_seeds(run_of, tmp_path):
    a, b = run_of(-1.0, 0), run_of(-1.02, 1000)
    both = claims.joined(a, b)
    told = both.results["O7"]
    assert told.outcome.effects["slope"] == a.results["O7"].outcome.effects["slope"] + b.results["O7"].outcome.effects["slope"]
    assert told.n == 2 * a.results["O7"].n
    assert told.outcome.flags == ("from 0", "from 1000")
    assert told.verdict.kind == "holds"
    write_run(both, tmp_path / "both.json")
    again = claims.load_run(tmp_path / "both.json")
    assert (again.plan.first_seed, again.plan.and_from) == (0, 1000)
    assert again.results == both.results


def test_what_flips_between_the_runs_is_undecided(run_of):
    holds, depends = run_of(-1.0, 0), run_of(-2.0, 1000)
    assert [r.results["O7"].verdict.kind for r in (holds, depends)] == ["holds", "depends"]
    assert claims.joined(holds, depends).results["O7"].verdict.kind == "undecided"


def test_runs_that_do_not_fit_are_refused(run_of):
    a = run_of(-1.0, 0)
    most = 2 * a.results["O7"].n
    with pytest.raises(BadValueError, match=f"share seeds.*--first-seed {2 * most - 1} or more"):
        claims.joined(a, run_of(-1.0, most - 1))
    assert claims.joined(a, run_of(-1.0, most)).plan.and_from == most
    with pytest.raises(BadValueError, match="14 in the other"):
        claims.joined(a, run_of(-1.0, 1000, seeds=7))
    with pytest.raises(BadValueError, match="neither quick nor joined"):
        claims.joined(a, run_of(-1.0, 1000, quick=True))
    with pytest.raises(BadValueError, match="neither quick nor joined"):
        claims.joined(claims.joined(a, run_of(-1.0, 1000)), run_of(-1.0, 2000))
    other = dataclasses.replace(a, results={"O4": a.results["O7"]})
    with pytest.raises(BadValueError, match="only one of the two runs holds O4, O7"):
        claims.joined(a, other)
