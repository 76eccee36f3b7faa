"""Schedules: what a line means, that it prints and parses back, and what is refused, by name."""

import pytest

from knarr.testing.sim.schedule import FAULTS, Act, ScheduleError, parse, printed
from knarr.testing.sim.shrink import shrunk
from knarr.testing.workloads.draw import draw
from knarr.testing.workloads.operations import DONE, OPERATIONS

VERBS = {**FAULTS, **OPERATIONS}

REFUSED = {
    "too few words": ("1 cut", "line 1: an act is: SECONDS VERB SUBJECT [NAME=VALUE]..."),
    "no time": ("soon cut job", "line 1: 'soon' is no number of seconds"),
    "a time before the beginning": ("-1 cut job", "line 1: -1: time begins at 0"),
    "an unknown verb": ("1 explode job", "line 1: 'explode' is no verb"),
    "a word that is no value": ("1 cut job now", "line 1: 'now' is no NAME=VALUE"),
    "a value that the verb does not take": ("1 cut job for=2", "line 1: cut: takes no 'for'"),
    "a value twice": ("1 partition job for=2 for=3", "line 1: partition: a value is given twice"),
    "a value that is missing": ("1 slow job for=2", "line 1: slow: seconds must be given"),
    "a share above one": ("1 drop job rate=2 for=1", "line 1: drop: rate=2: must be from 0 to 1"),
    "a code that no fault has": ("1 errors job code=404 rate=1 for=1", "line 1: errors: code=404: must be 409, 429"),
    "a write before the first": ("1 crash job write=0 down=1", "line 1: crash: write=0: must be at least 1"),
    "a moment that is none": ("1 crash job moment=now down=1", "line 1: crash: moment=now: must be before or after"),
    "an impossible duration": ("1 kill node-0 for=-1", "line 1: kill: for=-1: must be from 0 to 86400 seconds"),
    "the line of a later fault": ("# a comment\n\n1 cut job\n2 cut", "line 4: an act is"),
}


@pytest.mark.parametrize("text, said", REFUSED.values(), ids=REFUSED)
def test_what_is_no_schedule_is_refused_with_its_line(text, said):
    with pytest.raises(ScheduleError, match=f"^{said[:20]}") as refused:
        parse(text, VERBS)
    assert str(refused.value).startswith(said)


def test_a_line_says_when_what_whom_and_how():
    act = parse("2.5 crash replicaset write=3 moment=after down=1", VERBS)[0]
    assert act == Act(2.5, "crash", "replicaset", (("write", "3"), ("moment", "after"), ("down", "1")))
    assert (act.number("down"), act.get("moment")) == (1.0, "after")


def test_acts_are_put_in_the_order_of_their_times():
    assert [act.when for act in parse("3 cut job\n1 cut job\n2 cut job", VERBS)] == [1, 2, 3]


def test_every_drawn_schedule_prints_and_parses_back():
    for seed in range(300):
        acts = draw(seed)
        assert parse(printed(acts), VERBS) == acts


def test_a_seed_draws_the_same_and_another_seed_another():
    assert draw(1) == draw(1) != draw(2)


def test_only_the_chosen_workloads_and_faults_are_drawn():
    acts = [act for seed in range(50) for act in draw(seed, ("job",), ("cut",))]
    assert {act.subject.partition("/")[0] for act in acts if act.verb == "create"} == {"job"}
    assert {act.verb for act in acts} & FAULTS.keys() == {"cut"}


def test_every_operation_has_somebody_who_does_it():
    assert DONE.keys() == OPERATIONS.keys()


def test_shrinking_keeps_what_breaks_and_leaves_out_what_does_not():
    acts = draw(4)
    guilty = {str(acts[2]), str(acts[-1])}
    left = shrunk(acts, lambda some: guilty <= set(map(str, some)), tries=1000)
    assert guilty <= set(map(str, left))
    assert len(left) <= 3


def test_shrinking_gives_up_after_so_many_lives():
    lives = []

    def breaks(acts):
        lives.append(acts)
        return False

    assert shrunk(draw(3), breaks, tries=4) == draw(3)
    assert len(lives) <= 4
