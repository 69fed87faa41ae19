"""Flows: work that takes several steps, written once as generators, for every flavour.

A flow is a generator. It yields a step (a `Call` to make, a `Pause`, ...), is sent the step's
result or has its error thrown in, and returns the result of all. It does no I/O and reads no clock:
the runner that drives it does, on a blocking client as on an event loop.

    def upload_and_wait(...) -> Flow[Document]:
        upload = yield announce
        yield SignedPut(...)
        while not document.ended:
            yield Pause(2.0)
            document = yield Call(...)
        return document

- `steps`: the steps, and what a runner does for each.
- `saving`: the steps that write a file, of which nobody ever sees a part.
- `journals`: the steps that append to a journal, under a lock.
- `tables`: the steps that write a table.
- `downloads`: flows that save a response in a file.
- `functions`: the step that calls several functions at the same time.
- `concurrent`: the steps of a flow that has several calls under way.
- `polling`: the flow that waits for a job, and how often it looks.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.flows.concurrent import *
    from meshapi_core.flows.downloads import FilePath as FilePath
    from meshapi_core.flows.downloads import SavedFile as SavedFile
    from meshapi_core.flows.functions import *
    from meshapi_core.flows.journals import *
    from meshapi_core.flows.saving import *
    from meshapi_core.flows.steps import *
    from meshapi_core.flows.tables import *
    from meshapi_core.progress import OnProgress as OnProgress
    from meshapi_core.progress import Progress as Progress
else:
    from meshapi_core.flows._face import EXPORTED as __all__
    from meshapi_core.flows._face import __dir__, __getattr__
