import { afterAll, beforeAll, expect, test } from 'vitest';
import { networkServer, type NetworkServer } from '../../../test/network-server.ts';
import { leasedHosts, mergedHosts } from '../discovery-care.ts';
import { saveNeighbours } from '../db/neighbour-store.ts';
import { parseNeighbours } from '../network/neighbours.ts';
import { reachableAddresses } from '../network/scan.ts';

let at: NetworkServer;
const scans: { ranges: readonly { first: bigint; last: bigint }[]; atOnce: number }[] = [];
let outcome: 'started' | 'busy' = 'started';
beforeAll(async () => {
  at = await networkServer({
    scan: (ranges, atOnce) => {
      scans.push({ ranges, atOnce });
      return outcome;
    },
  });
});
afterAll(() => at.drop());

const host = (ip: string, mac: string, hostname = '') => ({ ip, mac, interface: 'rack0', hostname });
const seen = async (op = '', who?: 'ann' | 'nobody') =>
  (await at.must('GET', `discovery/${op && `?op=${op}`}`, undefined, who)).map((one: { ip: string }) => one.ip).toSorted();

test('what was seen, and what of it nobody knows', async () => {
  const fabric = await at.must('POST', 'fabrics/', { cell: 'c17', name: 'seen' });
  const vlan = await at.must('POST', `fabrics/${fabric.id}/vlans/`, { vid: 9 });
  const subnet = await at.must('POST', 'subnets/', { cidr: '10.65.1.0/24', vlan: vlan.id });
  const id = await at.machine();
  const nic = await at.must('POST', `nodes/${id}/interfaces/?op=create_physical`, { mac_address: '52:54:00:65:00:01', vlan: vlan.id });
  await at.must('POST', `nodes/${id}/interfaces/${nic.id}/?op=link_subnet`, { mode: 'STATIC', subnet: subnet.id, ip_address: '10.65.1.1' });
  await saveNeighbours(at.db, '33zzzzz', [
    host('10.65.1.1', '52:54:00:65:00:01', 'known'),
    host('10.65.1.2', '52:54:00:65:00:01'),
    host('10.65.1.1', '52:54:00:65:00:02'),
    host('10.65.1.3', '52:54:00:65:00:03', 'stranger'),
    host('192.0.2.1', '52:54:00:65:00:04'),
  ]);
  const [one] = await at.must('GET', 'discovery/?op=by_unknown_ip_and_mac');
  expect(await at.must('GET', `discovery/${one.discovery_id}/`)).toEqual(one);
  const stranger = (await at.must('GET', 'discovery/')).find((each: { ip: string }) => each.ip === '10.65.1.3');
  expect(stranger).toEqual({
    discovery_id: expect.stringMatching(/^\d+$/),
    ip: '10.65.1.3',
    mac_address: '52:54:00:65:00:03',
    mac_organization: null,
    last_seen: expect.any(String),
    hostname: 'stranger',
    fabric_name: 'seen',
    vid: 9,
    observer: { system_id: '33zzzzz', hostname: 'c17', interface_id: null, interface_name: 'rack0' },
    resource_uri: `/MAAS/api/2.0/discovery/${stranger.discovery_id}/`,
  });
  expect(await seen('', 'ann')).toEqual(['10.65.1.1', '10.65.1.1', '10.65.1.2', '10.65.1.3', '192.0.2.1']);
  expect(await seen('by_unknown_mac')).toEqual(['10.65.1.1', '10.65.1.3', '192.0.2.1']);
  expect(await seen('by_unknown_ip')).toEqual(['10.65.1.2', '10.65.1.3', '192.0.2.1']);
  expect(await seen('by_unknown_ip_and_mac')).toEqual(['10.65.1.3', '192.0.2.1']);
  // Seen again: one row, its name kept.
  await saveNeighbours(at.db, '33zzzzz', [host('10.65.1.3', '52:54:00:65:00:03')]);
  const again = (await at.must('GET', 'discovery/'))[0];
  expect([again.ip, again.hostname, again.discovery_id]).toEqual(['10.65.1.3', 'stranger', stranger.discovery_id]);
});

test('forgetting is for admins, and says what', async () => {
  const clear = (form: Record<string, unknown>, who?: 'ann') => at.ask('POST', 'discovery/?op=clear', form, who);
  const one = (form: Record<string, unknown>) => at.ask('POST', 'discovery/?op=clear_by_mac_and_ip', form);
  expect([(await clear({})).status, (await clear({ all: 'true' }, 'ann')).status]).toEqual([400, 403]);
  expect((await one({ ip: '192.0.2.1', mac: '52-54-00-65-00-04' })).status).toBe(204);
  expect(await seen()).not.toContain('192.0.2.1');
  for (const form of [{ ip: 'x', mac: '52:54:00:65:00:04' }, { ip: '192.0.2.1', mac: 'x' }, { ip: '192.0.2.1' }])
    expect((await one(form)).status).toBe(400);
  expect((await clear({ mdns: 'true' })).status).toBe(204);
  expect(await seen()).not.toEqual([]);
  expect((await clear({ neighbours: 'true' })).status).toBe(204);
  expect(await seen()).toEqual([]);
  expect((await at.ask('GET', 'discovery/nothing/')).status).toBe(404);
});

test('a scan is of subnets with active discovery only, within bounds', async () => {
  const fabric = await at.must('POST', 'fabrics/', { cell: 'c17' });
  const make = (cidr: string, active_discovery: boolean) =>
    at.must('POST', 'subnets/', { cidr, active_discovery, vlan: fabric.vlans[0].id });
  await make('10.66.1.0/24', true);
  await make('10.66.2.0/24', false);
  const scan = (form: Record<string, unknown>, who?: 'ann') => at.ask('POST', 'discovery/?op=scan', form, who);
  expect((await scan({ cidr: '10.66.0.0/16', threads: 4 })).body).toMatchObject({
    result: 'Scanning is in-progress on all rack controllers.',
    scan_started_on: [{ hostname: 'c17' }],
    failures: [],
  });
  const net = (10n << 24n) | (66n << 16n) | (1n << 8n);
  expect(scans).toEqual([{ ranges: [{ first: net, last: net + 255n }], atOnce: 4 }]);
  expect((await scan({ cidr: ['10.66.1.0/28', '10.66.2.0/24'], slow: 'true' })).status).toBe(200);
  expect(scans.at(-1)).toEqual({ ranges: [{ first: net, last: net + 15n }], atOnce: 1 });
  outcome = 'busy';
  expect((await scan({ force: 'true' })).body).toMatchObject({ scan_started_on: [], scan_failed_on: [{ hostname: 'c17' }] });
  const before = scans.length;
  expect((await scan({ cidr: '10.66.2.0/24' })).body).toMatchObject({ scan_started_on: [], scan_attempted_on: [] });
  for (const form of [{}, { cidr: 'x' }, { cidr: '10.66.1.0/24', threads: 65 }, { cidr: '10.66.1.0/24', threads: 'many' }])
    expect([form, (await scan(form)).status]).toEqual([form, 400]);
  await make('10.67.0.0/18', true);
  expect((await scan({ force: 'true' })).body).toMatchObject({ scan_started_on: [], failures: [{ type: 'TooManyAddresses' }] });
  expect((await scan({ force: 'true' }, 'ann')).status).toBe(403);
  expect(scans.length).toBe(before);
});

test('the kernel’s table, leases, and what can be asked for', () => {
  const mac = '52:54:00:66:00:01';
  const line = (more: object) => ({ dst: '10.66.1.9', dev: 'rack0', lladdr: mac.toUpperCase(), state: ['STALE'], ...more });
  const text = JSON.stringify([
    line({}),
    line({ state: ['FAILED'] }),
    line({ dev: 'eth9' }),
    line({ dst: 'fe80::1' }),
    line({ lladdr: undefined }),
    line({ state: 'STALE' }),
    null,
    7,
  ]);
  const interfaces = new Set(['rack0']);
  expect(parseNeighbours(text, interfaces)).toEqual([{ ip: '10.66.1.9', mac, interface: 'rack0' }]);
  for (const wrong of ['', '{}', 'nonsense']) expect(parseNeighbours(wrong, interfaces)).toEqual([]);
  const lease = { address: '10.66.1.9', mac, hostname: 'box', subnetId: 1, expires: 100 };
  expect(leasedHosts([lease, { ...lease, expires: 99 }], 99_500)).toEqual([{ ip: '10.66.1.9', mac, interface: '', hostname: 'box' }]);
  expect(mergedHosts([{ ip: '10.66.1.9', mac, interface: 'rack0' }], leasedHosts([lease], 0))).toEqual([host('10.66.1.9', mac, 'box')]);
  const own = [{ address: '10.66.1.1/29' }];
  const net = (10 << 24) | (66 << 16) | (1 << 8);
  expect(reachableAddresses([{ first: BigInt(net), last: BigInt(net + 255) }], own)).toEqual([2, 3, 4, 5, 6].map((n) => net + n));
  expect(reachableAddresses([{ first: BigInt(net + 64), last: BigInt(net + 70) }], own)).toEqual([]);
});
