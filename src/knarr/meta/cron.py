"""What a cron schedule may look like: five fields or a macro such as `@daily`, as upstream's parser takes them."""

FIELDS = ((0, 59), (0, 23), (1, 31), (1, 12), (0, 6))  #: minute, hour, day, month, weekday
MACROS = ("@yearly", "@annually", "@monthly", "@weekly", "@daily", "@midnight", "@hourly")
MONTH_NAMES = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
MONTHS = {name: number for number, name in enumerate(MONTH_NAMES, start=1)}
DAYS = {name: number for number, name in enumerate(("sun", "mon", "tue", "wed", "thu", "fri", "sat"))}


def schedule_error(text: str) -> str:
    """What is wrong with a schedule, "" when nothing is."""
    if not text.strip():
        return "empty spec string"
    if text.startswith("@"):
        known = text in MACROS or text.startswith("@every ")
        return "" if known else f"unrecognized descriptor: {text}"
    fields = text.split()
    if len(fields) != len(FIELDS):
        return f"expected exactly {len(FIELDS)} fields, found {len(fields)}: [{' '.join(fields)}]"
    words: tuple[dict[str, int], ...] = ({}, {}, {}, MONTHS, DAYS)
    for field, (low, high), names in zip(fields, FIELDS, words, strict=True):
        for part in field.split(","):
            if error := _part_error(part, low, high, names):
                return error
    return ""


def _part_error(part: str, low: int, high: int, names: dict[str, int]) -> str:
    """What is wrong with one part of a field: `*`, `5`, `1-5`, each with an optional `/step`."""
    span, slash, step = part.partition("/")
    if "/" in step:
        return f"too many slashes: {part}"
    if slash and (number := _number(step)) is None:
        return _not_a_number(step)
    if slash and not number:
        return f"step of range should be a positive number: {part}"
    if span in ("*", "?"):
        return ""
    ends = span.split("-")
    if len(ends) > 2:
        return f"too many hyphens: {part}"
    numbers = []
    for end in ends:
        if (number := names.get(end.lower(), _number(end))) is None:
            return _not_a_number(end)
        numbers.append(number)
    start, stop = numbers[0], numbers[-1]
    if start < low:
        return f"beginning of range ({start}) below minimum ({low}): {part}"
    if stop > high:
        return f"end of range ({stop}) above maximum ({high}): {part}"
    return f"beginning of range ({start}) beyond end of range ({stop}): {part}" if start > stop else ""


def _number(text: str) -> int | None:
    """A number as Go's Atoi reads it without a sign; None when it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 19 else None


def _not_a_number(text: str) -> str:
    why = "value out of range" if text.isascii() and text.isdecimal() else "invalid syntax"
    return f'failed to parse int from {text}: strconv.Atoi: parsing "{text}": {why}'
