"""A session of the dashboard without a browser: Streamlit's own protocol over a web socket.

It keeps the elements of the page as a browser does: those that a run did not draw again are gone when it has ended.
"""

import json
import time
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlsplit

from streamlit.proto.BackMsg_pb2 import BackMsg
from streamlit.proto.ForwardMsg_pb2 import ForwardMsg
from streamlit.proto.WidgetStates_pb2 import WidgetState
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

PATIENCE = 120.0  # seconds that a run of the page may take
MOST_BYTES = 1 << 28  # of a message
MAP = "embedding_explorer_map"
ARRAYS = "component/"


class Gone(Exception):
    """The server has closed the connection, or does not answer."""


@dataclass(frozen=True)
class _Held:
    """What lies at a place of the page: the message, the run that drew it, and the fragment it belongs to."""

    message: Any
    run: int
    fragment: str


@dataclass
class Session:
    """One visitor. `elements` by their place; `received` counts bytes; `missing` names what was asked for and not there."""

    url: str
    page: str = ""
    query: str = ""
    elements: dict[tuple[int, ...], _Held] = field(default_factory=dict)
    received: int = 0
    _socket: ClientConnection | None = None
    _kept: ExitStack = field(default_factory=ExitStack)
    _run: int = 0
    _page_hash: str = ""
    _polled: dict[str, tuple[float, float]] = field(default_factory=dict)  # fragment: seconds between, when next

    def open(self) -> float:
        """Visit the page and return the seconds until it had run to its end."""
        parts = urlsplit(self.url)
        try:
            opening = connect(
                f"ws://{parts.netloc}/_stcore/stream", subprotocols=["streamlit"], origin=self.url,  # type: ignore[list-item, arg-type]
                max_size=MOST_BYTES, open_timeout=PATIENCE, ping_interval=None,
            )  # fmt: skip
            self._socket = self._kept.enter_context(opening)
        except (OSError, TimeoutError, ConnectionClosed) as error:
            raise Gone(str(error)) from error
        return self._rerun()

    def close(self) -> None:
        """Leave, as a tab that is closed."""
        self._socket = None
        self._kept.close()

    def find(self, kind: str, label: str) -> Any:
        """Return a widget by its kind ("slider", "button") and the beginning of its label.

        Raises
        ------
        LookupError : there is none.
        """
        return self._find(kind, label)[0]

    def _find(self, kind: str, label: str) -> tuple[Any, str]:
        """Return a widget, and the fragment it belongs to."""
        for name, widget, fragment in self._widgets():
            if name == kind and widget.label.startswith(label):
                return widget, fragment
        raise LookupError(f"no {kind} {label!r} on the page; it says {' | '.join(self.texts())[:600]}")

    def has(self, kind: str, label: str) -> bool:
        """Say whether there is a widget, and it can be used."""
        return any(
            name == kind and widget.label.startswith(label) and not getattr(widget, "disabled", False)
            for name, widget, _ in self._widgets()
        )

    def set(self, kind: str, label: str, value: Any) -> float:
        """Give a widget a value and return the seconds until the page had run."""
        widget, fragment = self._find(kind, label)
        state = WidgetState(id=widget.id)
        if kind == "slider":
            state.double_array_value.data.append(value)
        elif kind == "number_input":
            state.double_value = value
        elif kind == "checkbox":
            state.bool_value = value
        elif kind == "button_group":
            state.string_array_value.data.append(value)
        else:
            state.string_value = value
        return self._rerun(state, fragment)

    def press(self, label: str, kind: str = "button") -> float:
        """Press a button and return the seconds until the page had run."""
        widget, fragment = self._find(kind, label)
        return self._rerun(WidgetState(id=widget.id, trigger_value=True), fragment)

    def pick(self, value: dict[str, Any]) -> float:
        """Draw on the map, as its script tells of it, and return the seconds until the page had run."""
        component, fragment = self._map()
        events = json.dumps([{"event": "pick", "value": value}])
        # The id that Streamlit gives to all triggers of a component.
        name = f"$$STREAMLIT_INTERNAL_KEY_{component.id}__events"
        own = WidgetState(id=component.id, json_value="{}")  # a browser sends this with it
        return self._rerun(WidgetState(id=name, json_trigger_value=events), fragment, own)

    def map(self) -> dict[str, Any]:
        """Return what the page tells the script of the map: `header`, `selected`, and so on."""
        component, _ = self._map()
        found: dict[str, Any] = json.loads(component.json or component.mixed.json)
        return found

    def has_map(self) -> bool:
        """Say whether a map is on the page."""
        return any(True for _ in self._maps())

    def polls(self) -> bool:
        """Say whether the page asks for a part of it to run again and again, as while a job runs."""
        return bool(self._polled)

    def fetch(self, path: str) -> bytes:
        """Fetch a file as the browser does."""
        with urllib.request.urlopen(f"{self.url}/{path}", timeout=PATIENCE) as answer:
            data: bytes = answer.read()
        return data

    def poll(self, until: Callable[["Session"], bool], seconds: float = PATIENCE) -> bool:
        """Let fragments of the page run again as they ask for, until a condition holds; say whether it does."""
        end = time.monotonic() + seconds
        while not until(self):
            now = time.monotonic()
            if now > end:
                return False
            due = sorted((at, name) for name, (_, at) in self._polled.items())
            if due and due[0][0] <= now:
                name = due[0][1]
                self._polled[name] = (self._polled[name][0], now + self._polled[name][0])
                self._rerun(fragment=name, polled=True)
            else:
                self._listen(min(0.1, due[0][0] - now) if due else 0.1)
        return True

    def texts(self) -> list[str]:
        """Return the texts that the page says."""
        found = []
        for held in list(self.elements.values()):
            kind = held.message.WhichOneof("type")
            if kind in ("markdown", "alert", "heading", "toast", "text"):
                found.append(str(getattr(getattr(held.message, kind), "body", "")))
            elif kind == "exception":
                found.append(f"{held.message.exception.type}: {held.message.exception.message}")
            elif kind == "progress":
                found.append(held.message.progress.text)
        return found

    def problems(self) -> list[str]:
        """Return the errors that the page shows: exceptions, and what it says in red."""
        found = []
        for held in list(self.elements.values()):
            kind = held.message.WhichOneof("type")
            if kind == "exception":
                found.append(f"{held.message.exception.type}: {held.message.exception.message}")
            elif kind == "alert" and held.message.alert.format == held.message.alert.ERROR:
                found.append(str(held.message.alert.body))
        return found

    def _widgets(self) -> Iterator[tuple[str, Any, str]]:
        for place in sorted(self.elements):
            message = self.elements[place].message
            kind = message.WhichOneof("type")
            widget = None if kind is None else getattr(message, kind)
            if kind is not None and hasattr(widget, "label") and hasattr(widget, "id"):
                yield kind, widget, self.elements[place].fragment

    def _maps(self) -> Iterator[tuple[Any, str]]:
        for place in sorted(self.elements):
            message = self.elements[place].message
            if message.WhichOneof("type") == "bidi_component" and message.bidi_component.component_name.endswith(MAP):
                yield message.bidi_component, self.elements[place].fragment

    def _map(self) -> tuple[Any, str]:
        for found in self._maps():
            return found
        raise LookupError(f"no map on the page; it says {' | '.join(self.texts())[:600]}")

    def _rerun(
        self, state: WidgetState | None = None, fragment: str = "", *others: WidgetState, polled: bool = False
    ) -> float:
        started = time.perf_counter()
        message = BackMsg()
        asked = message.rerun_script
        asked.query_string = self.query
        asked.fragment_id = fragment
        asked.is_auto_rerun = polled
        if self._page_hash:
            asked.page_script_hash = self._page_hash
        else:
            asked.page_name = self.page
        asked.widget_states.widgets.extend([*others, *([] if state is None else [state])])
        if self._socket is None:
            raise Gone("closed")
        try:
            self._socket.send(message.SerializeToString())
        except (ConnectionClosed, OSError) as error:
            raise Gone(str(error)) from error
        end = started + PATIENCE
        while not self._listen(end - time.perf_counter(), raising=True):
            pass
        return time.perf_counter() - started

    def _listen(self, seconds: float, raising: bool = False) -> bool:
        """Take one message, and say whether a run ended with it."""
        if self._socket is None:
            raise Gone("closed")
        try:
            data = self._socket.recv(max(0.0, seconds))
        except TimeoutError as error:
            if raising:
                raise Gone(f"no answer within {PATIENCE:.0f} s") from error
            return False
        except (ConnectionClosed, OSError) as error:
            raise Gone(str(error)) from error
        self.received += len(data)
        return self._take(ForwardMsg.FromString(data))  # type: ignore[arg-type]

    def _take(self, message: ForwardMsg) -> bool:
        kind = message.WhichOneof("type")
        if kind == "new_session":
            self._run += 1
            self._page_hash = self._page_hash or message.new_session.page_script_hash
            if not message.metadata.run.fragment_ids:
                self._polled.clear()
        elif kind == "navigation":
            self._page_hash = message.navigation.page_script_hash
        elif kind == "delta":
            self._draw(tuple(message.metadata.delta_path), message)
        elif kind == "page_info_changed":
            self.query = message.page_info_changed.query_string
        elif kind == "auto_rerun":
            interval = message.auto_rerun.interval
            self._polled[message.auto_rerun.fragment_id] = (interval, time.monotonic() + interval)
        elif kind == "stop_auto_rerun":
            for name in message.stop_auto_rerun.fragment_ids:
                self._polled.pop(name, None)
        elif kind == "script_finished":
            return self._finished(message)
        return False

    def _draw(self, place: tuple[int, ...], message: ForwardMsg) -> None:
        delta = message.delta
        if delta.WhichOneof("type") == "new_element":
            held: Any = delta.new_element
        elif delta.WhichOneof("type") == "add_block":
            held = delta.add_block
        else:
            return
        self.elements[place] = _Held(held, self._run, delta.fragment_id)

    def _finished(self, message: ForwardMsg) -> bool:
        if message.script_finished == ForwardMsg.FINISHED_EARLY_FOR_RERUN:
            return False
        of_fragments = message.script_finished == ForwardMsg.FINISHED_FRAGMENT_RUN_SUCCESSFULLY
        fragments = set(message.metadata.run.fragment_ids)
        for place, held in list(self.elements.items()):
            if held.run < self._run and (not of_fragments or held.fragment in fragments):
                del self.elements[place]
        return True
