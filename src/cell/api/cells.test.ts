import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cell, networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { through } from '../../../test/through-front.ts';
import { referencedTags } from '../db/tag-store.ts';
import { cellOf, isSystemId } from '../../contract/ids.ts';
import { powerTypes } from '../../contract/power-types.ts';
import { rackId } from './rack-id.ts';

let at: NetworkServer;
let joined: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
  joined = await networkServer({ hub: 'https://hub.example:5242', lag: () => 3 });
});
afterAll(async () => {
  await at.drop();
  await joined.drop();
});

describe('tags of machines', () => {
  test('put on, listed, taken off; counted once', async () => {
    await at.must('POST', 'tags/', { name: 'gpu' });
    const ids = [await at.machine(), await at.machine(), await at.machine()];
    expect(await at.must('POST', 'tags/gpu/?op=update_nodes', { add: [ids[0], ids[1], ids[1], '339999z', 'nonsense'] })).toEqual({
      added: 2,
      removed: 0,
    });
    expect(await at.must('POST', 'tags/gpu/?op=update_nodes', { add: [ids[0], ids[2]], remove: [ids[1]] })).toEqual({
      added: 1,
      removed: 1,
    });
    const listed = await at.must('GET', 'tags/gpu/?op=machines', undefined, 'ann');
    expect(listed.map((machine: { system_id: string; tag_names: string[] }) => [machine.system_id, machine.tag_names])).toEqual(
      [ids[0], ids[2]].toSorted().map((id) => [id, ['gpu']]),
    );
    expect(await at.must('GET', 'tags/gpu/?op=nodes')).toEqual(listed);
    expect([...(await referencedTags(at.db)).values()]).toEqual([2]);
    const raced = await Promise.all(Array.from({ length: 5 }, () => at.must('POST', 'tags/gpu/?op=update_nodes', { add: ids })));
    expect(raced.reduce((sum, one) => sum + one.added, 0)).toBe(1);
  });

  test('refusals', async () => {
    const id = await at.machine();
    const missing = await at.ask('POST', 'tags/none/?op=update_nodes', { add: id });
    expect([missing.status, missing.text]).toEqual([404, 'No Tag matches the given query.']);
    expect((await at.ask('GET', 'tags/none/?op=machines')).status).toBe(404);
    await at.must('POST', 'tags/', { name: 'ssd' });
    expect((await at.ask('POST', 'tags/ssd/?op=update_nodes', { add: id }, 'ann')).status).toBe(403);
    expect((await at.ask('POST', 'tags/ssd/?op=update_nodes', { add: id, remove: id })).body).toEqual({
      remove: [`Asked to add and to remove: ${id}.`],
    });
  });

  test('constant cost', async () => {
    await at.must('POST', 'tags/', { name: 'many' });
    const cost = async () => (await at.database.countStatements(() => at.must('GET', 'tags/many/?op=machines'))).statements.length;
    await at.must('POST', 'tags/many/?op=update_nodes', { add: [await at.machine()] });
    const before = await cost();
    const more: string[] = [];
    for (let n = 0; n < 12; n += 1) more.push(await at.machine());
    const written = await at.database.countStatements(() => at.must('POST', 'tags/many/?op=update_nodes', { add: more }));
    expect(written.statements).toHaveLength(3);
    expect(await cost()).toBe(before);
    expect(await at.must('GET', 'tags/many/?op=machines')).toHaveLength(13);
  });
});

describe('who uses what is global', () => {
  test('pools and users of machines', async () => {
    const pool = await at.must('POST', 'resourcepools/', { name: 'p2' });
    const id = await at.machine({ owner: 'bob', status: 'allocated' });
    await at.db.updateTable('machine').set({ pool_id: pool.id }).where('system_id', '=', id).execute();
    expect(await at.usage.inUse('pool', pool.id)).toBe('1 machine');
    expect(await at.usage.inUse('user', 4)).toBe('1 machine');
    expect(await at.usage.inUse('user', 3)).toBeUndefined();
    expect(await at.usage.inUse('user', 999)).toBeUndefined();
    const by = through === 'front' ? 'machines in c17' : '1 machine';
    expect((await at.ask('DELETE', `resourcepool/${pool.id}/`)).text).toBe(`Resource pool p2 is in use: ${by}.`);
    await at.db.updateTable('machine').set({ pool_id: 0 }).where('system_id', '=', id).execute();
    expect((await at.ask('DELETE', `resourcepool/${pool.id}/`)).status).toBe(204);
  });
});

/** What the harness has put there to ask through a front is not meant. */
const isOfTheTest = ({ name }: { readonly name: string }): boolean => !['f1', 'c18', 'c19'].includes(name);

describe('the cell itself', () => {
  test('as a rack controller', async () => {
    const [rack, ...more] = await at.must('GET', 'rackcontrollers/');
    expect(more).toEqual([]);
    expect(isSystemId(rack.system_id)).toBe(true);
    expect(cellOf(rack.system_id)).toBe(cell);
    expect(rack).toMatchObject({
      system_id: rackId(cell),
      hostname: 'c17',
      fqdn: 'c17.c17.example',
      domain: { name: 'c17.example', is_default: true },
      zone: { id: 1, name: 'default' },
      ip_addresses: ['10.40.1.1'],
      node_type: 4,
      service_set: [
        { name: 'http', status: 'running', status_info: '' },
        { name: 'dhcpd', status: 'running', status_info: '' },
      ],
    });
    expect(rack.cpu_count).toBeGreaterThan(0);
    expect(rack.memory).toBeGreaterThan(100);
    expect(await at.must('GET', 'rackcontrollers/?op=describe_power_types')).toEqual(JSON.parse(JSON.stringify(powerTypes)));
  });

  test('its version, to anybody', async () => {
    const version = await at.mustCell('GET', 'version/', undefined, 'nobody');
    expect(version).toMatchObject({ version: '3.7.0', subversion: '', muster: { version: '0.1.0', program: 'cell', name: 'c17' } });
    expect(version.capabilities).toContain('authenticate-api');
    expect(version.muster.revision).toMatch(/^access=1\.\d+ config=1\.\d+$/);
  });

  test('among the cells, with its counts', async () => {
    await at.machine({ status: 'broken' });
    await at.db.insertInto('finding').values({ kind: 'foreign_data', subject: 'x', text: 'x' }).execute();
    const [self] = await at.mustCell('GET', 'cells/');
    expect(self).toMatchObject({
      number: cell,
      name: 'c17',
      state: 'in',
      answering: true,
      lag: null,
      findings: { critical: 1 },
      version: '0.1.0',
    });
    expect(self.machines.broken).toBe(1);
    expect(await at.mustCell('GET', 'cells/c17/')).toEqual(self);
    expect((await at.askCell('GET', 'cells/c47/')).text).toBe('No Cell matches the given query.');
    const refused = await at.askCell('POST', 'cells/', { name: 'c47' });
    expect([refused.status, refused.text]).toEqual([
      400,
      'Cell c17 stands alone: cells and fronts are registered at a hub, and it has none.',
    ]);
    expect((await at.mustCell('GET', 'fronts/')).filter(isOfTheTest)).toEqual([]);
  });

  test('joined: it names the others and the hub', async () => {
    await joined.write((draft) => draft.put('cell', 48, { number: 48, name: 'c48', key: 'k', url: 'https://c48', out: true }));
    expect(
      (await joined.mustCell('GET', 'cells/'))
        .filter(isOfTheTest)
        .map((one: { name: string; state: string; answering: boolean | null }) => [one.name, one.state, one.answering]),
    ).toEqual([
      ['c17', 'in', true],
      ['c48', 'out', null],
    ]);
    expect((await joined.mustCell('GET', 'cells/c17/')).lag).toBe(3);
    for (const [method, path, form] of [
      ['POST', 'cells/', { name: 'c19' }],
      ['PUT', 'cells/c17/', { state: 'out' }],
      ['POST', 'fronts/', { name: 'f1' }],
    ] as const) {
      const refused = await joined.askCell(method, path, form);
      expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('https://hub.example:5242')]);
    }
  });

  test('static routes: none', async () => {
    expect(await at.must('GET', 'static-routes/')).toEqual([]);
  });
});
