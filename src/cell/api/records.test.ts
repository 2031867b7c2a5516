/** Operations, findings and events as the API shows them. */
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { Compile } from 'typebox/compile';
import { cellApi, type CellApi, type Fields } from '../../../test/cell-api.ts';
import { through } from '../../../test/through-front.ts';
import { Change, Event } from '../../contract/resources/events.ts';
import { Finding } from '../../contract/resources/findings.ts';
import { Operation } from '../../contract/resources/operations.ts';
import { readEvents } from '../../http/event-stream.ts';
import { oauthHeader } from '../../http/oauth.ts';
import { recordAll } from '../db/event-store.ts';
import { openFinding } from '../db/finding-store.ts';
import { maasTime } from '../../contract/maas-time.ts';

let cell: CellApi;
let ids: string[];
beforeAll(async () => {
  cell = await cellApi();
  ids = await cell.fleet(3, (n) => ({ zone_id: n === 0 ? 2 : 1 }));
});
afterAll(() => cell.close());

const ask = (method: 'GET' | 'POST', path: string, fields: Fields = {}) => cell.ask('admin', method, path, fields);

describe('operations', () => {
  test('with their steps and times, newest first, in pages', async () => {
    for (const id of ids) await ask('POST', `machines/${id}/?op=commission`);
    const [first] = await cell.database.db
      .selectFrom('operation')
      .select('id')
      .where('system_id', '=', ids[0] ?? '')
      .execute();
    await cell.database.db
      .insertInto('operation_step')
      .values([
        { operation_id: first?.id ?? 0, step: 'issue_ticket', started: new Date('2026-01-01T00:00:00Z'), detail: 'boot 1' },
        { operation_id: first?.id ?? 0, step: 'power_cycle', started: new Date('2026-01-01T00:00:05Z'), detail: '' },
      ])
      .execute();
    const all = (await ask('GET', 'operations/')).json<Record<string, unknown>[]>();
    expect(all.map((operation) => operation['system_id'])).toEqual(ids.toReversed());
    const check = Compile(Operation);
    for (const operation of all) expect(check.Errors(operation)).toEqual([]);
    const one = (await ask('GET', `operations/${first?.id}/`)).json();
    expect(one).toMatchObject({
      kind: 'commission',
      outcome: 'live',
      requested_by: 'admin',
      hostname: 'node-0',
      cell: 'c17',
      ended: null,
      steps: [
        { step: 'issue_ticket', started: '2026-01-01T00:00:00.000Z', ended: '2026-01-01T00:00:05.000Z', detail: 'boot 1' },
        { step: 'power_cycle', started: '2026-01-01T00:00:05.000Z', ended: null },
      ],
    });
    const page = await ask('GET', 'operations/', { limit: '2' });
    const rest = await ask('GET', 'operations/', { limit: '2', after: String(page.headers['muster-next']) });
    expect([...page.json<unknown[]>(), ...rest.json<unknown[]>()]).toEqual(
      all.map((operation) => (operation['id'] === first?.id ? one : operation)),
    );
    expect(rest.headers['muster-next']).toBeUndefined();
    expect(
      (await ask('GET', 'operations/', { machine: ids[1] ?? '', kind: 'commission', outcome: 'live' })).json<unknown[]>(),
    ).toHaveLength(1);
    expect((await ask('GET', 'operations/', { outcome: 'done' })).json()).toEqual([]);
  });

  test('what is no operation', async () => {
    for (const id of ['0', 'x', '99999999999999999999']) expect((await ask('GET', `operations/${id}/`)).status, id).toBe(404);
    expect((await ask('GET', 'operations/', { kind: 'dance' })).status).toBe(400);
    for (const after of ['x', '5~5', '2026-01-01T00:00:00Z~1'])
      expect((await ask('GET', 'operations/', { after })).status, after).toBe(400);
  });
});

describe('findings', () => {
  test('are listed, counted, and dismissed by an admin', async () => {
    await cell.database.transaction(async (tx) => {
      await openFinding(tx, { kind: 'did_not_netboot', subject: ids[0] ?? '', systemId: ids[0] ?? '', data: { system_id: ids[0] ?? '' } });
      await openFinding(tx, { kind: 'did_not_netboot', subject: ids[0] ?? '', systemId: ids[0] ?? '', data: { system_id: ids[0] ?? '' } });
      await openFinding(tx, { kind: 'foreign_dhcp', subject: 'v1', data: { address: '10.0.0.9', vlan: 'v1' } });
    });
    const all = (await ask('GET', 'findings/')).json<{ id: number; kind: string }[]>();
    for (const finding of all) expect(Compile(Finding).Errors(finding)).toEqual([]);
    expect(all).toMatchObject([
      { kind: 'foreign_dhcp', severity: 'critical', count: 1 },
      { kind: 'did_not_netboot', severity: 'warning', count: 2, system_id: ids[0], resolved: null },
    ]);
    expect((await ask('GET', 'findings/', { severity: 'critical' })).json<unknown[]>()).toHaveLength(1);
    expect((await ask('GET', 'findings/', { machine: ids[0] ?? '' })).json<unknown[]>()).toHaveLength(1);
    const path = `findings/${all[1]?.id}/`;
    expect((await cell.ask('ann', 'POST', `${path}?op=dismiss`)).status).toBe(403);
    expect((await ask('POST', `${path}?op=dismiss`, { comment: 'cable' })).json()).toMatchObject({
      resolved_by: 'admin',
      resolved: expect.any(String),
    });
    expect((await ask('POST', `${path}?op=dismiss`)).status).toBe(200);
    expect((await ask('GET', 'findings/')).json<unknown[]>()).toHaveLength(1);
    expect((await ask('GET', 'findings/', { resolved: 'true' })).json<unknown[]>()).toHaveLength(2);
    expect((await ask('GET', 'findings/1/')).status).toBe(404);
  });
});

describe('events', () => {
  interface Page {
    readonly count: number;
    readonly events: readonly { readonly id: number; readonly description: string; readonly level: string }[];
    readonly next_uri: string | null;
    readonly prev_uri: string | null;
  }
  const query = async (fields: Fields): Promise<Page> => (await ask('GET', 'events/?op=query', fields)).json<Page>();
  const follow = async (uri: string | null) => (await ask('GET', String(uri).replace('/MAAS/api/2.0/', ''))).json<Page>();

  beforeAll(async () => {
    const about = { kind: 'machine_updated' as const, systemId: ids[0] ?? '', username: 'zoe' };
    await cell.database.transaction((tx) =>
      recordAll(tx, [
        ...[1, 2, 3, 4, 5].map((n) => ({ ...about, description: `change ${n}` })),
        { ...about, kind: 'power_parameters_read', description: 'secret' },
        { ...about, kind: 'heartbeat', description: 'tick' },
        { ...about, kind: 'operation_failed', description: 'oops' },
      ]),
    );
  });

  test('newest first, in MAAS’s form, page by page in both directions', async () => {
    const first = await query({ id: ids[0] ?? '', owner: 'zoe', limit: '2' });
    for (const event of first.events) expect(Compile(Event).Errors(event)).toEqual([]);
    expect(first.events).toMatchObject([
      { description: 'oops', level: 'ERROR', type: 'Operation failed', node: ids[0], hostname: 'node-0', username: 'zoe' },
      { description: 'change 5', level: 'INFO', type: 'Machine changed' },
    ]);
    const older = await follow(first.prev_uri);
    expect(older.events.map((event) => event.description)).toEqual(['change 4', 'change 3']);
    expect((await follow(older.next_uri)).events).toEqual(first.events);
    expect((await follow(first.next_uri)).events).toEqual([]);
  });

  test('by level: AUDIT is apart', async () => {
    const levels = async (level: string) => (await query({ owner: 'zoe', level })).events.map((event) => event.description);
    expect(await levels('ERROR')).toEqual(['oops']);
    expect(await levels('AUDIT')).toEqual(['secret']);
    expect(await levels('DEBUG')).toEqual(['oops', 'tick', 'change 5', 'change 4', 'change 3', 'change 2', 'change 1']);
  });

  test('by machine, name, zone, domain', async () => {
    for (const fields of [{ id: ids[0] }, { hostname: 'NODE-0' }, { zone: 'east' }] as Fields[]) {
      expect((await query({ ...fields, owner: 'zoe' })).count, JSON.stringify(fields)).toBe(6);
    }
    expect((await query({ zone: 'default', owner: 'zoe' })).count).toBe(0);
    expect((await query({ domain: 'c17.example', owner: 'zoe' })).count).toBe(6);
    expect((await query({ mac_address: '52:54:00:00:00:01' })).count).toBe(0);
  });

  test('what cannot be asked', async () => {
    expect((await ask('GET', 'events/?op=query', { before: '1', after: '2' })).status).toBe(400);
    expect((await ask('GET', 'events/?op=query', { limit: '1001' })).status).toBe(400);
    expect((await ask('GET', 'events/?op=query', { zone: 'nowhere' })).status).toBe(400);
    expect((await ask('GET', 'events/?op=stream', { after: 'x' })).status).toBe(400);
  });

  test('times are MAAS’s', () => {
    expect(maasTime(new Date('2018-12-07T20:11:08.999Z'))).toBe('Fri, 07 Dec. 2018 20:11:08');
  });

  async function stream(after: string | undefined, count: number, meanwhile: () => Promise<unknown>) {
    const listener = cell.behind ?? (await cell.server.listen({ host: '127.0.0.1', port: 0 }));
    const ending = new AbortController();
    try {
      const url = new URL(`${listener.url}/MAAS/api/2.0/events/?op=stream&id=${ids[1]}`);
      if (after !== undefined) url.searchParams.set('after', after);
      const reply = await fetch(url, { headers: { authorization: oauthHeader('ck:ann:secret') }, signal: ending.signal });
      expect(reply.headers.get('content-type')).toContain('text/event-stream');
      const found: { id: string | undefined; event: string | undefined; data: Record<string, unknown> }[] = [];
      const reading = (async () => {
        if (!reply.body) return;
        for await (const event of readEvents(reply.body)) {
          const data = JSON.parse(event.data) as Record<string, unknown>;
          // An open transaction anywhere on the server holds the feed: what was there before may come as new.
          if (event.event === 'change' && !String(data['description']).startsWith('live')) continue;
          found.push({ id: event.id, event: event.event, data });
          if (found.length >= count) return;
        }
      })();
      await new Promise((resolve) => setTimeout(resolve, 300));
      await meanwhile();
      await reading;
      return found;
    } finally {
      ending.abort();
      if (listener !== cell.behind) await listener.close();
    }
  }

  test('as they happen, and on from a place; a place of another history is a reset', async () => {
    const say = (n: number) =>
      cell.database.transaction((tx) =>
        recordAll(tx, [
          { kind: 'machine_updated', systemId: ids[1] ?? '', description: `live ${n}`, data: { status: 1 } },
          { kind: 'machine_updated', systemId: ids[2] ?? '', description: 'other' },
        ]),
      );
    const [one, two] = await stream(undefined, 2, async () => {
      await say(1);
      await say(2);
    });
    expect(Compile(Change).Errors(one?.data)).toEqual([]);
    expect([one?.event, one?.data]).toMatchObject([
      'change',
      { kind: 'machine_updated', system_id: ids[1], hostname: 'node-1', description: 'live 1', cell: 'c17', data: { status: 1 } },
    ]);
    expect(two?.data).toMatchObject({ description: 'live 2' });
    const [again] = await stream(one?.id, 1, async () => undefined);
    expect(again).toEqual(two);
    const [reset] = await stream(through === 'front' ? '17:9.1.1' : '9.1.1', 1, async () => undefined);
    expect(reset?.event).toBe('reset');
  });
});
