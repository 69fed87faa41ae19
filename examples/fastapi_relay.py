"""A relay between browsers and the gateway, so that the token stays on your server.

    uvicorn fastapi_relay:app        # needs `pip install fastapi uvicorn`; then open its address

The relay passes chunks on as server-sent events. An error before the first chunk becomes a response
with the gateway's status, a later error becomes an `error` event. If the browser disconnects, the
call ends.
"""

from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager

import msgspec
from fastapi import FastAPI
from fastapi.responses import HTMLResponse, JSONResponse, Response, StreamingResponse
from pydantic import BaseModel
from starlette.types import Receive, Scope, Send

from meshapi import AsyncMeshAPI, AsyncStream, ChatCompletionChunk, MeshAPIError

client: AsyncMeshAPI


@asynccontextmanager
async def lifespan(app: FastAPI) -> AsyncGenerator[None, None]:
    global client
    async with AsyncMeshAPI() as client:
        yield


app = FastAPI(lifespan=lifespan)


class Question(BaseModel):
    text: str
    model: str = "openai/gpt-4o-mini"


class Events(StreamingResponse):
    """The chunks of a stream as events. However the response ends, it closes the stream."""

    def __init__(self, stream: AsyncStream[ChatCompletionChunk]) -> None:
        super().__init__(self.events(stream), media_type="text/event-stream")
        self.stream = stream

    async def events(self, stream: AsyncStream[ChatCompletionChunk]) -> AsyncIterator[bytes]:
        try:
            async for chunk in stream:
                yield b"data: " + msgspec.json.encode(chunk.raw) + b"\n\n"
        except MeshAPIError as error:
            yield b"event: error\ndata: " + msgspec.json.encode(error.envelope()) + b"\n\n"
        else:
            yield b"data: [DONE]\n\n"

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await super().__call__(scope, receive, send)
        finally:
            await self.stream.aclose()


@app.post("/chat")
async def chat(question: Question) -> Response:
    messages = [{"role": "user", "content": question.text}]
    stream = client.chat.completions.stream(model=question.model, messages=messages)
    try:
        await stream.__aenter__()  # Sends the request, so that its status is known.
    except MeshAPIError as error:
        return JSONResponse(error.envelope(), error.status if error.status >= 400 else 502)
    return Events(stream)


@app.get("/")
def page() -> HTMLResponse:
    return HTMLResponse(PAGE)


PAGE = """<!doctype html>
<title>Chat</title>
<form><input name="text" value="Count to 20." autofocus></form>
<pre></pre>
<script type="module">
const [form, output] = [document.forms[0], document.querySelector("pre")];
form.onsubmit = async (submission) => {
  submission.preventDefault();
  output.textContent = "";
  const headers = {"content-type": "application/json"};
  const body = JSON.stringify({text: form.text.value});
  const response = await fetch("/chat", {method: "POST", headers, body});
  if (!response.ok) return (output.textContent = (await response.json()).error.message);
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader();
  for (let rest = "", part; !(part = await reader.read()).done; ) {
    const events = (rest + part.value).split("\\n\\n");
    rest = events.pop();
    for (const event of events) {
      const data = event.slice(event.indexOf("data: ") + 6);
      if (data === "[DONE]") return;
      const {error, choices} = JSON.parse(data);
      output.textContent += error ? `\\n${error.message}` : choices[0]?.delta.content ?? "";
    }
  }
};
</script>
"""
