"""Asks for the live release from the first moment on: the answer comes while the rest is imported, which lasts as long.

Imported before anything that takes time.
"""

from concurrent.futures import ThreadPoolExecutor

from digits import releases
from digits.settings import Settings
from digits.store import Store

settings = Settings.from_environment()
store = Store(settings.store)
served = ThreadPoolExecutor(1).submit(releases.look, store, None)
