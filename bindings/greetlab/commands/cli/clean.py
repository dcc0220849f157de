"""`greetlab clean`."""

from __future__ import annotations

from greetlab.commands.cli.shared import ContextOption, Json, Terminal, failing_in_words, print_json


def clean(
    context: ContextOption = None,
    as_json: Json = False,
) -> None:
    """Delete the namespace greetlab, and so all that the labs have made in the cluster.

    Only if it carries the label app.kubernetes.io/part-of=greetlab. It waits until it is gone. If
    it is gone already, that is fine. Exit status 2 if it could not be deleted.
    """
    from greetlab.clusters.kube import NAMESPACE, Kubectl, namespace

    with failing_in_words("clean"):
        kubectl = Kubectl(context)
        gone = namespace.delete(kubectl)
        left = namespace.elsewhere(kubectl)
    where = f"in context {kubectl.context}"
    if as_json:
        document = {"context": kubectl.context, "deleted": gone, "elsewhere": left}
        print_json(document)
        return
    console = Terminal(soft_wrap=True)
    if gone is None:
        console.print(f"no namespace {NAMESPACE} {where}: nothing to do")
    else:
        told = ", ".join(f"{count} {kind}" for kind, count in sorted(gone.items()))
        console.print(f"deleted the namespace {NAMESPACE}: {told or 'it was empty'}")
    if left:
        console.print(f"left alone, outside of it: {', '.join(left)}")
    else:
        console.print(f"nothing else {where} carries the lab's label")
