"""The doctor inside a training loop: passive, cheap, in any loop."""

from slalom.doctor.online.doctor import Doctor

__all__ = ["Doctor"]
