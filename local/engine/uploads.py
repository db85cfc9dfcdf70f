"""The temporary storage of the service: its SDK uploads a local file there before it asks about it.

`GET /api/v1/uploads?action=getPolicy` names the place, `POST /oss` takes the file, and a request that says
`X-DashScope-OssResourceResolve: enable` can then name it as `oss://…`. Here the place is this process's memory.
"""

from __future__ import annotations

import uuid
from collections import OrderedDict
from collections.abc import Callable

from aiohttp import web

from local.engine import images, protocol_native, refusal

SCHEME = "oss://"
KEPT = 16
"""Files kept: the SDK asks about a file right after its upload."""


class TemporaryFiles:
    def __init__(self) -> None:
        self._files: OrderedDict[str, bytes] = OrderedDict()
        self._check_key: Callable[[web.Request], None]

    def add_routes(self, application: web.Application, check_key: Callable[[web.Request], None]) -> None:
        self._check_key = check_key
        application.router.add_get("/api/v1/uploads", self._policy)
        application.router.add_post("/oss", self._store)

    def is_meant(self, source: str, request: web.Request) -> bool:
        return source.startswith(SCHEME) and request.headers.get("X-DashScope-OssResourceResolve") == "enable"

    def content(self, source: str) -> bytes:
        try:
            return self._files[source.removeprefix(SCHEME)]
        except KeyError:
            raise refusal.download_failed() from None

    async def _policy(self, request: web.Request) -> web.Response:
        request_id = str(uuid.uuid4())
        try:
            self._check_key(request)
        except refusal.Refusal as error:
            return web.json_response(protocol_native.error_body(error, request_id), status=error.status)
        policy = {
            "policy": "none",
            "signature": "none",
            "upload_dir": f"dashscope-instant/embedded/{request_id}",
            "upload_host": f"http://{request.host}/oss",
            "expire_in_seconds": 300,
            "max_file_size_mb": 10,
            "oss_access_key_id": "none",
            "x_oss_object_acl": "private",
            "x_oss_forbid_overwrite": "true",
        }
        return web.json_response({"request_id": request_id, "data": policy})

    async def _store(self, request: web.Request) -> web.Response:
        form = await request.post()
        key, file = form.get("key"), form.get("file")
        if not isinstance(key, str) or not isinstance(file, web.FileField):
            return web.Response(status=400)
        content = file.file.read(images.MOST_BYTES + 1)
        if len(content) > images.MOST_BYTES:
            return web.Response(status=400, text="<Error><Code>EntityTooLarge</Code></Error>", content_type="text/xml")
        self._files[key] = content
        while len(self._files) > KEPT:
            self._files.popitem(last=False)
        return web.Response(status=200)
