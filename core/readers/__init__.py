"""One module for each kind of place that images come from, and one for files of weights."""
