/** Subnets: created on a VLAN, changed and deleted while that takes nothing from a machine. */
import { fail, invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Handlers } from '../../http/handler.ts';
import type { CellDb } from '../db/cell-db.ts';
import { ensureFabric } from '../db/fabric-store.ts';
import { readRanges } from '../db/ip-range-store.ts';
import { lockNetworks, lockSubnet } from '../db/network-guard.ts';
import { readNetworks, type SubnetRow } from '../db/network-read.ts';
import { deleteSubnet, holderOf, insertSubnet, leavesOut, overlappingSubnet, updateSubnet, useOfSubnet } from '../db/subnet-store.ts';
import { formatNetwork, type IpNetwork } from './ip-address.ts';
import { networkBodies } from './network-body.ts';
import type { NetworkContext } from './network-context.ts';
import { changeNetwork, found, networkView, refuseOtherCell } from './network-view.ts';
import { chooseVlan, defaultFabric, fabricVlans, findSubnet } from './specifier.ts';
import { nameOf, networkOf, settingsOf } from './subnet-settings.ts';

const taken = { subnet_cidr_key: { cidr: ['Subnet with this Cidr already exists.'] } };

async function refuseOverlap(tx: CellDb, network: IpNetwork, id?: number): Promise<void> {
  const other = await overlappingSubnet(tx, formatNetwork(network), id);
  if (other === formatNetwork(network)) throw invalid(taken.subnet_cidr_key);
  if (other !== undefined) throw invalid({ cidr: [`This network overlaps subnet ${other}.`] });
}

async function refuseTakenGateway(tx: CellDb, gateway: string | null | undefined): Promise<void> {
  const holder = gateway ? await holderOf(tx, gateway) : undefined;
  if (holder !== undefined) throw invalid({ gateway_ip: [`IP address ${gateway} is already in use by ${holder}.`] });
}

async function create(context: NetworkContext, tx: CellDb, params: RouteParams<'Subnets.create'>) {
  await lockNetworks(tx);
  await ensureFabric(tx);
  const networks = await readNetworks(tx);
  const vlan = chooseVlan(networks, params) ?? fabricVlans(networks, String(defaultFabric(networks)))?.find((one) => one.vid === 0);
  const network = networkOf(params.cidr);
  const settings = settingsOf(params, network);
  await refuseOverlap(tx, network);
  await refuseTakenGateway(tx, settings.gateway_ip);
  const name = nameOf(params.name, network);
  const value = await insertSubnet(tx, { ...settings, cidr: formatNetwork(network), name, vlan_id: vlan?.id ?? Number.NaN });
  return { did: `Subnet ${formatNetwork(network)} created in cell ${context.cellName}`, value };
}

async function update(tx: CellDb, subnet: SubnetRow, params: RouteParams<'Subnet.update'>) {
  const vlan = chooseVlan(await readNetworks(tx), params);
  const network = networkOf(params.cidr ?? subnet.cidr);
  const cidr = formatNetwork(network);
  // The router has to lie in the new network too.
  const settings = settingsOf(
    { ...params, ...(cidr === subnet.cidr ? {} : { gateway_ip: params.gateway_ip ?? subnet.gateway_ip ?? '' }) },
    network,
  );
  if (cidr !== subnet.cidr) {
    await refuseOverlap(tx, network, subnet.id);
    if (await leavesOut(tx, subnet.id, cidr)) {
      throw fail('in_use', { what: `Subnet ${subnet.cidr}`, by: `it has ranges or taken addresses outside of ${cidr}` });
    }
  }
  await refuseTakenGateway(tx, settings.gateway_ip);
  // MAAS renames a subnet that was called after its CIDR.
  const renamed = params.name === undefined && subnet.name === subnet.cidr ? { name: cidr } : {};
  await updateSubnet(tx, subnet.id, { ...settings, ...renamed, cidr, ...(vlan === undefined ? {} : { vlan_id: vlan.id }) });
}

/** Links without an address (auto, DHCP) are in use too: their machines are deployed with them. */
async function refuseUsed(tx: CellDb, subnet: SubnetRow, force: boolean): Promise<void> {
  const vlan = (await readNetworks(tx)).vlans.get(subnet.vlan_id);
  const ranges = await readRanges(tx, { subnetId: subnet.id });
  if (vlan?.dhcp_on === true && ranges.some((range) => range.type === 'dynamic')) {
    const reason =
      'Cannot delete a subnet that is actively servicing a dynamic IP range. (Delete the dynamic range or disable DHCP first.)';
    throw fail('bad_request', { reason });
  }
  const { links, machines, addresses } = await useOfSubnet(tx, subnet.id);
  if (links + addresses === 0 || force) return;
  const by = [
    ...(links > 0 ? [`${machines} ${machines === 1 ? 'machine' : 'machines'}`] : []),
    ...(addresses > 0 ? [`${addresses} reserved ${addresses === 1 ? 'address' : 'addresses'}`] : []),
  ];
  throw fail('in_use', { what: `Subnet ${subnet.cidr}`, by: by.join(' and ') });
}

type SubnetRoute = `Subnets.${'read' | 'create'}` | `Subnet.${'read' | 'update' | 'delete'}`;

export function subnetHandlers(context: NetworkContext): Handlers<SubnetRoute> {
  const show = async (id: number) => found((await networkView(context)).subnets.get(id), 'Subnet');
  const locked = async (tx: CellDb, text: string): Promise<SubnetRow> => {
    await lockNetworks(tx);
    const { id } = found(findSubnet(await readNetworks(tx), text), 'Subnet');
    if (!(await lockSubnet(tx, id))) throw fail('not_found', { what: 'Subnet' });
    return found((await readNetworks(tx)).subnets.get(id), 'Subnet');
  };
  return {
    'Subnets.read': async () => [...(await networkView(context)).subnets.values()].toSorted((a, b) => a.id - b.id),
    'Subnet.read': async ({ path }) => {
      const networks = await readNetworks(context.database.db);
      return found(networkBodies(networks, context.global).subnets.get(findSubnet(networks, path.id)?.id ?? Number.NaN), 'Subnet');
    },
    'Subnets.create': async ({ params, caller }) => {
      refuseOtherCell(context, params.cell);
      return show(await changeNetwork(context, caller.username, taken, (tx) => create(context, tx, params)));
    },
    'Subnet.update': async ({ path, params, caller }) =>
      show(
        await changeNetwork(context, caller.username, taken, async (tx) => {
          const subnet = await locked(tx, path.id);
          await update(tx, subnet, params);
          return { did: `Subnet ${subnet.cidr} changed`, value: subnet.id };
        }),
      ),
    'Subnet.delete': ({ path, params, caller }) =>
      changeNetwork(context, caller.username, {}, async (tx) => {
        const subnet = await locked(tx, path.id);
        await refuseUsed(tx, subnet, params.force ?? false);
        await deleteSubnet(tx, subnet.id);
        return { did: `Subnet ${subnet.cidr} deleted`, value: undefined };
      }),
  };
}
