"""Who may come in of those who can log in: what `[access]` in the secrets says, and what a login is good for."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from core.errors import ConfigError

HOURS = 12.0  # after which one logs in again


@dataclass(frozen=True)
class Access:
    """Who may come in.

    Parameters
    ----------
    emails, domains : in small letters; with neither, everybody who can log in.
    hours : that a login lasts.
    """

    emails: tuple[str, ...] = ()
    domains: tuple[str, ...] = ()
    hours: float = HOURS


def access_of(section: Any) -> Access:
    """Read the section `[access]` of the secrets; None where there is none.

    Raises
    ------
    ConfigError : it cannot be understood, so that nobody is let in by mistake.
    """
    if section is None:
        return Access()
    if not isinstance(section, Mapping) or not set(section) <= {"emails", "domains", "hours"}:
        raise ConfigError("In the secrets, [access] can hold emails, domains and hours, and nothing else.")
    hours = section.get("hours", HOURS)
    if isinstance(hours, bool) or not isinstance(hours, int | float) or not 0 < hours <= 24 * 30:
        raise ConfigError(f"In the secrets, hours of [access] is {hours!r}; it must be a number above 0, up to 720.")
    lists = [_texts(section, name) for name in ("emails", "domains") if name in section]
    if any(not found for found in lists):
        raise ConfigError("In the secrets, emails and domains of [access] must be lists of texts that are not empty.")
    domains = tuple(text.removeprefix("@") for text in _texts(section, "domains"))
    return Access(_texts(section, "emails"), domains, float(hours))


def _texts(section: Mapping[str, Any], name: str) -> tuple[str, ...]:
    """Return a list of texts in small letters; nothing where it is none."""
    values = section.get(name)
    if not isinstance(values, list | tuple) or not all(isinstance(text, str) and text.strip() for text in values):
        return ()
    return tuple(text.strip().casefold() for text in values)


def is_over(claims: Mapping[str, Any], access: Access, now: float) -> bool:
    """Say whether a login is too old, or does not say how old it is; times are seconds since 1970."""
    issued = claims.get("iat")
    return isinstance(issued, bool) or not isinstance(issued, int | float) or now - issued > access.hours * 3600


def is_allowed(claims: Mapping[str, Any], access: Access) -> bool:
    """Say whether who logged in is one of those who may come in; an address counts unless the provider doubts it."""
    if not access.emails and not access.domains:
        return True
    email = claims.get("email")
    if not isinstance(email, str) or claims.get("email_verified", True) in (False, "false"):
        return False
    email = email.strip().casefold()
    return email in access.emails or ("@" in email and email.rpartition("@")[2] in access.domains)


def identity(claims: Mapping[str, Any]) -> str:
    """Return by what name somebody is known: the address, which is one person's alone, else another name."""
    for name in ("email", "preferred_username", "name", "sub"):
        value = claims.get(name)
        printed = "".join(filter(str.isprintable, value)).strip() if isinstance(value, str) else ""
        if printed:
            return printed
    return "somebody"
