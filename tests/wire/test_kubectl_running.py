"""Every kubectl runs workloads on simulated nodes, looks into them and rolls them."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_workloads.yaml")
async def test_story(story, teller):
    await teller.tell(story)
