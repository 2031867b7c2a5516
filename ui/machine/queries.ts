/** What one machine's page reads. Events name the machine and make all of it fresh (live.ts). */
import { queryOptions } from '@tanstack/react-query';
import type { RouteReply } from '../../src/contract/routes.ts';
import { client } from '../api.ts';

export type MachineBody = RouteReply<'Machine.read'>;
export type OperationBody = RouteReply<'Operation.read'>;
export type ResultSetBody = RouteReply<'NodeScriptResult.read'>;
export type EventBody = RouteReply<'Events.query'>['events'][number];

/** Most power states are seen at the DEBUG level, which the page's stream leaves out. */
const powerEvery = 10_000;

export const machineQuery = (systemId: string) =>
  queryOptions({
    queryKey: ['machine', systemId, 'body'],
    queryFn: ({ signal }): Promise<MachineBody> => client.call('Machine.read', { system_id: systemId }, {}, { signal }),
    refetchInterval: powerEvery,
  });

export const operationsQuery = (systemId: string) =>
  queryOptions({
    queryKey: ['machine', systemId, 'operations'],
    queryFn: ({ signal }): Promise<readonly OperationBody[]> =>
      client.call('Operations.read', {}, { machine: [systemId], limit: 10 }, { signal }),
  });

export const resultsQuery = (systemId: string) =>
  queryOptions({
    queryKey: ['machine', systemId, 'results'],
    queryFn: ({ signal }): Promise<readonly ResultSetBody[]> =>
      client.call('NodeScriptResults.read', { system_id: systemId }, {}, { signal }),
  });

/** Newest first. `level`: the least that is shown. */
export const eventsQuery = (systemId: string, level: 'INFO' | 'DEBUG') =>
  queryOptions({
    queryKey: ['machine', systemId, 'events', level],
    queryFn: async ({ signal }): Promise<readonly EventBody[]> =>
      (await client.call('Events.query', {}, { id: [systemId], level, limit: 200 }, { signal })).events,
  });

/** Images that can be deployed, each name once. */
export const imagesQuery = queryOptions({
  queryKey: ['images'],
  queryFn: async ({ signal }): Promise<readonly { readonly name: string; readonly title: string }[]> => {
    const found = await client.call('BootResources.read', {}, {}, { signal });
    const names = new Map(found.map((image) => [image.name, image.title ?? '']));
    return [...names].map(([name, title]) => ({ name, title }));
  },
});
