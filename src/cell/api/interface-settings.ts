/** What parameters say of an interface, judged by themselves, and what is left to the defaults of its type. Pure. */
import { invalid } from '../../contract/errors.ts';
import type { RouteParams } from '../../contract/routes.ts';
import type { Port } from '../db/interface-rules.ts';
import { idOfText } from './network-view.ts';
import { wordsOf } from './subnet-settings.ts';

type UpdateParams = RouteParams<'Interface.update'>;

/** MAAS's, which are shown with every bond and bridge. */
const defaults: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  bond: {
    bond_mode: 'active-backup',
    bond_miimon: 100,
    bond_downdelay: 0,
    bond_updelay: 0,
    bond_lacp_rate: 'fast',
    bond_xmit_hash_policy: 'layer2',
    bond_num_grat_arp: 1,
  },
  bridge: { bridge_type: 'standard', bridge_stp: false, bridge_fd: 15 },
};

/** What of these parameters goes into the `params` of an interface of this type; those of other types are passed over, as MAAS does. */
export function paramsOf(type: string, given: Readonly<Partial<UpdateParams>>): Record<string, unknown> {
  const names = new Set([...Object.keys(defaults[type] ?? {}), 'accept_ra']);
  return Object.fromEntries(Object.entries(given).filter(([name, value]) => names.has(name) && value !== undefined));
}

export function newParams(type: string, given: Readonly<Partial<UpdateParams>>): string {
  return JSON.stringify({ ...defaults[type], ...paramsOf(type, given) });
}

/** The interfaces that `parents` and `parent` name together; undefined when neither was given. @throws Failure `invalid`. */
export function parentsOf<P extends Port>(
  ports: readonly P[],
  given: { readonly parents?: readonly string[] | undefined; readonly parent?: string | undefined },
): P[] | undefined {
  const words = {
    parent: given.parent === undefined || given.parent === '' ? undefined : [given.parent],
    parents: given.parents === undefined ? undefined : wordsOf(given.parents),
  };
  if (words.parent === undefined && words.parents === undefined) return undefined;
  const named = (['parent', 'parents'] as const).flatMap((field) =>
    (words[field] ?? []).map((word) => {
      const port = ports.find((one) => one.id === idOfText(word));
      if (!port) throw invalid({ [field]: [`Select a valid choice. ${word.slice(0, 40)} is not one of the available choices.`] });
      return port;
    }),
  );
  return [...new Set(named)];
}

/** The id in a `vlan` parameter: null for an empty one. @throws Failure `invalid`. */
export function vlanIdOf(text: string): number | null {
  if (text === '') return null;
  const id = idOfText(text.replace(/^id:/, ''));
  if (Number.isNaN(id)) throw noVlan(text);
  return id;
}

export function noVlan(text: string) {
  return invalid({ vlan: [`Unable to find VLAN ${text.slice(0, 100)}.`] });
}
