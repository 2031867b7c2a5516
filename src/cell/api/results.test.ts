import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';

let at: NetworkServer;
beforeAll(async () => {
  at = await networkServer();
});
afterAll(() => at.drop());

const operation = async (systemId: string): Promise<number> =>
  (
    await at.db
      .insertInto('operation')
      .values({ system_id: systemId, kind: 'commission', plan_version: 1, outcome: 'done', requested_by: 'admin', deadline: new Date() })
      .returning('id')
      .executeTakeFirstOrThrow()
  ).id;

interface Given {
  readonly type?: number;
  readonly status?: number;
  readonly out?: string;
  readonly err?: string;
}
const began = new Date('2026-01-02T03:04:05.500Z');
const ran = async (system_id: string, operation_id: number, name: string, { type = 0, status = 2, out = 'hello', err = '' }: Given = {}) =>
  (
    await at.db
      .insertInto('script_result')
      .values({
        system_id,
        operation_id,
        name,
        type,
        status,
        exit_status: 0,
        started: began,
        ended: status < 2 ? null : new Date(began.getTime() + 61_000),
        stdout: Buffer.from(out),
        stderr: Buffer.from(err),
        output: Buffer.from(out + err),
      })
      .returning('id')
      .executeTakeFirstOrThrow()
  ).id;
const base64 = (text: string) => Buffer.from(text).toString('base64');

describe('result sets', () => {
  test('newest run first, a set for each type, output only when asked for', async () => {
    const id = await at.machine();
    const first = await operation(id);
    const older = await ran(id, first, '50-inventory');
    const second = await operation(id);
    const inventory = await ran(id, second, '50-inventory', { err: 'oops' });
    const burn = await ran(id, second, '60-burn', { type: 2, status: 3 });
    await ran(id, second, '61-burn', { type: 2, status: 1 });
    const sets = await at.must('GET', `nodes/${id}/results/`);
    expect(sets.map((set: { id: number; type: number }) => [set.id, set.type])).toEqual([
      [inventory, 0],
      [burn, 2],
      [older, 0],
    ]);
    expect(sets[0]).toEqual({
      id: inventory,
      system_id: id,
      type: 0,
      type_name: 'Commissioning script',
      last_ping: 'Fri, 02 Jan. 2026 03:05:06',
      status: 2,
      status_name: 'Passed',
      started: 'Fri, 02 Jan. 2026 03:04:05',
      ended: 'Fri, 02 Jan. 2026 03:05:06',
      runtime: '0:01:01',
      results: [
        {
          id: inventory,
          name: '50-inventory',
          created: expect.any(String),
          updated: 'Fri, 02 Jan. 2026 03:05:06',
          status: 2,
          status_name: 'Passed',
          exit_status: 0,
          started: 'Fri, 02 Jan. 2026 03:04:05',
          ended: 'Fri, 02 Jan. 2026 03:05:06',
          runtime: '0:01:01',
          starttime: 1767323045.5,
          endtime: 1767323106.5,
          estimated_runtime: '',
          parameters: {},
          script_id: null,
          script_revision_id: null,
          suppressed: false,
        },
      ],
      resource_uri: `/MAAS/api/2.0/nodes/${id}/results/${inventory}/`,
    });
    expect(sets[1]).toMatchObject({ status_name: 'Running', ended: null, runtime: '' });
    const full = await at.must('GET', `nodes/${id}/results/`, { type: 'commissioning', include_output: 'true' });
    expect(full[0].results[0]).toMatchObject({ stdout: base64('hello'), stderr: base64('oops'), output: base64('hellooops'), result: '' });
    expect(await at.must('GET', `nodes/${id}/results/${older}/`)).toMatchObject({ id: older });
    expect(await at.must('GET', `nodes/${id}/results/current-commissioning/`)).toMatchObject({ id: inventory, type: 0 });
    expect(await at.must('GET', `nodes/${id}/results/current-testing/`)).toMatchObject({ id: burn, type: 2 });
    // Also where not all of a set is asked for.
    expect(await at.must('GET', `nodes/${id}/results/${burn}/`, { filters: '61-burn' })).toMatchObject({ id: burn, type: 2 });
    expect((await at.ask('GET', `nodes/${id}/results/${second}/`)).status).toBe(404);
    expect(await at.must('GET', `machines/${id}/`)).toMatchObject({
      current_commissioning_result_id: inventory,
      current_testing_result_id: burn,
      current_installation_result_id: null,
    });
    expect(
      (await at.must('GET', `nodes/${id}/results/`, { filters: '60-burn, 99-none' })).map(
        (set: { results: unknown[] }) => set.results.length,
      ),
    ).toEqual([1]);
  });

  test('what is suppressed does not count, in the set and in the machine', async () => {
    const id = await at.machine();
    const run = await operation(id);
    const set = await ran(id, run, '60-burn', { type: 2, status: 3 });
    await ran(id, run, '61-burn', { type: 2, status: 2 });
    const path = `nodes/${id}/results/${set}/`;
    const states = async () => [
      (await at.must('GET', `machines/${id}/`)).testing_status_name,
      (await at.must('GET', `machines/${id}/`)).other_test_status_name,
      (await at.must('GET', path)).status_name,
    ];
    expect(await states()).toEqual(['Failed', 'Failed', 'Failed']);
    await at.must('PUT', path, { suppressed: 'true', filters: '60-burn' });
    expect(await states()).toEqual(['Passed', 'Passed', 'Passed']);
    await at.must('PUT', path, { suppressed: 'true' });
    expect(await states()).toEqual(['Unknown', 'Unknown', 'Unknown']);
    await at.must('PUT', path, { suppressed: 'false' });
    expect(await states()).toEqual(['Failed', 'Failed', 'Failed']);
  });

  test('what is not there', async () => {
    const id = await at.machine();
    expect(await at.must('GET', `nodes/${id}/results/`)).toEqual([]);
    for (const run of ['current-commissioning', 'current-installation', '7', 'x', 'current-everything']) {
      const answer = await at.ask('GET', `nodes/${id}/results/${run}/`);
      expect([answer.status, answer.text]).toEqual([404, 'No ScriptSet matches the given query.']);
    }
    expect((await at.ask('GET', 'nodes/339999z/results/')).text).toBe('No Machine matches the given query.');
    expect((await at.ask('GET', `nodes/${id}/results/`, { type: 'knitting' })).status).toBe(400);
    expect((await at.ask('GET', `nodes/${id}/results/`, undefined, 'nobody')).status).toBe(401);
  });
});

describe('the older list', () => {
  test('one item for each output of each finished script, filtered, over pages', async () => {
    const [a, b] = [await at.machine(), await at.machine()];
    const [one, two] = [await operation(a), await operation(b)];
    await ran(a, one, 'with-errors', { err: 'bad' });
    await ran(a, one, 'unfinished', { status: 1 });
    for (let n = 0; n < 120; n += 1) await ran(b, two, `many-${n}`, { type: 2, out: String(n) });
    const found = await at.must('GET', 'commissioning-results/', { system_id: a });
    expect(found.map((item: { name: string; data: string }) => [item.name, item.data])).toEqual([
      ['with-errors', base64('hello')],
      ['with-errors.err', base64('bad')],
    ]);
    const many = await at.must('GET', 'installation-results/', { system_id: [a, b], result_type: '2' });
    expect(many.map((item: { name: string }) => item.name)).toEqual(Array.from({ length: 120 }, (_, n) => `many-${n}`));
    expect(many[0]).toMatchObject({
      node: { system_id: b },
      result_type: 2,
      script_result: 0,
      resource_uri: '/MAAS/api/2.0/commissioning-results/',
    });
    expect(await at.must('GET', 'commissioning-results/', { name: ['many-3', 'many-4'] })).toHaveLength(2);
    expect(await at.must('GET', 'commissioning-results/', { name: 'nothing' })).toEqual([]);
    expect((await at.ask('GET', 'commissioning-results/', { result_type: '9' })).status).toBe(400);
  });
});
