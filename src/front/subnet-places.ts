/** Which cell is meant by an address or by the CIDR or name of a subnet: the only one that has such a subnet. */
import { BlockList, isIP } from 'node:net';
import { Type } from 'typebox';
import { Compile } from 'typebox/compile';
import { routes } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import { askAll, drop, jsonOf, partialRefused } from './answers.ts';
import type { CellEntry } from './cell-registry.ts';
import { encodeCall, type Fields } from './encode-call.ts';
import type { FrontContext } from './front-context.ts';

const Subnets = Type.Array(Type.Object({ name: Type.String(), cidr: Type.String() }));
const areSubnets = Compile(Subnets);
type Subnet = { readonly name: string; readonly cidr: string };

/** Parameters that name a subnet, and those that are an address in one. */
const subnetParams = ['subnet', 'source', 'destination'];
const addressParams = ['ip_address', 'ip', 'start_ip'];

function holds(cidr: string, address: string): boolean {
  const [network = '', prefix = ''] = cidr.split('/');
  const [family, other] = [isIP(network), isIP(address)];
  if (family === 0 || family !== other || !/^\d{1,3}$/.test(prefix) || Number(prefix) > (family === 4 ? 32 : 128)) return false;
  const list = new BlockList();
  list.addSubnet(network, Number(prefix), family === 4 ? 'ipv4' : 'ipv6');
  return list.check(address, family === 4 ? 'ipv4' : 'ipv6');
}

/** What a subnet must be, to be what these parameters mean; undefined when they mean none. Pure. */
export function subnetMeant(fields: Fields): ((subnet: Subnet) => boolean) | undefined {
  const named = subnetParams.map((param) => fields[param]?.at(-1) ?? '').find((text) => text !== '');
  if (named !== undefined) {
    const [, word, rest = ''] = /^(?:(cidr|name|ip):)?(.*)$/s.exec(named) ?? [];
    if (word === 'ip') return (subnet) => holds(subnet.cidr, rest);
    return (subnet) => (word !== 'name' && subnet.cidr === rest) || (word !== 'cidr' && subnet.name === rest);
  }
  const address = addressParams.map((param) => fields[param]?.at(-1)?.trim() ?? '').find((text) => isIP(text) !== 0);
  return address === undefined ? undefined : (subnet) => holds(subnet.cidr, address);
}

/** Asks the cells; undefined when none or several have such a subnet. @throws Failure `partial_refused`: an absent cell may have it, too. */
export async function cellOfSubnet(context: FrontContext, call: LooseCall): Promise<CellEntry | undefined> {
  const isMeant = subnetMeant(call.fields);
  if (!isMeant) return undefined;
  const encoded = await encodeCall(routes['Subnets.read'], { path: {}, fields: {}, files: [], body: undefined });
  const answers = await askAll(context, call, context.registry.list(), () => encoded);
  drop(answers.refused);
  const missing = [...answers.absent, ...answers.out];
  if (missing.length > 0) {
    drop(answers.good);
    throw partialRefused(missing);
  }
  const holders = await Promise.all(
    answers.good.map(async (reply) => {
      const subnets = await jsonOf(reply).catch(() => undefined);
      if (!areSubnets.Check(subnets)) throw partialRefused([reply.cell]);
      return subnets.some(isMeant) ? [reply.cell] : [];
    }),
  );
  const [only, ...more] = holders.flat();
  return more.length === 0 ? only : undefined;
}
