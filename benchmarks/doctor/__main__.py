"""A part of the study: `python -m benchmarks.doctor --half reported --seeds 0 1 --bases 1`; or the half for tuning."""

import argparse

from benchmarks.doctor.study import BASES, SEEDS, main

parser = argparse.ArgumentParser(prog="python -m benchmarks.doctor", description=__doc__)
parser.add_argument("--half", choices=("reported", "tuned"), default="reported")
parser.add_argument("--seeds", type=int, nargs="+", default=list(SEEDS))
parser.add_argument("--bases", type=int, default=BASES, help="tasks that each mutation is made on, by seed")
parser.add_argument("--resume", action="store_true", help="go on from the rows of a run that was stopped, of the same code")
parser.add_argument("--one", action="store_true", help="one mutation a label, another one with each seed")
given = parser.parse_args()
main(given.half, given.seeds, given.bases, given.resume, given.one)
