"""A tool that a person answers later, perhaps in another process.

    python tool_approval.py ask "Please refund order 17." run.json
    python tool_approval.py answer approved run.json

The first command ends where the model asks for a refund, and stores the run. The second one goes on
with it, and stores it again in case there is another refund.
"""

import json
import sys
from pathlib import Path

from meshapi import ChatCompletionResponse, FunctionTool, MeshAPI, ToolRun


def refund(order: int) -> None:
    """Refund an order. A person has to approve of it."""


TOOLS = [FunctionTool(refund, deferred=True)]


def finish(run: "ToolRun[ChatCompletionResponse]", file: Path) -> None:
    result = run.until_done()
    file.write_text(json.dumps(run.checkpoint()), "utf-8")
    for call in result.pending:
        print(f"waits for approval: {call.name}({call.arguments_text})")
    if not result.pending:
        print(result.text)


def ask(client: MeshAPI, question: str, file: Path) -> None:
    messages = [{"role": "user", "content": question}]
    chat = client.chat.completions
    finish(chat.run_tools(model="openai/gpt-4o-mini", messages=messages, tools=TOOLS), file)


def answer(client: MeshAPI, decision: str, file: Path) -> None:
    stored = json.loads(file.read_text("utf-8"))
    chat = client.chat.completions
    pending = chat.resume_tools(stored, tools=TOOLS).pending
    results = {call.id: decision for call in pending}
    finish(chat.resume_tools(stored, tools=TOOLS, results=results), file)


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in ("ask", "answer"):
        sys.exit(__doc__)
    command = ask if sys.argv[1] == "ask" else answer
    with MeshAPI() as client:
        command(client, sys.argv[2], Path(sys.argv[3]))
