"""A proxy before an S3 endpoint that injects delays, hangs, errors and lost replies.

The client under test speaks to the proxy, and the proxy to moto's server. Rules select
the requests and the faults. They can be added and cleared while the proxy runs, and the
proxy records the requests.
"""

from tests.faults.proxy import FaultProxy
from tests.faults.rules import Fault, Request

__all__ = ["Fault", "FaultProxy", "Request"]
