"""A part of the study: `python -m benchmarks.doctor --half reported --seeds 0 1 --bases 1`; or the half for tuning."""

import argparse

from benchmarks.doctor.study import BASES, SEEDS, main

parser = argparse.ArgumentParser(prog="python -m benchmarks.doctor", description=__doc__)
parser.add_argument("--half", choices=("reported", "tuned"), default="reported")
parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
parser.add_argument("--bases", type=int, default=BASES, help="tasks that each mutation is made on, by seed")
given = parser.parse_args()
main(given.half, given.seeds, given.bases)
