"""Every kubectl asks of the cluster itself, is told what it may do, and deletes."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_cluster.yaml")
async def test_story(story, teller):
    await teller.tell(story)
