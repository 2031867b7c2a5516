// Hardware of machines over the API: documents, devices, NUMA nodes, results of scripts, and what tags were judged by.
import { gunzipSync } from 'node:zlib';
import { deserialize } from 'bson';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { cellApi, type CellApi } from '../../../test/cell-api.ts';
import { keyOf } from '../../../test/through-front.ts';
import { inventoryOf, machineModel } from '../../sim/machine-model.ts';
import { oauthHeader } from '../../http/oauth.ts';
import { readTar } from '../../sim/tar-reader.ts';
import { saveHardware, saveLshw } from '../db/hardware-store.ts';
import { saveInventory } from '../db/inventory-store.ts';
import { readNetworkModel } from '../db/network-model.ts';
import { readInventory } from '../lifecycle/inventory.ts';
import { networkConfig } from '../network/network-config.ts';

let api: CellApi;
let id: string;
const model = machineModel('hardware', 3);

async function commission(systemId: string, inventory = inventoryOf(model)): Promise<void> {
  const reading = readInventory(Buffer.from(JSON.stringify(inventory)));
  if ('problem' in reading) throw new Error(reading.problem);
  const { found } = reading;
  await api.database.transaction(async (tx) => {
    await saveInventory(tx, systemId, found);
    if (found.hardware) await saveHardware(tx, systemId, found.hardware);
  });
}

beforeAll(async () => {
  api = await cellApi();
  id = await api.addIn('ready');
  await commission(id);
});
afterAll(() => api.close());

interface Device {
  readonly id: number;
  readonly bus_name: string;
  readonly hardware_type: number;
  readonly vendor_id: string;
  readonly pci_address: string | null;
  readonly commissioning_driver: string;
  readonly physical_interface: { readonly mac_address: string } | null;
  readonly physical_blockdevice: { readonly name: string } | null;
}
const devices = async (fields: Record<string, string> = {}) =>
  (await api.ask('ann', 'GET', `nodes/${id}/devices/`, fields)).json<Device[]>();

describe('documents', () => {
  test('details are BSON: null before, the bytes as they came after', async () => {
    const fresh = await api.add();
    const ask = (path: string) =>
      api.server.inject({ method: 'GET', url: `/MAAS/api/2.0/${path}?op=details`, headers: { authorization: oauthHeader(keyOf('ann')) } });
    const before = await ask(`machines/${fresh}/`);
    expect([before.statusCode, before.headers['content-type']]).toEqual([200, 'application/bson']);
    expect(deserialize(before.rawPayload)).toEqual({ lshw: null, lldp: null });
    const xml = '<list><node class="x">é</node></list>';
    await api.database.transaction((tx) => saveLshw(tx, fresh, Buffer.from(xml)));
    for (const path of [`machines/${fresh}/`, `nodes/${fresh}/`]) {
      const after = deserialize((await ask(path)).rawPayload, { promoteBuffers: true });
      expect([path, Buffer.from(after['lshw'] as Buffer).toString(), after['lldp']]).toEqual([path, xml, null]);
    }
    expect((await api.ask('ann', 'GET', `machines/${fresh}/?op=details`)).status).toBe(200);
  });

  test('a machine that is not there has none', async () => {
    for (const op of ['details', 'get_token', 'get_curtin_config']) {
      for (const wrong of ['33q0000', 'x', '%27'])
        expect([op, wrong, (await api.ask('admin', 'GET', `machines/${wrong}/?op=${op}`)).status]).toEqual([op, wrong, 404]);
      expect((await api.ask(undefined, 'GET', `machines/${id}/?op=${op}`)).status).toBe(401);
    }
  });

  test('a key of a machine is never shown: null', async () => {
    const reply = await api.ask('admin', 'GET', `machines/${id}/?op=get_token`);
    expect([reply.status, reply.text]).toEqual([200, 'null']);
  });

  test('a curtin config only of what is being installed or was', async () => {
    const refused = await api.ask('ann', 'GET', `machines/${id}/?op=get_curtin_config`);
    expect([refused.status, refused.text]).toEqual([400, expect.stringContaining('is not in a deployment state.')]);
    for (const state of ['deploying', 'deployed', 'failed_deployment'] as const) {
      const one = await api.addIn(state, 'ann');
      await commission(one, inventoryOf(machineModel('hardware', 4)));
      const reply = await api.ask('ann', 'GET', `machines/${one}/?op=get_curtin_config`);
      const network = await readNetworkModel(api.database.db, one);
      expect([state, reply.status]).toEqual([state, 200]);
      expect(reply.headers['content-type']).toMatch(/^text\/plain/);
      expect(JSON.parse(reply.text)).toMatchObject({ storage: { version: 1 } });
      expect(JSON.parse(reply.text).network).toEqual(network && networkConfig(network));
      await api.database.db.deleteFrom('machine').where('system_id', '=', one).execute();
    }
  });
});

describe('devices', () => {
  test('all, with what hangs on them', async () => {
    const all = await devices();
    expect(all).toHaveLength(model.disks.length - sharedDisks() + model.cards.length + 1);
    const card = all.find((device) => device.pci_address === '0000:3b:00.0');
    expect(card?.physical_interface?.mac_address).toBe(model.cards[0]?.mac);
    expect(all.some((device) => device.physical_blockdevice !== null)).toBe(true);
    expect(all.find((device) => device.bus_name === 'USB')).toMatchObject({
      bus: 2,
      hardware_type: 0,
      pci_address: null,
      vendor_name: 'American Megatrends Inc.',
    });
  });

  /** Disks on one controller are one device. */
  function sharedDisks(): number {
    const slow = model.disks.filter((disk) => !disk.name.startsWith('nvme')).length;
    return Math.max(0, slow - 1);
  }

  test.each<[Record<string, string>, (device: Device) => boolean]>([
    [{ bus: 'PCIE' }, (device) => device.bus_name === 'PCIE'],
    [{ bus: '2' }, (device) => device.bus_name === 'USB'],
    [{ hardware_type: 'network' }, (device) => device.hardware_type === 4],
    [{ hardware_type: '3' }, (device) => device.hardware_type === 3],
    [{ vendor_id: '0x046B' }, (device) => device.vendor_id === '046b'],
    [{ commissioning_driver: 'hub' }, (device) => device.commissioning_driver === 'hub'],
    [{ bus: 'PCIE', commissioning_driver: 'hub' }, () => false],
    [{ vendor_name: "x' or 1=1 --" }, () => false],
    [{ product_name: '' }, () => true],
  ])('only %o', async (fields, keep) => {
    const all = await devices();
    expect(await devices(fields)).toEqual(all.filter(keep));
  });

  test.each([[{ bus: 'ISA' }], [{ hardware_type: 'toaster' }], [{ vendor_id: 'x'.repeat(300) }]])('%o is refused', async (fields) => {
    expect((await api.ask('ann', 'GET', `nodes/${id}/devices/`, fields)).status).toBe(400);
  });

  test('one by its id, its PCI address, its place on USB; others are not there', async () => {
    const all = await devices();
    for (const [name, wanted] of [
      [String(all[0]?.id), all[0]],
      ['0000:3b:00.0', all.find((device) => device.pci_address === '0000:3b:00.0')],
      ['1:2', all.find((device) => device.bus_name === 'USB')],
    ] as const)
      expect((await api.ask('bob', 'GET', `nodes/${id}/devices/${name}/`)).json()).toEqual(wanted);
    const other = await api.add();
    for (const path of [`${id}/devices/17`, `${id}/devices/x`, `${other}/devices/${all[0]?.id}`, `33q0000/devices/1`])
      expect([path, (await api.ask('admin', 'GET', `nodes/${path}/`)).status]).toEqual([path, 404]);
  });

  test('a device is forgotten by an admin only, and found again under another id; others keep theirs', async () => {
    const all = await devices();
    const usb = all.find((device) => device.bus_name === 'USB');
    expect((await api.ask('ann', 'DELETE', `nodes/${id}/devices/${usb?.id}/`)).status).toBe(403);
    expect((await api.ask('admin', 'DELETE', `nodes/${id}/devices/${usb?.id}/`)).status).toBe(204);
    expect((await api.ask('admin', 'DELETE', `nodes/${id}/devices/${usb?.id}/`)).status).toBe(404);
    await commission(id);
    const again = await devices();
    const rest = (list: Device[]) => list.filter((device) => device.bus_name === 'PCIE').map((device) => device.id);
    expect(rest(again)).toEqual(rest(all));
    expect(again.find((device) => device.bus_name === 'USB')?.id).not.toBe(usb?.id);
  });

  test('an agent of the first release takes nothing away', async () => {
    const before = await devices();
    const { pci: _pci, usb: _usb, numa: _numa, ...first } = inventoryOf(model);
    await commission(id, first);
    expect(await devices()).toEqual(before);
  });
});

test('NUMA nodes in the body of a machine', async () => {
  const { numanode_set: nodes } = (await api.ask('ann', 'GET', `machines/${id}/`)).json<{
    numanode_set: { cores: number[]; memory: number }[];
  }>();
  expect(nodes).toHaveLength(model.cpu.sockets);
  expect(nodes[0]).toMatchObject({ index: 0, memory: model.memoryMib / model.cpu.sockets, hugepages_set: [] });
  expect(nodes.flatMap((node) => node.cores)).toEqual(Array.from({ length: model.cpu.count }, (_, index) => index));
});

describe('results', () => {
  const began = new Date('2026-01-02T03:04:05Z');
  /** A machine and the id of its only result set: the lowest of its results. */
  async function results(outcome: 'live' | 'done' = 'done'): Promise<{ machine: string; run: number }> {
    const machine = await api.add();
    const ids: number[] = [];
    const { id: operation } = await api.database.db
      .insertInto('operation')
      .values({ system_id: machine, kind: 'commission', plan_version: 1, outcome, requested_by: 'admin', deadline: new Date() })
      .returning('id')
      .executeTakeFirstOrThrow();
    for (const name of ['50-muster-inventory', '70-own']) {
      const { id } = await api.database.db
        .insertInto('script_result')
        .values({
          system_id: machine,
          operation_id: operation,
          name,
          type: 0,
          status: 2,
          started: began,
          ended: began,
          stdout: Buffer.from(`${name} out\n`),
          stderr: Buffer.from('err\n'),
          output: Buffer.from(`${name} all\n`),
          result: Buffer.from('a: 1\n'),
        })
        .returning('id')
        .executeTakeFirstOrThrow();
      ids.push(id);
    }
    return { machine, run: ids[0] ?? 0 };
  }
  interface Set {
    readonly results: { readonly name: string; readonly suppressed: boolean }[];
  }

  test('suppressed, chosen by name, and back; by an admin', async () => {
    const { machine, run } = await results();
    const path = `nodes/${machine}/results/${run}/`;
    expect((await api.ask('ann', 'PUT', path, { suppressed: 'true' })).status).toBe(403);
    const set = (await api.ask('admin', 'PUT', path, { suppressed: 'true', filters: '70-own' })).json<Set>();
    expect(set.results).toMatchObject([{ name: '70-own', suppressed: true }]);
    const all = (await api.ask('ann', 'GET', path)).json<Set>();
    expect(all.results.map((one) => one.suppressed)).toEqual([false, true]);
    expect((await api.ask('admin', 'PUT', path, {})).json<Set>().results.map((one) => one.suppressed)).toEqual([false, true]);
    expect((await api.ask('admin', 'PUT', path, { suppressed: 'perhaps' })).status).toBe(400);
    const back = (await api.ask('admin', 'PUT', path, { suppressed: 'false' })).json<Set>();
    expect(back.results.map((one) => one.suppressed)).toEqual([false, false]);
  });

  test('hardware types choose; unknown ones are refused', async () => {
    const { machine, run } = await results();
    api.put('script', 900, {
      id: 900,
      name: '70-own',
      title: '',
      description: '',
      type: 0,
      tags: [],
      script: '#!/bin/sh\n',
      hardware_type: 3,
    });
    for (const path of [`nodes/${machine}/results/`, `nodes/${machine}/results/${run}/`]) {
      const [set] = [(await api.ask('ann', 'GET', path, { hardware_type: 'storage' })).json<Set | Set[]>()].flat();
      expect(set?.results.map((one) => one.name)).toEqual(['70-own']);
      expect((await api.ask('ann', 'GET', path, { hardware_type: 'toaster' })).status).toBe(400);
    }
  });

  test('deleted by an admin, but not while they are being made', async () => {
    const { machine, run } = await results();
    const path = `nodes/${machine}/results/${run}/`;
    expect((await api.ask('ann', 'DELETE', path)).status).toBe(403);
    expect((await api.ask('admin', 'DELETE', path)).status).toBe(204);
    expect((await api.ask('admin', 'DELETE', path)).status).toBe(404);
    expect((await api.ask('admin', 'GET', `nodes/${machine}/results/`)).json()).toEqual([]);
    const live = await results('live');
    const refused = await api.ask('admin', 'DELETE', `nodes/${live.machine}/results/${live.run}/`);
    expect([refused.status, refused.text]).toEqual([409, expect.stringContaining('still going on')]);
  });

  test('downloads: one text as it is, several under their names, all in a tar', async () => {
    const { machine, run } = await results();
    const path = `nodes/${machine}/results/${run}/?op=download`;
    expect((await api.ask('ann', 'GET', path, { filters: '70-own' })).text).toBe('70-own all\n');
    expect((await api.ask('ann', 'GET', path, { filters: '70-own', output: 'stderr' })).text).toBe('err\n');
    const both = (await api.ask('ann', 'GET', path, { output: 'stdout' })).text;
    expect(both).toMatch(/^-+ 50-muster-inventory\.out -+\n50-muster-inventory out\n\n-+ 70-own\.out -+\n70-own out\n\n$/);
    const current = await api.ask('ann', 'GET', `nodes/${machine}/results/current-commissioning/?op=download`, { output: 'all' });
    expect(current.text.match(/^-+ /gm)).toHaveLength(8);
    for (const wrong of [{ output: 'everything' }, { filetype: 'tar.xz' }, { filetype: 'exe' }])
      expect((await api.ask('ann', 'GET', path, wrong)).status).toBe(400);
    expect((await api.ask('ann', 'GET', `nodes/${machine}/results/1/?op=download`)).status).toBe(404);
  });

  test('a tar has a file for each', async () => {
    const { machine, run } = await results();
    const reply = await api.server.inject({
      method: 'GET',
      url: `/MAAS/api/2.0/nodes/${machine}/results/${run}/?op=download&filetype=tgz&output=all`,
      headers: { authorization: oauthHeader(keyOf('ann')) },
    });
    const files = readTar(gunzipSync(reply.rawPayload));
    expect(files.size).toBe(8);
    expect(files.get(`${machine}-${run}/70-own.yaml`)?.toString()).toBe('a: 1\n');
  });
});

test('members that another definition has found are refused, and nothing changes', async () => {
  api.put('tag', 60, { id: 60, name: 'ruled', definition: '//node', comment: '', kernel_opts: '' });
  const refused = await api.ask('admin', 'POST', 'tags/ruled/?op=update_nodes', { add: id, definition: '//other', rack_controller: 'x' });
  expect([refused.status, refused.text]).toEqual([409, "Definition supplied '//other' doesn't match current definition '//node'"]);
  expect((await api.ask('ann', 'GET', `tags/ruled/?op=machines`)).json()).toEqual([]);
  const taken = await api.ask('admin', 'POST', 'tags/ruled/?op=update_nodes', { add: id, definition: '//node', rack_controller: 'x' });
  expect(taken.json()).toEqual({ added: 1, removed: 0 });
});
