"""The Node binding against the real agent: the addon is built, a program counts, the page shows exactly that."""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

from stack import BIN, ROOT, Agent, get, wait_until

NODE = shutil.which("node")
LIBRARY = BIN.parent / "push-dev"
PROGRAM = """
'use strict';
const assert = require('node:assert');
const { Worker, isMainThread, workerData } = require('node:worker_threads');
const { Client } = require('midst-push');
const socketPath = process.argv[2] || workerData;
const client = new Client({ socketPath, resource: 'node test' });
const jobs = client.counter('node_jobs_total', 'Jobs.', ['kind', 'worker']);
if (!isMainThread) {
  for (let i = 0; i < 1000; ++i) jobs.labels('a', true).inc();
  client.close();
  return;
}
(async () => {
  for (let i = 0; i < 1000; ++i) jobs.labels('a', false).inc();
  jobs.labels('a', false).inc(0.5);
  jobs.labels('a', false).inc(-7);
  jobs.labels('\\u00e4\\0', 1).inc();
  const level = client.gauge('node_level', 'Level.', [], 'last');
  level.set(5);
  level.inc();
  level.dec(3);
  const spare = client.gauge('node_spare', 'Spare.', ['room']);
  spare.labels('x').set(1);
  spare.labels('y').set(1);
  const took = client.histogram('node_seconds', 'Time.', [1, 60]);
  took.observe(0.5);
  took.observe(1.5, { traceId: '0af7651916cd43dd8448eb211c80319c', spanId: 'b7ad6b7169203331' });
  const end = took.startTimer();
  assert.ok(end() > 0);
  const worker = new Worker(__filename, { workerData: socketPath });
  await new Promise((done) => worker.on('exit', done));
  assert.strictEqual(await client.flush(10000), true);
  spare.remove('y');
  assert.ok(client.stats().isConnected);
  assert.ok(client.stats().bytesSent > 0);

  assert.throws(() => jobs.inc(), TypeError);
  assert.throws(() => jobs.labels('a'), TypeError);
  assert.throws(() => client.gauge('node_g', 'G.', [], 'average'), TypeError);
  assert.throws(() => took.observe(1, { traceId: 'x' }), TypeError);
  const wrong = client.gauge('node_jobs_total', 'Wrong.');
  wrong.set(1);
  client.counter(undefined, null, []).inc();

  const alone = new Client({ socketPath: '/nonexistent/push.sock' });
  alone.counter('node_alone_total', 'Alone.').inc();
  const late = alone.flush(50);
  alone.close();
  alone.close();
  assert.strictEqual(await late, false);
  assert.strictEqual(await alone.flush(50), false);
  assert.strictEqual(alone.stats().isConnected, false);
  assert.throws(() => alone.counter('node_late_total', 'Late.'), TypeError);
  jobs.labels('last', false).inc(2);  // the end of the process delivers it
})();
"""


def headers():
    prefix = Path(NODE).resolve().parent.parent
    return next((folder for folder in (prefix / "include/node", Path("/usr/include/node")) if (folder / "node_api.h").exists()), None)


@unittest.skipUnless(NODE and headers(), "node or its headers (node_api.h) are not here")
class PushNode(unittest.TestCase):
    def setUp(self):
        self.folder = Path(self.enterContext(tempfile.TemporaryDirectory(prefix="midst-node-")))
        self.addon = self.folder / "midst_push.node"
        subprocess.run(["cc", "-std=c11", "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-shared", "-fPIC", f"-I{headers()}",
                        f"-I{LIBRARY}/include", "-DNODE_GYP_MODULE_NAME=midst_push", ROOT / "bindings/node/src/addon.c", "-o",
                        self.addon, f"-L{LIBRARY}/lib", "-lmidst-push", f"-Wl,-rpath,{LIBRARY}/lib"], check=True)
        modules = self.folder / "node_modules"
        modules.mkdir()
        (modules / "midst-push").symlink_to(ROOT / "bindings/node")
        (self.folder / "program.js").write_text(PROGRAM)
        self.agent = Agent("[scrape]\nmin_interval = \"10ms\"\n")
        self.addCleanup(self.agent.stop)
        self.agent.start()

    def test_a_program_counts_exactly_and_delivers_at_its_end(self):
        done = subprocess.run([NODE, self.folder / "program.js", self.agent.push_socket], capture_output=True, text=True, timeout=60,
                              env={**os.environ, "MIDST_PUSH_ADDON": str(self.addon)})
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual([line.rsplit(": ", 1)[1] for line in done.stderr.splitlines()], ["node_jobs_total", ""])
        wanted = {("node_jobs_total", (("kind", "a"), ("worker", "true"))): 1000,
                  ("node_jobs_total", (("kind", "a"), ("worker", "false"))): 1000.5,
                  ("node_jobs_total", (("kind", "ä?"), ("worker", "1"))): 1,
                  ("node_jobs_total", (("kind", "last"), ("worker", "false"))): 2,
                  ("node_level", ()): 3,
                  ("node_seconds_bucket", (("le", "1"),)): 2,
                  ("node_seconds_count", ()): 3}
        wait_until(lambda: {series: self.agent.page().get(series) for series in wanted} == wanted, f"{wanted}")
        self.assertNotIn("node_spare", {name for name, _ in self.agent.page()}, "its client has ended")
        _, _, body = get(self.agent.url(), {"Accept": "application/openmetrics-text; version=1.0.0"})
        self.assertRegex(body.decode(), r'node_seconds_bucket\{le="60"\} 3 # \{span_id="b7ad6b7169203331",'
                                        r'trace_id="0af7651916cd43dd8448eb211c80319c"\} 1\.5 ')

    def test_the_package_names_what_it_needs(self):
        package = json.loads((ROOT / "bindings/node/package.json").read_text())
        for name in [package["main"], package["types"], *package["files"]]:
            self.assertTrue((ROOT / "bindings/node" / name).exists(), name)


if __name__ == "__main__":
    unittest.main()
