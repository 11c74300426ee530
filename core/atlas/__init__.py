"""A table of any length that is looked at and never loaded: filters, counts, densities and a few rows, asked of DuckDB."""

from core.atlas.build import build
from core.atlas.drawing import png
from core.atlas.queries import count, density, fetch, histogram, matrix, rows, save, top
from core.atlas.results import Density, Histogram, Matrix
from core.atlas.table import Atlas, Column, Filter, View, open_atlas

__all__ = [
    "Atlas",
    "Column",
    "Density",
    "Filter",
    "Histogram",
    "Matrix",
    "View",
    "build",
    "count",
    "density",
    "fetch",
    "histogram",
    "matrix",
    "open_atlas",
    "png",
    "rows",
    "save",
    "top",
]
