/** What `npm test` looks for on the host after itself is really found: a listener, a process with its mark. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { randomUUID } from 'node:crypto';
import { expect, test } from 'vitest';
import { holderOf, leftRunning, listeners, newListeners, runVariable, startedBy } from '../setup/host-watch.mjs';

test('a new listener is found, and who holds it', async () => {
  const before = listeners();
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  try {
    const address = server.address();
    const port = typeof address === 'object' && address !== null ? address.port : 0;
    const ours = newListeners(before, listeners()).find(
      (each) => each.protocol === 'tcp' && Number.parseInt(each.local.split(':')[1] ?? '', 16) === port,
    );
    expect(ours).toBeDefined();
    expect(holderOf(ours?.inode ?? '')).toBe(String(process.pid));
  } finally {
    server.close();
  }
});

test('a process that a run left behind is found by its mark', async () => {
  const run = randomUUID();
  const child = spawn('sleep', ['30'], { env: { PATH: process.env['PATH'], [runVariable]: run }, stdio: 'ignore' });
  await once(child, 'spawn');
  try {
    // The mark is there once the program has replaced the copy of this process.
    await expect.poll(() => leftRunning(run)).toEqual([{ pid: child.pid, command: 'sleep 30' }]);
    expect(startedBy(String(child.pid), run)).toBe(true);
    expect(leftRunning(randomUUID())).toEqual([]);
  } finally {
    child.kill();
    await once(child, 'exit');
  }
  expect(leftRunning(run)).toEqual([]);
});
