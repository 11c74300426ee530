"""`python -m core`: the pipeline of the dashboard on the command line."""

import sys
from collections.abc import Sequence

from core.cli import commands, parser
from core.cli.bars import Bars, interruptible


def main(given: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0 done, 2 a mistake, 130 stopped with Ctrl-C."""
    args = parser.build().parse_args(given)
    bars = Bars(quiet=getattr(args, "quiet", False))
    with interruptible(bars):
        return commands.perform(args, bars)


if __name__ == "__main__":
    sys.exit(main())
