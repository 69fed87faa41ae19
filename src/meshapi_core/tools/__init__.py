"""Tool runs: the model calls functions of the program's until it can answer in words.

`chat.completions.run_tools` and `responses.run_tools` start one. It is a flow, written once for
every flavour and both APIs.

- `function_tool`, `signatures`, `docstrings`: a function as a tool: its schema, its arguments.
- `toolbox`: the tools of a run, by name.
- `options`: its limits and choices.
- `loop`: the run itself, as a flow; its rules are at the top of that file.
- `calls`: the calls of one turn of a run, or of a realtime session.
- `steps`, `results`, `usage`: what a program sees of it, what the model gets, what it costs.
- `dialects`, `chat`, `responses`: what differs between the APIs.
- `checkpoints`: the state of a run, stored and read again.
- `flavours`: which functions a kind of client can call.
- `starting`: what the methods of the endpoints do.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core._async.tool_run import AsyncToolRun as AsyncToolRun
    from meshapi_core._sync.tool_run import ToolRun as ToolRun
    from meshapi_core.tools.function_tool import FunctionTool as FunctionTool
    from meshapi_core.tools.loop import ToolRunResult as ToolRunResult
    from meshapi_core.tools.options import BeforeCall as BeforeCall
    from meshapi_core.tools.options import OnToolError as OnToolError
    from meshapi_core.tools.signatures import InvalidArguments as InvalidArguments
    from meshapi_core.tools.steps import *
    from meshapi_core.tools.toolbox import AnyTool as AnyTool
    from meshapi_core.tools.usage import RunUsage as RunUsage
else:
    from meshapi_core.tools._face import EXPORTED as __all__
    from meshapi_core.tools._face import __dir__, __getattr__
