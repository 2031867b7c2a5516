/** Names of DNS domains that are reserved: each belongs to one cell, which answers for it. Fronts reserve and free them by themselves. */
import { Type } from 'typebox';
import { get, optional, post, remove, required, resource } from '../route.ts';
import { Nothing } from './field.ts';

/** The name of a domain: labels of letters, digits and hyphens. */
export const DomainNameText = Type.String({
  minLength: 1,
  maxLength: 253,
  pattern: '^[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?(\\.[a-zA-Z0-9]([-a-zA-Z0-9]*[a-zA-Z0-9])?)*$',
});

const DomainName = Type.Object({ name: Type.String(), cell: Type.String(), resource_uri: Type.String() });
const cellName = Type.String({ minLength: 1, maxLength: 31 });

export const domainNames = {
  ...resource('DomainNames', 'domain-names/', 'Names of DNS domains, and the cell that each belongs to.', {
    read: get({ doc: 'List the reserved names.', reply: Type.Array(DomainName), policy: 'user', reach: 'hub' }),
    create: post({
      doc: 'Reserve a name for a cell.\n\nReserving it for the same cell again changes nothing.',
      params: { name: required(DomainNameText, 'The name of the domain.'), cell: required(cellName, 'The name of the cell.') },
      reply: DomainName,
      errors: ['in_use', 'bad_request'],
      policy: 'admin',
      reach: 'hub',
    }),
  }),
  ...resource('DomainName', 'domain-names/{name}/', 'One reserved name.', {
    delete: remove({
      doc: 'Free a name.\n\nWhat is not reserved is free already. The domain itself is deleted at its cell.',
      params: { cell: optional(cellName, 'Only if it is reserved for this cell.') },
      reply: Nothing,
      status: 204,
      type: 'none',
      policy: 'admin',
      reach: 'hub',
    }),
  }),
};
