"""The errors a user can cause, each with one sentence that names the value and the limit.

::

    ExplorerError
    ├── ConfigError      a setting that cannot work (perplexity 50 on 90 images)
    ├── DataError        images, labels or arrays that cannot be read
    ├── CheckpointError  a model file that cannot be loaded or does not fit
    ├── TrainingError    training that cannot go on (a loss that is not finite)
    ├── StoreError       a store that cannot be opened
    ├── ExportError      a file that cannot be written
    ├── ReviewError      a review's decisions that cannot be kept or read
    └── JobError         a job that is not taken on, or whose worker cannot be understood
"""


class ExplorerError(Exception):
    """Base of every error whose text is meant for the user."""


class ConfigError(ExplorerError):
    """A setting that cannot work, alone or with this data."""


class DataError(ExplorerError):
    """Images, labels or arrays that cannot be read."""


class CheckpointError(ExplorerError):
    """A model file that cannot be loaded or does not fit the images."""


class TrainingError(ExplorerError):
    """Training that cannot go on."""


class StoreError(ExplorerError):
    """A store that cannot be opened."""


class ExportError(ExplorerError):
    """A file that cannot be written."""


class ReviewError(ExplorerError):
    """A review's decisions that cannot be kept or read."""


class JobError(ExplorerError):
    """A job that is not taken on, or whose worker cannot be understood."""
