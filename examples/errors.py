"""What can go wrong with a call, and what to do about it.

    python errors.py whole MODEL
    python errors.py stream MODEL

The client itself retries what can safely be retried, and waits as long as the gateway asks. If it
raises, the retries are used up, or another one would not help. A stream is not retried, because the
program has seen a part of it.
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


def main(how: str, model: str) -> None:
    # Half a minute without an event ends a stream, and five minutes end any call.
    timeout = Timeout(connect=5, idle=30, total=300)
    messages = [{"role": "user", "content": "Count to 6."}]
    with MeshAPI(max_retries=2, timeout=timeout) as client:
        if how == "whole":
            response = client.chat.completions.create(model=model, messages=messages)
            print(response.text)
        else:
            for chunk in client.chat.completions.stream(model=model, messages=messages):
                print(chunk.text, end="", flush=True)
            print()


# Python takes the first class that matches, so base classes come last.
if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    try:
        main(*sys.argv[1:3])
    except AuthenticationError:
        sys.exit("The token is wrong: look at MESHAPI_TOKEN.")
    except NotFoundError as error:
        sys.exit(f"There is no such model: {error}")
    except RateLimitError as error:
        sys.exit(f"Too many requests. Come back in {error.retry_after_seconds} seconds.")
    except StreamInterruptedError as error:
        if isinstance(error.partial, ChatCompletionResponse):
            print("\nThis much came:", error.partial.text)
        sys.exit(f"The stream broke off: {error}")
    except APITimeoutError as error:
        sys.exit(f"Too slow: the time limit {error.phase!r} ran out.")
    except APIConnectionError as error:
        sys.exit(f"No usable response: {error}")
    except APIStatusError as error:
        # Support will ask for the request ID.
        sys.exit(f"The gateway failed with {error.error_code} ({error.request_id}): {error}")
