"""What uvicorn serves, to compare with: `python -m tests.benchmarks.serving_apps NAME PORT ANSWER`.

`raw` reads the body and sends a fixed answer. `redis` sends what one GET answers; there ANSWER is the address
of Redis. `fastapi` is the plainest application with a model for what comes in and one for what goes out.
"""

import sys
from collections.abc import Callable, Mapping
from typing import Any

import uvicorn
from fastapi import FastAPI
from pydantic import BaseModel
from redis.asyncio import Redis

ANSWER_KEY = "answer"
JSON = (b"content-type", b"application/json")


class Question(BaseModel):
    context: dict[str, Any]


class Answer(BaseModel):
    key: str
    value: bool
    variant: str
    reason: str
    metadata: dict[str, Any]


def raw(answer: str) -> Any:
    body = answer.encode()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _read(receive)
        await _answer(send, body)

    return app


def with_redis(url: str) -> Any:
    redis = Redis.from_url(url)

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await _read(receive)
        answer = await redis.get(ANSWER_KEY)
        assert isinstance(answer, bytes)
        await _answer(send, answer)

    return app


def with_fastapi(answer: str) -> Any:
    app, fixed = FastAPI(), Answer.model_validate_json(answer)

    @app.post("/ofrep/v1/evaluate/flags/{key}")
    async def evaluate(key: str, question: Question) -> Answer:
        assert "targetingKey" in question.context
        return fixed.model_copy(update={"key": key})

    return app


async def _read(receive: Any) -> None:
    while (await receive()).get("more_body"):
        pass


async def _answer(send: Any, body: bytes) -> None:
    headers = [JSON, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


APPS: Mapping[str, Callable[[str], Any]] = {"raw": raw, "redis": with_redis, "fastapi": with_fastapi}


def main() -> None:
    name, port, answer = sys.argv[1:]
    uvicorn.run(
        APPS[name](answer),
        port=int(port),
        loop="uvloop",
        http="httptools",
        lifespan="off",
        access_log=False,
        server_header=False,
        log_level="warning",
    )


if __name__ == "__main__":
    main()
