import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import fc from 'fast-check';
import { expect, test, vi } from 'vitest';
import { inRack, planRack, processStartedAt, raiseSteps, staleNamespaces, tapSteps, thisOwner } from './rack-network.ts';

const owner = fc.record({ pid: fc.integer({ min: 1, max: 4_194_304 }), startedAt: fc.nat().map(String) });

test('names fit the kernel and addresses are link-local, outside what RFC 3927 reserves and the host has', () => {
  fc.assert(
    fc.property(
      owner,
      fc.integer({ min: 1, max: 250 }),
      fc.array(fc.tuple(fc.nat(255), fc.nat(255)), { maxLength: 50 }),
      (who, cell, hosts) => {
        const taken = hosts.map(([third, fourth]) => `169.254.${third}.${fourth}`);
        const rack = planRack(who, cell, taken);
        expect(rack.hostLink.length).toBeLessThanOrEqual(15);
        expect(rack.cellLink.length).toBeLessThanOrEqual(15);
        const [, third, fourth] = /^169\.254\.(\d+)\.(\d+)$/.exec(rack.hostAddress) ?? [];
        expect(Number(third)).toBeGreaterThan(0);
        expect(Number(third)).toBeLessThan(255);
        expect(Number(fourth) % 4).toBe(1);
        for (let end = Number(fourth) - 1; end < Number(fourth) + 3; end++) expect(taken).not.toContain(`169.254.${third}.${end}`);
      },
    ),
  );
});

test('two cells of a run, and two runs, share neither name nor address', () => {
  fc.assert(
    fc.property(owner, fc.integer({ min: 1, max: 249 }), (who, cell) => {
      const one = planRack(who, cell, []);
      const two = planRack(who, cell + 1, [one.hostAddress]);
      for (const key of ['namespace', 'hostLink', 'cellLink', 'hostAddress', 'cellAddress'] as const) expect(one[key]).not.toBe(two[key]);
    }),
  );
});

test('a rack is stale when its owner is gone or somebody else has its process id', () => {
  const me = thisOwner();
  const mine = planRack(me, 1, []).namespace;
  const reused = planRack({ ...me, startedAt: '1' }, 1, []).namespace;
  const gone = planRack({ pid: 4_194_305, startedAt: '7' }, 1, []).namespace;
  expect(staleNamespaces([mine, reused, gone, 'muster-other', 'nb', ''], processStartedAt)).toEqual([reused, gone]);
});

test('nothing of the host is changed but the veth end: no route, no forwarding', () => {
  const rack = planRack(thisOwner(), 3, []);
  const steps = [...raiseSteps(rack), ...tapSteps(rack, 'tap0')];
  const onHost = steps.filter((step) => step[0] !== '-n' && step[0] !== 'netns');
  expect(onHost.every((step) => step.includes(rack.hostLink))).toBe(true);
  expect(steps.flat()).not.toContain('route');
  expect(inRack(rack, ['true']).slice(0, 4)).toEqual(['ip', 'netns', 'exec', rack.namespace]);
});

test('a process that was killed and not collected yet is gone', async () => {
  // sleep 0 ends at once; the shell that could collect it has become sleep 30, which never does.
  const parent = spawn('sh', ['-c', 'sleep 0 & echo $!; exec sleep 30'], { stdio: ['ignore', 'pipe', 'ignore'] });
  try {
    const [line] = (await once(parent.stdout, 'data')) as [Buffer];
    const pid = Number(line.toString());
    await vi.waitFor(() => expect(readFileSync(`/proc/${pid}/stat`, 'utf8')).toMatch(/\) Z /));
    expect(processStartedAt(pid)).toBeUndefined();
    expect(processStartedAt(parent.pid ?? 0)).toBeDefined();
  } finally {
    parent.kill('SIGKILL');
  }
});
