"""What labels and LabelSelectors may look like; validation of kinds calls it."""

from collections.abc import Collection, Iterator, Mapping

from knarr.meta.field import FieldError, at, forbidden, required, wrong
from knarr.meta.labels import Expression, SelectorObject
from knarr.meta.names import label_value_errors, qualified_errors


def validate_labels(labels: Mapping[str, str], path: str) -> Iterator[FieldError]:
    """The rules for an object's labels."""
    for key in sorted(labels):
        for complaint in qualified_errors(key):
            yield wrong(path, key, complaint)
        for complaint in label_value_errors(labels[key]):
            yield wrong(path, labels[key], complaint)


def validate_selector(selector: SelectorObject | None, path: str) -> Iterator[FieldError]:
    """The rules for a LabelSelector; None is fine here."""
    if selector is None:
        return
    yield from validate_labels(selector.matchLabels, at(path, "matchLabels"))
    for index, expression in enumerate(selector.matchExpressions):
        yield from _validate_expression(expression, at(path, "matchExpressions", index))


def validate_operator(operator: str, values: Collection[str], path: str) -> Iterator[FieldError]:
    """The rules for an expression's operator, and for whether it goes with values."""
    match operator:
        case "In" | "NotIn":
            if not values:
                yield required(at(path, "values"), "must be specified when `operator` is 'In' or 'NotIn'")
        case "Exists" | "DoesNotExist":
            if values:
                yield forbidden(
                    at(path, "values"), "may not be specified when `operator` is 'Exists' or 'DoesNotExist'"
                )
        case _:
            yield wrong(at(path, "operator"), operator, "not a valid selector operator")


def _validate_expression(expression: Expression, path: str) -> Iterator[FieldError]:
    yield from validate_operator(expression.operator, expression.values, path)
    for complaint in qualified_errors(expression.key):
        yield wrong(at(path, "key"), expression.key, complaint)
    for index, value in enumerate(expression.values):
        for complaint in label_value_errors(value):
            yield wrong(at(path, "values", index), value, complaint)
