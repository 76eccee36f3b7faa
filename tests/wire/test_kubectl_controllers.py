"""Old and new kubectls live with ReplicaSets, Deployments and DaemonSets as a user's notes tell of it."""

from tests.wire.kubectl_stories import told_by_every_kubectl


@told_by_every_kubectl("kubectl_controllers.yaml")
async def test_story(story, teller):
    await teller.tell(story)
