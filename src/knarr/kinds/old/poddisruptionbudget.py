"""PodDisruptionBudget of policy/v1beta1, where an empty selector selects no pod and not every pod.

Source: `pkg/apis/policy/{helper.go,v1beta1/conversion.go}` of Kubernetes.
"""

from knarr.kinds.kind import Tree
from knarr.kinds.old.form import Form
from knarr.kinds.trees import part

MARK = "pdb.kubernetes.io/deprecated-v1beta1-empty-selector-match"  #: a label that no pod has


def marked(operator: str) -> Tree:
    return {"matchExpressions": [{"key": MARK, "operator": operator}]}


def swapped(tree: Tree, empty: str, mark: str) -> Tree:
    """The tree with the selector that says the same in the other form.

    An empty one becomes the mark with one operator, the mark with the other an empty one; from any other the mark goes.
    """
    spec = part(tree, "spec")
    selector = spec.get("selector")
    if selector is not None:
        said = {key: value for key, value in selector.items() if value}
        spec["selector"] = marked(empty) if not said else {} if said == marked(mark) else plain(selector)
    return tree


def plain(selector: Tree) -> Tree:
    expressions = [e for e in selector.get("matchExpressions") or () if e.get("key") != MARK]
    rest = {key: value for key, value in selector.items() if key != "matchExpressions"}
    return {**rest, "matchExpressions": expressions} if expressions else rest


def inward(tree: Tree) -> Tree:
    return swapped(tree, empty="Exists", mark="DoesNotExist")


def outward(tree: Tree) -> Tree:
    return swapped(tree, empty="DoesNotExist", mark="Exists")


BUDGET = Form(None, inward, outward)
