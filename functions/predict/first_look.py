"""The first look for the live release, which runs while the rest of the function is imported.

This module is imported before every slow module: both take about as long.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from digits.models import releases
from digits.settings import Settings
from digits.store import Store

# Starting NumPy's threads for large matrix products would take a third of a cold start, and
# the function has no large products. Set before the first import of NumPy.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")

settings = Settings.from_environment()
store = Store(settings.store)
served = ThreadPoolExecutor(1).submit(releases.find_newer, store, None)
