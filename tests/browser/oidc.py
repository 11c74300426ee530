"""A small OpenID Connect provider on loopback: whoever comes is logged in at once as the user that a test has set."""

import base64
import json
import secrets
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from joserfc import jwt
from joserfc.jwk import RSAKey


@dataclass
class Provider:
    """What the provider says of the next user: `claims` over the usual ones."""

    url: str
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "test"}))
    claims: dict[str, Any] = field(default_factory=dict)
    nonces: dict[str, str] = field(default_factory=dict)

    def token(self, nonce: str) -> str:
        now = int(time.time())
        usual = {"iss": self.url, "aud": "explorer", "sub": "1", "nonce": nonce, "iat": now, "exp": now + 3600}
        return jwt.encode({"alg": "RS256", "kid": "test"}, usual | self.claims, self.key)


@contextmanager
def provider() -> Iterator[Provider]:
    """Run a provider until the block ends."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.provider = Provider(f"http://127.0.0.1:{server.server_address[1]}")  # type: ignore[attr-defined]
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.provider  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        server.server_close()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        known: Provider = self.server.provider  # type: ignore[attr-defined]
        asked = urlsplit(self.path)
        if asked.path == "/authorize":
            given = {name: values[0] for name, values in parse_qs(asked.query).items()}
            code = secrets.token_hex(8)
            known.nonces[code] = given["nonce"]
            self.send_response(302)
            self.send_header(
                "Location", f"{given['redirect_uri']}?{urlencode({'code': code, 'state': given['state']})}"
            )
            self.end_headers()
        elif asked.path == "/jwks":
            self._json({"keys": [known.key.as_dict(private=False)]})
        else:
            names = {"authorization": "authorize", "token": "token", "userinfo": "userinfo"}
            self._json(
                {
                    "issuer": known.url,
                    "jwks_uri": f"{known.url}/jwks",
                    "id_token_signing_alg_values_supported": ["RS256"],
                }
                | {f"{name}_endpoint": f"{known.url}/{path}" for name, path in names.items()}
            )

    def do_POST(self) -> None:
        known: Provider = self.server.provider  # type: ignore[attr-defined]
        given = parse_qs(self.rfile.read(int(self.headers["Content-Length"])).decode())
        client = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic ")).decode()
        if client != "explorer:secret":
            self.send_error(401)
            return
        token = known.token(known.nonces.pop(given["code"][0]))
        self._json({"access_token": "x", "token_type": "Bearer", "expires_in": 3600, "id_token": token})

    def _json(self, values: Any) -> None:
        body = json.dumps(values).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *args: Any) -> None:
        pass
