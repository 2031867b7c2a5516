/**
 * Names that are unique in the fleet (`unique` of a route): the hub reserves one for a cell before the cell gets to hear of it, so of two cells
 * that want it at the same moment one is refused; what a cell gives up is freed behind it. A front that dies in between leaves a name
 * reserved for the cell that was meant: the same call again goes on, and `domain-names/` shows it.
 */
import { routes, type RouteId } from '../contract/routes.ts';
import type { LooseCall } from '../http/dispatch.ts';
import type { BodyReply } from '../http/reply.ts';
import { jsonOf } from './answers.ts';
import type { CellEntry } from './cell-registry.ts';
import { encodeCall, type Fields } from './encode-call.ts';
import { absence, ask, type FrontContext, type Vouch } from './front-context.ts';
import { reachHub, type HubDoor } from './reach-hub.ts';

/** A reply that is passed on always has its status. */
function statusOf({ status }: BodyReply): number {
  return status ?? 200;
}

function drain({ body }: BodyReply): void {
  if (typeof body === 'object' && 'destroy' in body) body.destroy();
}

/** What the thing is called at its cell now; undefined when the cell has none of that id, which it will say itself. */
async function nameNow(context: FrontContext, call: LooseCall, cell: CellEntry): Promise<string | undefined> {
  const encoded = await encodeCall(routes['Domain.read'], { path: call.path, fields: {}, files: [], body: undefined });
  const reply = await ask(context, call, cell, encoded);
  if (reply.status !== 200) return void reply.body.destroy();
  const { name } = (await jsonOf(reply)) as { readonly name?: unknown };
  return typeof name === 'string' ? name : undefined;
}

/** Makes the carrying out of calls with a name of the fleet: reserved at the hub before the cell is asked, freed behind it. */
export function reservingNames(hub: HubDoor, vouch: Vouch): NonNullable<FrontContext['uniquely']> {
  return async (context, route, call, cell, go) => {
    const atHub = (id: RouteId, path: Readonly<Record<string, string>>, fields: Fields): Promise<BodyReply> => {
      // The caller's key is for the caller's own request.
      const request = { ...call.request, idempotencyKey: undefined };
      return reachHub(context, hub, vouch, { id, route: routes[id] }, { ...call, path, fields, files: [], body: undefined, request });
    };
    const free = async (name: string): Promise<void> => drain(await atHub('DomainName.delete', { name }, { cell: [cell.name] }));

    const wanted = (call.fields[route.unique ?? ''] ?? []).at(-1)?.toLowerCase();
    const gives = route.method === 'DELETE' || (route.method === 'PUT' && wanted !== undefined);
    const before = gives
      ? await nameNow(context, call, cell).catch((error: unknown) => Promise.reject(absence(error, { method: 'GET' }, call)))
      : undefined;
    const takes = route.method !== 'DELETE' && wanted !== undefined && wanted !== before;
    const isNew = takes && hub.reader.get('domain_name', wanted) === undefined;
    if (takes) {
      const reserved = await atHub('DomainNames.create', {}, { name: [wanted], cell: [cell.name] });
      if (statusOf(reserved) >= 300) return reserved;
      drain(reserved);
    }
    const reply = await go();
    const status = statusOf(reply);
    // Refused for good: nobody has it. A cell that did not answer may have done it.
    if (isNew && status >= 400 && status < 500) await free(wanted);
    if (status < 300 && before !== undefined && before !== wanted) await free(before);
    return reply;
  };
}
