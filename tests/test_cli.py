"""The command line: each option reaches the race, each ending has its exit code, and stdout keeps to its form."""

import errno
import inspect
import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import typer
from typer.testing import CliRunner, Result

import slalom
from slalom import cli
from slalom.core.errors import BadValueError
from slalom.race import api
from slalom.terminal import exits

SMALL = ["race", "iris", "--model", "mlp:4", "--rules", "sgd", "--lrs", ".1", "--seeds", "1", "--epochs", "2"]
TAKEN = inspect.signature(api.race).parameters
IN_PYTHON_ALONE = {"split", "scale", "mechanism", "on_event"}


def run(*arguments: str | Path) -> Result:
    return CliRunner().invoke(cli.app, [str(a) for a in arguments])


def process(*arguments: str, **more: Any) -> subprocess.Popen[str]:
    """The real command, in a process of its own."""
    command = [sys.executable, "-m", "slalom", *arguments]
    kept = signal.signal(signal.SIGINT, signal.default_int_handler)  # ignored in what a shell runs behind it, and so in a child
    try:
        return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **more)
    finally:
        signal.signal(signal.SIGINT, kept)


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> dict[str, Any]:
    """What `slalom.race` is called with; it then refuses to go on."""
    monkeypatch.chdir(tmp_path)
    caught: dict[str, Any] = {}

    def race(**given: Any) -> None:
        given.pop("on_event")
        caught.update(given)
        raise BadValueError("caught")

    monkeypatch.setattr(api, "race", race)
    return caught


def parameters(command: str) -> dict[str, Any]:
    """The options and arguments of a command, by the name of the function's parameter."""
    made: Any = typer.main.get_command(cli.app)
    return {p.name: p for p in made.commands[command].params}


def test_every_option_reaches_the_race(asked: dict[str, Any]) -> None:
    result = run(
        "race", "table.csv", "--target", "y", "--task", "regression", "--model", "mlp:8", "--rules", "sgd,adam(b1=0.5, b2=0.9)",
        "--lrs", "sgd=.1,.2", "--lrs", "adam(b1=.5,b2=.9)=.01", "--seeds", "4,5", "--epochs", "7", "--batch-size", "full",
        "--schedule", "cosine", "--metric", "mae", "--loss", "mse", "--clip", "2", "--no-widen", "--order", "shared",
        "--split-seed", "9", "--dtype", "float64", "-o", "here",
    )  # fmt: skip
    assert result.exit_code == 1
    assert asked == {
        "data": "table.csv", "target": "y", "task": "regression", "model": "mlp:8", "rules": ["sgd", "adam(b1=0.5, b2=0.9)"],
        "lrs": {"sgd": [0.1, 0.2], "adam(b1=0.5, b2=0.9)": [0.01]}, "seeds": [4, 5], "epochs": 7, "batch_size": "full",
        "schedule": "cosine", "metric": "mae", "loss": "mse", "clip": 2.0, "widen": False, "order": "shared", "split_seed": 9,
        "dtype": "float64", "directory": Path("here"),
    }  # fmt: skip
    assert set(asked) <= set(TAKEN)


def test_every_axis_reaches_the_race(asked: dict[str, Any]) -> None:
    result = run(
        "race", "iris", "--activation", "relu,tanh", "--width", "1,.5",
        "--batch-norm", "no,yes", "--dropout", "0,.2", "--l1", ".1,subgradient(.2)",
        "--l2", "none,.1", "--elastic-net", "none,.1/.2", "--weight-decay", ".1", "--augment", "none,shift=1+noise=.1",
        "--label-smoothing", ".1", "--early-stopping", "0,5",
    )  # fmt: skip
    assert result.exit_code == 1
    asked.pop("directory")
    assert asked == {
        "data": "iris", "activation": ["relu", "tanh"], "width": [1.0, 0.5], "batch_norm": [False, True], "dropout": [0.0, 0.2],
        "l1": [0.1, "subgradient(.2)"], "l2": [0.0, 0.1], "elastic_net": [None, (0.1, 0.2)], "weight_decay": [0.1],
        "augment": [None, "shift=1+noise=.1"], "label_smoothing": [0.1], "early_stopping": [0, 5],
    }  # fmt: skip
    wrong = {
        "--batch-norm": "maybe", "--elastic-net": ".1", "--l1": "x", "--early-stopping": "1.5", "--dropout": ",", "--augment": "",
    }  # fmt: skip
    for option, text in wrong.items():
        refused = run("race", "iris", option, text)
        assert refused.exit_code == 2
        assert option in refused.stderr


def test_the_learning_curve_in_the_amount_of_data() -> None:
    few = ["--model", "mlp:4", "--sizes", "20,80", "--seeds", "2", "--steps", "5", "--lr", ".01"]
    told = run("learning-curve", "iris", *few)
    assert told.exit_code == 0
    assert [line.split()[0] for line in told.stdout.splitlines()[1:3]] == ["20", "80"]
    made = json.loads(run("learning-curve", "iris", *few, "--json").stdout)
    assert made["sizes"] == [20, 80]
    assert made["advice"] in told.stdout
    assert run("learning-curve", "iris", "--sizes", "a").exit_code == 2
    assert run("learning-curve", "iris", "--sizes", "20,500").exit_code == 1


def test_a_comparison_without_data_runs_on_each_of_its_tasks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    few = ["--seeds", "1", "--epochs", "1", "--lrs", ".01", "--batch-size", "full", "--model", "mlp:2", "--plain"]
    result = run("race", "--compare", "activations", *few, "-o", "runs")
    assert result.exit_code == 0
    assert sorted(p.name for p in (tmp_path / "runs").iterdir()) == ["spirals", "teacher"]
    assert result.stdout.count("picked on validation") == 2
    assert "with one seed" in result.stdout
    assert run("race", "--compare", "activations", *few, "--report", "x.html").exit_code == 1
    assert "cannot rank" not in result.stdout
    assert run("race", "--compare", "rules").exit_code == 1


def test_without_options_the_race_has_its_own_defaults(asked: dict[str, Any], tmp_path: Path) -> None:
    assert run("race").exit_code == 1
    where = asked.pop("directory")
    assert where.parent == Path("runs")
    assert "-digits-1" in where.name
    assert asked == {}
    assert list(tmp_path.iterdir()) == []  # a race that never began leaves nothing


def test_the_command_has_the_races_parameters_and_shows_their_defaults() -> None:
    options = parameters("race")
    for name, parameter in TAKEN.items():
        assert name in options or name in IN_PYTHON_ALONE, f"{name} has no option"
        shown = getattr(options.get(name), "show_default", None)
        if isinstance(shown, str) and parameter.default is not None:
            assert shown == str(parameter.default), name


def test_help_and_version_answer_without_loading_torch() -> None:
    code = (
        "import sys\nfrom slalom import cli\nfrom typer.testing import CliRunner\n"
        "for a in (['--help'], ['race', '--help'], ['--version'], ['race', '--seeds', 'x']):\n"
        "    r = CliRunner().invoke(cli.app, a)\n    print(r.exit_code, 'torch' in sys.modules)\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split("\n")[:4] == ["0 False", "0 False", "0 False", "2 False"]
    assert run("--version").stdout == f"slalom {slalom.__version__}\n"


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["race", "iris", "--data", "wine"], "given twice"),
        (["race", "--json", "--quiet"], "exclude each other"),
        (["race", "--seeds", "0"], "--seeds must be"),
        (["race", "--lrs", "fast"], "not a learning rate"),
        (["race", "--batch-size", "1.5"], "--batch-size must be"),
        (["race", "--rules", "adam(b1=1"], "leaves a bracket open"),
        (["race", "--resume", "x", "--epochs", "3"], "leave out what sets: epochs"),
        (["race", "--epochs", "many"], "Invalid value for '--epochs'"),
        (["race", "--nonsense"], "No such option"),
        (["rules", "--latex"], "show one rule"),
        (["rules", "adam", "--moments"], "exclude each other"),
        (["nonsense"], "No such command"),
    ],
)
def test_a_wrong_command_line_is_a_usage_error(arguments: list[str], said: str) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert said in " ".join(result.stderr.split())


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["race", "nosuch"], "there is no data set 'nosuch'"),
        (["race", "nosuch.csv", "--target", "y"], "there is no such file"),
        (["race", "iris", "--rules", "adma"], "did you mean"),
        (["race", "iris", "--rules", "adam(b2=1.0)"], "b2 must be in [0, 1), got 1.0"),
        (["race", "iris", "--epochs", "0"], "epochs"),
        (["race", "--resume", "nowhere"], "not a run directory"),
        (["show", "nowhere"], "not a run directory"),
        (["report", "nowhere"], "not a run directory"),
        (["rules", "adma"], "did you mean"),
    ],
)
def test_bad_input_is_one_line_on_stderr(
    arguments: list[str], said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*arguments)
    assert result.exit_code == 1
    assert said in result.stderr
    assert result.stderr.startswith("slalom: ")
    assert result.stderr.count("\n") == 1
    assert result.stdout == ""
    assert list(tmp_path.iterdir()) == []


def test_a_fault_is_told_apart_from_bad_input(monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(**given: Any) -> None:
        raise ZeroDivisionError("of mine")

    monkeypatch.setattr(api, "race", broken)
    quiet, loud = run("race", "-o", "x"), run("--debug", "race", "-o", "x")
    assert (quiet.exit_code, loud.exit_code) == (70, 70)
    assert "unexpected ZeroDivisionError: of mine" in quiet.stderr
    assert "test_cli.py" in quiet.stderr  # where it happened
    assert "Traceback" not in quiet.stderr
    assert "Traceback" in loud.stderr


def test_json_is_events_then_the_result_and_nothing_else(tmp_path: Path) -> None:
    result = run(*SMALL, "--json", "-o", tmp_path / "run")
    assert result.exit_code == 0, result.stderr
    told = [json.loads(line, parse_constant=pytest.fail) for line in result.stdout.splitlines()]
    assert [t["event"] for t in told if t["event"] != "note"] == [
        "race_started", "lanes_added", "epoch_done", "epoch_done", "race_done", "result",
    ]  # fmt: skip
    last, stored = told[-1], slalom.load(tmp_path / "run")
    assert last["leaderboard"][0]["test_metric"] == stored.best.test_metric
    assert last["lanes"][0]["val_loss"] == told[-3]["val_loss"][0] == stored.lanes[0].val_loss
    assert Path(last["report"]).read_text().lstrip().lower().startswith("<!doctype html>")
    shown = run("show", tmp_path / "run", "--json")
    assert json.loads(shown.stdout)["leaderboard"] == last["leaderboard"]


def test_plain_quiet_show_and_report_tell_of_the_same_run(tmp_path: Path) -> None:
    run_directory = tmp_path / "run"
    result = run(*SMALL, "-o", run_directory, "--report", tmp_path / "page.html")  # no terminal: plain lines
    assert result.exit_code == 0, result.stderr
    best = f"{slalom.load(run_directory).best.test_metric:.4f}"
    assert best in result.stdout
    assert best in run("show", run_directory).stdout
    assert (tmp_path / "page.html").exists()
    assert not (run_directory / "report.html").exists()
    assert run("report", run_directory).stdout.strip() == str(run_directory / "report.html")
    assert (run_directory / "report.html").exists()
    twice = run("report", run_directory, run_directory, "-o", tmp_path / "both.html")
    assert "one page holds one race, got 2" in twice.stderr + str(twice.exception)
    assert run("race", "--resume", run_directory, "-q").stdout == f"{run_directory}\n"


def test_verbose_says_on_stderr_how_lanes_are_run_and_what_was_measured(tmp_path: Path) -> None:
    told = run(*SMALL, "-o", tmp_path / "run", "--quiet", "--verbose")
    assert told.stdout.strip() == str(tmp_path / "run")
    assert "1 lanes, native (a chain of layers that are written in C), one chunk, whole steps in C" in told.stderr
    assert "forward and backward of a lane take" in told.stderr


def test_a_race_of_which_nothing_is_left_exits_with_3(tmp_path: Path) -> None:
    arguments = [*SMALL, "-o", str(tmp_path / "run")]
    arguments[arguments.index(".1")] = "1e30"
    result = run(*arguments)
    assert result.exit_code == 3
    assert "no lane finished" in result.stdout.lower()
    assert run("show", tmp_path / "run").exit_code == 3


def test_lists_answer(tmp_path: Path) -> None:
    for command, word in (("rules", "adam"), ("data", "digits"), ("schedules", "cosine")):
        result = run(command)
        assert result.exit_code == 0
        assert word in result.stdout
    assert "torch.optim.Adam" in run("rules", "adam").stdout
    assert run("rules", "adam", "--markdown").stdout.startswith("# adam")
    assert len(run("rules", "--write", tmp_path).stdout.splitlines()) == len(list(tmp_path.iterdir()))


@pytest.mark.parametrize(("number", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
def test_a_stopped_race_keeps_what_it_has_and_says_how_to_go_on(number: signal.Signals, code: int, tmp_path: Path) -> None:
    long = [*SMALL[:-1], "100000", "--json", "-o", "run"]
    with process(*long, cwd=tmp_path) as running:
        assert running.stdout is not None
        told = [json.loads(next(running.stdout))["event"] for _ in range(12)]
        assert told[-1] == "epoch_done"
        running.send_signal(number)
        out, err = running.communicate(timeout=60)
    assert running.returncode == code
    assert json.loads(out.splitlines()[-1]) == {"event": "interrupted", "directory": "run"}
    assert "slalom race --resume run" in err
    assert "Traceback" not in err
    shown = run("show", tmp_path / "run", "--json")
    lanes = json.loads(shown.stdout)["lanes"]
    assert [lane["status"] for lane in lanes] == ["unfinished"]


def test_a_reader_that_goes_away_ends_the_race_quietly(tmp_path: Path) -> None:
    buffered = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    with process(*SMALL[:-1], "100000", "--json", "-o", "run", cwd=tmp_path, env=buffered) as running:
        assert running.stdout is not None
        assert running.stderr is not None
        next(running.stdout)
        running.stdout.close()
        err = running.stderr.read()
    assert running.returncode == 141
    assert "Traceback" not in err
    assert "BrokenPipe" not in err


def test_a_terminal_without_these_letters_gets_a_question_mark_not_a_crash(tmp_path: Path) -> None:
    arguments = [*SMALL, "--seeds", "2", "-o", str(tmp_path / "run")]
    with process(*arguments, env={**os.environ, "PYTHONIOENCODING": "ascii"}) as running:
        out, err = running.communicate(timeout=60)
    assert running.returncode == 0, err
    assert " ? 0." in out  # mean ± sd


def test_a_full_disk_is_no_fault_of_the_program(capsys: pytest.CaptureFixture[str]) -> None:
    assert exits.report(OSError(errno.ENOSPC, "No space left on device"), debug=False) == exits.BAD_INPUT
    assert capsys.readouterr().err == "slalom: cannot write: No space left on device; make room, or write elsewhere\n"


def commands():
    root = typer.main.get_command(cli.app)
    for name, command in root.commands.items():
        yield name, command
        yield from ((f"{name} {k}", c) for k, c in getattr(command, "commands", {}).items())


@pytest.mark.parametrize(("name", "command"), list(commands()), ids=lambda v: v if isinstance(v, str) else "")
def test_help_tells_every_option_once(name, command):
    told = CliRunner().invoke(cli.app, [*name.split(), "--help"], terminal_width=80)
    assert told.exit_code == 0
    lines = told.stdout.splitlines()
    for param in command.params:
        if param.param_type_name == "option" and not param.hidden:
            long = max(param.opts, key=len)
            assert sum(bool(re.match(rf"  (-\w, )?{long}\b(?!-)", line)) for line in lines) == 1, long


def test_help_has_sections_in_order():
    lines = CliRunner().invoke(cli.app, ["race", "--help"], terminal_width=80).stdout.splitlines()
    at = [lines.index(f"{title}:") for title in ("Data and model", "What is raced", "The run", "Options")]
    assert at == sorted(at)
    where = {name: next(i for i, line in enumerate(lines) if line.lstrip().startswith(name)) for name in ("--rules", "-o, ")}
    assert at[1] < where["--rules"] < at[2] < where["-o, "] < at[3]
    assert not any("[default: (" in line for line in lines)


def test_the_list_of_commands_is_not_cut_short():
    for group in ([], ["claims"]):
        shown = CliRunner().invoke(cli.app, [*group, "--help"], terminal_width=80).stdout.split("Commands:")[1]
        assert "..." not in shown
