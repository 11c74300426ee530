"""Results on disk under the key of what made them: found again after a restart, dropped when old.

An entry is a directory `<root>/<stage>/<key>/`. It is written under a temporary name and renamed, so it is there whole
or not at all; checksums tell when it is not what was written. A `shipped` root is read as well and never written.
"""

from core.store.fingerprints import fingerprint, key_of
from core.store.folders import MMAP_BYTES, SIDECAR, Entry
from core.store.store import LIMIT_BYTES, WAITING, Cleared, Store, default_root

__all__ = [
    "LIMIT_BYTES",
    "MMAP_BYTES",
    "SIDECAR",
    "WAITING",
    "Cleared",
    "Entry",
    "Store",
    "default_root",
    "fingerprint",
    "key_of",
]
