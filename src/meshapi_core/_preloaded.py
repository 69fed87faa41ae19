"""Modules that only unusual responses and failures need, loaded before the first of these.

Some modules put off such imports until they need them, so that `import meshapi` stays quick. But
hosts drive calls on event loops, where an import would block on reading files. So the machines of
calls import this module. Two things are still loaded late: the decoder of a content coding, by the
first response that has the coding, and a charset other than these, by the first that names it.
"""

import codecs
import copy as copy
import json as json

from meshapi_core import retry_after as retry_after

for _name in ("ascii", "latin-1", "unicode_escape", "utf-8-sig", "utf-16-le"):
    codecs.lookup(_name)
