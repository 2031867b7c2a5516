/** What is asked for through the API while a worker is at work: the worker finds its fence gone and writes nothing. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellApi, type CellApi } from '../../../test/cell-api.ts';
import { LostRace } from '../db/cell-db.ts';
import { claimDue, stepTaken } from '../db/operation-store.ts';
import { reconcile } from '../lifecycle/reconcile.ts';

let cell: CellApi;
beforeAll(async () => {
  cell = await cellApi({ bmc: () => ({ state: 'off', evidence: 'off' }) });
});
afterAll(() => cell.close());

const ask = (id: string, op: string) => cell.ask('ann', 'POST', `machines/${id}/?op=${op}`);
const shown = async (id: string) => (await cell.ask('ann', 'GET', `machines/${id}/`)).json();
const work = () =>
  reconcile(
    {
      database: cell.database,
      door: { hasImage: async () => true, fetchImage: async () => undefined, dhcpNames: async () => true, killPoint: () => undefined },
      log: { info: () => undefined, error: (facts) => expect.fail(JSON.stringify(facts)) },
      signal: new AbortController().signal,
    },
    'test',
  );

test('a worker that was about to write a step of a released deployment has lost', async () => {
  const [id = ''] = await cell.fleet(1);
  await ask(id, 'deploy');
  const [claimed] = await claimDue(cell.database.db, 'slow worker', 1, 60);
  await ask(id, 'release');
  const late = stepTaken(cell.database.db, claimed ?? { id: 0, fence: 0, nudges: 0 }, {
    step: 'issue_ticket',
    note: '',
    dueIn: 0,
    waitsForHands: false,
  });
  await expect(late).rejects.toBeInstanceOf(LostRace);
  expect(await shown(id)).toMatchObject({ status_name: 'Releasing', operation: { kind: 'release', step: 'start' } });
  // Power by hand: nothing is switched, and releasing ends at once.
  await work();
  expect(await shown(id)).toMatchObject({ status_name: 'Ready', owner: null, osystem: '', operation: null });
});

test('the reconciler carries on what the API started, and an abort ends it', async () => {
  const [id = ''] = (await cell.ask('admin', 'POST', 'machines/', { mac_addresses: '52:54:00:00:00:01', power_type: 'manual' }))
    .json<{ system_id: string }>()
    .system_id.split(' ');
  await work();
  expect(await shown(id)).toMatchObject({ netboot: true, operation: { kind: 'commission', step: 'issue_ticket' } });
  expect((await cell.ask('admin', 'POST', `machines/${id}/?op=abort`)).status).toBe(200);
  for (let round = 0; round < 5 && (await work()) > 0; round += 1);
  expect(await shown(id)).toMatchObject({ status_name: 'New', netboot: false, operation: null });
  const [operation] = (await cell.ask('ann', 'GET', 'operations/', { machine: id })).json<Record<string, unknown>[]>();
  expect(operation).toMatchObject({
    outcome: 'aborted',
    abort_asked: true,
    steps: [{ step: 'issue_ticket' }, { step: 'void_ticket' }, { step: 'aborted' }],
  });
});
