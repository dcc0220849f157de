"""The widget itself, and its page for somebody without a notebook."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import anywidget
import traitlets

from greetlab.trace.trace import Trace
from greetlab.views.widget import page, still
from greetlab.views.widget.pack import pack, summary


class Flow(anywidget.AnyWidget):
    """A trace, played: client, DNS, ClusterIP, pods, and every request on its way between them.

    trace: what to play. other: a second one, beside it and in step, on the same time scale: each
    begins with its client's first event.
    titles: what to call them; without it, the name that was looked up and the policy.

    Space plays and pauses, the arrows go event by event, "?" shows all keys; a click on a request
    or on a connection tells what led to it. The page has the whole trace: once it is shown it needs
    Python no more. Where no widget can be shown (a code host) there is a still picture.

    Raises TypeError for what is not a trace and ValueError for a trace without events.
    """

    _esm = page.script()
    _css = page.style()
    data = traitlets.Bytes().tag(sync=True)
    other = traitlets.Bytes().tag(sync=True)

    def __init__(
        self, trace: Trace, other: Trace | None = None, *, titles: tuple[str, ...] = ()
    ) -> None:
        traces = [trace] if other is None else [trace, other]
        for given in traces:
            if not isinstance(given, Trace):
                raise TypeError(f"Flow() plays a Trace, such as cluster.trace, not {given!r}")
        names = [*titles, "", ""]
        packed = [pack(given, name) for given, name in zip(traces, names, strict=False)]
        self.traces = traces
        self.alt = "\n".join(summary(given) for given in traces)
        super().__init__(data=packed[0], other=packed[1] if len(packed) > 1 else b"")

    def to_html(self) -> str:
        """One page that needs nothing else: no network, no server. Opens by double click."""
        return page.document([self.data, self.other], self.alt)

    def save(self, path: str | Path) -> None:
        """Writes `to_html()` there. Raises OSError if it cannot."""
        Path(path).write_text(self.to_html(), encoding="utf-8")

    def png(self) -> bytes:
        """A still picture: who was connected to whom, and who answered how many."""
        return still.picture([self.data, self.other])

    def _repr_mimebundle_(self, **kwargs: Any) -> tuple[dict[str, Any], dict[str, Any]] | None:
        shown = super()._repr_mimebundle_(**kwargs)
        bundle, metadata = shown if isinstance(shown, tuple) else (shown or {}, {})
        bundle["image/png"] = base64.b64encode(self.png()).decode()
        bundle["text/plain"] = self.alt
        return bundle, {**metadata, "image/png": {"width": still.WIDTH, "alt": self.alt}}
