import asyncio

from knarr.loop.expectations import Expectations
from knarr.testing.builders import a_pod, a_set
from knarr.testing.virtual_time import run

KEY = ("default", "db")
SET = a_set("db")


def story(main):
    return run(main(Expectations()))


def test_a_key_without_expectations_is_satisfied():
    async def main(expectations):
        assert expectations.satisfied(KEY)

    story(main)


def test_creations_are_awaited_until_all_were_seen():
    async def main(expectations):
        expectations.expect(KEY, creations=2)
        expectations.observe("StatefulSet", None, a_pod(0, owner=SET))
        assert not expectations.satisfied(KEY)
        expectations.observe("StatefulSet", a_pod(0, owner=SET), a_pod(0, owner=SET))
        assert not expectations.satisfied(KEY)
        expectations.observe("StatefulSet", None, a_pod(1, owner=SET))
        assert expectations.satisfied(KEY)

    story(main)


def test_a_deletion_is_seen_when_the_object_goes_or_begins_to():
    async def main(expectations):
        expectations.expect(KEY, deletions=["uid-db-0", "uid-db-1"])
        expectations.observe("StatefulSet", a_pod(0, owner=SET), a_pod(0, owner=SET, deleting=True))
        assert not expectations.satisfied(KEY)
        expectations.observe("StatefulSet", a_pod(1, owner=SET), None)
        assert expectations.satisfied(KEY)

    story(main)


def test_objects_of_other_owners_do_not_count():
    async def main(expectations):
        expectations.expect(KEY, creations=1)
        expectations.observe("StatefulSet", None, a_pod(0))
        expectations.observe("ReplicaSet", None, a_pod(0, owner=SET))
        assert not expectations.satisfied(KEY)

    story(main)


def test_what_never_shows_is_given_up_after_five_minutes():
    async def main(expectations):
        expectations.expect(KEY, creations=1)
        await asyncio.sleep(299)
        assert not expectations.satisfied(KEY)
        await asyncio.sleep(2)
        assert expectations.satisfied(KEY)

    story(main)


def test_a_failed_creation_is_not_awaited():
    async def main(expectations):
        expectations.expect(KEY, creations=1)
        expectations.created(KEY)
        assert expectations.satisfied(KEY)

    story(main)


def test_an_owner_is_in_doubt_when_somebody_else_deletes_what_it_has():
    async def main(expectations):
        expectations.observe("StatefulSet", a_pod(0, owner=SET), a_pod(0, owner=SET, deleting=True))
        assert expectations.doubted(KEY)
        expectations.trust(KEY)
        expectations.observe("StatefulSet", a_pod(0, owner=SET, deleting=True), None)
        assert not expectations.doubted(KEY), "that it began to go was known"
        expectations.observe("StatefulSet", a_pod(1, owner=SET), None)
        assert expectations.doubted(KEY)
        expectations.forget(KEY)
        assert not expectations.doubted(KEY)

    story(main)


def test_an_owner_is_not_in_doubt_for_what_it_deletes_itself():
    async def main(expectations):
        expectations.expect(KEY, deletions=["uid-db-0", "uid-db-1"])
        expectations.observe("StatefulSet", a_pod(0, owner=SET), a_pod(0, owner=SET, deleting=True))
        expectations.observe("StatefulSet", a_pod(0, owner=SET, deleting=True), None)
        expectations.observe("StatefulSet", a_pod(1, owner=SET), None)
        assert not expectations.doubted(KEY)

    story(main)
