/** Commissioning again: rows that are still there keep their ids and what was written beside them. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { machineCell, type MachineCell, type TestMachine } from '../../../test/machine-cell.ts';
import { insertInterface, setParents } from './interface-store.ts';
import { disksOf, saveAccounts, saveInventory, type FoundDisk, type FoundMachine, type FoundNic } from './inventory-store.ts';

let cell: MachineCell;
beforeAll(async () => {
  cell = await machineCell();
});
afterAll(() => cell.close());

const disk = (name: string, serial: string | null, more: Partial<FoundDisk> = {}): FoundDisk => ({
  name,
  serial,
  wwn: null,
  model: null,
  id_path: null,
  size: 1000,
  block_size: 512,
  rotational: false,
  ...more,
});
const nic = (name: string, mac: string, more: Partial<FoundNic> = {}): FoundNic => ({
  name,
  mac,
  vendor: null,
  product: null,
  link: true,
  speed: 1000,
  boot: false,
  ...more,
});
const machine = (disks: readonly FoundDisk[], interfaces: readonly FoundNic[]): FoundMachine => ({
  architecture: 'amd64',
  firmware: 'uefi',
  hardwareUuid: null,
  serial: null,
  cpuCount: 2,
  cpuSpeed: 1,
  memory: 3,
  hardwareInfo: {},
  disks,
  interfaces,
});
const save = (at: TestMachine, disks: readonly FoundDisk[], interfaces: readonly FoundNic[]) =>
  cell.database.transaction((tx) => saveInventory(tx, at.systemId, machine(disks, interfaces)));
const rows = (at: TestMachine) =>
  cell.database.db.selectFrom('block_device').selectAll().where('system_id', '=', at.systemId).orderBy('name').execute();
const nics = (at: TestMachine) =>
  cell.database.db.selectFrom('interface').selectAll().where('system_id', '=', at.systemId).orderBy('name').execute();
const row = (at: TestMachine) =>
  cell.database.db.selectFrom('machine').selectAll().where('system_id', '=', at.systemId).executeTakeFirstOrThrow();

test('ids, tags and accounts are kept, names may be swapped, what is gone goes', async () => {
  const at = await cell.addMachine();
  const first = nic('eth0', at.mac, { boot: true });
  await save(at, [disk('vda', 'a'), disk('vdb', 'b'), disk('vdc', null, { wwn: 'w' })], [first]);
  const before = await rows(at);
  expect(before.map((one) => one.tags)).toEqual([['ssd'], ['ssd'], ['ssd']]);
  expect((await row(at)).boot_disk_id).toBe(before[0]!.id);
  await cell.database.db
    .updateTable('block_device')
    .set({ tags: ['mine'] })
    .where('id', '=', before[0]!.id)
    .execute();
  await cell.database.transaction((tx) =>
    saveAccounts(tx, at.systemId, [
      { serial: 'a', wwn: '', size: 1000, signatures: ['ext4', 'gpt'], marker: 'muster x' },
      { serial: 'zzz', wwn: '', size: 1000, signatures: ['zfs'], marker: '' },
      { serial: 'b', wwn: '', size: 999, signatures: ['zfs'], marker: '' },
    ]),
  );
  await save(at, [disk('vdb', 'a', { rotational: true }), disk('vda', 'b'), disk('vdd', 'new', { rotational: true })], [first]);
  const after = await rows(at);
  expect(after.map((one) => [one.name, one.serial, one.id])).toEqual([
    ['vda', 'b', before[1]!.id],
    ['vdb', 'a', before[0]!.id],
    ['vdd', 'new', after[2]!.id],
  ]);
  expect([after[1]!.tags, after[1]!.account_signatures, after[1]!.account_marker]).toEqual([['mine'], ['ext4', 'gpt'], 'muster x']);
  expect([after[0]!.account_signatures, after[2]!.tags]).toEqual([null, ['rotary']]);
  expect((await row(at)).boot_disk_id).toBe(before[0]!.id);
});

test('a disk of another size is another disk: nothing is known of it', async () => {
  const at = await cell.addMachine();
  await save(at, [disk('vda', 'a')], [nic('eth0', at.mac)]);
  await cell.database.transaction((tx) =>
    saveAccounts(tx, at.systemId, [{ serial: 'a', wwn: '', size: 1000, signatures: ['gpt'], marker: '' }]),
  );
  await save(at, [disk('vda', 'a', { size: 2000 })], [nic('eth0', at.mac)]);
  expect(await disksOf(cell.database.db, at.systemId)).toMatchObject([{ name: 'vda', size: 2000, account_signatures: null }]);
  await save(at, [], [nic('eth0', at.mac)]);
  expect([await rows(at), (await row(at)).boot_disk_id]).toEqual([[], null]);
});

test('cards: names swapped, one replaced under the old name, the boot card known by its MAC', async () => {
  const at = await cell.addMachine();
  const other = '52:54:00:00:bb:01';
  await save(at, [], [nic('eth0', at.mac, { boot: true }), nic('eth1', other)]);
  const before = await nics(at);
  await save(at, [], [nic('eth1', at.mac, { boot: true }), nic('eth0', other.toUpperCase(), { link: false })]);
  expect((await nics(at)).map((one) => [one.name, one.mac, one.id, one.link_speed])).toEqual([
    ['eth0', other, before[1]!.id, 0],
    ['eth1', at.mac, before[0]!.id, 1000],
  ]);
  expect((await row(at)).boot_interface_id).toBe(before[0]!.id);
  expect((await nics(at))[1]!.vlan_id).not.toBeNull();
  // The card is replaced: its MAC is gone, the new one has its name.
  const fresh = '52:54:00:00:bb:02';
  await save(at, [], [nic('eth1', fresh, { boot: true }), nic('eth0', other)]);
  const after = await nics(at);
  expect(after.map((one) => [one.name, one.mac])).toEqual([
    ['eth0', other],
    ['eth1', fresh],
  ]);
  expect((await row(at)).boot_interface_id).toBe(after[1]!.id);
});

test('an inventory that saw no cards at all forgets none', async () => {
  const at = await cell.addMachine();
  const before = await row(at);
  await save(at, [], []);
  expect((await nics(at)).map((one) => one.mac)).toEqual([at.mac]);
  expect((await row(at)).boot_interface_id).toBe(before.boot_interface_id);
});

test('the number of statements does not depend on the number of disks', async () => {
  const at = await cell.addMachine();
  const many = Array.from({ length: 200 }, (_, n) => disk(`d${n}`, `s${n}`));
  const { statements } = await cell.database.countStatements(() => save(at, many, [nic('eth0', at.mac)]));
  expect(statements.length).toBeLessThanOrEqual(4);
  expect(await rows(at)).toHaveLength(200);
});

test('what is made of cards stays while one of them is there, and is never what the machine boots from', async () => {
  const at = await cell.addMachine();
  const [first, second] = [nic('eth0', at.mac, { boot: true }), nic('eth1', '52:54:00:b0:00:02')];
  await save(at, [], [first, second]);
  const cards = await nics(at);
  await cell.database.transaction(async (tx) => {
    const bond = await insertInterface(tx, { system_id: at.systemId, name: 'bond0', type: 'bond', mac: at.mac });
    await setParents(
      tx,
      bond,
      cards.map((card) => card.id),
    );
  });
  await save(at, [], [first, second]);
  const found = await nics(at);
  expect(found.map((one) => [one.name, one.type])).toEqual([
    ['bond0', 'bond'],
    ['eth0', 'physical'],
    ['eth1', 'physical'],
  ]);
  expect((await row(at)).boot_interface_id).toBe(found[1]?.id);
  // A card that is called like it has the name.
  await save(at, [], [first, nic('bond0', second.mac)]);
  const named = (await nics(at)).map((one) => [one.type, one.name].join(' '));
  expect(named.toSorted()).toEqual([expect.stringMatching(/^bond bond-\d{1,9}$/), 'physical bond0', 'physical eth0']);
  await save(at, [], [second]);
  expect((await nics(at)).map((one) => one.name)).toEqual([expect.stringMatching(/^bond-\d{1,9}$/), 'eth1']);
  await save(at, [], [nic('eth2', '52:54:00:b0:00:03')]);
  expect((await nics(at)).map((one) => one.name)).toEqual(['eth2']);
});
