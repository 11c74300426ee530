"""Who comes in, and to what: the folders that may be opened here, and a login where the secrets ask for one.

Nothing of the images, of the store or of a session is read before `enter` lets somebody in.
"""

import ipaddress
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import wraps
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import streamlit as st
from streamlit.errors import Error

from core import roots
from core.decisions import MOST_NAME
from core.errors import ConfigError, ExplorerError
from dashboard.access import Access, access_of, identity, is_allowed, is_over
from dashboard.texts import plain


@dataclass
class _LoggedOut:
    """Logins that were ended before their time: their cookies may still be in another tab, or in other hands."""

    logins: dict[tuple[str, ...], float] = field(default_factory=dict)


@st.cache_resource
def _logged_out() -> _LoggedOut:
    return _LoggedOut()


def enter(linked: bool) -> bool:
    """Say whether this session may come in; if not, the page says what to do. `linked`: it followed a link to a view."""
    try:
        section = _auth()
        _prepare_roots(section is not None)
        if section is None:
            _check_host()
            return True
        access = access_of(st.secrets.get("access"))
    except ExplorerError as error:
        st.error(plain(str(error)), icon=":material/error:")
        return False
    if not _logged_in(access):
        _login(section, linked)
        return False
    if not is_allowed(st.user.to_dict(), access):
        _refused()
        return False
    return True


def part(draw: Callable[..., None], run_every: float | None = None) -> Callable[..., None]:
    """Return a part of a page that may run alone, every so many seconds; for who may be here no more the page runs again.

    It lies in a container of the page: when a part runs again before the page has been sent, Streamlit drops all that the
    page drew of it, and its own script gives up at a place that is missing before another ("Bad delta path index").
    """

    @wraps(draw)
    def guarded(*args: object) -> None:
        if not _stays():
            st.rerun()
        draw(*args)

    made: Callable[..., None] = st.fragment(guarded, run_every=run_every)

    def placed(*args: object) -> None:
        with st.container():
            made(*args)

    return placed


def _stays() -> bool:
    try:
        if _auth() is None:
            return True
        access = access_of(st.secrets.get("access"))
    except ExplorerError:
        return False
    return _logged_in(access) and is_allowed(st.user.to_dict(), access)


def name() -> str | None:
    """Return the name of who logged in; None where nobody needs to."""
    claims = st.user.to_dict()
    return identity(claims)[:MOST_NAME] if claims.get("is_logged_in") is True else None


def who() -> None:
    """Say who is logged in, with a way out; nothing where nobody needs to."""
    logged_in = name()
    if logged_in is not None:
        st.caption(plain(f"Logged in as {logged_in}"))
        st.button("Log out", icon=":material/logout:", on_click=_log_out, key="door.out")


def on_network() -> bool:
    """Say whether others than users of this computer may reach the program."""
    named = [st.get_option("server.address"), st.get_option("browser.serverAddress")]
    return not all(_is_local(address) for address in named)


def _is_local(host: str | None) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host or "").is_loopback
    except ValueError:
        return False


def _auth() -> Mapping[str, Any] | None:
    """Return the section `[auth]` of the secrets; None where there is none.

    Raises
    ------
    ConfigError : there are secrets that cannot be read, so that it is not known whether a login is asked for.
    """
    try:
        found = st.secrets.load_if_toml_exists()
        there = any(Path(path).exists() for path in st.get_option("secrets.files"))
    except OSError:
        found, there = False, True
    if not found and there:
        raise ConfigError("The secrets cannot be read, so nobody can be let in; the program's log says why.")
    section = st.secrets.get("auth") if found else None
    if section is not None and not isinstance(section, Mapping):
        raise ConfigError("In the secrets, [auth] must be a section.")
    return section


def _prepare_roots(login: bool) -> None:
    """Let those folders be opened that were named at the start; on a network without any, no folder."""
    named, _ = roots.flags(sys.argv[1:])
    if named:
        roots.add(named)
    if roots.given() is None and (login or on_network()):
        roots.close()


def _check_host() -> None:
    """Check that the program was asked for by a name it goes by: a page of others may lead its own name here.

    Raises
    ------
    ConfigError : it was not.
    """
    asked = st.context.headers.get("Host")
    if asked is None or not _is_local(st.get_option("server.address")):
        return
    host = urlsplit(f"//{asked}").hostname
    if not _is_local(host) and host != st.get_option("browser.serverAddress"):
        raise ConfigError(
            f"This program listens for this computer alone and was asked for as {str(host)[:80]!r}. Open it as localhost, or "
            "start it with --browser.serverAddress and that name if it is to be reached by it."
        )


def _logged_in(access: Access) -> bool:
    claims = st.user.to_dict()
    over = is_over(claims, access, time.time())
    return claims.get("is_logged_in") is True and not over and _login_of(claims) not in _logged_out().logins


def _login_of(claims: Mapping[str, Any]) -> tuple[str, ...]:
    return tuple(str(claims.get(name)) for name in ("iss", "sub", "iat"))


def _log_out() -> None:
    """End this login in every tab, whatever still holds its cookie."""
    ended, now = _logged_out().logins, time.time()
    for login in [login for login, at in list(ended.items()) if now - at > 31 * 24 * 3600]:  # no cookie lasts so long
        ended.pop(login, None)
    ended[_login_of(st.user.to_dict())] = now
    st.logout()


def _login(section: Mapping[str, Any], linked: bool) -> None:
    """Draw the way in: a button for each provider of the secrets."""
    st.title("Embedding Explorer")
    if st.user.to_dict().get("is_logged_in") is True:
        st.info("Your login has ended. Log in again to go on.", icon=":material/lock:")
    else:
        st.markdown("Look inside a set of images. Log in to see what there is.")
    if linked:
        st.caption("You followed a link: follow it once more when you are logged in.")
    if find_spec("authlib") is None:
        st.error('The login needs a library that is not installed: `pip install "embedding-explorer[auth]"`.')
        return
    providers = [key for key, value in section.items() if isinstance(value, Mapping) and "client_id" in value]
    for provider in [None] if "client_id" in section else providers:
        text = "Log in" if provider is None else f"Log in with {provider}"
        if st.button(text, type="primary", icon=":material/login:", key=f"door.in.{provider}"):
            try:
                st.login(provider)
            except Error as error:
                st.error(f"The login is not set up as it must be: {error}")


def _refused() -> None:
    st.title("Embedding Explorer")
    st.error(
        "You are logged in, but not allowed to see what is here. Ask whoever runs this program to add your address.",
        icon=":material/lock:",
    )
    who()
