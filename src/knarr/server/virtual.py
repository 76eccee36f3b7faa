"""Kinds that are answered and never stored: reviews of tokens and of permissions, and bindings."""

from dataclasses import dataclass

AUTHENTICATION = "authentication.k8s.io"
AUTHORIZATION = "authorization.k8s.io"


@dataclass(frozen=True, slots=True)
class Virtual:
    """A kind that only `create` knows."""

    group: str
    version: str
    kind: str
    plural: str
    namespaced: bool = False

    @property
    def singular(self) -> str:
        return self.plural.removesuffix("s")

    @property
    def api_version(self) -> str:
        return f"{self.group}/{self.version}" if self.group else self.version

    @property
    def type_name(self) -> str:
        """The kind's type as schema.json names it."""
        return f"{self.group.partition('.')[0] or 'core'}_{self.version}.{self.kind}"


VIRTUAL = (
    Virtual("", "v1", "Binding", "bindings", True),
    Virtual(AUTHENTICATION, "v1", "SelfSubjectReview", "selfsubjectreviews"),
    Virtual(AUTHENTICATION, "v1", "TokenReview", "tokenreviews"),
    Virtual(AUTHORIZATION, "v1", "LocalSubjectAccessReview", "localsubjectaccessreviews", True),
    Virtual(AUTHORIZATION, "v1", "SelfSubjectAccessReview", "selfsubjectaccessreviews"),
    Virtual(AUTHORIZATION, "v1", "SelfSubjectRulesReview", "selfsubjectrulesreviews"),
    Virtual(AUTHORIZATION, "v1", "SubjectAccessReview", "subjectaccessreviews"),
)
