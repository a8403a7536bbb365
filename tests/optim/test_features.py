"""docs/optimizers.md: every cell of ours has a test, and the tests named here exist."""

from __future__ import annotations

import ast
from functools import cache
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXAM, SPREAD = "tests/optim/exam", "tests/optim/distributed/test_processes.py"
LOW, SCALED = "tests/engines/test_low_precision.py", "tests/engines/test_scaled_and_clipped.py"
SPARSE, CUDA = "tests/engines/sparse", "tests/engines/kernels/cuda"

TESTS: dict[str, list[str]] = {
    "compiled step, CPU": [f"{EXAM}/test_steps.py::test_compiled_eager_and_torchs_steps_agree_on_every_input"],
    "compiled step, CUDA": [f"{CUDA}/test_emulated.py::test_every_rule_and_option_in_float64"],
    "inside a captured CUDA graph": [f"{CUDA}/test_capture.py::test_replays_are_steps_also_between_eager_ones"],
    "`maximize`": ["tests/engines/test_optimizer.py::test_the_gradient_is_only_read_and_maximize_climbs"],
    "`differentiable`": [f"{EXAM}/test_steps.py::test_autograd_through_a_step_to_parameter_gradient_and_states"],
    "sparse gradients": [
        f"{SPARSE}/test_lazy.py::test_every_row_is_the_references_run_of_its_own_steps",
        f"{SPARSE}/test_equivalent_numbers.py::test_every_rule_equals_its_own_dense_run_under_changing_hypers",
    ],
    "complex parameters": [
        f"{EXAM}/test_steps.py::test_complex_numbers_are_pairs_of_real_ones",
        "tests/engines/test_complex.py::test_fused_is_eager",
    ],
    "hypers as tensors": [
        f"{EXAM}/test_steps.py::test_a_rate_may_be_a_tensor_of_any_form",
        "tests/engines/test_optimizer.py::test_autograd_reaches_the_hypers_through_differentiable_steps",
    ],
    "hypers of each model in a stack": ["tests/engines/lanes/test_lanes.py::test_each_lane_is_the_torch_run_alone"],
    "decoupled weight decay": [
        "tests/optim/test_weight_decay.py::test_decay_is_done_before_the_step_once_and_nothing_else_changes"
    ],
    "spare biases and norms": ["tests/optim/test_decay_groups.py::test_biases_norms_and_slopes_are_spared"],
    "FSDP2, DTensor": [
        f"{SPREAD}::test_fsdp2_steps_its_shards_by_compiled_code",
        f"{SPREAD}::test_one_group_may_hold_parameters_of_several_meshes_and_placements",
    ],
    "`torch.distributed.checkpoint`": [f"{SPREAD}::test_checkpoints_go_on_sharded_resharded_and_whole"],
    "ZeroRedundancyOptimizer": [f"{SPREAD}::test_zero_redundancy_optimizer_holds_ours"],
    "GradScaler inside the step": [f"{SCALED}::test_scaled_steps_are_those_of_torchs_plain_path"],
    "clip by norm inside the step": [f"{SCALED}::test_clipping_is_clip_grad_norm_before_the_step"],
    "float32 states of bf16 parameters": [f"{LOW}::test_states_of_16_bit_parameters_are_float32_and_load_both_ways"],
    "stochastic rounding to bf16": [f"{LOW}::test_the_mean_is_exact_and_neighbours_are_independent"],
    "EMA, Lookahead": [
        "tests/optim/test_ema.py::test_copy_is_torchs_averaged_model",
        "tests/optim/test_lookahead.py::test_with_every_rule_it_is_the_rule_with_the_weights_pulled_back",
    ],
    "gradient accumulation": [
        "tests/optim/test_accumulate.py::test_four_micro_batches_are_one_batch_however_gradients_are_cleared"
    ],
    "`torch.compile` around training": [
        f"{EXAM}/test_compile.py::test_a_compiled_training_step_under_a_schedule_is_eager_training",
        f"{EXAM}/test_compile.py::test_the_graph_breaks_at_the_step_alone_and_nothing_is_compiled_anew",
    ],
    "torch's schedulers, all kinds": [f"{EXAM}/test_schedulers.py::test_rates_momenta_and_weights_are_those_of_torch"],
    "state matched by parameter name": [
        "tests/engines/test_optimizer_state.py::test_named_parameters_are_matched_by_name_in_any_order",
        f"{EXAM}/test_states.py::test_names_of_wrapped_models_are_those_of_the_model",
    ],
    "state of a wrong shape": [f"{EXAM}/test_faults.py::test_state_of_another_shape_is_refused_before_anything_changes"],
    "state dicts of torch": ["tests/engines/test_optimizer_twins.py::test_state_dicts_continue_on_the_other_side"],
    "gradient left as it was": [f"{EXAM}/test_faults.py::test_a_gradient_is_never_overwritten"],
    "skipped first step (GradScaler)": [f"{EXAM}/test_faults.py::test_a_first_step_skipped_by_the_scaler"],
    "late first gradient": [
        f"{EXAM}/test_faults.py::test_a_late_first_gradient",
        f"{EXAM}/test_steps.py::test_gradients_come_and_go_as_in_runs_of_their_own",
    ],
    "centred RMSprop, float32": [f"{EXAM}/test_faults.py::test_centred_rmsprop_is_stable_along_a_constant_gradient"],
}


def rows() -> dict[str, str]:
    """Our cell of each feature in the table."""
    lines = [s for s in (ROOT / "docs/optimizers.md").read_text().splitlines() if s.startswith("|")]
    cells = [[c.strip() for c in s.strip("|").split("|")] for s in lines]
    assert all(len(c) == 6 and all(c) for c in cells), "a row has an empty cell or not six of them"
    return {c[0]: c[1] for c in cells[2:]}


@cache
def functions(path: str) -> set[str]:
    """The tests of a file, by its text alone."""
    tree = ast.parse((ROOT / path).read_text())
    return {n.name for n in tree.body if isinstance(n, ast.FunctionDef) and n.name.startswith("test_")}


def test_every_cell_of_ours_names_a_test_and_nothing_else_does() -> None:
    table = rows()
    assert {f for f, cell in table.items() if cell != "no"} == set(TESTS)
    assert all(TESTS.values())


@pytest.mark.parametrize("feature", TESTS)
def test_the_tests_of_a_feature_are_there(feature: str) -> None:
    for test in TESTS[feature]:
        path, name = test.split("::")
        assert name in functions(path), test
