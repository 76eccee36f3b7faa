"""Every kubectl changes what is there, by all its ways of doing so."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_change.yaml")
async def test_story(story, teller):
    await teller.tell(story)
