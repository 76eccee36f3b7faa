"""Every kubectl creates by its generators: what it then says of what it made."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_create.yaml")
async def test_story(story, teller):
    await teller.tell(story)
