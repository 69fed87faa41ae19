"""What odd responses and failures need, loaded before there are any.

Some modules import what they use in odd cases only when they meet one, so that `import meshapi`
stays quick. Hosts drive calls on their event loops, where an import would read files: the machines
of calls load all of it. What content codings need is still loaded by the first response that has
one, and a charset other than these by the first that names it.
"""

import codecs
import copy as copy
import json as json

from meshapi_core import retry_after as retry_after

for _name in ("ascii", "latin-1", "unicode_escape", "utf-8-sig", "utf-16-le"):
    codecs.lookup(_name)
