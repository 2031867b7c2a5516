// Two processes of a hub over one database, active-active: writers race at both, one is killed in the middle, and a follower of each sees
// every revision once and in order.
import { spawn, type ChildProcess } from 'node:child_process';
import { copyFile, mkdir } from 'node:fs/promises';
import { join as joinPath } from 'node:path';
import { createInterface } from 'node:readline';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { eventually, openHubFleet, type HubFleet, type Joined } from '../../test/hub-fleet.ts';
import type { Batch } from '../global/batch.ts';
import { callerHeader, sealCaller } from '../global/caller-seal.ts';
import { pinnedFetch } from '../global/pinned-fetch.ts';
import { compareRevisions, formatRevision, streams, type Revision, type Stream } from '../global/revision.ts';
import { unseal } from '../global/seal.ts';
import { fingerprintOf, publicKeyFrom } from '../global/signing-key.ts';
import { oauthHeader } from '../http/oauth.ts';

interface HubProcess {
  readonly child: ChildProcess;
  /** For members, and for MAAS clients. */
  readonly url: string;
  readonly plainUrl: string;
}

let fleet: HubFleet;
const processes: HubProcess[] = [];

async function startProcess(name: string): Promise<HubProcess> {
  const folder = joinPath(fleet.folder, name);
  await mkdir(folder, { recursive: true });
  await copyFile(joinPath(fleet.folder, 'hub-1/signing-key.pem'), joinPath(folder, 'signing-key.pem'));
  const main = joinPath(import.meta.dirname, '../main.ts');
  const flags = ['--folder', folder, '--database-url', fleet.database.url, '--port', '0', '--plain-port', '0'];
  const child = spawn(process.execPath, [main, 'hub', 'run', ...flags], {
    stdio: ['pipe', 'pipe', 'inherit'],
    // Ends with this test, however that ends.
    env: { ...process.env, MUSTER_LOG_LEVEL: 'error', MUSTER_LIFELINE: 'stdin' },
  });
  for await (const line of createInterface({ input: child.stdout })) {
    const [, url = '', plainUrl = ''] = /up at (\S+) .* at (http:\S+)/.exec(line) ?? [];
    if (url !== '') return { child, url, plainUrl };
  }
  throw new Error('the hub ended before it was up');
}

beforeAll(async () => {
  fleet = await openHubFleet();
  processes.push(...(await Promise.all([startProcess('hub-2'), startProcess('hub-3')])));
}, 60_000);
afterAll(async () => {
  for (const { child } of processes) child.kill('SIGKILL');
  await fleet[Symbol.asyncDispose]();
});

/** What a member sees: the revision of every document, as the batches come. It goes on at the next address when one fails. */
function follow({ membership, key }: Joined, urls: readonly string[], from: Revision, stream: Stream) {
  const seen: Revision[] = [];
  const hubKey = publicKeyFrom(membership.hubKey)!;
  const over = new AbortController();
  let at = from;
  let snapshots = 0;
  let moves = 0;
  const run = async (): Promise<void> => {
    await using line = pinnedFetch(fingerprintOf(membership.hubKey));
    for (let failures = 0; !over.signal.aborted;) {
      const path = `/replica/changes/?stream=${stream}&after=${formatRevision(at)}&wait=5&version=1.2.3`;
      const claims = {
        role: 'front' as const,
        name: membership.name,
        process: membership.name,
        method: 'GET',
        path,
        at: Math.floor(Date.now() / 1000),
      };
      const headers = { [callerHeader]: sealCaller(key.privateKey, claims) };
      try {
        const reply = await line.fetch(urls[failures % urls.length]! + path, { headers, signal: over.signal });
        if (reply.status !== 200) throw new Error(`${reply.status} ${await reply.text()}`);
        const batch = unseal(hubKey, 'batch', await reply.text()) as Batch;
        if (batch.form === 'snapshot') snapshots += 1;
        expect(batch.from).toEqual(at);
        for (const document of batch.documents) seen.push(document.revision);
        at = batch.to;
      } catch (error) {
        if (over.signal.aborted) return;
        if (String(error).includes('AssertionError')) throw error;
        failures += 1;
        moves += 1;
      }
    }
  };
  const running = run();
  return {
    seen,
    at: () => at,
    snapshots: () => snapshots,
    moves: () => moves,
    end: () => {
      over.abort();
      return running;
    },
  };
}

test('every revision once and in order at each, whatever races and dies', { timeout: 120_000 }, async () => {
  const [one, two] = processes as [HubProcess, HubProcess];
  const members = [await fleet.join('front', 'f-1'), await fleet.join('front', 'f-2')];
  const start = new Map(streams.map((stream) => [stream, fleet.hub.authority.memory.revision(stream)]));
  await fleet.hub.close(0);
  const followers = members.flatMap((joined, at) =>
    streams.map((stream) => ({
      stream,
      ...follow(joined, at === 0 ? [one.url, two.url] : [two.url, one.url], start.get(stream)!, stream),
    })),
  );

  const writesPerLane = 40;
  const acknowledged: string[] = [];
  let unknown = 0;
  let killed = false;
  const headers = () => ({ authorization: oauthHeader(fleet.admin.apiKey) });
  /** One writer: a tag, then an API key, and again. It never repeats a write whose answer was lost. */
  const lane = async (name: string, first: HubProcess): Promise<void> => {
    let at = first;
    for (let n = 0; n < writesPerLane; n += 1) {
      const [path, form] =
        n % 2 === 0 ? ['tags/', { name: `${name}-${n}` }] : ['account/?op=create_authorisation_token', { name: `${name}-${n}` }];
      try {
        const reply = await fetch(`${at.plainUrl}/MAAS/api/2.0/${path}`, {
          method: 'POST',
          headers: headers(),
          body: new URLSearchParams(form),
        });
        expect([reply.status, reply.status === 200 ? '' : await reply.text()]).toEqual([200, '']);
        expect(reply.headers.get('muster-config-revision')).toMatch(n % 2 === 0 ? /\bconfig=1\./ : /\baccess=1\./);
        acknowledged.push(`${name}-${n}`);
      } catch (error) {
        if (String(error).includes('AssertionError') || !killed) throw error;
        unknown += 1;
        at = one;
      }
      if (acknowledged.length === 80 && !killed) {
        killed = true;
        two.child.kill('SIGKILL');
      }
    }
  };
  const began = performance.now();
  await Promise.all(['a', 'b', 'c', 'd', 'e', 'f'].map((name, at) => lane(name, at % 2 === 0 ? one : two)));
  const seconds = (performance.now() - began) / 1000;

  // What the database holds, beside what was answered and what was followed.
  const { db } = fleet.database;
  for (const stream of streams) {
    const { epoch, n } = start.get(stream)!;
    const log = await db
      .selectFrom('global_change')
      .select(['n', 'body'])
      .where('stream', '=', stream)
      .where('n', '>', n)
      .orderBy('n')
      .execute();
    expect(log.map((change) => change.n)).toEqual(log.map((_, at) => n + 1 + at));
    const names = log.map(({ body }) => String(body['name']));
    const mine = acknowledged.filter((name) => (Number(name.split('-')[1]) % 2 === 0) === (stream === 'config'));
    for (const name of mine) expect(names.filter((other) => other === name)).toEqual([name]);
    expect(log.length - mine.length).toBeLessThanOrEqual(unknown);
    for (const follower of followers.filter((one) => one.stream === stream)) {
      await eventually('the end of the log', () => compareRevisions(follower.at(), { epoch, n: n + log.length }) === 0);
      expect(follower.seen).toEqual(log.map((change) => ({ epoch, n: change.n })));
      expect(follower.snapshots()).toBe(0);
    }
  }
  expect(acknowledged.length + unknown).toBe(6 * writesPerLane);
  expect(followers.filter((follower) => follower.moves() > 0)).toHaveLength(2);
  for (const follower of followers) await follower.end();
  process.stdout.write(
    `${acknowledged.length} writes acknowledged, ${unknown} of unknown outcome, in ${seconds.toFixed(1)} s at two processes of which one was killed\n`,
  );
});
