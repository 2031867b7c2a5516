import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { cellApi, type CellApi } from '../../../test/cell-api.ts';

/** A Redfish service with three systems, of which the last has no network card. */
const systems = new Map([
  ['blade1', ['52:54:03:00:00:01', '52:54:03:00:00:02']],
  ['blade2', ['52:54:03:00:00:03']],
  ['spare', []],
]);

const bodies = new Map<string, unknown>([
  ['/redfish/v1/Systems', { Members: [...systems.keys()].map((id) => ({ '@odata.id': `/redfish/v1/Systems/${id}` })) }],
  ...[...systems].flatMap(([id, macs]): [string, unknown][] => {
    const path = `/redfish/v1/Systems/${id}`;
    const cards = macs.map((mac, n): [string, unknown] => [`${path}/EthernetInterfaces/${n}`, { MACAddress: mac.toUpperCase() }]);
    return [
      [path, { Id: id, Name: `${id}-name`, PowerState: 'Off', EthernetInterfaces: { '@odata.id': `${path}/EthernetInterfaces` } }],
      [`${path}/EthernetInterfaces`, { Members: cards.map(([at]) => ({ '@odata.id': at })) }],
      ...cards,
    ];
  }),
]);

const bmc = createServer((request, response) => {
  const isKnown = request.headers.authorization === `Basic ${Buffer.from('root:calvin').toString('base64')}`;
  const body = bodies.get(request.url ?? '');
  response.writeHead(isKnown ? (body === undefined ? 404 : 200) : 401, { 'content-type': 'application/json' });
  response.end(JSON.stringify(isKnown ? (body ?? {}) : {}));
});

let api: CellApi;
let address: string;
beforeAll(async () => {
  api = await cellApi();
  await new Promise<void>((done) => bmc.listen(0, '127.0.0.1', done));
  address = `http://127.0.0.1:${(bmc.address() as AddressInfo).port}`;
});
afterAll(async () => {
  bmc.close();
  await api.close();
});

const credentials = { username: 'root', password: 'calvin' };
const add = (fields: Record<string, string>, who: 'admin' | 'ann' = 'admin') =>
  api.ask(who, 'POST', 'machines/?op=add_chassis', { chassis_type: 'redfish', cell: 'c17', ...credentials, ...fields });

const machines = async () => {
  const list = (await api.ask('admin', 'GET', 'machines/')).json<
    { system_id: string; status_name: string; power_type: string; interface_set: { mac_address: string }[] }[]
  >();
  return list.map((one) => ({
    macs: one.interface_set.map((nic) => nic.mac_address),
    status: one.status_name,
    power: one.power_type,
    id: one.system_id,
  }));
};

test('every system of a chassis becomes a machine, once', async () => {
  const first = await add({ hostname: address, prefix_filter: 'blade' });
  expect(first.status).toBe(200);
  expect(first.text).toMatch(/^Asking c17 to add machines from chassis http:/);
  expect(first.text).toMatch(/blade1: added as \w{7} \(blade1-name\)\n.*blade2: added as \w{7}/);
  expect(first.text).not.toContain('spare');
  const made = await machines();
  expect(made.map((one) => one.macs.toSorted())).toEqual([systems.get('blade1'), systems.get('blade2')]);
  expect(made.every((one) => one.power === 'redfish' && one.status === 'New')).toBe(true);
  const settings = (await api.ask('admin', 'GET', `machines/${made[1]!.id}/?op=power_parameters`)).json();
  expect(settings).toMatchObject({ power_address: address, power_user: 'root', node_id: 'blade2' });

  const again = await add({ hostname: address, accept_all: 'true' });
  expect(again.text).toContain(`blade1: there already, as ${made[0]!.id}`);
  expect(again.text).toMatch(/spare: added as \w{7}/);
  expect((await machines()).filter((one) => one.status === 'Commissioning')).toHaveLength(1);
});

test('a BMC that does not answer stands in nobody’s way', async () => {
  const reply = await add({ hostname: '127.0.0.1-127.0.0.2', port: '1', protocol: 'http' });
  expect(reply.status).toBe(200);
  expect(reply.text.split('\n').filter((line) => /^127\.0\.0\.[12]: not added: The BMC at http/.test(line))).toHaveLength(2);
  expect((await add({ hostname: address, password: 'wrong' })).text).toMatch(/not added: The BMC at/);
});

test.each([
  [{ hostname: '10.0.0.1', chassis_type: 'vmware' }, /^Chassis of type vmware are not built: only ipmi and redfish are\./],
  [{ hostname: '10.0.0.1', chassis_type: 'toaster' }, /chassis_type/],
  [{ hostname: '10.0.0.0/8' }, /hostname/],
  [{ hostname: '' }, /hostname/],
])('%j is refused', async (fields, text) => {
  const before = await machines();
  const reply = await add(fields);
  expect(reply.status).toBe(400);
  expect(reply.text).toMatch(text);
  expect(await machines()).toEqual(before);
});

test('only an admin may', async () => {
  expect((await add({ hostname: address }, 'ann')).status).toBe(403);
});

test('a BMC that names its systems with control characters spoils neither the call nor the words', async () => {
  const members = ['/redfish/v1/Systems/a\0b', '/redfish/v1/Systems/half\ud800', '/redfish/v1/Systems/node'];
  const known = bodies.get('/redfish/v1/Systems');
  bodies.set('/redfish/v1/Systems', { Members: members.map((at) => ({ '@odata.id': at })) });
  for (const at of members) bodies.set(new URL(at, address).pathname, { Name: 'rack\n10.9.9.9: added as abcdefg\u0000\ud800' });
  const cards = '/redfish/v1/Systems/node/EthernetInterfaces';
  bodies.set('/redfish/v1/Systems/node', {
    ...(bodies.get('/redfish/v1/Systems/node') as object),
    EthernetInterfaces: { '@odata.id': cards },
  });
  bodies.set(cards, { Members: [{ '@odata.id': `${cards}/1` }] });
  bodies.set(`${cards}/1`, { MACAddress: { toString: 1 } });
  const answer = await add({ hostname: address });
  bodies.set('/redfish/v1/Systems', known);
  expect([answer.status, answer.text]).toEqual([200, expect.stringMatching(/ node: added as \w{7} \(rack /)]);
  expect(answer.text).not.toMatch(/^10\.9\.9\.9/m);
  expect(answer.text).not.toMatch(/[\0\ufffd]/);
});
