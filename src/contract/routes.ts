/** The whole API: every route of every resource, by its id (`Machines.allocate`). */
import type { ParamsOf, PathOf, ReplyOf, Route } from './route.ts';
import { account } from './resources/account.ts';
import { blockDevices } from './resources/block-devices.ts';
import { bootResources } from './resources/boot-resources.ts';
import { bootRoutes } from './resources/boot.ts';
import { bootSources } from './resources/boot-sources.ts';
import { bootSourceSelections } from './resources/boot-source-selections.ts';
import { cells } from './resources/cells.ts';
import { domainNames } from './resources/domain-names.ts';
import { domains } from './resources/domains.ts';
import { events } from './resources/events.ts';
import { fabrics } from './resources/fabrics.ts';
import { findingRoutes } from './resources/findings.ts';
import { handOver } from './resources/hand-over.ts';
import { interfaces } from './resources/interfaces.ts';
import { ipRanges } from './resources/ip-ranges.ts';
import { machineActions } from './resources/machine-actions.ts';
import { machineBulk } from './resources/machine-bulk.ts';
import { machines } from './resources/machines.ts';
import { metadata } from './resources/metadata.ts';
import { operationRoutes } from './resources/operations.ts';
import { packageRepositories } from './resources/package-repositories.ts';
import { program } from './resources/program.ts';
import { rackControllers } from './resources/rack-controllers.ts';
import { replica } from './resources/replica.ts';
import { resourcePools } from './resources/resource-pools.ts';
import { scripts } from './resources/scripts.ts';
import { scriptWrites } from './resources/script-writes.ts';
import { sessions } from './resources/sessions.ts';
import { settings } from './resources/settings.ts';
import { spaces } from './resources/spaces.ts';
import { sshKeys } from './resources/ssh-keys.ts';
import { staticRoutes } from './resources/static-routes.ts';
import { subnets } from './resources/subnets.ts';
import { tags } from './resources/tags.ts';
import { users } from './resources/users.ts';
import { vlans } from './resources/vlans.ts';
import { zones } from './resources/zones.ts';

export const routes = {
  ...program,
  ...account,
  ...sessions,
  ...users,
  ...sshKeys,
  ...machines,
  ...machineBulk,
  ...machineActions,
  ...interfaces,
  ...blockDevices,
  ...operationRoutes,
  ...scripts,
  ...scriptWrites,
  ...events,
  ...findingRoutes,
  ...tags,
  ...zones,
  ...resourcePools,
  ...domains,
  ...domainNames,
  ...spaces,
  ...fabrics,
  ...vlans,
  ...subnets,
  ...ipRanges,
  ...staticRoutes,
  ...bootResources,
  ...bootSources,
  ...bootSourceSelections,
  ...packageRepositories,
  ...rackControllers,
  ...settings,
  ...cells,
  ...handOver,
  ...replica,
  ...metadata,
  ...bootRoutes,
} as const satisfies Record<string, Route>;

/**
 * Handlers that exist only because MAAS has the same resource under two paths. The describe document shows the other one, and nothing
 * else there has two.
 */
export const aliases = { VlanById: 'Vlan', InstallationResults: 'NodeResults' } as const;

export type Routes = typeof routes;
export type RouteId = keyof Routes;
export type RoutePath<K extends RouteId> = PathOf<Routes[K]['path']>;
export type RouteParams<K extends RouteId> = ParamsOf<Routes[K]>;
export type RouteReply<K extends RouteId> = ReplyOf<Routes[K]>;
