import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { idOf, systemIdOf } from '../contract/ids.ts';
import { createClient } from '../http/client.ts';
import { oauthHeader } from '../http/oauth.ts';
import { adminKey, exampleFleet, userKey, type Fleet } from './example-fleet.ts';
import type { Front } from './front.ts';

let fleet: Fleet;
let front: Front;

beforeEach(async () => {
  fleet = await exampleFleet(3);
  front = await fleet.start();
});
afterEach(() => fleet[Symbol.asyncDispose]());

async function get(path: string, headers: Record<string, string> = {}, key = adminKey): Promise<Response> {
  return fetch(`${front.url}${path.startsWith('/cell/') ? path : `/MAAS/api/2.0/${path}`}`, {
    headers: { authorization: oauthHeader(key), ...headers },
  });
}

async function post(
  path: string,
  fields: Record<string, string> | URLSearchParams,
  headers: Record<string, string> = {},
  method = 'POST',
): Promise<Response> {
  return fetch(`${front.url}/MAAS/api/2.0/${path}`, {
    method,
    headers: { authorization: oauthHeader(adminKey), ...headers },
    body: new URLSearchParams(fields),
  });
}

const cell = (number: number) => fleet.cells[number - 1]!;
const machine = (number: number, n = 0) => systemIdOf(number, 110 + n)!;
const everything = () => [1, 2, 3].flatMap((number) => [0, 1, 2].map((n) => machine(number, n)));
const idsOf = (list: unknown) => (list as { system_id: string }[]).map((one) => one.system_id);

const ids = (...list: string[]) => new URLSearchParams(list.map((id) => ['machines', id]));

describe('id', () => {
  test('goes to the cell in the id, with the caller vouched for and no secret of theirs', async () => {
    const reply = await get(`machines/${machine(2)}/`, { cookie: 'muster_session=abc', 'x-other': 'y' }, userKey);
    expect(reply.status).toBe(200);
    expect(await reply.json()).toMatchObject({ system_id: machine(2), cell: 'c2' });
    const [seen, ...more] = fleet.cells.flatMap((one) => one.seen);
    expect(more).toEqual([]);
    expect(seen!.headers['muster-assertion']).toMatch(/^[\w-]+\.[\w-]+$/);
    for (const text of [JSON.stringify(seen!.headers), seen!.url]) {
      for (const secret of ['secret-of-ann', 'token-ann', 'oauth', 'abc']) expect(text).not.toContain(secret);
    }
    expect(seen!.headers).not.toHaveProperty('authorization');
    expect(seen!.headers).not.toHaveProperty('cookie');
  });

  test('a cell that was taken over cannot send a page, a cookie or a rule to browsers', async () => {
    const { headers } = await get(`machines/${machine(2)}/?op=query_power_state`);
    for (const name of ['set-cookie', 'access-control-allow-origin', 'refresh', 'muster-cells'])
      expect([name, headers.get(name)]).toEqual([name, null]);
    expect(headers.get('muster-other')).toBe('yes');
    expect(headers.get('content-security-policy')).toBe("default-src 'none'; sandbox");
    expect(headers.get('x-content-type-options')).toBe('nosniff');
  });

  test('integer ids too; an error of the cell comes back as it was', async () => {
    const reply = await get(`subnets/${idOf(3, 7)}/`);
    expect(await reply.json()).toEqual({ id: idOf(3, 7) });
    const gone = await get(`machines/${systemIdOf(1, 9)!}/`);
    expect([gone.status, await gone.text(), gone.headers.get('muster-error')]).toEqual([
      404,
      'No Machine matches the given query.',
      'not_found',
    ]);
  });

  test.each(['hang', 'refuse'] as const)('a cell that does not answer (%s) is 503 with Retry-After, never 404', async (how) => {
    if (how === 'hang') cell(2).faults.set('all', 'hang');
    else await cell(2).stop();
    const reply = await get(`machines/${machine(2)}/`);
    expect(reply.status).toBe(503);
    expect(reply.headers.get('retry-after')).toBe('10');
    expect(reply.headers.get('muster-error')).toBe('cell_absent');
    expect(await reply.text()).toContain('Cell c2 did not answer');
  });

  test('a POST that may have arrived is 504 without Retry-After; with an Idempotency-Key it may be repeated', async () => {
    cell(2).faults.set('all', 'hang');
    const unsure = await post(`machines/${machine(2)}/?op=power_on`, {});
    expect([unsure.status, unsure.headers.get('retry-after')]).toEqual([504, null]);
    const keyed = await post(`machines/${machine(2)}/?op=power_on`, {}, { 'idempotency-key': 'k1' });
    expect(keyed.status).toBe(503);
    expect(cell(2).seen.at(-1)!.headers['idempotency-key']).toBe('k1');
  });

  test('an id of no cell is 404; a cell that is out is absent', async () => {
    expect((await get(`machines/${systemIdOf(77, 20)!}/`)).status).toBe(404);
    expect((await get('machines/whatever/')).status).toBe(404);
    fleet.mark('c2', true);
    expect((await get(`machines/${machine(2)}/`)).status).toBe(503);
  });

  test('an id of a cell that has not been heard of is unknown, not gone, while the hub is not heard', async () => {
    const stranger = systemIdOf(77, 20)!;
    const calls = () =>
      Promise.all([
        get(`machines/${stranger}/`),
        get(`machines/?id=${stranger}`),
        post('machines/?op=release', ids(stranger)),
        post('machines/?op=release', ids(stranger, machine(1))),
        get('/cell/c77/MAAS/api/2.0/machines/'),
      ]);
    fleet.fallBehind(true);
    expect((await calls()).map((reply) => reply.status)).toEqual([503, 503, 503, 503, 503]);
    expect((await get(`machines/${machine(1)}/`)).status).toBe(200);
    fleet.fallBehind(false);
    expect((await calls()).map((reply) => reply.status < 500)).toEqual([true, true, true, true, true]);
  });

  test('what breaks off in a cell breaks off here', async () => {
    cell(1).faults.set('Machines.read', 'break');
    const reply = await get('/cell/c1/MAAS/api/2.0/machines/');
    expect(reply.status).toBe(200);
    await expect(reply.text()).rejects.toThrow(/terminated|aborted/);
  });

  test('a breaker opens after failures in a row, fails at once, and closes when the cell answers again', async () => {
    cell(2).faults.set('all', 'hang');
    for (let at = 0; at < 3; at += 1) await get(`machines/${machine(2)}/`);
    const before = performance.now();
    expect((await get(`machines/${machine(2)}/`)).status).toBe(503);
    expect(performance.now() - before).toBeLessThan(200);
    expect(await (await fetch(`${front.url}/metrics`)).text()).toContain('muster_front_cell_usable{cell="c2"} 0');
    cell(2).faults.clear();
    await expect.poll(async () => (await get(`machines/${machine(2)}/`)).status, { timeout: 5_000 }).toBe(200);
  });
});

describe('gather', () => {
  test('one list of all cells, and who has answered', async () => {
    const reply = await get('machines/');
    expect(reply.headers.get('muster-cells')).toBe('asked=3 answered=3');
    expect(reply.headers.get('content-type')).toBe('application/json; charset=utf-8');
    expect(idsOf(await reply.json())).toEqual(everything());
  });

  test.each(['hang', 'stall', 503, 401] as const)('a cell that gives nothing in time (%s) is named', async (fault) => {
    cell(2).faults.set('Machines.read', fault);
    const reply = await get('machines/');
    expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=3 answered=2 absent=c2']);
    expect(idsOf(await reply.json())).toEqual(everything().filter((id) => id.slice(0, 3) !== machine(2).slice(0, 3)));
  });

  test('a cell that breaks off later breaks the connection: a list never ends well-formed and short', async () => {
    cell(2).faults.set('Machines.read', 'break');
    const reply = await get('machines/');
    expect(reply.headers.get('muster-cells')).toBe('asked=3 answered=3');
    await expect(reply.text()).rejects.toThrow(/terminated|aborted/);
  });

  test('silence is not absence: who names a thing is refused while it could be in an absent cell', async () => {
    await cell(2).stop();
    for (const query of ['hostname=z-c1', 'owner=ann', 'mac_address=52:54:00:00:00:01', `id=${machine(2)}`]) {
      const reply = await get(`machines/?${query}`);
      expect([query, reply.status, reply.headers.get('muster-error'), reply.headers.get('retry-after')]).toEqual([
        query,
        503,
        'partial_refused',
        '10',
      ]);
      expect(await reply.text()).toContain('absent: c2');
    }
    const whole = await get('machines/', { 'muster-partial': 'refuse' });
    expect([whole.status, whole.headers.get('muster-error')]).toEqual([503, 'partial_refused']);
    const registered = await get('machines/?op=is_registered&mac_address=52:54:00:00:00:01');
    expect(registered.status).toBe(503);
    const elsewhere = await get(`machines/?id=${machine(1)}&id=${machine(3)}`);
    expect([elsewhere.status, elsewhere.headers.get('muster-cells')]).toEqual([200, 'asked=2 answered=2']);
    expect(idsOf(await elsewhere.json())).toEqual([machine(1), machine(3)]);
  });

  test('a cell that is marked out is known to be gone, and answers flow', async () => {
    await cell(2).stop();
    fleet.mark('c2', true);
    const reply = await get('machines/?hostname=z-c1');
    expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=2 answered=2 out=c2']);
    expect(idsOf(await reply.json())).toEqual([machine(1)]);
  });

  test('nobody answers: 503', async () => {
    await Promise.all(fleet.cells.map((one) => one.stop()));
    const reply = await get('machines/');
    expect([reply.status, reply.headers.get('muster-error')]).toEqual([503, 'cell_absent']);
  });

  test('what every cell refuses is refused; what one refuses makes it absent', async () => {
    const reply = await get('machines/?mem=bad');
    expect(reply.status).toBe(400);
  });

  test('counts are added', async () => {
    expect(await (await get('machines/?op=summary')).json()).toEqual({
      machines: 9,
      by_status: { ready: 9 },
      by_zone: { default: 6, far: 3 },
    });
  });

  test('one cell that says yes is enough, also when another is absent', async () => {
    cell(3).machines[0]!.hostname = '52:54:00:00:00:01';
    const asked = 'machines/?op=is_registered&mac_address=52:54:00:00:00:01';
    expect(await (await get(asked)).json()).toBe(true);
    await cell(1).stop();
    expect(await (await get(asked)).json()).toBe(true);
  });

  test('pages over all cells, in the order of ids and of names, meet every machine once', async () => {
    for (const sort of [undefined, 'hostname']) {
      const seen: string[] = [];
      let after: string | null = null;
      do {
        const query = new URLSearchParams({ limit: '2', ...(sort === undefined ? {} : { sort }), ...(after === null ? {} : { after }) });
        const reply = await get(`machines/?${query}`);
        const page = (await reply.json()) as { system_id: string; hostname: string }[];
        expect(page.length).toBeLessThanOrEqual(2);
        seen.push(...page.map((one) => (sort === undefined ? one.system_id : one.hostname)));
        after = reply.headers.get('muster-next');
      } while (after !== null);
      expect(seen).toHaveLength(9);
      expect(seen).toEqual([...new Set(seen)].sort());
    }
    const sorted = (await (await get('machines/?sort=hostname')).json()) as { hostname: string }[];
    expect(sorted.map((one) => one.hostname)).toEqual(sorted.map((one) => one.hostname).toSorted());
  });

  test('the place of a page holds when a cell drops out and when it returns', async () => {
    const seen: string[] = [];
    let after: string | null = null;
    let page = 0;
    do {
      // Out for the second page: what it holds behind the place is not lost when it is back.
      fleet.mark('c3', page === 1);
      const query = new URLSearchParams({ sort: 'hostname', limit: '2', ...(after === null ? {} : { after }) });
      const reply = await get(`machines/?${query}`);
      expect(reply.headers.get('muster-cells')).toBe(page === 1 ? 'asked=2 answered=2 out=c3' : 'asked=3 answered=3');
      seen.push(...((await reply.json()) as { hostname: string }[]).map(({ hostname }) => hostname));
      after = reply.headers.get('muster-next');
      page += 1;
    } while (after !== null);
    // In order, none twice; what c3 had between two places while it was out is all that is missing.
    expect(seen).toEqual([...new Set(seen)].toSorted());
    const all = fleet.cells.flatMap(({ machines }) => machines.map(({ hostname }) => hostname)).toSorted();
    const missed = all.filter((name) => !seen.includes(name));
    expect(missed.every((name) => name.endsWith('c3'))).toBe(true);
    expect(missed.length).toBeLessThanOrEqual(1);
  });

  test('findings and events: newest first over all cells', async () => {
    const findings = (await (await get('findings/')).json()) as { id: number }[];
    expect(findings.map((one) => one.id)).toEqual([3, 2, 1].map((number) => idOf(number, 1)));
    const events = (await (await get('events/?op=query&limit=2')).json()) as { count: number; events: { id: number }[] };
    expect([events.count, events.events.map((one) => one.id)]).toEqual([2, [idOf(3, 7), idOf(2, 7)]]);
    expect((await get('events/?op=query&before=7')).status).toBe(400);
  });

  test('what is done in all cells is begun in none while one is absent', async () => {
    expect(idsOf(await (await post('machines/?op=accept_all', {})).json())).toEqual(everything());
    await cell(3).stop();
    expect((await post('machines/?op=accept_all', {})).status).toBe(503);
    expect(cell(1).seen.filter((one) => one.route === 'Machines.accept_all')).toHaveLength(1);
  });

  test('a caller that goes away lets go of the cells', async () => {
    cell(1).faults.set('Machines.read', 'hang');
    const gone = new AbortController();
    const asked = fetch(`${front.url}/MAAS/api/2.0/machines/`, { headers: { authorization: oauthHeader(adminKey) }, signal: gone.signal });
    await expect.poll(() => cell(1).seen.length).toBe(1);
    gone.abort();
    await expect(asked).rejects.toThrow(/terminated|aborted/);
    expect((await get(`machines/${machine(1)}/`)).status).toBe(200);
  });
});

describe('place', () => {
  test('cell= says where, and is not passed on', async () => {
    const reply = await post('fabrics/', { name: 'f', cell: 'c3' });
    expect(await reply.json()).toEqual({ name: 'f', cell: 'c3', fields: { name: ['f'] } });
  });

  test('an id or a reserved domain says where', async () => {
    expect(await (await post('machines/', { hostname: 'a', domain: String(idOf(2, 1)) })).json()).toMatchObject({ cell: 'c2' });
    expect(await (await post('machines/', { hostname: 'a', domain: 'two.site' })).json()).toMatchObject({ cell: 'c2' });
  });

  test('the zone says where, unless something nearer does', async () => {
    fleet.tell({
      kind: 'zone',
      id: '9',
      stream: 'config',
      revision: { epoch: 1, n: 9 },
      retired: false,
      body: { id: 9, name: 'hall-2', description: '', cell: 'c2' },
    });
    const create = (fields: Record<string, string>) => post('machines/', { hostname: 'new', ...fields });
    expect(await (await create({ zone: 'hall-2' })).json()).toMatchObject({ cell: 'c2' });
    expect(await (await create({ zone: 'hall-2', cell: 'c3' })).json()).toMatchObject({ cell: 'c3' });
    expect((await create({ zone: 'default' })).headers.get('muster-error')).toBe('unplaced');
  });

  test('nothing says where: 400 that names the cells; an unknown cell is a bad parameter', async () => {
    const reply = await post('fabrics/', { name: 'f' });
    expect([reply.status, reply.headers.get('muster-error')]).toEqual([400, 'unplaced']);
    expect(await reply.text()).toContain('cell=NAME (one of c1, c2, c3)');
    expect(await (await post('fabrics/', { name: 'f', cell: 'c9' })).json()).toEqual({
      cell: ["No such cell: 'c9'. There are: c1, c2, c3."],
    });
  });

  test('the only cell', async () => {
    await using alone = await exampleFleet(1);
    const only = await alone.start();
    const reply = await fetch(`${only.url}/MAAS/api/2.0/fabrics/`, {
      method: 'POST',
      headers: { authorization: oauthHeader(adminKey) },
      body: new URLSearchParams({ name: 'f' }),
    });
    expect(await reply.json()).toMatchObject({ cell: 'c1' });
  });
});

describe('split', () => {
  test('each cell gets its own ids', async () => {
    const reply = await post('machines/?op=release', ids(machine(1), machine(3), machine(1, 1)));
    expect(await reply.json()).toEqual([machine(1), machine(1, 1), machine(3)]);
    expect(cell(1).seen.at(-1)!.fields).toEqual({ machines: [machine(1), machine(1, 1)] });
    expect(cell(2).seen).toEqual([]);
  });

  test('what was not done is named, and what was', async () => {
    const reply = await post('machines/?op=release', ids(machine(1), systemIdOf(3, 9)!));
    expect(reply.status).toBe(400);
    expect(await reply.text()).toBe(`Cell c3 (${systemIdOf(3, 9)!}): Unknown machine(s): ${systemIdOf(3, 9)!}.\nDone: ${machine(1)}.`);
    cell(3).faults.set('Machines.release', 'hang');
    const late = await post('machines/?op=release', ids(machine(1), machine(3)));
    expect([late.status, late.headers.get('muster-error')]).toEqual([503, 'cell_absent']);
    expect(await late.text()).toContain(`Done: ${machine(1)}.`);
  });

  test('ids of no cell, and cells that are out, are refused before anything is done', async () => {
    expect((await post('machines/?op=release', ids(machine(1), systemIdOf(77, 20)!))).status).toBe(400);
    fleet.mark('c3', true);
    expect((await post('machines/?op=release', ids(machine(1), machine(3)))).status).toBe(503);
    expect(cell(1).seen).toEqual([]);
  });
});

describe('the rest', () => {
  test('/cell/NAME/ is that cell alone, whatever the reach', async () => {
    expect(idsOf(await (await get('/cell/c2/MAAS/api/2.0/machines/')).json())).toEqual([0, 1, 2].map((n) => machine(2, n)));
    expect(await (await get('/cell/c2/MAAS/api/2.0/version/')).json()).toMatchObject({ muster: { program: 'cell', name: 'c2' } });
    expect((await get('/cell/c9/MAAS/api/2.0/machines/')).status).toBe(404);
  });

  test('the front answers for itself', async () => {
    expect(await (await fetch(`${front.url}/MAAS/api/2.0/version/`)).json()).toMatchObject({ muster: { program: 'front', name: 'f1' } });
    expect(await (await get('users/?op=whoami', {}, userKey)).json()).toMatchObject({ username: 'ann' });
    expect((await get('zones/')).status).toBe(200);
    expect((await fetch(`${front.url}/MAAS/api/2.0/machines/`)).status).toBe(401);
    expect((await fetch(`${front.url}/readyz`)).status).toBe(200);
    expect(
      (await fetch(`${front.url}/MAAS/api/2.0/machines/?op=ask`, { method: 'POST', headers: { authorization: oauthHeader(adminKey) } }))
        .status,
    ).toBe(400);
  });

  test('cells, with what each says of itself; absent ones are named', async () => {
    await cell(3).stop();
    fleet.mark('c2', true);
    const list = await createClient({ url: front.url, key: adminKey }).call('Cells.read', {}, {});
    expect(list).toMatchObject([
      {
        name: 'c1',
        state: 'in',
        answering: true,
        version: '9.9',
        revision: { access: '1.1', config: '1.2' },
        lag: 0.5,
        machines: { ready: 3 },
        findings: { warning: 1 },
      },
      { name: 'c2', state: 'out', answering: null, machines: null },
      { name: 'c3', state: 'in', answering: false, machines: null },
    ]);
    expect((await get('cells/c9/')).status).toBe(404);
  });
});

describe('a cell that stalls in the middle of a small reply', () => {
  test('is absent from counts by the deadline of the call, and named', async () => {
    cell(3).faults.set('Machines.summary', 'half');
    const reply = await get('machines/?op=summary');
    expect([reply.status, reply.headers.get('muster-cells')]).toEqual([200, 'asked=3 answered=2 absent=c3']);
    expect(await reply.json()).toMatchObject({ machines: 6 });
    const refused = await get('machines/?op=summary', { 'muster-partial': 'refuse' });
    expect([refused.status, refused.headers.get('muster-error')]).toEqual([503, 'partial_refused']);
  });
});

test('how far a bulk call is, nobody says while a cell is absent that may be at work on it', async () => {
  const all = await get('operations/?op=summary&bulk=b1');
  expect(await all.json()).toMatchObject({ operations: 3, by_outcome: { done: 3 } });
  await cell(3).stop();
  const refused = await get('operations/?op=summary&bulk=b1');
  expect([refused.status, refused.headers.get('muster-error')]).toEqual([503, 'partial_refused']);
  expect((await get('operations/?op=summary')).status).toBe(200);
});
