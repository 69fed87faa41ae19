"""Which pictures there are; `pictures` draws them."""

# name, row, figure
BARS = [
    ("create", "create", "cpu"),
    ("asyncio-1000", "asyncio-1000", "cpu"),
    ("stream", "stream", "cpu"),
    ("chunks", "chunks-content", "cpu"),
    ("paced", "paced-1000", "cpu"),
    ("paced-memory", "paced-1000", "rss"),
    ("import", "import-client", "cpu"),
    ("embeddings", "embeddings-float", "cpu"),
    ("echo", "echo-flow", "cpu"),
]

# name, title, what is below, rows by what grows, contenders
LINES = [
    (
        "at-once",
        "create(): CPU of a call, by how many are at once",
        "calls at once",
        {count: f"asyncio-{count}" for count in (1, 10, 100, 1000, 5000)},
        (
            *("meshapi", "meshapi on uvloop", "aiohttp", "official 0.1.11"),
            *("openai", "httpcore", "httpcore2"),
        ),
    ),
    (
        "at-once-trio",
        "create() on trio: CPU of a call, by how many are at once",
        "calls at once",
        {count: f"trio-{count}" for count in (1, 10, 100, 1000, 5000)},
        ("meshapi", "httpcore", "httpcore2"),
    ),
    (
        "chunk-size",
        "A stream: CPU of a chunk, by its size",
        "characters in a chunk",
        {size: f"stream-size-{size}" for size in (5, 100, 1000, 10_000)},
        ("meshapi", "official 0.1.11", "openai", "socket + h11 + msgspec"),
    ),
    (
        "stream-length",
        "A stream: CPU of a chunk, by how many there are",
        "chunks in a stream",
        {
            10: "stream-length-10",
            100: "stream-length-100",
            2000: "stream",
            20_000: "stream-length-20000",
        },
        ("meshapi", "official 0.1.11", "openai", "socket + h11 + msgspec"),
    ),
]
