/** What cells are asked before the hub retires a pool, and which answers let it through. Against cells that are real HTTP servers. */
import { Readable } from 'node:stream';
import { expect, test } from 'vitest';
import { oauthHeader } from '../http/oauth.ts';
import { adminKey, exampleFleet, type Fault } from './example-fleet.ts';

test('a pool goes when every cell has said that it is not in use; a refusal says nothing', async () => {
  await using fleet = await exampleFleet(2);
  const asked: string[] = [];
  const line = {
    send: ({ path }: { readonly path: string }) => {
      asked.push(path);
      return Promise.resolve({ status: 204, headers: {}, body: Readable.from([]) });
    },
    [Symbol.asyncDispose]: () => Promise.resolve(),
  };
  Object.assign(fleet.home, { hub: { line, reader: fleet.memory } });
  const front = await fleet.start();
  const pool = { id: 7, name: 'spare', description: '' };
  fleet.tell({ kind: 'pool', id: '7', stream: 'config', revision: { epoch: 1, n: 9 }, retired: false, body: pool });
  const retire = async (fault: Fault): Promise<readonly [number, string | null]> => {
    for (const cell of fleet.cells) {
      if (fault === undefined) cell.machines.length = 0;
      cell.faults.set('Machines.read', fault);
    }
    const init = { method: 'DELETE', headers: { authorization: oauthHeader(adminKey) } };
    const reply = await fetch(`${front.url}/MAAS/api/2.0/resourcepool/7/`, init);
    return [reply.status, reply.headers.get('muster-error')];
  };
  expect(await retire(400)).toEqual([503, 'partial_refused']);
  expect(await retire('half')).toEqual([503, 'partial_refused']);
  expect(asked).toEqual([]);
  expect((await retire(undefined))[0]).toBe(204);
  expect(asked).toHaveLength(1);
});
