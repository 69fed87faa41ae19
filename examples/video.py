"""Make a video, wait for it, and save it.

    python video.py "a fox in the snow" fox.mp4 [SECONDS]      # the time between two looks at it

If the time limit runs out, or the program is stopped, the video is still being made:
`client.videos.wait(ID)` waits for it again.
"""

import sys
from typing import Optional

from meshapi import JobFailedError, JobTimeoutError, MeshAPI, Progress


def tell(progress: Progress) -> None:
    print(f"{progress.job_id}: {progress.what}")


def main(prompt: str, path: str, seconds: Optional[float] = None) -> None:
    with MeshAPI() as client:
        try:
            video = client.videos.generate_and_wait(
                model="bytedance/seedance-1-0-pro",
                content=[{"type": "text", "text": prompt}],
                timeout=600,
                poll_interval=seconds,
                on_progress=tell,
            )
        except (JobFailedError, JobTimeoutError) as error:
            sys.exit(str(error))
        url = video.content.video_url if video.content else None
        if not url:
            sys.exit("the gateway names no file")
        saved = client.download(url, path)
    print(f"{saved.path}: {saved.size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2], *map(float, sys.argv[3:]))
