/** The fronts: the hub knows when it last heard of each; with the hub away, who is registered is still known here. */
import type { Static } from 'typebox';
import { Failure } from '../contract/errors.ts';
import type { Front } from '../contract/resources/cells.ts';
import type { GlobalReader } from '../global/document.ts';

type FrontBody = Static<typeof Front>;

/** `Fronts.read`: the hub's answer, or the registry alone when there is none. */
export async function frontBodies(reader: GlobalReader, askHub: () => Promise<unknown>): Promise<unknown> {
  try {
    return await askHub();
  } catch (error) {
    if (!(error instanceof Failure) || error.code !== 'hub_absent') throw error;
    return reader.list('front').map(({ number, name, url }): FrontBody => ({
      number,
      name,
      url,
      state: 'in',
      version: '',
      revision: null,
      seen: null,
      resource_uri: `/MAAS/api/2.0/fronts/${name}/`,
    }));
  }
}
