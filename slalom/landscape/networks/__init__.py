"""Landscapes of real networks: slices, the plane of runs, the line between two solutions, sharpness."""

from slalom.landscape.networks.record import Interpolation, NetworkLandscape, Plane, Trace
from slalom.landscape.networks.run import RunNetwork, network_of
from slalom.landscape.networks.sharpness import Sharpness, sharpness
from slalom.landscape.networks.slices import interpolation, loss_slice
from slalom.landscape.networks.trajectories import trajectory_plane

__all__ = [
    "Interpolation", "NetworkLandscape", "Plane", "RunNetwork", "Sharpness", "Trace", "interpolation", "loss_slice",
    "network_of", "sharpness", "trajectory_plane",
]  # fmt: skip
