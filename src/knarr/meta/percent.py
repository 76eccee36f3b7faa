"""Counts that may be percentages of a total, as rollouts and budgets give them."""


def share(value: int | str | None, total: int, *, up: bool = False) -> int:
    """`value` itself, or its percentage of `total` rounded down, or `up`. None is 0; the text must be a percentage."""
    if value is None or isinstance(value, int):
        return value or 0
    hundredfold = total * int(value.removesuffix("%"))
    return -(-hundredfold // 100) if up else hundredfold // 100
