"""How many examples Hypothesis tries: few enough that all of these tests take well under a minute on one core."""

import os

from hypothesis import HealthCheck, settings

settings.register_profile(
    "explorer",
    deadline=None,  # a shared machine is slow at times, and no test here is about time
    max_examples=50,
    derandomize="CI" in os.environ,  # the same examples in every run there, so that it fails for a change alone
    suppress_health_check=[HealthCheck.too_slow],  # which is about time as well
)
settings.load_profile("explorer")
