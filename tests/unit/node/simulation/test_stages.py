"""Stages of simulated pods and nodes: which one is chosen, and what a file of them may not say."""

from pathlib import Path
from random import Random

import pytest

from knarr.node.simulation.parse import parse
from knarr.node.simulation.stages import Match, PodStage, Point, Stages, Subject, usage
from knarr.node.simulation.values import Bad

WEB = Subject(
    name="web-0", namespace="shop", labels={"app": "web"}, owner="StatefulSet/web", container="c", image="web:1.2"
)

FITS = {
    "nothing asked for fits everything": (Match(), True),
    "labels that are there": (Match(labels={"app": "web"}), True),
    "a label of another value": (Match(labels={"app": "db"}), False),
    "an annotation that is not there": (Match(annotations={"a": "b"}), False),
    "a pattern of the image": (Match(image="web:1.*"), True),
    "a pattern of the owner": (Match(owner="StatefulSet/*"), True),
    "all must fit": (Match(owner="StatefulSet/*", namespace="other"), False),
}


@pytest.mark.parametrize(("match", "fits"), FITS.values(), ids=FITS)
def test_match(match, fits):
    assert match.fits(WEB) is fits


def test_stages_are_chosen_by_weight_and_probability():
    stages = Stages((PodStage("often", weight=9), PodStage("seldom"), PodStage("never", probability=0)))
    names = [stages.pod("running", WEB, rng).name for rng in [Random(7)] for _ in range(2000)]
    assert set(names) == {"often", "seldom"}
    assert 0.87 < names.count("often") / len(names) < 0.93


def test_the_same_seed_chooses_the_same():
    stages = Stages((PodStage("a", jitter=5), PodStage("b", jitter=5)))
    first, second = (
        [stages.pod("running", WEB, rng).seconds(rng) for _ in range(20)] for rng in (Random(3), Random(3))
    )
    assert first == second


USAGE = {
    "at the first point": (0.0, 1.0),
    "half way": (5.0, 1.5),
    "after the last point": (100.0, 2.0),
}


@pytest.mark.parametrize(("seconds", "cpu"), USAGE.values(), ids=USAGE)
def test_usage_follows_straight_lines(seconds, cpu):
    assert usage((Point(0, 1, 0), Point(10, 2, 0)), seconds).cpu == cpu


EVERYTHING = """
pods:
  - name: slow pull
    when: pulling
    match: {image: "big:*"}
    delay: 1m30s
  - name: gone
    when: pulling
    match: {image: "gone:*"}
    effect: {failure: {reason: ErrImagePull, message: not found}}
  - name: busy
    match: {labels: {app: web}, owner: ReplicaSet/web-*}
    jitter: 500ms
    effect:
      probes: fail
      usage: [{cpu: 100m, memory: 64Mi}, {at: 60s, cpu: 2, memory: 1Gi}]
  - name: out of memory
    follows: busy
    delay: 60s
    probability: 0.5
    effect: {exit: {code: 137, signal: 9, reason: OOMKilled}}
  - {name: slow stop, when: stopping, delay: 5, effect: {exit: {code: 3}}}
nodes:
  - name: full
    match: {name: "*-1"}
    delay: 10s
    effect: {conditions: [{type: DiskPressure, status: "True", reason: Full}]}
  - {name: away, follows: full, delay: 10s, effect: {network: partition}}
"""


def test_a_file_is_read():
    stages = parse(EVERYTHING)
    pods = {stage.name: stage for stage in stages.pods}
    assert (pods["slow pull"].when, pods["slow pull"].delay) == ("pulling", 90.0)
    assert pods["gone"].effect.failure.reason == "ErrImagePull"
    assert pods["busy"].effect.usage == (Point(0, 0.1, 64 * 2**20), Point(60, 2, 2**30))
    assert (pods["busy"].jitter, pods["out of memory"].follows) == (0.5, "busy")
    assert (pods["out of memory"].effect.exit.code, pods["slow stop"].effect.exit.code) == (137, 3)
    assert [(stage.name, stage.follows) for stage in stages.nodes] == [("full", ""), ("away", "full")]


BAD = {
    "an unknown section": ("pod: []", "f:1: pod: unknown field; there are nodes, pods"),
    "an unknown field": ("pods:\n- name: a\n  dealy: 1s", "f:3: pods[0].dealy: unknown field"),
    "an unknown field of an effect": ("pods:\n- {name: a, effect: {exit: {kode: 1}}}", "f:2: pods[0].effect.exit.kode"),
    "a field that is there twice": ("pods:\n- name: a\n  delay: 1\n  delay: 2", "f:4: pods[0].delay: is there twice"),
    "a stage without a name": ("pods:\n- delay: 1s", "f:2: pods[0]: name is missing"),
    "a name that is there twice": ("nodes:\n- name: a\n- name: a", "f:3: nodes[1]: name 'a' is there twice"),
    "a delay before now": ("pods:\n- name: a\n  delay: -1s", "f:3: pods[0].delay: must be a duration"),
    "a delay of words": ("pods:\n- name: a\n  delay: soon", "f:3: pods[0].delay: must be a duration"),
    "a delay of ages": ("pods:\n- name: a\n  delay: 9000h", "f:3: pods[0].delay: must be a duration from 0 to a year"),
    "a delay that is no number": ("pods:\n- name: a\n  delay: nan", "f:3: pods[0].delay: must be a duration"),
    "a probability above one": ("pods:\n- {name: a, probability: 2}", "f:2: pods[0].probability: must be a number"),
    "an exit code of its own kind": (
        "pods:\n- {name: a, effect: {exit: {code: 256}}}",
        "f:2: pods[0].effect.exit.code: must be a whole number from 0 to 255, not '256'",
    ),
    "no such moment": ("pods:\n- {name: a, when: never}", "f:2: pods[0].when: must be one of pulling, starting"),
    "an effect at the wrong moment": (
        "pods:\n- {name: a, when: starting, effect: {exit: {}}}",
        "f:2: pods[0].effect.exit: cannot happen when starting",
    ),
    "a pull that knows its pod": (
        "pods:\n- {name: a, when: pulling, match: {labels: {a: b}}}",
        "f:2: pods[0].match: a stage of pulling matches images only",
    ),
    "a usage that goes back in time": (
        "pods:\n- {name: a, effect: {usage: [{at: 5s, cpu: 1}, {at: 1s, cpu: 2}]}}",
        "f:2: pods[0].effect.usage: its points must be in the order of their times",
    ),
    "an amount that is none": (
        "pods:\n- {name: a, effect: {usage: [{cpu: lots}]}}",
        "f:2: pods[0].effect.usage[0].cpu: must be a quantity",
    ),
    "one that follows nobody": ("pods:\n- {name: a, follows: b}", "f:2: pods[0]: follows 'b', and no stage has that"),
    "one that follows itself": ("pods:\n- {name: a, follows: a}", "f:2: pods[0]: follows itself: a after a"),
    "a circle": (
        "pods:\n- {name: a, follows: b}\n- {name: b, follows: a}",
        "f:2: pods[0]: follows itself: a after b after a",
    ),
    "one that follows a pull": (
        "pods:\n- {name: a, when: pulling}\n- {name: b, follows: a}",
        "f:3: pods[1]: follows 'a', which is no stage of running",
    ),
    "a list that is none": ("pods: {}", "f:1: pods: must be a list"),
    "no YAML": ("pods: [", "f:2: no YAML"),
}


@pytest.mark.parametrize(("text", "message"), BAD.values(), ids=BAD)
def test_a_file_that_cannot_be_is_refused_with_its_line(text, message):
    with pytest.raises(Bad) as refusal:
        parse(text, "f")
    assert str(refusal.value).startswith(message)


def test_the_example_of_the_documentation_is_read():
    page = (Path(__file__).parents[4] / "docs/simulated-nodes.md").read_text()
    stages = parse(page.split("```yaml\n")[1].split("```")[0])
    assert [stage.name for stage in stages.pods] == ["slow pull", "not there", "load", "too much", "sick"]
    assert [stage.name for stage in stages.nodes] == ["disk fills", "falls silent"]
