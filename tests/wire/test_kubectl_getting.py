"""Every kubectl reads: tables, outputs, selectors, watches."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_get.yaml")
async def test_story(story, teller):
    await teller.tell(story)
