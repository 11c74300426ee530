"""What is learnt of a column while the parts go by: its kind, its different values with their counts, its range."""

from collections import Counter

import pyarrow as pa
import pyarrow.compute as pc

from core.atlas.columns import MOST_NAME, MOST_VALUES, Column
from core.readers.files import natural_key


class Tally:
    """Counts a column's values until they are too many for a category, and keeps the range of its numbers."""

    def __init__(self, number: bool, category: bool) -> None:
        self._number = number
        self._counts: Counter[str] | None = Counter() if category else None
        self._low: float | None = None
        self._high: float | None = None

    def add(self, column: pa.ChunkedArray) -> None:
        """Take in a part's values."""
        if self._number:
            self._widen(column)
        if self._counts is None:
            return
        for item in pc.value_counts(column).to_pylist():
            value = item["values"]
            self._counts["" if value is None else str(value)] += item["counts"]
        if len(self._counts) > MOST_VALUES or any(len(value) > MOST_NAME for value in self._counts):
            self._counts = None

    def column(self, name: str) -> Column | None:
        """Return what was found; None where there is nothing to filter by, as no row has a value."""
        if self._counts is not None:
            if set(self._counts) <= {""}:
                return None
            values = sorted(self._counts, key=lambda value: (value == "", natural_key(value)))
            return Column(name, "category", tuple(values), tuple(self._counts[value] for value in values))
        if self._number:
            return None if self._low is None else Column(name, "number", low=self._low, high=self._high)
        return Column(name, "text")

    def _widen(self, column: pa.ChunkedArray) -> None:
        values = pc.cast(column, pa.float64())
        found = pc.min_max(values.filter(pc.is_finite(values))).as_py()
        if found["min"] is not None:
            self._low = found["min"] if self._low is None else min(self._low, found["min"])
            self._high = found["max"] if self._high is None else max(self._high, found["max"])
