"""A moved perplexity: the map goes on from one that is there, which the session's address names."""

import hashlib
import math
from dataclasses import replace

import streamlit as st

from core import moving
from core.config import TSNEConfig
from core.plans import Plan, Results
from dashboard import results, server, state

SETTING = "tsne.start"


def started(plan: Plan) -> Plan:
    """Return a plan whose t-SNE map goes on from one that is there, when its perplexity alone has moved since the last run.

    A map begun anew with the new perplexity is taken where there is one. What is chosen stays until the perplexity moves
    again or another setting changes, and is part of the page's address.
    """
    config = plan.projection
    if not isinstance(config, TSNEConfig):
        return plan
    state.setting(SETTING, "")
    place = _place(plan, config)
    anchor, before = _anchor(place), state.asked_before(place, config.perplexity)
    if before is not None and before != config.perplexity:
        candidates = [known for known in (anchor, before) if known is not None]
        anchor = None if _is_there(plan, config) else _nearest_start(plan, config, candidates)
    state.change(SETTING, "" if anchor is None else f"{anchor:g} {place}")
    return plan if anchor is None else replace(plan, start=replace(config, perplexity=anchor))


def caption(shown: Results) -> None:
    """Say which map the one that is shown went on from, with a button that begins it anew."""
    plan = shown.plan
    if plan is None or not isinstance(plan.start, TSNEConfig):
        return
    with st.container(horizontal=True, vertical_alignment="center", gap="small"):
        st.caption(f"Went on from the map at perplexity {plan.start.perplexity:g}.", width="content")
        if st.button(
            "Begin anew", key="begin anew", type="tertiary", icon=":material/restart_alt:",
            help="Makes the map from these settings alone; it is another one, and takes longer.",
        ):  # fmt: skip
            state.change(SETTING, "")
            anew = replace(plan, start=None)
            if results.look(anew).missing == "projection":
                server.start(anew, "projection")
            st.rerun()


def _nearest_start(plan: Plan, config: TSNEConfig, candidates: list[float]) -> float | None:
    """Return the first of some perplexities whose map is there and near enough to go on from."""
    for perplexity in candidates:
        start = replace(config, perplexity=perplexity)
        if start != config and moving.near_enough(config, start) and _is_there(plan, start):
            return perplexity
    return None


def _is_there(plan: Plan, config: TSNEConfig) -> bool:
    """Say whether the map with these settings, begun anew, is in the store."""
    return results.has_map(replace(plan, projection=config, start=None))


def _place(plan: Plan, config: TSNEConfig) -> str:
    """Return what tells maps apart that do not differ in the perplexity alone."""
    parts = (plan.source, plan.model, plan.reduction, replace(config, perplexity=1.0))
    return hashlib.blake2b(repr(parts).encode(), digest_size=6).hexdigest()


def _anchor(place: str) -> float | None:
    """Return the perplexity of the map to go on from, when the setting is of maps like this one."""
    text, _, of = str(state.value(SETTING, "")).partition(" ")
    try:
        perplexity = float(text) if of == place else math.nan
    except ValueError:
        return None
    return perplexity if 1 <= perplexity <= 1000 else None
