// node run.mjs KUBECONFIG: run all cases beside each other; print { name: null, or what was wrong } as JSON.

import * as k8s from "@kubernetes/client-node";
import cases from "./cases.mjs";

const kc = new k8s.KubeConfig();
kc.loadFromFile(process.argv[2]);
const core = kc.makeApiClient(k8s.CoreV1Api);

async function makeNamespace() {
  const name = (await core.createNamespace({ body: { metadata: { generateName: "node-" } } })).metadata.name;
  await new Promise((resolve, reject) => {
    const path = `/api/v1/namespaces/${name}/serviceaccounts`;
    const gone = (error) => reject(error ?? new Error("no service account came"));
    new k8s.Watch(kc).watch(path, { timeoutSeconds: 60 }, resolve, gone).catch(reject);
  });
  return name;
}

async function outcome([name, run]) {
  const namespace = await makeNamespace();
  const wrong = await run({ kc, namespace }).then(
    () => null,
    (error) => error.stack ?? String(error),
  );
  await core.deleteNamespace({ name: namespace });
  return [name, wrong];
}

const outcomes = await Promise.all(Object.entries(cases).map(outcome));
process.stdout.write(JSON.stringify(Object.fromEntries(outcomes)), () => process.exit(0));
