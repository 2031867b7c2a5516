/** Hosts that a cell has seen on its networks: in its kernel's table of neighbours and among its DHCP leases. */
import { Type } from 'typebox';
import { get, optional, post, required, resource } from '../route.ts';
import { AddressText, MacAddress, Nothing, nullable } from './field.ts';

const Discovery = Type.Object({
  /** The row's id as text: it carries its cell. */
  discovery_id: Type.String(),
  ip: Type.String(),
  mac_address: Type.String(),
  /** The maker of the network card: not known here, always null. */
  mac_organization: nullable(Type.String()),
  last_seen: Type.String(),
  hostname: nullable(Type.String()),
  fabric_name: nullable(Type.String()),
  /** The VLAN's tag; null for an untagged one. */
  vid: nullable(Type.Integer()),
  observer: Type.Object({
    system_id: Type.String(),
    hostname: Type.String(),
    interface_id: nullable(Type.Integer()),
    interface_name: Type.String(),
  }),
  resource_uri: Type.String(),
});

const Rack = Type.Object({ system_id: Type.String(), hostname: Type.String() });
const ScanResult = Type.Object({
  result: Type.String(),
  scan_started_on: Type.Array(Rack),
  scan_failed_on: Type.Array(Rack),
  scan_attempted_on: Type.Array(Rack),
  failed_to_connect_to: Type.Array(Rack),
  rpc_call_timed_out_on: Type.Array(Rack),
  failures: Type.Array(Type.Object({ type: Type.String(), message: Type.String() })),
});

const list = { reply: Type.Array(Discovery), policy: 'user', reach: 'gather', partial: true } as const;

export const discoveries = {
  ...resource('Discoveries', 'discovery/', 'Hosts that were seen on the networks.', {
    read: get({ doc: 'List everything that was seen, newest first.', ...list }),
    by_unknown_mac: get({ op: 'by_unknown_mac', doc: 'List what was seen with a MAC that no machine has.', ...list }),
    by_unknown_ip: get({ op: 'by_unknown_ip', doc: 'List what was seen with an address that nobody was given.', ...list }),
    by_unknown_ip_and_mac: get({
      op: 'by_unknown_ip_and_mac',
      doc: 'List what was seen of which neither address nor MAC is known.',
      ...list,
    }),
    clear: post({
      op: 'clear',
      doc: 'Forget what was seen.\n\nWhat is still there is seen again.',
      params: {
        neighbours: optional(Type.Boolean(), 'Forget what was seen on the networks.'),
        mdns: optional(Type.Boolean(), 'Forget names that were announced: none are kept.'),
        all: optional(Type.Boolean(), 'Forget both.'),
      },
      reply: Nothing,
      status: 204,
      type: 'none',
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'gather',
    }),
    clear_by_mac_and_ip: post({
      op: 'clear_by_mac_and_ip',
      doc: 'Forget one host.',
      params: { ip: required(AddressText, 'Its address.'), mac: required(MacAddress, 'Its MAC.') },
      reply: Nothing,
      status: 204,
      type: 'none',
      policy: 'admin',
      reach: 'gather',
    }),
    scan: post({
      op: 'scan',
      doc: 'Look for hosts now.\n\nOnly subnets with active_discovery that this cell has an interface on are scanned, one packet for each address; what answers is listed when all were asked.',
      params: {
        cidr: optional(Type.Array(Type.String({ maxLength: 49 }), { maxItems: 64 }), 'What to scan: parts of such subnets, repeated.'),
        force: optional(Type.Boolean(), 'True: scan all of them, when no cidr is given.'),
        always_use_ping: optional(Type.Boolean(), 'Accepted; there is one way of asking.'),
        slow: optional(Type.Boolean(), 'True: one address at a time.'),
        threads: optional(Type.Integer({ minimum: 1, maximum: 64 }), 'How many addresses are asked at once; 16 when left out.'),
      },
      reply: ScanResult,
      errors: ['bad_request'],
      policy: 'admin',
      reach: 'gather',
    }),
  }),
  ...resource('Discovery', 'discovery/{discovery_id}/', 'One host that was seen.', {
    read: get({ doc: 'Read what was seen of a host.', reply: Discovery, errors: ['not_found'], policy: 'user', reach: 'id' }),
  }),
};
