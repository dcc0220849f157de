"""`greetlab clean`."""

from __future__ import annotations

from greetlab.cli.shared import ContextOption, Terminal, failing_in_words


def clean(context: ContextOption = None) -> None:
    """Delete the namespace greetlab, and so all that the labs have made in the cluster.

    Only if it carries the label app.kubernetes.io/part-of=greetlab. It waits until it is gone. If
    it is gone already, that is fine. Exit status 2 if it could not be deleted.
    """
    from greetlab.kube import NAMESPACE, Kubectl, namespace

    console = Terminal(highlight=False, soft_wrap=True)
    with failing_in_words("clean"):
        kubectl = Kubectl(context)
        gone = namespace.delete(kubectl)
        if gone is None:
            console.print(f"no namespace {NAMESPACE} in context {kubectl.context}: nothing to do")
        else:
            told = ", ".join(f"{count} {kind}" for kind, count in sorted(gone.items()))
            console.print(f"deleted the namespace {NAMESPACE}: {told or 'it was empty'}")
        left = namespace.elsewhere(kubectl)
        if left:
            console.print(f"left alone, outside of it: {', '.join(left)}", markup=False)
        else:
            console.print(f"nothing else in context {kubectl.context} carries the lab's label")
