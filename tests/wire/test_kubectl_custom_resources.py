"""The life of a custom resource as people type it, with every kubectl: from its definition to the end of that."""

DEFINITION = """
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: crontabs.stable.example.com}
spec:
  group: stable.example.com
  scope: Namespaced
  names: {plural: crontabs, kind: CronTab, shortNames: [ct], categories: [all]}
  versions:
  - name: v1
    served: true
    storage: true
    subresources: {status: {}, scale: {specReplicasPath: .spec.replicas, statusReplicasPath: .status.replicas}}
    additionalPrinterColumns:
    - {name: Spec, type: string, jsonPath: .spec.cronSpec}
    - {name: Replicas, type: integer, jsonPath: .spec.replicas}
    - {name: Age, type: date, jsonPath: .metadata.creationTimestamp}
    schema: &schema
      openAPIV3Schema:
        type: object
        properties:
          spec:
            type: object
            description: What the cron tab wants.
            properties:
              cronSpec: {type: string}
              replicas: {type: integer, minimum: 1, maximum: 10, default: 1}
          status: {type: object, x-kubernetes-preserve-unknown-fields: true}
  - {name: v1beta1, served: true, storage: false, deprecated: true, schema: *schema}
"""
OBJECT = """
apiVersion: stable.example.com/v1
kind: CronTab
metadata: {name: nightly}
spec: {cronSpec: "0 3 * * *"}
"""


async def test_a_custom_resource_lives(kubectl):
    await kubectl("apply", "-f", "-", stdin=DEFINITION)
    await kubectl("wait", "--for", "condition=Established", "crd/crontabs.stable.example.com", "--timeout=60s")
    assert "crontab.stable.example.com/nightly created" in await kubectl("apply", "-f", "-", stdin=OBJECT)
    heading, line = (await kubectl("get", "ct")).splitlines()
    assert heading.split() == ["NAME", "SPEC", "REPLICAS", "AGE"]
    assert line.split()[:-1] == ["nightly", "0", "3", "*", "*", "*", "1"]
    assert "crontab.stable.example.com/nightly" in await kubectl("get", "all")
    await kubectl("scale", "ct/nightly", "--replicas", "4")
    code, _, said = await kubectl.run("patch", "ct", "nightly", "--type", "merge", "-p", '{"spec":{"replicas":11}}')
    assert (code, "spec.replicas in body should be less than or equal to 10" in said) == (1, True)
    assert await kubectl("get", "ct", "nightly", "-o", "jsonpath={.spec.replicas}") == "4"
    assert "What the cron tab wants." in await kubectl("explain", "ct.spec")
    code, out, said = await kubectl.run(
        "get", "crontabs.v1beta1.stable.example.com", "nightly", "-o", "jsonpath={.apiVersion}"
    )
    assert (code, out) == (0, "stable.example.com/v1beta1"), said
    await kubectl("delete", "crd", "crontabs.stable.example.com", "--timeout=60s")
    code, _, said = await kubectl.run("get", "ct")
    assert (code, "the server doesn't have a resource type" in said or "NotFound" in said) == (1, True), said
