"""One thread each, in this process and all that it starts: then what is made again is the same, bit for bit."""

import os

for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "OPENBLAS_NUM_THREADS"):
    os.environ[name] = "1"
