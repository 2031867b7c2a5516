/** Lists of machines, devices and controllers together, by system_id: a constant number of statements a page. */
import type { BodyReply } from '../../http/reply.ts';
import { readDevices } from '../db/device-store.ts';
import { readMachines } from '../db/machine-read.ts';
import type { MachineCondition } from '../db/machine-filter.ts';
import { readNetworksLately } from '../db/network-read.ts';
import { findNodes, type NodeType } from '../db/node-store.ts';
import { controllerBody, readAllControllers, type Controller, type ControllerList } from './controllers.ts';
import { deviceBody } from './device-body.ts';
import { jsonList } from './json-list.ts';
import { machineBody } from './machine-body.ts';
import { networkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';

/** Nodes read at once. */
const nodesAtOnce = 500;

/** Which kinds of nodes a list has; controllers are shown as of one list. */
export interface ListedKinds {
  readonly machines?: boolean;
  readonly devices?: boolean;
  readonly controllers?: ControllerList;
}

/** The nodes of these kinds that meet the conditions, as their bodies. */
export async function nodeList(
  context: NetworkContext,
  conditions: readonly MachineCondition[],
  { machines = false, devices = false, controllers: list }: ListedKinds,
): Promise<BodyReply> {
  const controllers = list === undefined ? [] : await readAllControllers(context);
  const found = await findNodes(context.database.db, conditions, {
    machines,
    devices,
    controllers: controllers.map(({ facts }) => facts),
  });
  return jsonList(pages(context, found, controllers, list ?? 'rackcontrollers'));
}

async function* pages(
  context: NetworkContext,
  found: readonly { readonly system_id: string; readonly node_type: NodeType }[],
  controllers: readonly Controller[],
  list: ControllerList,
): AsyncGenerator<readonly unknown[]> {
  if (found.length === 0) return;
  const { database, global, cellName } = context;
  const networks = networkBodies(await readNetworksLately(database.db), global);
  const idsOf = (nodes: typeof found, type: NodeType) => nodes.filter((node) => node.node_type === type).map((node) => node.system_id);
  for (let at = 0; at < found.length; at += nodesAtOnce) {
    const nodes = found.slice(at, at + nodesAtOnce);
    const [machines, devices] = [idsOf(nodes, 0), idsOf(nodes, 1)];
    const bodies = new Map<string, unknown>();
    if (machines.length > 0)
      for (const row of await readMachines(database.db, machines))
        bodies.set(row.system_id, machineBody(row, { global, networks, cellName }));
    if (devices.length > 0)
      for (const row of await readDevices(database.db, devices)) bodies.set(row.system_id, deviceBody(row, { global, networks }));
    for (const one of controllers) bodies.set(one.facts.system_id, controllerBody(context, one, networks, list));
    // What was deleted meanwhile is left out.
    yield nodes.flatMap((node) => bodies.get(node.system_id) ?? []);
  }
}
