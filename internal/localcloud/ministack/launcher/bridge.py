"""Calls in both directions between this process and the Go process that started it: JSON over HTTP with a token."""

import asyncio
import http.client
import json
import logging

logger = logging.getLogger("localcloud")

PREFIX = "/_localcloud/"
TOKEN_HEADER = "X-Localcloud-Token"


class Refused(Exception):
    """The other side's answer was an error; the message is meant for people."""


class GoProcess:
    """The process that started this one."""

    def __init__(self, address, token):
        self._address = address
        self._token = token

    def call(self, path, payload, timeout=300):
        """Posts payload and answers what came back. Blocks: only from threads that may."""
        connection = http.client.HTTPConnection(self._address, timeout=timeout)
        try:
            connection.request("POST", PREFIX + path, json.dumps(payload, default=str),
                               {TOKEN_HEADER: self._token, "Content-Type": "application/json"})
            response = connection.getresponse()
            answer = json.loads(response.read() or b"{}")
        finally:
            connection.close()
        if response.status != 200:
            raise Refused(answer.get("message") or f"{path} answered {response.status}")
        return answer


def with_routes(app, routes, token):
    """MiniStack's application with our own paths in front, for callers that know the token."""

    async def wrapped(scope, receive, send):
        if scope["type"] != "http" or not scope["path"].startswith(PREFIX):
            await app(scope, receive, send)
            return
        status, answer = 403, {"message": "wrong token"}
        if dict(scope["headers"]).get(TOKEN_HEADER.lower().encode()) == token.encode():
            status, answer = await _answer(routes.get(scope["path"][len(PREFIX):]), await _body(receive))
        body = json.dumps(answer, default=str).encode()
        await send({"type": "http.response.start", "status": status,
                    "headers": [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]})
        await send({"type": "http.response.body", "body": body})

    return wrapped


async def _body(receive):
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if not message.get("more_body"):
            return body


async def _answer(route, body):
    if route is None:
        return 404, {"message": "no such path"}
    try:
        return 200, await asyncio.to_thread(route, json.loads(body or b"{}")) or {}
    except Refused as refused:
        return 400, {"message": str(refused)}
    except Exception as error:
        logger.exception("%s failed", getattr(route, "__name__", route))
        return 500, {"message": f"{type(error).__name__}: {error}"}
