/** Networks: subnets as MAAS 1 showed them. Read only; MAAS answers 410 to writes as well. */
import { Type } from 'typebox';
import { get, optional, post, put, remove, resource } from '../route.ts';
import { Nothing, nullable } from './field.ts';

const Network = Type.Object({
  /** `subnet-ID`. */
  name: Type.String(),
  ip: Type.String(),
  netmask: Type.String(),
  vlan_tag: Type.Integer(),
  description: Type.String(),
  default_gateway: nullable(Type.String()),
  dns_servers: Type.Array(Type.String()),
  resource_uri: Type.String(),
});

const text = (doc: string) => optional(Type.String({ maxLength: 4096 }), doc);
const gone = { reply: Nothing, errors: ['gone'], policy: 'admin' } as const;

export const networks = {
  ...resource('Networks', 'networks/', 'Subnets as MAAS 1 showed them.', {
    read: get({
      doc: 'List networks.',
      params: {
        node: optional(
          Type.Array(Type.String({ maxLength: 64 }), { maxItems: 1000 }),
          'system_ids; only networks that all of them are linked to.',
        ),
      },
      reply: Type.Array(Network),
      policy: 'user',
      reach: 'gather',
      partial: true,
      names: ['node'],
    }),
    create: post({ doc: 'Not there any more: create a subnet.', ...gone, reach: 'any' }),
  }),
  ...resource('Network', 'networks/{name}/', 'One subnet as MAAS 1 showed it.', {
    read: get({ doc: 'Read a network.', reply: Network, errors: ['not_found'], policy: 'user', reach: 'id' }),
    update: put({
      doc: 'Not there any more: change the subnet.',
      params: {
        ip: text('Ignored.'),
        netmask: text('Ignored.'),
        vlan_tag: text('Ignored.'),
        description: text('Ignored.'),
      },
      ...gone,
      reach: 'any',
    }),
    delete: remove({ doc: 'Not there any more: delete the subnet.', ...gone, reach: 'any' }),
    connect_macs: post({ op: 'connect_macs', doc: 'Not there any more: link interfaces to the subnet.', ...gone, reach: 'any' }),
    disconnect_macs: post({ op: 'disconnect_macs', doc: 'Not there any more: unlink interfaces from the subnet.', ...gone, reach: 'any' }),
    list_connected_macs: get({
      op: 'list_connected_macs',
      doc: "List the MACs of interfaces on the network's VLAN, by the names of their machines.",
      reply: Type.Array(Type.Object({ mac_address: Type.String() })),
      errors: ['not_found'],
      policy: 'user',
      reach: 'id',
    }),
  }),
};
