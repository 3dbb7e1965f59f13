"""`python -m portal.demo`: what `make run` starts. Wires the command line to `portal.demo.run`."""

from __future__ import annotations

import sys

from environs import EnvError

from portal.config import from_environment
from portal.demo.run import Demo, DemoProblem


def main() -> int:
    """0 when somebody stopped it, 4 when it could not start or go on."""
    try:
        Demo(from_environment(), say=print).run()
    except (DemoProblem, EnvError) as problem:
        print(problem, file=sys.stderr)
        return 4
    return 0


if __name__ == "__main__":
    sys.exit(main())
