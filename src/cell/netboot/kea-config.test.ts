import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { formatIpv4, isHostOf, parseIpv4, parseSubnet } from '../../contract/ipv4.ts';
import type { NetworkPlan, Reservation, SubnetPlan } from './network-plan.ts';
import type { JsonObject } from './dhcp-snippet.ts';
import { renderKeaConfig, type KeaSettings } from './kea-config.ts';

const settings: KeaSettings = {
  service: { address: '10.77.0.1', port: 5240, loaders: ['undionly.kpxe', 'snponly.efi'] },
  controlSocket: '/run/x/kea4.sock',
  leaseFile: '/run/x/leases4.csv',
  logFile: '/run/x/kea-dhcp4.log',
  leaseTime: 600,
  interfaces: ['lo', 'br0', 'br1'],
};
const emptySubnet: SubnetPlan = {
  id: 300000000007,
  cidr: '10.77.0.0/16',
  dnsServers: [],
  ntpServers: [],
  relays: [],
  ranges: [],
  reservations: [],
  snippets: [],
};
const planOf = (...subnets: Partial<SubnetPlan>[]): NetworkPlan => ({
  vlans: [{ id: 5, dhcpOn: true, interface: 'br0', subnets: subnets.map((subnet) => ({ ...emptySubnet, ...subnet })) }],
});

interface Rendered {
  readonly Dhcp4: JsonObject & {
    readonly 'shared-networks': readonly {
      readonly subnet4: readonly (JsonObject & {
        id: number;
        subnet: string;
        reservations: JsonObject[];
        pools: { pool: string }[];
        'option-data': JsonObject[];
      })[];
    }[];
    readonly 'interfaces-config': { readonly interfaces: readonly string[] };
  };
}
const render = (plan: NetworkPlan, more: Partial<KeaSettings> = {}) => {
  const config = renderKeaConfig(plan, { ...settings, ...more });
  return { ...config, dhcp4: (JSON.parse(config.text) as Rendered).Dhcp4 };
};

const hostile = fc.oneof(
  fc.string({ maxLength: 80 }),
  fc.constantFrom('a"b', 'x\n"', '${x}', '-a', 'a..b', "'; rm", '\\', '\u0000', '__proto__', 'node1', 'ok.example'),
);
const address = fc.oneof({ weight: 4, arbitrary: fc.integer({ min: 0x0a4c_fff0, max: 0x0a4e_0010 }).map(formatIpv4) }, hostile);
const mac = fc.oneof(
  { weight: 4, arbitrary: fc.integer({ min: 0, max: 40 }).map((n) => `52:54:00:00:00:${n.toString(16).padStart(2, '0')}`) },
  fc.constantFrom('52-54-00-AA-bb-cc', '01:00:5e:00:00:01', '00:00:00:00:00:00'),
  hostile,
);
const reservation: fc.Arbitrary<Reservation> = fc.record({ mac, address, hostname: hostile });
const subnet: fc.Arbitrary<SubnetPlan> = fc.record({
  id: fc.oneof(
    fc.integer({ min: 1, max: 9 }).map((n) => 300000000000 + n),
    fc.integer(),
  ),
  cidr: fc.oneof(fc.constantFrom('10.77.0.0/16', '10.78.0.0/24', '10.0.0.0/31', 'fd00::/64', '10.77.0.1/16', '1.2.3.4/33'), hostile),
  gateway: address,
  dnsServers: fc.array(address, { maxLength: 3 }),
  ntpServers: fc.array(address, { maxLength: 2 }),
  domain: hostile,
  relays: fc.array(address, { maxLength: 2 }),
  ranges: fc.array(fc.record({ start: address, end: address }), { maxLength: 4 }),
  reservations: fc.array(reservation, { maxLength: 12 }),
  snippets: fc.array(fc.record({ name: hostile, json: fc.oneof(fc.json(), hostile) }), { maxLength: 2 }),
});
const plan: fc.Arbitrary<NetworkPlan> = fc.record({
  vlans: fc.array(
    fc.record({
      id: fc.integer({ min: 1, max: 99 }),
      dhcpOn: fc.boolean(),
      interface: fc.oneof(fc.constantFrom('br0', 'br1'), hostile),
      mtu: fc.integer(),
      subnets: fc.array(subnet, { maxLength: 3 }),
    }),
    { maxLength: 4 },
  ),
});

test('any plan is rendered to well-formed JSON whose reservations, pools and gateways lie in their subnet', () => {
  fc.assert(
    fc.property(plan, (any) => {
      const { dhcp4, value, text } = render(any);
      expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(value)));
      const ids = new Set<number>();
      for (const { subnet4 } of dhcp4['shared-networks']) {
        for (const each of subnet4) {
          expect(ids.has(each.id)).toBe(false);
          ids.add(each.id);
          const net = parseSubnet(each.subnet)!;
          const taken = new Set<unknown>();
          for (const row of each.reservations) {
            expect(isHostOf(net, parseIpv4(String(row['ip-address']))!)).toBe(true);
            expect(String(row['hw-address'])).toMatch(/^([0-9a-f]{2}:){5}[0-9a-f]{2}$/);
            if ('hostname' in row) expect(String(row['hostname'])).toMatch(/^[A-Za-z0-9.-]+$/);
            for (const key of [row['ip-address'], row['hw-address']]) {
              expect(taken.has(key)).toBe(false);
              taken.add(key);
            }
          }
          for (const { pool } of each.pools) for (const end of pool.split('-')) expect(isHostOf(net, parseIpv4(end)!)).toBe(true);
        }
      }
      expect(dhcp4['interfaces-config'].interfaces.every((name) => settings.interfaces.includes(name))).toBe(true);
    }),
    { numRuns: 500 },
  );
});

test('the order of rows changes nothing: the same network gives the same bytes', () => {
  fc.assert(
    fc.property(fc.uniqueArray(fc.integer({ min: 2, max: 60000 }), { minLength: 1, maxLength: 30 }), fc.nat(), (numbers, seed) => {
      const rows = numbers.map((n) => ({
        mac: `52:54:00:00:${(n >> 8).toString(16).padStart(2, '0')}:${(n & 255).toString(16).padStart(2, '0')}`,
        address: formatIpv4(0x0a4d0000 + n),
        hostname: `n${n}`,
      }));
      const turned = rows.map((_, i) => rows[(i + seed) % rows.length]!);
      const ranges = [
        { start: '10.77.200.1', end: '10.77.200.9' },
        { start: '10.77.210.1', end: '10.77.210.9' },
      ];
      const a = render(planOf({ reservations: rows, ranges }, { id: 300000000008, cidr: '10.79.0.0/24' }));
      const b = render(planOf({ id: 300000000008, cidr: '10.79.0.0/24' }, { reservations: turned, ranges: ranges.toReversed() }));
      expect(b.text).toBe(a.text);
      expect(b.hash).toBe(a.hash);
      expect(a.problems).toEqual([]);
    }),
  );
});

test('one bad row is named and left out, the rest is served', () => {
  const { dhcp4, problems } = render(
    planOf({
      gateway: '192.0.2.1',
      ranges: [
        { start: '10.77.1.1', end: '10.77.1.9' },
        { start: '10.77.1.5', end: '10.77.1.20' },
        { start: '10.78.0.1', end: '10.78.0.2' },
      ],
      reservations: [
        { mac: '52:54:00:00:00:01', address: '10.77.2.1', hostname: 'node1' },
        { mac: '52:54:00:00:00:02', address: '10.78.2.1' },
        { mac: '52:54:00:00:00:03', address: '10.77.2.3', hostname: 'evil"\n}' },
        { mac: 'nonsense', address: '10.77.2.4' },
      ],
      snippets: [
        { name: 'code', json: '{"hooks-libraries":[]}' },
        { name: 'tz', json: '{"valid-lifetime":120,"option-data":[{"name":"tcode","data":"Europe/Berlin"}]}' },
      ],
    }),
  );
  const [only] = dhcp4['shared-networks'][0]!.subnet4;
  expect(only).toMatchObject({ id: 7, 'valid-lifetime': 120, pools: [{ pool: '10.77.1.1-10.77.1.9' }] });
  expect(only!['option-data']).toEqual([{ name: 'tcode', data: 'Europe/Berlin' }]);
  expect(only!.reservations).toEqual([
    { 'hw-address': '52:54:00:00:00:01', 'ip-address': '10.77.2.1', hostname: 'node1' },
    { 'hw-address': '52:54:00:00:00:03', 'ip-address': '10.77.2.3' },
  ]);
  expect(problems.length).toBe(7);
  expect(problems.join('\n')).toContain('the snippet "code" is left out: the key "hooks-libraries" is not allowed');
});

test('DHCP only where it is on, and only on interfaces that are here', () => {
  const { dhcp4, problems } = render({
    vlans: [
      { id: 1, dhcpOn: false, interface: 'br0', subnets: [emptySubnet] },
      { id: 2, dhcpOn: true, interface: 'gone0', subnets: [{ ...emptySubnet, id: 8 }] },
    ],
  });
  expect(dhcp4['interfaces-config'].interfaces).toEqual([]);
  expect(dhcp4['shared-networks']).toEqual([]);
  expect(problems).toEqual(['VLAN 2: this host has no interface "gone0", so there is no DHCP on it']);
});

test('no machine’s state and no file of one machine: classes name loaders and the one start script', () => {
  const { dhcp4 } = render(planOf({ reservations: [{ mac: '52:54:00:00:00:01', address: '10.77.2.1', hostname: 'node1' }] }));
  expect((dhcp4['client-classes'] as JsonObject[]).map((each) => [each['name'], each['boot-file-name']])).toEqual([
    ['ipxe', 'http://10.77.0.1:5240/boot/start.ipxe'],
    ['bios', 'undionly.kpxe'],
    ['uefi-amd64', 'snponly.efi'],
    ['uefi-http-amd64', 'http://10.77.0.1:5240/boot/loader/snponly.efi'],
  ]);
  expect(JSON.stringify(dhcp4['shared-networks'])).not.toContain('boot-file-name');
  expect(dhcp4['match-client-id']).toBe(false);
});

test('Kea itself accepts what is rendered (kea-dhcp4 -t)', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'muster-kea-'));
  try {
    const check = async (any: NetworkPlan, name: string): Promise<void> => {
      const file = join(folder, `${name}.json`);
      const hooksFolder = `/usr/lib/${process.arch === 'arm64' ? 'aarch64' : 'x86_64'}-linux-gnu/kea/hooks`;
      await writeFile(
        file,
        render(any, {
          controlSocket: join(folder, 's'),
          leaseFile: join(folder, 'l'),
          logFile: join(folder, 'log'),
          hooksFolder,
          interfaces: ['lo'],
        }).text,
      );
      const tested = promisify(execFile)('/usr/sbin/kea-dhcp4', ['-t', file], {
        env: { ...process.env, KEA_PIDFILE_DIR: folder, KEA_LOCKFILE_DIR: folder },
      });
      await expect(tested, name).resolves.toBeDefined();
    };
    const onLo = fc
      .sample(plan, { numRuns: 12, seed: 7 })
      .map(({ vlans }) => ({ vlans: vlans.map((vlan, i) => ({ ...vlan, id: i + 1, dhcpOn: true, interface: 'lo' })) }));
    for (const [i, any] of onLo.entries())
      await check(
        { vlans: any.vlans.slice(0, 1).map((vlan) => ({ ...vlan, subnets: vlan.subnets.map((each) => ({ ...each, snippets: [] })) })) },
        `fuzz${i}`,
      );
    await check(
      {
        vlans: [
          {
            id: 1,
            dhcpOn: true,
            interface: 'lo',
            mtu: 9000,
            subnets: [
              {
                ...emptySubnet,
                gateway: '10.77.0.1',
                dnsServers: ['10.77.0.1', '10.77.0.2'],
                ntpServers: ['10.77.0.1'],
                domain: 'c1.example',
                relays: ['10.99.0.1'],
                ranges: [{ start: '10.77.1.1', end: '10.77.1.9' }],
                snippets: [
                  {
                    name: 'a',
                    json: '{"valid-lifetime":120,"option-data":[{"name":"tcode","data":"Europe/Berlin","always-send":true},{"code":224,"csv-format":false,"data":"C0FFEE"}]}',
                  },
                ],
              },
            ],
          },
        ],
      },
      'full',
    );
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}, 60_000);
