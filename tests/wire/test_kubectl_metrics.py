"""Every kubectl shows what pods use, and has an autoscaler follow it."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_metrics.yaml")
async def test_story(story, teller):
    await teller.tell(story)
