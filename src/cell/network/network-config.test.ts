import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import type { ModelInterface, ModelLink, NetworkModel } from '../db/network-model.ts';
import { networkConfig, networkConfigFile } from './network-config.ts';

const link = (id: number, more: Partial<ModelLink> = {}): ModelLink => ({
  id,
  mode: 'auto',
  ip: `10.0.0.${id}`,
  cidr: '10.0.0.0/24',
  gateway: '10.0.0.254',
  dns_servers: ['10.0.0.53'],
  routes: [],
  ...more,
});
const card = (id: number, more: Partial<ModelInterface> = {}): ModelInterface => ({
  id,
  name: `eth${id - 1}`,
  type: 'physical',
  mac: `52:54:00:00:00:0${id}`,
  enabled: true,
  link_connected: true,
  vlan_id: 1,
  vid: 0,
  dhcp_on: true,
  mtu: null,
  vlan_mtu: 1500,
  params: {},
  parents: [],
  links: [],
  ...more,
});
const model = (interfaces: readonly ModelInterface[], more: Partial<NetworkModel> = {}): NetworkModel => ({
  boot_interface_id: 1,
  domain: 'lab.example',
  gateway_links: [],
  interfaces,
  ...more,
});
const match = (id: number) => ({ match: { macaddress: `52:54:00:00:00:0${id}` }, 'set-name': `eth${id - 1}` });
const fixed = (id: number) => ({
  addresses: [`10.0.0.${id}/24`],
  routes: [{ to: '0.0.0.0/0', via: '10.0.0.254' }],
  nameservers: { addresses: ['10.0.0.53'], search: ['lab.example'] },
});

describe('the system finds out by itself', () => {
  test.each<[string, NetworkModel]>([
    ['one card without a link', model([card(1)])],
    ['one card with the address that DHCP keeps for it', model([card(1, { links: [link(7)] })])],
    ['one card with DHCP', model([card(1, { links: [link(7, { mode: 'dhcp', ip: null })] })])],
    ['cards that nobody linked', model([card(1), card(2)])],
    ['nothing at all', model([])],
  ])('%s', (_what, given) => {
    expect(networkConfig(given)).toBeUndefined();
  });
});

describe('the system is told', () => {
  test.each<[string, NetworkModel, object]>([
    [
      'a fixed address on one card',
      model([card(1, { links: [link(7, { mode: 'static' })] })]),
      { version: 2, ethernets: { eth0: { ...match(1), ...fixed(7) } } },
    ],
    [
      'an address where no DHCP keeps it',
      model([card(1, { dhcp_on: false, links: [link(7)] })]),
      { version: 2, ethernets: { eth0: { ...match(1), ...fixed(7) } } },
    ],
    [
      'two cards: nobody waits for the one without an address',
      model([card(1, { links: [link(7)] }), card(2)]),
      { version: 2, ethernets: { eth0: { ...match(1), ...fixed(7) }, eth1: { ...match(2), optional: true } } },
    ],
    [
      'the card that it boots from asks DHCP while only others are linked',
      model([card(1), card(2, { links: [link(8, { gateway: null, dns_servers: [] })] })]),
      {
        version: 2,
        ethernets: {
          eth0: { ...match(1), dhcp4: true, 'dhcp4-overrides': { 'route-metric': 100 } },
          eth1: { ...match(2), addresses: ['10.0.0.8/24'] },
        },
      },
    ],
    [
      'the default route by the link that was chosen, and the routes of its subnet',
      model(
        [
          card(1, { links: [link(7)] }),
          card(2, {
            links: [
              link(8, {
                mode: 'static',
                ip: '10.1.0.8',
                cidr: '10.1.0.0/16',
                gateway: '10.1.0.1',
                dns_servers: [],
                routes: [{ to: '192.168.0.0/16', via: '10.1.0.2', metric: 5 }],
              }),
              link(9, { mode: 'auto', ip: 'fd00::9', cidr: 'fd00::/64', gateway: 'fe80::1', dns_servers: [] }),
            ],
          }),
        ],
        { gateway_links: [8] },
      ),
      {
        version: 2,
        ethernets: {
          eth0: { ...match(1), addresses: ['10.0.0.7/24'], nameservers: fixed(7).nameservers },
          eth1: {
            ...match(2),
            addresses: ['10.1.0.8/16', 'fd00::9/64'],
            routes: [
              { to: '0.0.0.0/0', via: '10.1.0.1' },
              { to: '192.168.0.0/16', via: '10.1.0.2', metric: 5 },
              { to: '::/0', via: 'fe80::1' },
            ],
          },
        },
      },
    ],
    [
      'a bond under a bridge, a VLAN interface, MTUs',
      model([
        card(1, { vlan_mtu: 9000 }),
        card(2, { vlan_mtu: 9000 }),
        card(3, {
          name: 'bond0',
          type: 'bond',
          mac: '52:54:00:00:00:01',
          parents: [1, 2],
          vlan_mtu: 9000,
          params: {
            bond_mode: '802.3ad',
            bond_miimon: 100,
            bond_downdelay: 1,
            bond_updelay: 2,
            bond_lacp_rate: 'fast',
            bond_xmit_hash_policy: 'layer3+4',
            bond_num_grat_arp: 1,
          },
        }),
        card(4, {
          name: 'br0',
          type: 'bridge',
          mac: '52:54:00:00:00:01',
          parents: [3],
          vlan_mtu: 9000,
          params: { bridge_type: 'standard', bridge_stp: false, bridge_fd: 0, accept_ra: false },
          links: [link(7)],
        }),
        card(5, {
          name: 'bond0.20',
          type: 'vlan',
          mac: '52:54:00:00:00:01',
          parents: [3],
          vlan_id: 20,
          vid: 20,
          links: [link(8, { mode: 'dhcp', ip: null })],
        }),
      ]),
      {
        version: 2,
        ethernets: { eth0: { ...match(1), mtu: 9000 }, eth1: { ...match(2), mtu: 9000 } },
        bonds: {
          bond0: {
            interfaces: ['eth0', 'eth1'],
            macaddress: '52:54:00:00:00:01',
            parameters: {
              mode: '802.3ad',
              'mii-monitor-interval': 100,
              'up-delay': 2,
              'down-delay': 1,
              'lacp-rate': 'fast',
              'transmit-hash-policy': 'layer3+4',
            },
            mtu: 9000,
          },
        },
        bridges: {
          br0: {
            interfaces: ['bond0'],
            macaddress: '52:54:00:00:00:01',
            parameters: { stp: false, 'forward-delay': 0 },
            ...fixed(7),
            mtu: 9000,
            'accept-ra': false,
          },
        },
        vlans: { 'bond0.20': { id: 20, link: 'bond0', dhcp4: true, 'dhcp4-overrides': { 'route-metric': 200 } } },
      },
    ],
  ])('%s', (_what, given, expected) => {
    expect(networkConfig(given)).toEqual(expected);
  });
});

const kind = fc.constantFrom<'physical' | 'bond' | 'bridge' | 'vlan'>('physical', 'physical', 'bond', 'bridge', 'vlan');
const anyLink = fc.record({
  mode: fc.constantFrom<ModelLink['mode']>('auto', 'static', 'dhcp', 'link_up'),
  has: fc.boolean(),
  gateway: fc.constantFrom(null, '10.0.0.254', 'fe80::1'),
});
const anyModel: fc.Arbitrary<NetworkModel> = fc
  .array(fc.record({ kind, links: fc.array(anyLink, { maxLength: 3 }), enabled: fc.boolean(), vid: fc.constantFrom(null, 20) }), {
    minLength: 1,
    maxLength: 7,
  })
  .chain((nics) => fc.record({ nics: fc.constant(nics), chosen: fc.array(fc.integer({ min: 0, max: 25 }), { maxLength: 2 }) }))
  .map(({ nics, chosen }) =>
    model(
      nics.map((nic, at) =>
        card(at + 1, {
          type: at === 0 ? 'physical' : nic.kind,
          enabled: nic.enabled,
          vid: nic.vid,
          // Made of the one before it, as a chain: the rules let no other circle arise.
          parents: at === 0 || nic.kind === 'physical' ? [] : [at],
          links: nic.links.map((one, n) => link(at * 3 + n, { mode: one.mode, gateway: one.gateway, ...(one.has ? {} : { ip: null }) })),
        }),
      ),
      { gateway_links: chosen },
    ),
  );

test('whatever the model is: names that are referred to are there, one default route a family, no addresses below a bond or bridge', () => {
  fc.assert(
    fc.property(anyModel, (given) => {
      const config = networkConfig(given);
      if (!config) return;
      const sections = { ...config.ethernets, ...config.bonds, ...config.bridges, ...config.vlans };
      const members = [...Object.values(config.bonds ?? {}), ...Object.values(config.bridges ?? {})].flatMap(
        (one) => one['interfaces'] as string[],
      );
      const names = [...members, ...Object.values(config.vlans ?? {}).map((one) => one['link'] as string)];
      for (const name of names) expect(Object.keys(sections)).toContain(name);
      for (const name of members)
        expect(Object.keys(sections[name] ?? {}).filter((key) => /^(addresses|dhcp[46]|routes)$/.test(key))).toEqual([]);
      const routes = Object.values(sections).flatMap((one) => (one['routes'] ?? []) as { to: string }[]);
      for (const to of ['0.0.0.0/0', '::/0']) expect(routes.filter((one) => one.to === to).length).toBeLessThan(2);
      expect(JSON.parse(networkConfigFile(config).split('\n').slice(1).join('\n').replace('network: ', ''))).toEqual(config);
    }),
    { numRuns: 500 },
  );
});
