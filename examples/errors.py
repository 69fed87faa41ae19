"""What can go wrong with a call, and what to do about it.

    python errors.py MODEL        # on the local gateway: mesh/flaky, mesh/rate-limited, ...

The client repeats by itself what may be repeated, and waits as long as the gateway asks. What is
raised has been tried as often as `max_retries` allows, or would be the same the next time.
"""

import sys

from meshapi import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    ChatCompletionResponse,
    MeshAPI,
    NotFoundError,
    RateLimitError,
    StreamInterruptedError,
    Timeout,
)


def main(model: str) -> None:
    # Half a minute without an event ends a stream, and five minutes end any call.
    timeout = Timeout(connect=5, idle=30, total=300)
    messages = [{"role": "user", "content": "Count to 6."}]
    with MeshAPI(max_retries=2, timeout=timeout) as client:
        response = client.chat.completions.create(model=model, messages=messages)
        print("whole:", response.choices[0].message.content)
        print("streamed:", end=" ")
        for chunk in client.chat.completions.stream(model=model, messages=messages):
            print(chunk.choices[0].delta.content or "" if chunk.choices else "", end="")
        print()


if __name__ == "__main__":
    try:
        main(sys.argv[1])
    except AuthenticationError:
        sys.exit("The token is missing or wrong: set MESHAPI_TOKEN.")
    except NotFoundError as error:
        sys.exit(f"There is no such model: {error}")
    except RateLimitError as error:
        sys.exit(f"Too many requests. Come back in {error.retry_after_seconds} seconds.")
    except APITimeoutError as error:
        sys.exit(f"Too slow: the limit of {error.phase} is over.")
    except StreamInterruptedError as error:
        print()
        if isinstance(error.partial, ChatCompletionResponse):
            print("This much came:", error.partial.choices[0].message.content)
        sys.exit(f"The stream broke off: {error}")
    except APIConnectionError as error:
        sys.exit(f"The gateway cannot be reached: {error}")
    except APIStatusError as error:
        # The request id is what support asks for.
        sys.exit(f"{error.status} {error.error_code} ({error.request_id}): {error}")
