"""A reviewer who decides on one image after the other and says so after each.

`python -m tests.faults.reviewer FILE FIRST COUNT`
"""

import sys
from pathlib import Path

from core import corrections
from core.decisions import Choice


def main() -> None:
    """Decide on images `FIRST` to `COUNT` - 1; each number is printed when its decision is kept."""
    path, first, count = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    review = corrections.load(path)
    for row in range(first, count):
        review = corrections.decide(path, review, [Choice(row, f"image {row}", "relabel", "0", "1", 0.5)], "Ada")
        print(row, flush=True)


if __name__ == "__main__":
    main()
