// What npm's @kubernetes/client-node does to a server, one operation after another, each in a namespace of its own.
// A case gets { kc, namespace } and throws where the server answers otherwise. run.mjs runs them, ../test_node.py reads.

import assert from "node:assert/strict";
import { once } from "node:events";
import net from "node:net";
import { PassThrough } from "node:stream";
import * as k8s from "@kubernetes/client-node";

const configMap = (name, data = {}, labels = {}) => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, labels },
  data,
});
const pod = (name = "web") => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, labels: { app: name } },
  spec: {
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "web", image: "example.com/web:1", ports: [{ containerPort: 80 }] }],
  },
});
const deployment = {
  metadata: { name: "web" },
  spec: {
    replicas: 0,
    selector: { matchLabels: { app: "web" } },
    template: { metadata: { labels: { app: "web" } }, spec: pod().spec },
  },
};
const named = (list) => list.items.map((item) => item.metadata.name);
const core = (kc) => kc.makeApiClient(k8s.CoreV1Api);
const patching = (type) => k8s.setHeaderOptions("Content-Type", type);

/** A pod that is Ready. */
async function readyPod(kc, namespace) {
  await core(kc).createNamespacedPod({ namespace, body: pod() });
  await new Promise((resolve, reject) => {
    const seen = (_, obj) => {
      if (obj.status?.conditions?.some((c) => c.type === "Ready" && c.status === "True")) resolve();
    };
    new k8s.Watch(kc).watch(`/api/v1/namespaces/${namespace}/pods`, { timeoutSeconds: 60 }, seen, (error) =>
      reject(error ?? new Error("the pod did not become Ready")),
    );
  });
}

/** The text that a stream ends with, or has once `enough` says so. */
async function text(stream, enough = () => false) {
  let read = "";
  for await (const chunk of stream) {
    read += chunk;
    if (enough(read)) break;
  }
  return read;
}

async function refused(promise, code, reason) {
  const error = await promise.then(
    () => assert.fail("it was not refused"),
    (error) => error,
  );
  assert.equal(error.code, code);
  const status = typeof error.body === "string" ? JSON.parse(error.body) : error.body;
  assert.equal(status.reason, reason);
  return status;
}

export default {
  "create, get, replace, delete": async ({ kc, namespace }) => {
    const api = core(kc);
    const made = await api.createNamespacedConfigMap({ namespace, body: configMap("settings", { colour: "blue" }) });
    assert.ok(made.metadata.creationTimestamp instanceof Date);
    const read = await api.readNamespacedConfigMap({ name: "settings", namespace });
    assert.deepEqual(read.data, { colour: "blue" });
    read.data.colour = "green";
    const replaced = await api.replaceNamespacedConfigMap({ name: "settings", namespace, body: read });
    assert.deepEqual(replaced.data, { colour: "green" });
    const told = await api.deleteNamespacedConfigMap({ name: "settings", namespace });
    assert.equal(told.status, "Success");
    await refused(api.readNamespacedConfigMap({ name: "settings", namespace }), 404, "NotFound");
  },

  "errors: 409 and 422": async ({ kc, namespace }) => {
    const api = core(kc);
    const body = configMap("settings");
    await api.createNamespacedConfigMap({ namespace, body });
    await refused(api.createNamespacedConfigMap({ namespace, body }), 409, "AlreadyExists");
    const wrong = pod();
    wrong.spec.restartPolicy = "Sometimes";
    const status = await refused(api.createNamespacedPod({ namespace, body: wrong }), 422, "Invalid");
    assert.equal(status.details.causes[0].field, "spec.restartPolicy");
  },

  "list: label and field selectors, pages": async ({ kc, namespace }) => {
    const api = core(kc);
    for (const letter of ["a", "b", "c"]) {
      await api.createNamespacedConfigMap({ namespace, body: configMap(letter, {}, { letter }) });
    }
    const list = (how) => api.listNamespacedConfigMap({ namespace, labelSelector: "letter", ...how });
    assert.deepEqual(named(await list({ labelSelector: "letter in (a, c)" })), ["a", "c"]);
    assert.deepEqual(named(await list({ fieldSelector: "metadata.name=b" })), ["b"]);
    const first = await list({ limit: 2 });
    const rest = await list({ limit: 2, _continue: first.metadata._continue });
    assert.deepEqual([named(first), named(rest)], [["a", "b"], ["c"]]);
  },

  "patch: JSON": async ({ kc, namespace }) => {
    const api = core(kc);
    await api.createNamespacedConfigMap({ namespace, body: configMap("settings", { a: "1" }) });
    const body = [{ op: "add", path: "/data/b", value: "2" }];
    const patched = await api.patchNamespacedConfigMap(
      { name: "settings", namespace, body },
      patching(k8s.PatchStrategy.JsonPatch),
    );
    assert.deepEqual(patched.data, { a: "1", b: "2" });
  },

  "patch: merge": async ({ kc, namespace }) => {
    const api = core(kc);
    await api.createNamespacedConfigMap({ namespace, body: configMap("settings", { a: "1" }) });
    const patched = await api.patchNamespacedConfigMap(
      { name: "settings", namespace, body: { data: { a: null, b: "2" } } },
      patching(k8s.PatchStrategy.MergePatch),
    );
    assert.deepEqual(patched.data, { b: "2" });
  },

  "patch: strategic merge": async ({ kc, namespace }) => {
    const apps = kc.makeApiClient(k8s.AppsV1Api);
    await apps.createNamespacedDeployment({ namespace, body: deployment });
    const containers = [{ name: "side", image: "side:1" }];
    const patched = await apps.patchNamespacedDeployment(
      { name: "web", namespace, body: { spec: { template: { spec: { containers } } } } },
      patching(k8s.PatchStrategy.StrategicMergePatch),
    );
    assert.deepEqual(
      patched.spec.template.spec.containers.map((c) => c.name),
      ["side", "web"],
    );
  },

  "apply on the server": async ({ kc, namespace }) => {
    const apply = (colour, fieldManager, force) =>
      core(kc).patchNamespacedConfigMap(
        { name: "settings", namespace, body: configMap("settings", { colour }), fieldManager, force },
        patching(k8s.PatchStrategy.ServerSideApply),
      );
    await apply("blue", "one");
    await refused(apply("red", "two"), 409, "Conflict");
    assert.deepEqual((await apply("red", "two", true)).data, { colour: "red" });
  },

  "delete: collection": async ({ kc, namespace }) => {
    const api = core(kc);
    for (const name of ["a", "b"]) {
      await api.createNamespacedConfigMap({ namespace, body: configMap(name, {}, { of: "these" }) });
    }
    await api.deleteCollectionNamespacedConfigMap({ namespace, labelSelector: "of=these" });
    assert.deepEqual(named(await api.listNamespacedConfigMap({ namespace, labelSelector: "of=these" })), []);
  },

  "watch": async ({ kc, namespace }) => {
    const api = core(kc);
    const listed = await api.listNamespacedConfigMap({ namespace });
    await api.createNamespacedConfigMap({ namespace, body: configMap("settings") });
    await api.deleteNamespacedConfigMap({ name: "settings", namespace });
    const told = [];
    await new Promise((resolve, reject) => {
      const query = { resourceVersion: listed.metadata.resourceVersion, timeoutSeconds: 60 };
      const path = `/api/v1/namespaces/${namespace}/configmaps`;
      const seen = (phase, obj) => told.push([phase, obj.metadata.name]) === 2 && resolve();
      new k8s.Watch(kc).watch(path, query, seen, reject);
    });
    assert.deepEqual(told, [["ADDED", "settings"], ["DELETED", "settings"]]);
  },

  "informer": async ({ kc, namespace }) => {
    const api = core(kc);
    const path = `/api/v1/namespaces/${namespace}/configmaps`;
    const list = () => api.listNamespacedConfigMap({ namespace, labelSelector: "seen=yes" });
    await api.createNamespacedConfigMap({ namespace, body: configMap("early", {}, { seen: "yes" }) });
    const informer = k8s.makeInformer(kc, path, list, "seen=yes");
    const told = new PassThrough({ objectMode: true });
    for (const verb of ["add", "update", "delete"]) informer.on(verb, (obj) => told.write([verb, obj.metadata.name]));
    const reader = told[Symbol.asyncIterator]();
    const next = async () => (await reader.next()).value;
    await informer.start();
    assert.deepEqual(await next(), ["add", "early"]);
    await api.createNamespacedConfigMap({ namespace, body: configMap("late", {}, { seen: "yes" }) });
    assert.deepEqual(await next(), ["add", "late"]);
    await api.deleteNamespacedConfigMap({ name: "early", namespace });
    assert.deepEqual(await next(), ["delete", "early"]);
    assert.deepEqual(
      informer.list(namespace).map((obj) => obj.metadata.name),
      ["late"],
    );
    await informer.stop();
  },

  "informer: connects again after a lost connection": async ({ kc, namespace }) => {
    const target = new URL(kc.getCurrentCluster().server);
    const ends = new Set();
    const proxy = net.createServer((near) => {
      const far = net.connect(Number(target.port), target.hostname);
      for (const end of [near, far]) ends.add(end.on("error", () => {}));
      near.pipe(far).pipe(near);
    });
    proxy.listen(0, "127.0.0.1");
    await once(proxy, "listening");
    const through = new k8s.KubeConfig();
    through.loadFromString(kc.exportConfig());
    through.clusters[0] = { ...through.clusters[0], server: `https://127.0.0.1:${proxy.address().port}` };
    const api = core(through);
    const informer = k8s.makeInformer(through, `/api/v1/namespaces/${namespace}/secrets`, () =>
      api.listNamespacedSecret({ namespace }),
    );
    const told = new PassThrough({ objectMode: true });
    informer.on("add", (obj) => told.write(obj.metadata.name));
    informer.on("error", () => setTimeout(() => informer.start(), 50));
    const reader = told[Symbol.asyncIterator]();
    const next = async () => (await reader.next()).value;
    await informer.start();
    await core(kc).createNamespacedSecret({ namespace, body: { metadata: { name: "before" } } });
    assert.equal(await next(), "before");
    for (const end of ends) end.destroy();
    await core(kc).createNamespacedSecret({ namespace, body: { metadata: { name: "after" } } });
    assert.equal(await next(), "after");
    await informer.stop();
    for (const end of ends) end.destroy();
    proxy.close();
  },

  "objects of any kind (KubernetesObjectApi)": async ({ kc, namespace }) => {
    const api = k8s.KubernetesObjectApi.makeApiClient(kc);
    const header = { apiVersion: "batch/v1", kind: "CronJob", metadata: { name: "nightly", namespace } };
    const containers = [{ name: "a", image: "a" }];
    const jobTemplate = { spec: { template: { spec: { restartPolicy: "Never", containers } } } };
    const made = await api.create({ ...header, spec: { schedule: "@daily", jobTemplate } });
    assert.equal(made.spec.concurrencyPolicy, "Allow");
    const patched = await api.patch({ ...header, spec: { suspend: true } });
    assert.equal(patched.spec.suspend, true);
    assert.equal((await api.read(header)).metadata.uid, made.metadata.uid);
    assert.deepEqual(named(await api.list("batch/v1", "CronJob", namespace)), ["nightly"]);
    await api.delete(header);
  },

  "scale subresource": async ({ kc, namespace }) => {
    const apps = kc.makeApiClient(k8s.AppsV1Api);
    await apps.createNamespacedDeployment({ namespace, body: deployment });
    const scale = await apps.readNamespacedDeploymentScale({ name: "web", namespace });
    scale.spec.replicas = 1;
    delete scale.metadata.resourceVersion; // the controller may write its status in between
    const scaled = await apps.replaceNamespacedDeploymentScale({ name: "web", namespace, body: scale });
    assert.equal(scaled.spec.replicas, 1);
  },

  "eviction": async ({ kc, namespace }) => {
    await readyPod(kc, namespace);
    const body = { metadata: { name: "web" } };
    await core(kc).createNamespacedPodEviction({ name: "web", namespace, body });
  },

  "logs": async ({ kc, namespace }) => {
    await readyPod(kc, namespace);
    const line = "simulated: this container has no process and writes no log\n";
    assert.equal(await core(kc).readNamespacedPodLog({ name: "web", namespace }), line);
    const out = new PassThrough();
    const following = await new k8s.Log(kc).log(namespace, "web", "web", out, { follow: true });
    assert.equal(await text(out, (read) => read === line), line);
    following.abort();
  },

  "exec over WebSocket": async ({ kc, namespace }) => {
    await readyPod(kc, namespace);
    const out = new PassThrough();
    const status = await new Promise((resolve, reject) => {
      new k8s.Exec(kc).exec(namespace, "web", "web", ["ls"], out, null, null, false, resolve).catch(reject);
    });
    assert.equal(status.status, "Success");
    out.end();
    assert.equal(await text(out), "simulated: this pod has no process\n");
  },

  "port-forward over WebSocket": async ({ kc, namespace }) => {
    await readyPod(kc, namespace);
    const [output, input] = [new PassThrough(), new PassThrough()];
    const socket = await new k8s.PortForward(kc).portForward(namespace, "web", [80], output, null, input);
    input.write("GET / HTTP/1.1\r\nhost: web\r\nconnection: close\r\n\r\n");
    const answer = await text(output, (read) => read.includes("no process"));
    assert.match(answer, /^HTTP\/1\.1 200 OK\r\n/);
    socket.close();
  },

  "token request": async ({ kc, namespace }) => {
    const body = { spec: { audiences: [] } };
    const made = await core(kc).createNamespacedServiceAccountToken({ name: "default", namespace, body });
    assert.equal(made.status.token.split(".").length, 3);
    const other = new k8s.KubeConfig();
    other.loadFromClusterAndUser(kc.getCurrentCluster(), { name: "account", token: made.status.token });
    const review = await other.makeApiClient(k8s.AuthenticationV1Api).createSelfSubjectReview({ body: {} });
    assert.equal(review.status.userInfo.username, `system:serviceaccount:${namespace}:default`);
  },

  "custom resources: CustomObjectsApi": async ({ kc, namespace }) => {
    const group = "node.example.com";
    const openAPIV3Schema = {
      type: "object",
      properties: { spec: { type: "object", properties: { oars: { type: "integer", minimum: 2, _default: 4 } } } },
    };
    const definition = {
      metadata: { name: `boats.${group}` },
      spec: {
        group,
        scope: "Namespaced",
        names: { kind: "Boat", plural: "boats", singular: "boat" },
        versions: [{ name: "v1", served: true, storage: true, schema: { openAPIV3Schema } }],
      },
    };
    const definitions = kc.makeApiClient(k8s.ApiextensionsV1Api);
    await definitions.createCustomResourceDefinition({ body: definition });
    await new Promise((resolve, reject) => {
      const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
      const query = { fieldSelector: `metadata.name=boats.${group}`, timeoutSeconds: 60 };
      const seen = (_, obj) =>
        obj.status?.conditions?.some((c) => c.type === "Established" && c.status === "True") && resolve();
      new k8s.Watch(kc).watch(path, query, seen, (error) => reject(error ?? new Error("it was not established")));
    });
    const api = kc.makeApiClient(k8s.CustomObjectsApi);
    const where = { group, version: "v1", namespace, plural: "boats" };
    const boat = (name, spec) => ({ apiVersion: `${group}/v1`, kind: "Boat", metadata: { name }, spec });
    const made = await api.createNamespacedCustomObject({ ...where, body: boat("skuld", {}) });
    assert.deepEqual(made.spec, { oars: 4 });
    await refused(api.createNamespacedCustomObject({ ...where, body: boat("raft", { oars: 0 }) }), 422, "Invalid");
    assert.deepEqual(named(await api.listNamespacedCustomObject(where)), ["skuld"]);
    await definitions.deleteCustomResourceDefinition({ name: `boats.${group}` });
  },

  "discovery and version": async ({ kc }) => {
    assert.match((await kc.makeApiClient(k8s.VersionApi).getCode()).gitVersion, /^v1\.37\./);
    const groups = await kc.makeApiClient(k8s.ApisApi).getAPIVersions();
    assert.ok(groups.groups.some((group) => group.name === "apps" && group.preferredVersion.version === "v1"));
    assert.ok(await new k8s.Health(kc).readyz({}));
  },
};
