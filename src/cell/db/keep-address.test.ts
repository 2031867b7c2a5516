/** Addresses that machines keep: their own each, whoever asks at once, and none from where none may come. */
import { sql } from 'kysely';
import { afterEach, expect, test } from 'vitest';
import { machineCell, type MachineCell } from '../../../test/machine-cell.ts';
import { namedMachines, planNetwork } from '../network/dhcp.ts';
import { keepAddress, readNetwork } from './network-plan.ts';

let cell: MachineCell;
afterEach(() => cell.close());
const keep = (systemId: string) => cell.database.transaction((tx) => keepAddress(tx, systemId));

test('twenty machines at once get twenty addresses, outside of every range, and keep them', async () => {
  cell = await machineCell();
  const { db } = cell.database;
  await sql`update subnet set gateway_ip = '10.99.0.2', dns_servers = '{10.99.0.3}'`.execute(db);
  const machines = await Promise.all(Array.from({ length: 20 }, () => cell.addMachine()));
  const given = await Promise.all(machines.map((one) => keep(one.systemId)));
  // .1 is the cell, .2 the gateway, .3 the name server, .128 to .254 dynamic.
  expect(given.map((ip) => Number(ip?.split('.')[3])).toSorted((a, b) => a - b)).toEqual(Array.from({ length: 20 }, (_, n) => n + 4));
  expect(await Promise.all(machines.map((one) => keep(one.systemId)))).toEqual(given);
  expect(await Promise.all([1, 2, 3, 4, 5].map(() => keep(machines[0]!.systemId)))).toEqual(Array(5).fill(given[0]));

  const rows = await readNetwork(db);
  expect(namedMachines(rows)).toEqual(new Set(machines.map((one) => one.systemId)));
  const [vlan] = planNetwork(rows, [{ name: 'br0', address: '10.99.0.1/24' }], [], 'c17.example').vlans;
  expect(vlan).toMatchObject({
    interface: 'br0',
    dhcpOn: true,
    subnets: [
      { cidr: '10.99.0.0/24', gateway: '10.99.0.2', dnsServers: ['10.99.0.3'], ranges: [{ start: '10.99.0.128', end: '10.99.0.254' }] },
    ],
  });
  expect(vlan!.subnets[0]!.reservations).toHaveLength(20);
  expect(planNetwork(rows, [{ name: 'br0', address: '10.98.0.1/24' }], [], 'x').vlans[0]).not.toHaveProperty('interface');
});

test('a full subnet, a machine on no network, and one whose subnet is not ours to manage get none', async () => {
  cell = await machineCell();
  const { db } = cell.database;
  await sql`delete from ip_range`.execute(db);
  await sql`update subnet set cidr = '10.99.0.0/29'`.execute(db);
  const machines = await Promise.all(Array.from({ length: 8 }, () => cell.addMachine()));
  const given = [];
  for (const one of machines) given.push(await keep(one.systemId));
  expect(given).toEqual([...[1, 2, 3, 4, 5, 6].map((n) => `10.99.0.${n}`), undefined, undefined]);
  // One is given back: the next one has it.
  await sql`delete from interface_link where ip = '10.99.0.4'`.execute(db);
  expect(await keep(machines[7]!.systemId)).toBe('10.99.0.4');
  await sql`update subnet set managed = false`.execute(db);
  expect(await keep(machines[6]!.systemId)).toBeUndefined();
  await sql`update interface set vlan_id = null`.execute(db);
  expect(await keep(machines[0]!.systemId)).toBeUndefined();
});
