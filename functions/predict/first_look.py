"""Asks for the live release from the first moment on: the answer comes while the rest is imported, which lasts as long.

Imported before anything that takes time.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from digits.models import releases
from digits.settings import Settings
from digits.store import Store

# NumPy's threads for products of matrices, of which there are none here, would be a
# third of a cold start.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings = Settings.from_environment()
store = Store(settings.store)
served = ThreadPoolExecutor(1).submit(releases.find_newer, store, None)
