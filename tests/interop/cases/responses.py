"""Responses."""

from interop.cases.grammar import MODEL, WEATHER, case, chunks

from meshapi import (
    BuiltinTool,
    ResponsesFunctionTool,
    ResponsesParams,
)


@case()
def responses_answer():
    yield lambda c: c.responses.create(
        ResponsesParams(
            model="openai/o4-mini",
            input="What is the capital of Japan?",
            instructions="Be brief.",
            reasoning={"effort": "medium", "summary": None},
            max_output_tokens=512,
            temperature=1,
            top_p=0.5,
            seed=7,
            user="user-1",
            timeout=30.5,
            text={"format": {"type": "text"}},
            include=["reasoning.encrypted_content"],
            max_tool_calls=2,
        )
    )


@case()
def responses_read_a_list_of_items():
    items = [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": [{"type": "input_text", "text": "Count to 3."}]},
    ]
    yield lambda c: c.responses.create(ResponsesParams(model=MODEL, input=items))


@case()
def responses_call_a_function():
    tool = ResponsesFunctionTool(name="get_weather", parameters=WEATHER, strict=True)
    yield lambda c: c.responses.create(
        ResponsesParams(
            model=MODEL, input="Weather in Oslo?", tools=[tool], tool_choice={"type": "auto"}
        )
    )
    yield lambda c: c.responses.create(
        ResponsesParams(model=MODEL, input="Weather in Oslo?", tools=[tool], tool_choice="auto")
    )


@case()
def responses_with_a_built_in_tool():
    tool = BuiltinTool(type="web_search_preview", search_context_size="low")
    yield lambda c: c.responses.create(ResponsesParams(model=MODEL, input="News", tools=[tool]))


@case()
def responses_in_the_background():
    job = yield lambda c: c.responses.create(
        ResponsesParams(model=MODEL, input="Count to 3.", background=True, store=True)
    )
    for _ in range(3):
        yield lambda c: c.responses.get(job.id)
    yield lambda c: c.responses.list()


@case()
def responses_are_listed_in_pages():
    for number in range(3):
        yield lambda c, n=number: c.responses.create(
            ResponsesParams(model=MODEL, input=f"Count to {n + 1}.", background=True)
        )
    page = yield lambda c: c.responses.list(limit=2)
    yield lambda c: c.responses.list(after=page.last_id, limit=2)
    yield lambda c: c.responses.list(after="resp_none")


@case()
def responses_that_are_not_there():
    yield lambda c: c.responses.get("resp_none")


@case()
def responses_stream():
    yield chunks(lambda c: c.responses.stream(ResponsesParams(model=MODEL, input="Count to 4.")))


@case()
def responses_stream_a_function_call():
    tool = ResponsesFunctionTool(name="get_weather", parameters=WEATHER)
    yield chunks(
        lambda c: c.responses.stream(
            ResponsesParams(model=MODEL, input="Weather in Oslo?", tools=[tool])
        )
    )


@case()
def responses_stream_nothing_for_an_unknown_model():
    yield chunks(lambda c: c.responses.stream(ResponsesParams(model="no/such", input="hi")))


@case(refuses=1)
def responses_that_stream_are_refused_by_create():
    yield lambda c: c.responses.create(ResponsesParams(model=MODEL, input="hi", stream=True))
