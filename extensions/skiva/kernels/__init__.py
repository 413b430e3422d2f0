"""People's own kernels: environments of theirs that run what they compute, never what runs the server."""

from .current import Kernel, current
from .environments import Environment, NoEnvironment, find
from .problems import KernelBroken, Problem, problem

__all__ = ["Environment", "Kernel", "KernelBroken", "NoEnvironment", "Problem", "current", "find", "problem"]
