"""A streamed tool loop: the model calls a function, and its answer is printed as it arrives.

python call_functions.py
"""

from meshapi import ContentDelta, MeshAPI


def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    return f"18 degrees and sunny in {city}"


question = [{"role": "user", "content": "What is the weather in Paris?"}]
with MeshAPI() as client:
    for step in client.chat.completions.run_tools(
        model="openai/gpt-4o-mini", messages=question, tools=[get_weather], stream=True
    ):
        if isinstance(step, ContentDelta):
            print(step.text, end="", flush=True)
