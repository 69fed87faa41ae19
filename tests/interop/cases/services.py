"""The catalogue, moderations, web search, the router; and IDs in paths."""

from interop.cases.grammar import MODEL, PIXEL, case

from meshapi import (
    ChatMessage,
    ModelSearchParams,
    ModerationImageUrl,
    ModerationInputItem,
    ModerationParams,
    RouterSelectParams,
    WebSearchParams,
)

# Models


@case()
def models_are_listed():
    yield lambda c: c.models.list()
    yield lambda c: c.models.list(free=False, type="text", provider="openai")
    yield lambda c: c.models.list(free=True)
    yield lambda c: c.models.list(provider="nobody & co")
    yield lambda c: c.models.free()
    yield lambda c: c.models.paid()


@case()
def models_are_searched():
    yield lambda c: c.models.search()
    yield lambda c: c.models.search(ModelSearchParams(q="gpt", limit=2, offset=1))
    yield lambda c: c.models.search(
        ModelSearchParams(
            free=False,
            discounted=True,
            input_modality=["text", "image"],
            output_modality=["text"],
            brand=["openai", "anthropic"],
            sort="context_length",
            order="desc",
        )
    )
    yield lambda c: c.models.search(ModelSearchParams(q="a b+c&d=é"))


@case()
def models_are_found_by_their_ids():
    yield lambda c: c.models.get("openai/gpt-4o")
    yield lambda c: c.models.get("google/gemma-3-27b-it:free")
    yield lambda c: c.models.get("no/such?x=1#é")


# Moderations, web search, router


@case()
def moderations_judge_texts():
    yield lambda c: c.moderations.create(ModerationParams(input="I will kill you"))
    yield lambda c: c.moderations.create(ModerationParams(input=["hello", "good day"]))
    items = [
        ModerationInputItem(type="text", text="hello"),
        ModerationInputItem(type="image_url", image_url=ModerationImageUrl(url=PIXEL)),
    ]
    yield lambda c: c.moderations.create(
        ModerationParams(input=items, model="omni-moderation-latest")
    )
    yield lambda c: c.moderations.create(ModerationParams(input="a", model="no/such"))


@case()
def web_is_searched():
    yield lambda c: c.web.search(WebSearchParams(query="mesh networks"))
    yield lambda c: c.web.search(
        WebSearchParams(
            query="foxes",
            model=MODEL,
            provider="tavily",
            max_results=2,
            search_depth="advanced",
            include_domains=["example.com"],
            exclude_domains=["example.org"],
            include_answer=True,
        )
    )


@case()
def router_selects_a_model():
    messages = [ChatMessage(role="user", content="What is 2+2?")]
    yield lambda c: c.router.select(RouterSelectParams(messages=messages))
    yield lambda c: c.router.select(
        RouterSelectParams(messages=messages, api_type="responses", exclude_models=[MODEL])
    )


# IDs


@case(fault="ids lead anywhere", refuses=2)
def ids_stay_one_segment():
    yield lambda c: c.templates.get("../models")
    yield lambda c: c.templates.get("a/b?x=1#f")
    yield lambda c: c.responses.get("r/../x")
    yield lambda c: c.audio.get_voice("")
    yield lambda c: c.videos.retrieve("a b")
    yield lambda c: c.models.get("a/../../admin")
