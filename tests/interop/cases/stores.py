"""Templates and batches."""

from typing import Any

from interop.cases.grammar import CLAUDE, MODEL, ask, case

from meshapi import (
    BatchRequestItem,
    CreateBatchParams,
    CreateTemplateParams,
    UpdateTemplateParams,
)

# Templates


@case()
def templates_live_and_die():
    template = yield lambda c: c.templates.create(
        CreateTemplateParams(
            name="support-agent",
            description="Helps",
            system="You are a support agent for {{company}}.",
            messages=[{"role": "user", "content": "Hello from {{company}}"}],
            model=MODEL,
            params={"temperature": 0.5, "max_tokens": None},
            variables=["company"],
        )
    )
    yield lambda c: c.templates.list()
    yield lambda c: c.templates.get(template.id)
    yield lambda c: c.chat.completions.create(
        ask("What is 2+2?", model=None, template="support-agent", variables={"company": "Acme"})
    )
    yield lambda c: c.chat.completions.create(ask("hi", template="support-agent"))
    yield lambda c: c.templates.update(template.id, UpdateTemplateParams(model="openai/gpt-4o"))
    yield lambda c: c.templates.update(template.id, UpdateTemplateParams(description=""))
    yield lambda c: c.templates.delete(template.id)
    yield lambda c: c.templates.get(template.id)
    yield lambda c: c.templates.list()


@case(fault="None is not sent")
def templates_lose_a_field():
    template = yield lambda c: c.templates.create(
        CreateTemplateParams(name="t", description="Helps")
    )
    yield lambda c: c.templates.update(template.id, UpdateTemplateParams(description=None))


# Batches


def batch_item(number: int, **fields: Any) -> BatchRequestItem:
    question = {"role": "user", "content": f"Count to {number}."}
    return BatchRequestItem(
        custom_id=f"req-{number}", body={"model": MODEL, "messages": [question]}, **fields
    )


@case()
def batches_run_to_their_end():
    batch = yield lambda c: c.batches.create(
        CreateBatchParams(
            requests=[batch_item(1), batch_item(2, method="POST", url="/v1/chat/completions")],
            completion_window="24h",
            metadata={"job": "interop", "nothing": None},
        )
    )
    for _ in range(4):
        yield lambda c: c.batches.get(batch.id)


@case()
def batches_are_listed_and_cancelled():
    made = []
    for number in range(3):
        made.append(
            (
                yield lambda c, n=number: c.batches.create(
                    CreateBatchParams(requests=[batch_item(n + 1)])
                )
            )
        )
    yield lambda c: c.batches.cancel(made[0].id)
    page = yield lambda c: c.batches.list(limit=2)
    yield lambda c: c.batches.list(after=page.last_id, limit=2)
    yield lambda c: c.batches.list()
    yield lambda c: c.batches.get("batch/none?")
    yield lambda c: c.batches.cancel("batch/none?")


@case()
def batches_with_two_models_are_refused():
    other = BatchRequestItem(custom_id="other", body={"model": CLAUDE, "messages": []})
    yield lambda c: c.batches.create(CreateBatchParams(requests=[batch_item(1), other]))
