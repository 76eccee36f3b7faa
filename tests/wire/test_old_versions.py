"""Manifests of ten years ago with every kubectl on the machine."""

import json

STATEFULSET = """
apiVersion: apps/v1beta1
kind: StatefulSet
metadata:
  name: kubia
spec:
  serviceName: kubia
  replicas: 2
  template:
    metadata:
      labels:
        app: kubia
    spec:
      containers:
      - name: kubia
        image: luksa/kubia-pet
        ports:
        - name: http
          containerPort: 8080
        volumeMounts:
        - name: data
          mountPath: /var/data
  volumeClaimTemplates:
  - metadata:
      name: data
    spec:
      resources:
        requests:
          storage: 1Mi
      accessModes:
      - ReadWriteOnce
"""
DEPLOYMENT = """
apiVersion: extensions/v1beta1
kind: Deployment
metadata: {name: web}
spec:
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: "example.com/web:1"}]}
"""
INGRESS = """
apiVersion: networking.k8s.io/v1beta1
kind: Ingress
metadata: {name: door}
spec:
  rules:
  - host: a.example
    http:
      paths:
      - {path: /, pathType: Prefix, backend: {serviceName: web, servicePort: 80}}
"""
RESTS = """
apiVersion: policy/v1beta1
kind: PodDisruptionBudget
metadata: {name: web}
spec: {minAvailable: 1, selector: {matchLabels: {app: web}}}
---
apiVersion: batch/v1beta1
kind: CronJob
metadata: {name: nightly}
spec:
  schedule: "0 3 * * *"
  jobTemplate: {spec: {template: {spec: {restartPolicy: Never, containers: [{name: c, image: i}]}}}}
---
apiVersion: rbac.authorization.k8s.io/v1beta1
kind: ClusterRole
metadata: {name: reader}
rules: [{apiGroups: [""], resources: [pods], verbs: [get]}]
---
apiVersion: autoscaling/v2beta2
kind: HorizontalPodAutoscaler
metadata: {name: web}
spec:
  maxReplicas: 3
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: web}
"""
DEPLOYMENTS, INGRESSES = "deployments.v1beta1.extensions", "ingresses.v1beta1.networking.k8s.io"


async def test_old_manifests_are_applied_as_they_are_and_again(kubectl):
    code, out, err = await kubectl.run("apply", "-f", "-", stdin="---".join((STATEFULSET, DEPLOYMENT, INGRESS, RESTS)))
    assert code == 0, err
    assert out.splitlines() == [
        "statefulset.apps/kubia created",
        "deployment.extensions/web created",
        "ingress.networking.k8s.io/door created",
        "poddisruptionbudget.policy/web created",
        "cronjob.batch/nightly created",
        "clusterrole.rbac.authorization.k8s.io/reader created",
        "horizontalpodautoscaler.autoscaling/web created",
    ]
    assert (
        "Warning: apps/v1beta1 StatefulSet is deprecated in v1.8+, unavailable in v1.16+; use apps/v1 StatefulSet"
        in err
    )
    again = await kubectl("apply", "-f", "-", stdin="---".join((DEPLOYMENT, INGRESS, RESTS)))
    assert [line for line in again.splitlines() if not line.endswith(" unchanged")] == []
    shown = await kubectl("get", "all,ingresses", "-o", "name")
    assert shown.split().count("deployment.apps/web") == 1
    assert "ingress.networking.k8s.io/door" in shown
    assert "extensions" not in shown


async def test_an_object_is_read_and_changed_through_its_old_version(kubectl):
    await kubectl("apply", "-f", "-", stdin=DEPLOYMENT + "---" + INGRESS)
    assert (await kubectl("get", DEPLOYMENTS)).splitlines()[0].split()[:2] == ["NAME", "READY"]
    door = json.loads(await kubectl("get", INGRESSES, "door", "-o", "json"))
    assert door["apiVersion"] == "networking.k8s.io/v1beta1"
    assert door["spec"]["rules"][0]["http"]["paths"][0]["backend"] == {"serviceName": "web", "servicePort": 80}
    await kubectl("scale", DEPLOYMENTS, "web", "--replicas=3")
    await kubectl("patch", DEPLOYMENTS, "web", "-p", '{"spec":{"minReadySeconds":5}}')
    found = await kubectl("get", "deployment", "web", "-o", "jsonpath={.spec.replicas} {.spec.minReadySeconds}")
    assert found == "3 5"
    await kubectl("apply", "--server-side", "--force-conflicts", "-f", "-", stdin=INGRESS.replace("80", "81"))
    found = await kubectl("get", "ingress", "door", "-o", "jsonpath={..service.port.number}")
    assert found == "81"


async def test_an_old_version_is_explained_and_listed(kubectl):
    assert "rollbackTo" in await kubectl("explain", "deployment.spec", "--api-version=extensions/v1beta1")
    assert "servicePort" in await kubectl("explain", "ingress.spec.backend", "--api-version=networking.k8s.io/v1beta1")
    versions = (await kubectl("api-versions")).split()
    assert {"apps/v1beta1", "apps/v1beta2", "extensions/v1beta1", "policy/v1beta1"} <= set(versions)
